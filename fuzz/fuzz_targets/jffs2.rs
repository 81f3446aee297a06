//! JFFS2: no panic, and no byte counted twice.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mi360d::formats::jffs2::{WindowStats, unpack, walk, walk_with};

fuzz_target!(|bytes: &[u8]| {
    let stats = walk(bytes);
    assert!(stats.erased + stats.garbage <= bytes.len() as u64);
    let _ = stats.verdict();
    let mut sum = WindowStats::default();
    bytes.chunks(256).for_each(|w| sum.merge(&walk(w)));
    assert_eq!(sum.bytes, bytes.len() as u64);
    let try_one = |node: &[u8]| {
        let mut left = 4096;
        let unpacked = unpack(node, &mut left);
        assert!(left <= 4096 && unpacked.is_none_or(|bytes| bytes.len() <= 4096 - left));
    };
    walk_with(bytes, &mut |inode| try_one(inode));
    try_one(bytes);
});
