//! squashfs: no panic, and nothing impossible is believed.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mi360d::formats::squashfs;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(superblock) = squashfs::parse(bytes) {
        assert!(superblock.bytes_used >= 96 && superblock.block_size.is_power_of_two());
        assert_ne!(superblock.compression_name(), "unknown");
    }
});
