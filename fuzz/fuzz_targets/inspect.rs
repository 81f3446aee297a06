//! The inspection: no panic, and a report that can be shown in both ways.
//! The bytes are spread over a chip, so that a small input reaches all parts.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mi360d::image::inspect;

/// Where the parts of BOOT begin, and those behind it on a small chip of 1 MiB
/// with partitions of 64 KiB: its MXP table is in the input.
const SMALL: [usize; 10] =
    [0, 0x2_0000, 0x3_0000, 0x4_F000, 0x5_0000, 0x6_0000, 0x7_0000, 0xE_0000, 0xF_0000, 0xF_FF00];
/// Where the parts of a dump, or of a tf image, begin. Large files are slow.
const LARGE: [usize; 10] = [
    0, 0x2_0000, 0x3_0000, 0x4_F000, 0x5_0000, 0x20_0000, 0x21_0000, 0x25_0000, 0x26_0000,
    0x9B_0000,
];

fuzz_target!(|bytes: &[u8]| {
    let [how, rest @ ..] = bytes else { return };
    let mut file = rest.to_vec();
    if how & 1 == 1 {
        // Pieces of the input at the places, in a file of the size that they need.
        let places = if *how >= 0xF0 { LARGE } else { SMALL };
        let step = (rest.len() / places.len()).max(1);
        let used = usize::from(how >> 1) % places.len();
        file = vec![0xFF; (places[used] + 1).next_multiple_of(0x1_0000)];
        for (piece, at) in rest.chunks(step).zip(&places[..=used]) {
            let end = file.len().min(at + piece.len());
            file[*at..end].copy_from_slice(&piece[..end - at]);
        }
    }
    let report = inspect(&file).expect("memory can be read");
    assert!(!report.to_text().is_empty() && !report.next.is_empty());
    let _ = report.has_damage();
    serde_json::to_string(&report).expect("a report is JSON");
});
