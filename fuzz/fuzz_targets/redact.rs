//! A safe copy: whatever the environment and the settings are, no secret is
//! left in it, its length stays, and its CRC is right only if it was.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mi360d::formats::uboot_env;
use mi360d::image::redact::env;
use mi360d::image::redact::secrets::Secrets;

fuzz_target!(|bytes: &[u8]| {
    let (settings, region) = bytes.split_at(bytes.len() / 2);
    let mut secrets = Secrets::default();
    secrets.read_flsh(settings);
    secrets.salvage(settings);
    let mut region = region.to_vec();
    let Some(was_right) = uboot_env::parse(&region).map(|env| env.crc_ok()) else { return };
    let length = region.len();
    let note = env::redact(&mut region, &secrets);
    let after = uboot_env::parse(&region).expect("it was one");
    assert_eq!((region.len(), after.crc_ok(), note.crc_ok), (length, was_right, was_right));
});
