//! What flashrom prints: no panic, and nothing that was not said.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mi360d::programmer::output;

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    for chip in output::chips(&text) {
        assert!(chip.size % 1024 == 0 && text.contains(&chip.name) && text.contains(&chip.vendor));
    }
    if let Some(found) = output::protection(&text) {
        assert!(text.contains(&found.mode) && !found.words().is_empty());
        assert!(found.is_on() || found.mode == "disabled");
    }
    let _ = (output::no_chip(&text), output::no_programmer(&text), output::says_unchanged(&text));
    let reason = output::reason(&text);
    assert!(reason.chars().count() <= 200 && !reason.contains(char::is_control));
});
