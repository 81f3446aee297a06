//! TOML from the card: no panic, and every fault lies within the text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mi360d::formats::toml;

fuzz_target!(|text: &str| {
    if let Err(fault) = toml::parse(text) {
        assert!(toml::line_at(text.as_bytes(), fault.at) <= text.lines().count() + 1);
    }
});
