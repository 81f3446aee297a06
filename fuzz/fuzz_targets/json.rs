//! JSON from outside: no panic, and a fault has its line.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mi360d::formats::json;

fuzz_target!(|bytes: &[u8]| {
    if let Err(fault) = json::parse(bytes) {
        assert!(fault.line >= 1 && fault.line <= bytes.split(|b| *b == b'\n').count());
    }
});
