//! U-Boot's environment: no panic, and what is read and whole can be built again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mi360d::formats::uboot_env;

fuzz_target!(|bytes: &[u8]| {
    let Some(env) = uboot_env::parse(bytes) else { return };
    let _ = (env.is_blank(), env.get("bootcmd"));
    let entries: Vec<(&[u8], &[u8])> = env.entries().collect();
    if let Some(built) = uboot_env::build(&entries, bytes.len()) {
        let again = uboot_env::parse(&built).expect("it was built");
        assert!(again.crc_ok() && again.entries().eq(env.entries()));
    }
});
