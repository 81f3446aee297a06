//! A release's list and its signature: no panic, no place outside the card's folders.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mi360d::update::{parse, verify};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(release) = parse(bytes) {
        for file in &release.files {
            assert!(!file.path.starts_with('/') && !file.path.split('/').any(|part| part == ".."));
        }
    }
    let text = String::from_utf8_lossy(bytes);
    let (one, other) = text.split_at(text.floor_char_boundary(text.len() / 2));
    assert!(verify(bytes, one, other).is_err());
});
