//! JFFS2: no panic, and no byte counted twice.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mi360d::formats::jffs2::{WindowStats, walk};

fuzz_target!(|bytes: &[u8]| {
    let stats = walk(bytes);
    assert!(stats.erased + stats.garbage <= bytes.len() as u64);
    let _ = stats.verdict();
    let mut sum = WindowStats::default();
    bytes.chunks(256).for_each(|w| sum.merge(&walk(w)));
    assert_eq!(sum.bytes, bytes.len() as u64);
});
