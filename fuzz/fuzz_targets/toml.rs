//! TOML from the card, into each type that is read of it: no panic, and no value in a fault.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use mi360d::backup::manifest::Manifest;
use mi360d::settings::config;
use mi360d::chip::sim::SimCamera;
use mi360d::flash::journal::Job;
use mi360d::formats::document::from_toml;
use mi360d::services::manifest;

fuzz_target!(|bytes: &[u8]| {
    let _ = config::parse(bytes);
    let _ = manifest::parse(bytes, Path::new("cam"));
    let _ = Manifest::parse(bytes);
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let _ = from_toml::<SimCamera>(text);
    if let Err(fault) = from_toml::<Job>(text) {
        assert!((1..=text.lines().count() + 1).contains(&fault.line));
    }
});
