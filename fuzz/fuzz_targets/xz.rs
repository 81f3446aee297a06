//! xz streams and the blocks of a squashfs: no panic, and one answer however the stream is cut.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mi360d::formats::squashfs::{self, Blocks, SUPERBLOCK};
use mi360d::formats::xz::{self, Frame};

fuzz_target!(|bytes: &[u8]| {
    if let Frame::Bytes(length) = xz::frame(bytes) {
        let stream = &bytes[..length];
        let unpacked = xz::unpack_stream(stream, 1 << 16);
        assert_eq!(unpacked.map(|out| out.len() as u64), xz::check(stream, 1 << 16));
    }
    let Ok(superblock) = squashfs::parse(bytes) else { return };
    let run = |piece: usize| {
        let mut blocks = Blocks::new(superblock);
        bytes[SUPERBLOCK..].chunks(piece).for_each(|piece| blocks.feed(piece));
        blocks.finish()
    };
    assert_eq!(run(0x1_0000), run(1 + bytes.len() / 5));
});
