//! Taking a file apart for a camera: no panic, no slice that leaves its file,
//! and nothing is offered without a word or refused without a reason. The
//! bytes are spread over the file, so that a small input reaches all parts.
#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use mi360d::chip::FlashMap;
use mi360d::formats::uimage::Family;
use mi360d::image::{Slices, Target};

/// Where the parts of a dump, or of a tf image, begin.
const PLACES: [usize; 10] = [
    0, 0x2_0000, 0x3_0000, 0x4_F000, 0x5_0000, 0x20_0000, 0x21_0000, 0x25_0000, 0x26_0000,
    0x9B_0000,
];

fuzz_target!(|bytes: &[u8]| {
    let [how, rest @ ..] = bytes else { return };
    let model = if how & 1 == 1 { "ipc009" } else { "ipc019" };
    let map = FlashMap::stock(model).expect("it is known");
    let mut file = rest.to_vec();
    if how & 2 == 2 {
        let step = (rest.len() / PLACES.len()).max(1);
        // Large files are slow.
        let used = if *how >= 0xF0 { 9 } else { usize::from(how >> 2) % 5 };
        file = vec![0xFF; (PLACES[used] + 1).next_multiple_of(0x1_0000)];
        for (piece, at) in rest.chunks(step).zip(&PLACES[..=used]) {
            let end = file.len().min(at + piece.len());
            file[*at..end].copy_from_slice(&piece[..end - at]);
        }
    }
    let len = file.len() as u64;
    let target = Target {
        map: &map,
        model: Some(model),
        family: Some(Family::I3),
        identity: None,
        firmware: None,
        kernel_load: None,
        known: &[],
    };
    let mut slices = Slices::of_file(Arc::new(file), &target).expect("memory can be read");
    let mut window = vec![0; 0x1_0000];
    for slice in &slices.slices {
        assert!(slice.offset + slice.length <= len && slice.length <= slice.size.into());
        slices.read_window(slice, 0, &mut window).expect("memory can be read");
    }
    assert!(!slices.slices.is_empty() || !slices.blockers.is_empty());
    slices.check_genuine(Some(&rest)).expect("memory can be read");
});
