//! The identity: no panic, and no value in any view.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mi360d::formats::flsh;
use mi360d::identity::judge;

fuzz_target!(|bytes: &[u8]| {
    let judged = judge(bytes);
    let Some(identity) = &judged.identity else { return };
    let _ = (identity.model(), identity.mac_matches("50:ec:50:00:00:01"));
    if judged.health.is_healthy() {
        assert!(identity.same_as(identity));
        let Ok(read) = flsh::parse(bytes) else { unreachable!("it was judged") };
        let shown = format!("{judged:?}");
        let public = |key: &[u8]| {
            [&b"model"[..], b"vendor"].iter().any(|k| {
                read.get(&String::from_utf8_lossy(k))
                    .is_some_and(|v| v.windows(key.len()).any(|w| w == key))
            })
        };
        let key = read.get("key").expect("a healthy one has it");
        assert!(public(key) || !shown.contains(&*String::from_utf8_lossy(key)));
    }
});
