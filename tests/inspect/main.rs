//! Laws of the inspection: it names what a file is, answers first whether the
//! identity is in it, and sees what owners get wrong.

#![allow(clippy::unwrap_used)] // in the helpers too

mod identities;
#[path = "../samples/mod.rs"]
mod samples;
#[path = "../synthetic/mod.rs"]
mod synthetic;

use mi360d::chip::Role;
use mi360d::formats::{flsh, uimage};
use mi360d::identity;
use mi360d::image::inspect::FileKind;
use mi360d::image::{Health, Report, inspect};
use proptest::prelude::*;
use proptest::sample::Index;
use synthetic::{I6, KEY, chip, factory, noise, tf_image};

fn look(bytes: &[u8]) -> Report {
    inspect(&bytes).unwrap()
}

fn codes(report: &Report) -> Vec<&'static str> {
    report.findings.iter().map(|f| f.code).collect()
}

#[test]
fn without_its_table_a_dump_is_split_by_what_lies_where() {
    for model in ["ipc009", "ipc019"] {
        let mut bytes = chip(model);
        bytes[0x2_0000..0x2_1000].fill(0xFF);
        let report = look(&bytes);
        assert_eq!(report.kind, FileKind::FullDump);
        assert!(report.map_source.unwrap().contains(model));
        assert!(report.partitions.iter().all(|p| p.health == Health::Healthy));
    }
}

#[test]
fn a_dump_that_is_cut_off_says_what_is_left() {
    let bytes = &chip("ipc009")[..0x90_0000];
    let report = look(bytes);
    assert_eq!(report.kind, FileKind::TruncatedDump);
    assert!(report.has_damage() && codes(&report).contains(&"truncated"));
    let health: Vec<Health> = report.partitions.iter().map(|p| p.health).collect();
    assert_eq!(health[..2], [Health::Healthy; 2]);
    assert_eq!(health[2..], [Health::Damaged; 4]);
    assert!(report.identity.answer.starts_with("No."));
    assert_eq!(report.identity.health, identity::Health::Missing);
}

#[test]
fn a_dump_with_something_behind_it_is_still_whole() {
    let mut bytes = chip("ipc009");
    bytes.extend([0xFF; 512]);
    let report = look(&bytes);
    assert_eq!((report.kind, codes(&report)), (FileKind::OversizedDump, vec!["oversized"]));
    assert!(report.identity.health.is_healthy() && !report.has_damage());
}

#[test]
fn a_tf_image_of_another_size_is_damage() {
    let mut bytes = tf_image("ipc009");
    bytes.pop();
    let report = look(&bytes);
    assert_eq!((report.kind, report.has_damage()), (FileKind::TruncatedTfImage, true));
    bytes.extend([0; 2]);
    assert_eq!(look(&bytes).kind, FileKind::OversizedTfImage);
    let mut bytes = tf_image("ipc009");
    let end = bytes.len();
    bytes[end - 80..].fill(0xFF);
    assert_eq!(codes(&look(&bytes)), ["unsigned"]);
}

#[test]
fn damage_in_a_tf_image_is_named_with_its_place() {
    let mut bytes = tf_image("ipc009");
    bytes[0x1000] ^= 4;
    bytes[0x23_0000..0x24_0000].fill(0);
    let report = look(&bytes);
    assert!(report.has_damage());
    let seen: Vec<(&str, Option<&str>, Option<u64>)> =
        report.findings.iter().map(|f| (f.code, f.partition.as_deref(), f.at)).collect();
    assert_eq!(
        seen[..2],
        [
            ("kernel-crc", Some("KERNEL"), Some(0x40)),
            ("squashfs-hole", Some("ROOTFS"), Some(0x23_0000))
        ]
    );
    // The two blocks that the hole is in.
    assert!(seen.len() == 4 && seen[2..].iter().all(|f| f.0 == "squashfs-block"), "{seen:?}");
}

#[test]
fn another_processors_kernel_is_seen() {
    let mut bytes = chip("ipc009");
    let kernel = uimage::build(I6, 1, &noise(100_000)).unwrap();
    bytes[0x5_0000..0x5_0000 + kernel.len()].copy_from_slice(&kernel);
    let report = look(&bytes);
    assert_eq!(codes(&report), ["wrong-processor", "unusual-processor"]);
    assert!(report.next.iter().any(|s| s.contains("KERNEL, ROOTFS and DATA must come")));
}

#[test]
fn single_parts_are_named_by_size_and_content() {
    let bytes = chip("ipc009");
    for (range, kind, role) in [
        (0..0x5_0000, FileKind::Partition, Role::Boot),
        (0x5_0000..0x26_0000, FileKind::Partition, Role::Kernel),
        (0x5_0000..0x5_0000 + 100_064, FileKind::Uimage, Role::Kernel),
        (0x26_0000..0x9B_0000, FileKind::Partition, Role::Rootfs),
        (0x26_0000..0x26_0000 + 500_000, FileKind::Squashfs, Role::Rootfs),
        (0x9B_0000..0xFE_0000, FileKind::Partition, Role::Data),
        (0x9B_0000..0x9E_0000, FileKind::Jffs2, Role::Data),
        (0xFE_0000..0xFF_0000, FileKind::Partition, Role::Config),
        (0xFF_0000..0x100_0000, FileKind::Partition, Role::Factory),
    ] {
        let report = look(&bytes[range]);
        assert_eq!((report.kind, report.partitions[0].role), (kind, role));
        assert!(!report.has_damage(), "{}", report.to_text());
    }
    let legacy = flsh::build_legacy(&[(b"a", b"b")]).unwrap();
    assert_eq!(look(&legacy).kind, FileKind::Flsh);
}

