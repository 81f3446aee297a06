//! JSON from outside: no panic, and a fault has its line.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mi360d::camera::images::ImageView;
use mi360d::camera::services::Put;
use mi360d::formats::document::{DocumentError, from_json};
use mi360d::services::ptz::Wish;

fuzz_target!(|bytes: &[u8]| {
    let good = |fault: DocumentError| {
        assert!(fault.line >= 1 && fault.at <= bytes.len());
    };
    from_json::<serde_json::Value>(bytes).map_or_else(good, drop);
    from_json::<Put>(bytes).map_or_else(good, drop);
    from_json::<Wish>(bytes).map_or_else(good, drop);
    from_json::<ImageView>(bytes).map_or_else(good, drop);
});
