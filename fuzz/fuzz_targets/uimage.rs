//! uImage: no panic, and one verdict however the stream is cut.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mi360d::formats::uimage::{self, Check};

fuzz_target!(|bytes: &[u8]| {
    let run = |size: usize| {
        let mut check = Check::new();
        bytes.chunks(size).for_each(|piece| check.feed(piece));
        check.finish()
    };
    let verdict = run(usize::MAX);
    assert_eq!(verdict, run(13));
    if let Ok(verdict) = verdict {
        let header = verdict.header;
        let _ = (header.family(), header.linux(), header.is_arm_linux());
        assert_eq!(uimage::parse(&header.to_bytes()).map(|h| h.name), Ok(header.name));
    }
});
