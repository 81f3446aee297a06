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
    walk_with(bytes, &mut |inode| assert!(unpack(inode, 4096).is_none_or(|b| b.len() <= 4096)));
    assert!(unpack(bytes, 4096).is_none_or(|unpacked| unpacked.len() <= 4096));
});
