//! Where an identity is, how well it is, and what hides none.

use mi360d::chip::{FlashMap, Role};
use mi360d::formats::flsh;
use mi360d::identity;
use mi360d::image::Health;
use mi360d::image::inspect::FileKind;

use crate::synthetic::{KEY, chip, factory, noise, tf_image};
use crate::{codes, look};

#[test]
fn a_whole_dump_has_no_damage_and_its_identity() {
    for model in ["ipc009", "ipc019"] {
        let bytes = chip(model);
        let report = look(&bytes);
        assert_eq!(report.kind, FileKind::FullDump);
        assert!(!report.has_damage() && report.findings.is_empty(), "{}", report.to_text());
        assert!(report.identity.answer.starts_with("Yes."));
        assert_eq!(report.identity.health, identity::Health::Healthy);
        assert_eq!(report.identity.fingerprint, Some(identity::fingerprint(&bytes[0xFF_0000..])));
        assert_eq!(report.map_source.as_deref(), Some("its own MXP table"));
        assert_eq!(report.model.unwrap().id, "ipc009");
        let map = FlashMap::stock(model).unwrap();
        for (seen, part) in report.partitions.iter().zip(map.covering()) {
            assert_eq!((&seen.name, seen.offset), (&part.name, i64::from(part.offset.unwrap())));
            assert_eq!((seen.health, seen.size), (Health::Healthy, part.size));
            assert!(seen.sha256.is_some());
        }
    }
}

#[test]
fn an_erased_identity_is_said_first_and_is_damage() {
    let mut bytes = chip("ipc009");
    bytes[0xFF_0000..].fill(0xFF);
    let report = look(&bytes);
    assert!(report.has_damage());
    assert!(report.identity.answer.starts_with("No."), "{}", report.identity.answer);
    assert_eq!(report.identity.health, identity::Health::Blank);
    assert_eq!(codes(&report), ["identity-blank"]);
    let text = report.to_text();
    let answer = text.find("No. FACTORY is erased").unwrap();
    assert!(answer < text.find("BOOT").unwrap());
    assert!(report.next[0].contains("Never write another camera's FACTORY"));
}

#[test]
fn a_wrong_crc_leaves_the_identity_readable_and_is_damage() {
    let mut bytes = chip("ipc009");
    bytes[0xFF_0008] ^= 1;
    let report = look(&bytes);
    assert!(report.has_damage() && report.identity.answer.starts_with("In part."));
    assert_eq!(report.identity.health.word(), "damaged");
    assert_eq!(report.identity.masked.len(), 5);
}

#[test]
fn a_damaged_magic_hides_no_identity() {
    let mut bytes = chip("ipc009");
    bytes[0xFF_0000] ^= 1;
    // The dump; FACTORY alone; the same without its header; a dump cut at its beginning.
    let mut bare = bytes[0xFF_0000..].to_vec();
    bare[..0x14].fill(0xFF);
    for (bytes, found) in [
        (&bytes[..], None),
        (&bytes[0xFF_0000..], None),
        (&bare, None),
        (&bytes[0x1_2340..], None),
        (&bytes[0x2_1344..], Some(0xFF_0000 - 0x2_1344)),
    ] {
        let report = look(bytes);
        let text = report.to_text();
        assert!(report.has_damage() || found.is_some(), "{text}");
        assert!(report.identity.answer.starts_with("In part."), "{text}");
        assert!(!report.identity.answer.contains("gone"), "{text}");
        assert!(report.gone.iter().all(|line| !line.contains("identity")), "{text}");
        assert!(report.next.iter().any(|s| s.contains("Never post this file")), "{text}");
        let elsewhere = report.identity.elsewhere.first();
        assert_eq!(elsewhere.map(|e| e.offset), found, "{text}");
        let masked = elsewhere.map_or(&report.identity.masked, |e| &e.masked);
        assert_eq!(masked.len(), 5, "{text}");
        assert!(text.contains("chuangmi.camera.ipc009") && !text.contains(KEY));
    }
}

#[test]
fn a_factory_that_holds_something_else_is_not_called_gone() {
    let mut bytes = chip("ipc009");
    bytes[0xFF_0000..].copy_from_slice(&noise(0x1_0000));
    let report = look(&bytes);
    assert_eq!(report.identity.health.word(), "damaged");
    let answer = &report.identity.answer;
    assert!(answer.starts_with("No. Nothing") && answer.contains("Keep"), "{answer}");
}

