//! FLSH: no panic, and what is read and whole can be built again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mi360d::formats::flsh::{self, Variant};

fuzz_target!(|bytes: &[u8]| {
    let mut scan = flsh::Scan::new();
    bytes.chunks(7).for_each(|piece| scan.feed(piece));
    let mut whole = flsh::Scan::new();
    whole.feed(bytes);
    assert_eq!(scan.found(), whole.found());
    let Ok(read) = flsh::parse(bytes) else { return };
    let entries: Vec<(&[u8], &[u8])> = read.entries().collect();
    let modern = read.variant == Variant::Modern && read.crc_ok() && read.well_formed;
    if modern && let Some(built) = flsh::build(&entries, bytes.len()) {
        let again = flsh::parse(&built).expect("it was built");
        assert!(again.crc_ok() && again.well_formed && again.entries().eq(read.entries()));
    }
});
