//! The firmware's settings bus and fetch_av's commands: packets, values of keys, answers.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mi360d::vendor::av::wire as av;
use mi360d::vendor::mortox::change::Change;
use mi360d::vendor::mortox::key::Key;
use mi360d::vendor::mortox::value::{Reported, position};
use mi360d::vendor::mortox::wire;

fuzz_target!(|data: &[u8]| {
    let mut bytes = Vec::new();
    for piece in data.chunks(97) {
        bytes.extend_from_slice(piece);
        loop {
            let before = bytes.len();
            match wire::take(&mut bytes) {
                // It goes on, and takes no more than there was.
                Ok(Some(_)) => assert!(bytes.len() < before),
                Ok(None) => break,
                Err(_) => return,
            }
        }
        assert!(bytes.len() < 1024 + 22 + 97);
    }
    if let Ok(text) = std::str::from_utf8(data) {
        for key in Key::ALL {
            // A value that is understood is one that could be sent.
            if let Some(change) = Change::read(key, text) {
                assert!(change.key() == key && change.value().len() < 120);
                assert_eq!(Change::read(key, &change.value()), Some(change));
            }
        }
        let _ = (Reported::read(text), position(text));
    }
    if let Ok(Some(answer)) = av::answer(data) {
        assert!(answer.payload.len() <= 488);
        let _ = av::is_night(&answer);
    }
});
