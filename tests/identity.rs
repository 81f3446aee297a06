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
        assert_eq!(reasons, [format!("{key} is missing")]);
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
fn a_damaged_magic_is_damage_and_the_values_are_still_read() {
    for bit in 0..32 {
        let mut bytes = whole();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let judged = judge(&bytes);
        let Health::Damaged { reasons } = &judged.health else { panic!("bit {bit} is not seen") };
        assert!(reasons.len() == 1 && reasons[0].starts_with("magic"), "{reasons:?}");
        assert_eq!((judged.at, judged.crc_ok), (Some(0), Some(true)));
        assert!(judged.identity.unwrap().same_as(&identity(&whole())), "bit {bit}");
    }
}

#[test]
fn values_are_found_as_text_where_the_header_is_lost() {
    for lost in [0x14, 0x1_0000] {
        for value in [0, 0xFF, 0x5A] {
            let mut bytes = whole();
            bytes[..lost.min(0x14)].fill(value);
            if lost > 0x14 {
                // The list ends early too, and its first terminator is no NUL.
                let end = bytes.windows(4).position(|w| w == b"mac=").unwrap();
                bytes[end - 1] = 1;
                bytes[0x14] = 0;
            }
            let judged = judge(&bytes);
            assert_eq!((judged.health.word(), judged.at), ("damaged", None));
            let found = judged.identity.unwrap();
            assert!(found.did_matches("123456789") && found.mac_matches("50:ec:50:ab:cd:ef"));
            assert_eq!(found.masked().len(), if lost > 0x14 { 4 } else { 5 });
        }
    }
}

#[test]
fn a_damaged_list_hides_no_value_behind_the_damage() {
    let mut bytes = whole();
    let at = bytes.windows(4).position(|w| w == b"did=").unwrap();
    bytes[at] = 0xFF; // ends the list, and spoils this key
    let judged = judge(&bytes);
    assert_eq!(judged.health.word(), "damaged");
    let shown: Vec<&str> = judged.identity.unwrap().masked().iter().map(|m| m.key).collect();
    assert_eq!(shown, ["key", "mac", "vendor", "model"]);
    // A key that is missing in a whole list is not looked for elsewhere.
    let mut bytes = factory(&WHOLE[..3]);
    bytes[0x800..0x80F].copy_from_slice(b"\0did=123456789\0");
    bytes[8] = flsh::parse(&bytes).unwrap().computed_crc;
    assert_eq!(judge(&bytes).identity.unwrap().masked().len(), 3);
}

#[test]
fn something_else_in_factory_is_no_identity() {
    let mut script = b"#!/bin/sh\nkey=1\nmodel=x\nmac=none\n".to_vec();
    script.resize(SIZE, 0);
    let judged = judge(&script);
    assert!(judged.health.word() == "damaged" && judged.identity.is_none());
    assert_eq!(judged.health.reasons(), ["there is no FLSH in it"]);
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
    fn a_flipped_bit_is_never_healthy_and_hides_nothing_beside_it(at in 0usize..SIZE, bit in 0u32..8) {
        let mut bytes = whole();
        bytes[at] ^= 1 << bit;
        let judged = judge(&bytes);
        // The length is no part of what the checksum covers, and hardly told to matter.
        prop_assert!(!judged.health.is_healthy() || (4..8).contains(&at));
        let left = judged.identity.unwrap().masked();
        prop_assert!(left.len() >= 4, "{at:#x}: {left:?}");
    }

    #[test]
    fn a_flipped_bit_near_the_text_hides_one_value_at_most(at in 0usize..0xA0, bit in 0u32..8) {
        let mut bytes = whole();
        bytes[at] ^= 1 << bit;
        let left = judge(&bytes).identity.unwrap().masked();
        prop_assert!(left.iter().filter(|m| !m.shown.contains("unusual")).count() >= 4, "{at:#x}: {left:?}");
    }
}
