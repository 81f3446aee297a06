//! What comes on an RTSP connection: no input panics, whole or in pieces, and what is understood
//! stays within its bounds.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mi360d::rtsp::auth::{Login, LoginCheck};
use mi360d::rtsp::message::{BODY, HEAD, Item, item};
use mi360d::rtsp::transport;

fuzz_target!(|input: &[u8]| {
    let login = Login::new("secret".to_owned(), [1; 32], true);
    let mut rest = input;
    loop {
        let used = match item(rest) {
            Item::More => {
                // More bytes may change that, fewer may not.
                for end in 0..rest.len().min(64) {
                    assert!(!matches!(item(&rest[..end]), Item::Request(..)));
                }
                break;
            }
            Item::Bad(fault) => {
                assert!(fault.status().words().0 >= 400);
                break;
            }
            Item::Skip(count) => count,
            Item::Interleaved { length, .. } => 4 + length,
            Item::Request(request, length) => {
                assert!(length <= HEAD && request.body <= BODY);
                assert!(!request.path().0.contains('/'));
                let _ = (request.sequence(), request.session());
                let _ = request.header("Transport").map(|offers| transport::choose(offers, 0));
                let said = request.header("Authorization");
                assert_ne!(login.judge(said, request.method, 7), LoginCheck::Good, "it was guessed");
                length + usize::try_from(request.body).unwrap()
            }
        };
        assert!(used > 0);
        rest = rest.get(used..).unwrap_or_default();
    }
});
