//! Laws of the identity: judged by what is there, never shown, never taken
//! for another's.

#![allow(clippy::unwrap_used)] // in the helpers too

use mi360d::formats::flsh;
use mi360d::identity::{Health, Identity, fingerprint, judge};
use proptest::prelude::*;

const SIZE: usize = 0x1_0000;

fn factory(entries: &[(&str, &str)]) -> Vec<u8> {
    let entries: Vec<(&[u8], &[u8])> =
        entries.iter().map(|(k, v)| (k.as_bytes(), v.as_bytes())).collect();
    flsh::build(&entries, SIZE).unwrap()
}

const WHOLE: [(&str, &str); 6] = [
    ("vendor", "chuangmi"),
    ("model", "chuangmi.camera.ipc009"),
    ("mac", "50:EC:50:AB:CD:EF"),
    ("did", "123456789"),
    ("key", "Abcdefghijklmnop"),
    ("hid", "00001"),
];

fn whole() -> Vec<u8> {
    factory(&WHOLE)
}

fn identity(bytes: &[u8]) -> Identity {
    judge(bytes).identity.unwrap()
}

#[test]
fn a_whole_identity_is_healthy() {
    let judged = judge(&whole());
    assert_eq!(judged.health, Health::Healthy);
    assert_eq!((judged.at, judged.crc_ok), (Some(0), Some(true)));
    assert_eq!(judged.identity.unwrap().model().as_deref(), Some("ipc009"));
}

#[test]
fn erased_is_blank_nothing_is_missing_and_noise_is_damaged() {
    assert_eq!(judge(&vec![0xFF; SIZE]).health, Health::Blank);
    assert_eq!(judge(&[]).health, Health::Missing);
    assert!(matches!(judge(&vec![0; SIZE]).health, Health::Damaged { .. }));
    assert!(judge(&vec![0; SIZE]).identity.is_none());
}

#[test]
fn a_missing_or_implausible_key_is_named() {
    for (i, (key, _)) in WHOLE.iter().enumerate().take(5) {
        let mut entries = WHOLE.to_vec();
        entries.remove(i);
        let Health::Damaged { reasons } = judge(&factory(&entries)).health else {
            panic!("{key} is not missed")
        };
        assert_eq!(reasons, [format!("{key} is not there")]);
        entries.insert(i, (key, "x"));
        let Health::Damaged { reasons } = judge(&factory(&entries)).health else {
            panic!("{key} may be anything")
        };
        assert!(reasons.len() == 1 && reasons[0].starts_with(key), "{reasons:?}");
    }
}

#[test]
fn a_wrong_crc_is_damage_and_the_values_are_still_read() {
    let mut bytes = whole();
    bytes[8] ^= 1;
    let judged = judge(&bytes);
    let Health::Damaged { reasons } = &judged.health else { panic!("not seen") };
    assert!(reasons.len() == 1 && reasons[0].starts_with("crc"), "{reasons:?}");
    assert!(judged.identity.unwrap().same_as(&identity(&whole())));
}

#[test]
fn identities_are_the_same_only_where_all_five_values_are() {
    let own = identity(&whole());
    assert!(own.same_as(&own.clone()));
    // hid is none of the five.
    assert!(own.same_as(&identity(&factory(&WHOLE[..5]))));
    for i in 0..5 {
        let mut entries = WHOLE.to_vec();
        let last = entries[i].1.len() - 1;
        let other = format!("{}x", &entries[i].1[..last]);
        entries[i].1 = &other;
        assert!(!own.same_as(&identity(&factory(&entries))), "{}", WHOLE[i].0);
        let mut entries = WHOLE.to_vec();
        entries.remove(i);
        let less = identity(&factory(&entries));
        assert!(!own.same_as(&less) && !less.same_as(&less.clone()));
    }
}

#[test]
fn a_mac_matches_in_any_case_and_with_any_separator() {
    let own = identity(&whole());
    assert!(own.mac_matches("50:ec:50:ab:cd:ef\n") && own.mac_matches("50-EC-50-AB-CD-EF"));
    for not in ["", "50:ec:50:ab:cd:ee", "50:ec:50:ab:cd", "50ec50abcdef"] {
        assert!(!own.mac_matches(not), "{not}");
    }
    assert!(own.did_matches(" 123456789") && !own.did_matches("12345678") && !own.did_matches(""));
}

#[test]
fn the_fingerprint_is_that_of_sha256sum() {
    assert_eq!(fingerprint(b""), "e3b0c442");
    assert_eq!(fingerprint(b"abc"), "ba7816bf");
}

#[test]
fn the_masked_view_is_this() {
    let shown: Vec<String> =
        identity(&whole()).masked().into_iter().map(|m| format!("{}={}", m.key, m.shown)).collect();
    assert_eq!(
        shown,
        [
            "did=*******89",
            "key=16 characters",
            "mac=50:EC:50:**:**:**",
            "vendor=chuangmi",
            "model=chuangmi.camera.ipc009"
        ]
    );
}

proptest! {
    #[test]
    fn no_view_of_an_identity_shows_a_secret(
        did in "[0-9]{8,12}", key in "[A-Za-z0-9]{16}", tail in "[0-9A-F]{2}:[0-9A-F]{2}:[0-9A-F]{2}",
        broken: bool,
    ) {
        let mac = format!("50:EC:50:{tail}");
        let mut bytes = factory(&[
            ("did", &did), ("key", &key), ("mac", &mac), ("vendor", "chuangmi"),
            ("model", "chuangmi.camera.ipc019"),
        ]);
        if broken {
            bytes[8] ^= 0x55;
        }
        let judged = judge(&bytes);
        let json = serde_json::to_string(&judged).unwrap();
        let shown = format!("{judged:?} {json} {}", judged.identity.as_ref().unwrap());
        for secret in [&did, &key, &tail] {
            prop_assert!(!shown.contains(secret.as_str()), "{} in {}", secret, shown);
        }
    }

    #[test]
    fn no_bytes_bring_a_panic(head in any::<bool>(), rest in prop::collection::vec(any::<u8>(), 0..3000)) {
        let mut bytes = if head { b"FLSH".to_vec() } else { Vec::new() };
        bytes.extend(rest);
        let judged = judge(&bytes);
        prop_assert_eq!(judged.fingerprint.len(), 8);
        prop_assert!(!judged.health.is_healthy());
    }

    #[test]
    fn a_flipped_bit_is_never_healthy(at in 8usize..SIZE, bit in 0u32..8) {
        let mut bytes = whole();
        bytes[at] ^= 1 << bit;
        prop_assert!(!judge(&bytes).health.is_healthy());
    }
}
