//! Looking for a key in a boot loader: no panic, few candidates, each inside.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mi360d::formats::{uimage, xz};
use mi360d::image::uboot_key;

fuzz_target!(|bytes: &[u8]| {
    let [how, data @ ..] = bytes else { return };
    let data = if how & 1 == 1 { xz::build(data) } else { data.to_vec() };
    let mut boot = vec![0xFF; 0x3_0000];
    boot.extend(uimage::build("U-Boot", 1, &data).expect("it is small"));
    let found = uboot_key::candidates(&boot).expect("memory can be read");
    assert!(found.map_or(0, |found| found.iter().count()) <= 4096);
});