#[test]
fn false_headers_hide_no_identity_however_many_there_are() {
    let mut bytes = chip("ipc009");
    bytes[0xFF_0000..].fill(0xFF);
    // Bare headers everywhere, right up to the true one.
    for at in (0x9C_0000..0xE0_0000).step_by(20) {
        bytes[at..at + 10].copy_from_slice(b"FLSH\x04\0\0\0\0\x01");
    }
    bytes[0xE0_0000..0xE1_0000].copy_from_slice(&factory("123456789"));
    let report = look(&bytes);
    let elsewhere = &report.identity.elsewhere;
    assert!(elsewhere.len() == 1 && elsewhere[0].health.is_healthy(), "{}", report.to_text());
    assert!(report.identity.answer.contains("0xe00000"), "{}", report.identity.answer);

    // Damaged identities, more than are named: the whole one is, and that there are more.
    for at in (0x9C_0000..0xE0_0000).step_by(0x1_0000) {
        bytes[at..at + 0x1_0000].copy_from_slice(&factory("987654321"));
        bytes[at + 8] ^= 1;
    }
    let report = look(&bytes);
    assert!(report.identity.elsewhere.len() <= 64, "{}", report.to_text());
    assert!(report.identity.answer.contains("0xe00000"), "{}", report.identity.answer);
    assert!(codes(&report).contains(&"many-identities"));
}

#[test]
fn an_erased_config_is_no_damage() {
    let mut bytes = chip("ipc009");
    bytes[0xFE_0000..0xFF_0000].fill(0xFF);
    assert!(!look(&bytes).has_damage());
}

#[test]
fn an_identity_in_a_dump_that_lost_its_beginning_is_found() {
    let bytes = &chip("ipc009")[0x1_2340..];
    let report = look(bytes);
    assert_eq!(report.kind, FileKind::ShiftedDump, "{}", report.to_text());
    assert!(report.has_damage());
    assert!(report.identity.answer.starts_with("Yes."), "{}", report.to_text());
    assert_eq!(report.by_role(Role::Factory).unwrap().offset, 0xFF_0000 - 0x1_2340);

    // Without the table too: then it lies elsewhere.
    let bytes = &chip("ipc009")[0x2_1344..];
    let report = look(bytes);
    let at = 0xFF_0000 - 0x2_1344;
    assert_eq!(report.identity.elsewhere[0].offset, at);
    assert!(report.identity.elsewhere[0].health.is_healthy());
    assert!(report.identity.answer.contains(&format!("{at:#x}")), "{}", report.identity.answer);
}

#[test]
fn an_identity_in_a_dump_with_something_before_it_is_found() {
    // With 0xFFF0 bytes the table lies across the border of two windows.
    for before in [777u16, 0xFFF0] {
        let mut bytes = vec![0; before.into()];
        bytes.extend(chip("ipc009"));
        let report = look(&bytes);
        assert_eq!(report.kind, FileKind::ShiftedDump, "{}", report.to_text());
        assert!(report.identity.health.is_healthy());
        assert_eq!(report.by_role(Role::Factory).unwrap().offset, 0xFF_0000 + i64::from(before));
    }
}

#[test]
fn an_identity_whose_erased_end_is_cut_off_is_whole() {
    let mut bytes = noise(0x1_0000);
    bytes.extend_from_slice(&factory("123456789")[..300]);
    let report = look(&bytes);
    assert!(report.identity.elsewhere[0].health.is_healthy(), "{}", report.to_text());
}

#[test]
fn an_identity_that_lies_in_another_place_of_a_dump_is_found() {
    let mut bytes = chip("ipc009");
    bytes.copy_within(0xFF_0000.., 0xC0_0004);
    bytes[0xFF_0000..].fill(0xFF);
    let report = look(&bytes);
    assert!(report.identity.answer.contains("0xc00004"), "{}", report.identity.answer);
    assert!(report.identity.answer.starts_with("Yes, but in the wrong place"));
    assert_eq!(report.identity.health, identity::Health::Blank);
    assert!(report.next[0].contains("tail -c +12582917 FILE"), "{:?}", report.next);
}

#[test]
fn a_second_identity_is_seen() {
    let mut bytes = chip("ipc009");
    bytes[0x40_0000..0x41_0000].copy_from_slice(&factory("987654321"));
    assert!(codes(&look(&bytes)).contains(&"two-identities"));
    let mut bytes = chip("ipc009");
    bytes[0x40_0000..0x41_0000].copy_from_slice(&factory("123456789"));
    assert!(!codes(&look(&bytes)).contains(&"two-identities"));
    // Settings that hold a mac are no identity.
    let mut bytes = chip("ipc009");
    let settings = flsh::build(&[(b"mac", b"50:EC:50:AB:CD:EF")], 0x1_0000).unwrap();
    bytes[0xFE_0000..0xFF_0000].copy_from_slice(&settings);
    let report = look(&bytes);
    assert!(report.findings.is_empty() && report.identity.elsewhere.is_empty());
}

#[test]
fn a_tf_image_is_whole_without_an_identity() {
    for model in ["ipc009", "ipc019"] {
        let report = look(&tf_image(model));
        assert_eq!(report.kind, FileKind::TfImage);
        assert!(!report.has_damage() && report.findings.is_empty(), "{}", report.to_text());
        assert!(!report.identity.expected && report.identity.answer.starts_with("No, and"));
        let rootfs = if model == "ipc009" { 0x21_0000 } else { 0x20_0000 };
        assert_eq!(report.by_role(Role::Rootfs).unwrap().offset, rootfs);
        assert!(report.map_source.unwrap().contains(model));
    }
}