#[test]
fn what_is_no_firmware_is_said_with_what_to_do() {
    for (bytes, what) in [
        (&b"PK\x03\x04aaaaaaaaaaaaaa"[..], "zip"),
        (b"\x7FELF\x01\x01", "Linux"),
        (b"<html><body>404", "web page"),
        (b"hello owner\n", "text"),
    ] {
        let report = look(bytes);
        assert_eq!((report.kind, report.has_damage()), (FileKind::Foreign, false));
        assert!(report.what.contains(what) && !report.next.is_empty(), "{}", report.what);
    }
    assert_eq!(look(b"\x01\x02\x03").kind, FileKind::Unknown);
    assert!(look(b"").has_damage());
}

#[test]
fn nothing_but_0xff_is_erased_and_is_damage() {
    for size in [1, 0x1_0000, 0x100_0000] {
        let report = look(&vec![0xFF; size]);
        assert_eq!((report.kind, report.has_damage()), (FileKind::Erased, true));
    }
    let report = look(&vec![0xFF; 0x100_0000]);
    assert_eq!(report.identity.health, identity::Health::Blank);
    // Noise of the chip's size is a bad read, and no dump.
    let report = look(&noise(0x100_0000));
    assert_eq!((report.kind, report.has_damage()), (FileKind::Unknown, true));
}

#[test]
fn a_version_from_which_there_is_no_way_back_is_a_warning() {
    let mut bytes = chip("ipc009");
    bytes[0x60_0000..0x60_000C].copy_from_slice(b" 3.5.1_0052 ");
    let report = look(&bytes);
    assert_eq!((report.firmware.as_deref(), codes(&report)), (Some("3.5.1_0052"), vec![]));
    bytes[0x60_0000..0x60_000C].copy_from_slice(b" 4.0.9_0409 ");
    assert_eq!(codes(&look(&bytes)), ["one-way"]);
}

#[test]
fn a_redacted_copy_is_recognised() {
    let mut bytes = chip("ipc009");
    bytes[0x9B_0000..].fill(0xFF);
    assert!(codes(&look(&bytes)).contains(&"maybe-redacted"));
}

#[test]
fn no_report_shows_a_secret() {
    let mut spoilt = chip("ipc009");
    spoilt[0xFF_0008] ^= 1;
    let mut moved = chip("ipc009");
    moved.copy_within(0xFF_0000.., 0xC0_0000);
    for bytes in [chip("ipc009"), spoilt, moved, factory("123456789")] {
        let report = look(&bytes);
        let json = serde_json::to_string(&report).unwrap();
        let all = format!("{json}{}{report:?}", report.to_text());
        for secret in [KEY, "123456789", "AB:CD:EF", "1234567"] {
            assert!(!all.contains(secret), "{secret} in {all}");
        }
    }
}

#[test]
fn a_file_is_read_as_its_bytes_are() {
    use std::io::Write;
    let bytes = chip("ipc009");
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&bytes).unwrap();
    let read = serde_json::to_value(inspect(&file).unwrap()).unwrap();
    assert_eq!(read, serde_json::to_value(look(&bytes)).unwrap());
    assert_eq!(read["kind"], "full-dump");
    assert_eq!(read["identity"]["health"], "healthy");
    assert_eq!(read["partitions"][0]["role"], "boot");
}

#[test]
fn the_real_parts_make_a_whole_dump() {
    let Some(boot) = samples::read("ipc019/BOOT.bin") else { return };
    let read = |name| samples::read(name).unwrap();
    let mut bytes = chip("ipc019");
    bytes[0x5_0000..0x25_0000].fill(0xFF);
    bytes[0x9B_0000..0xFE_0000].fill(0xFF);
    let mut put = |at: usize, part: Vec<u8>| bytes[at..at + part.len()].copy_from_slice(&part);
    put(0, boot);
    put(0x5_0000, read("ipc019/KERNEL-2019.uImage"));
    put(0x9B_0000, read("ipc019/DATA-3.5.1_0052.jffs2"));
    put(0xFE_0000, read("ipc019/CONFIG-empty.bin"));
    let report = look(&bytes);
    assert_eq!(report.kind, FileKind::FullDump);
    assert!(!report.has_damage(), "{}", report.to_text());
    // The synthetic FACTORY says ipc009, and the kernel is an I6: told, not refused.
    assert_eq!(codes(&report), ["unusual-processor"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn no_file_brings_a_panic(
        range in any::<(Index, Index)>(), spoilt in prop::collection::vec((any::<Index>(), any::<u8>(), 0usize..0x2_0000), 0..5),
    ) {
        let mut bytes = chip("ipc009");
        for (at, value, len) in spoilt {
            let at = at.index(bytes.len());
            let end = bytes.len().min(at + len);
            bytes[at..end].fill(value);
        }
        let (a, b) = (range.0.index(bytes.len()), range.1.index(bytes.len()));
        let cut = &bytes[a.min(b)..a.max(b)];
        let report = look(cut);
        prop_assert!(!report.next.is_empty() && !report.to_text().is_empty());
        // What is left of a camera is never taken for a whole one.
        prop_assert!(report.kind != FileKind::FullDump);
    }

    #[test]
    fn the_identity_is_found_wherever_it_lies(at in 0usize..0x30_0000, len in 0x31_0000usize..0x40_0000) {
        let mut bytes = noise(len);
        bytes[at..at + 0x1_0000].copy_from_slice(&factory("123456789"));
        let report = look(&bytes);
        let found = report.identity.health.is_healthy()
            || report.identity.elsewhere.iter().any(|e| e.offset == at as u64 && e.health.is_healthy());
        prop_assert!(found, "{}", report.to_text());
    }
}
