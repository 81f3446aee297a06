//! Dumps in which bytes were moved, lost or added: where the parts are is found, the identity too,
//! and no image is called whole that is not.

#![allow(clippy::unwrap_used)] // in the helpers too

mod desk;
mod rig;
mod synthetic;

use mi360d::chip::Role;
use mi360d::formats::mxp;
use mi360d::image::Health;
use mi360d::image::inspect::FileKind;

use desk::{
    CONFIG, DATA, Desk, FACTORY, KERNEL, ROOTFS, advice_is_taken, codes, health, look, never_posts,
};
use synthetic::{chip, factory, noise};

/// A chip whose DATA reaches over several blocks: what is moved by one is seen in it.
fn camera() -> Vec<u8> {
    let mut chip = chip("ipc009");
    for block in 1..4 {
        let at = DATA + block * 0x1_0000;
        let node = mi360d::formats::jffs2::dirent(1, block as u32, 9, 8, b"app").unwrap();
        chip[at..at + node.len()].copy_from_slice(&node);
    }
    chip
}

/// Inspects it, has its identity whole, and recovers it with this status.
fn recovers(bytes: &[u8], status: i32) -> Vec<u8> {
    let report = look(bytes);
    let text = report.to_text();
    assert!(report.identity.answer.starts_with("Yes"), "{text}");
    assert!(report.has_damage() && never_posts(&report), "{text}");
    let desk = Desk::new();
    desk.put("d.bin", bytes);
    let (ran, made) = desk.recover(&["d.bin"]);
    assert_eq!(ran.status, Some(status), "{text}\n{ran:?}");
    made
}

#[test]
fn a_dump_moved_by_whole_blocks_is_no_dump_in_its_place() {
    let chip = camera();
    let late = [vec![0xFF; 0x1_0000], chip.clone()].concat();
    assert_eq!(look(&late).kind, FileKind::ShiftedDump);
    assert!(recovers(&late, 0) == chip);
    let early = &chip[0x1_0000..];
    assert_eq!(look(early).kind, FileKind::ShiftedDump);
    assert!(recovers(early, 4)[KERNEL..] == chip[KERNEL..], "BOOT alone is missing");
    for by in [0x1_0000, 0xFF_0000] {
        let turned = [&chip[by..], &chip[..by]].concat();
        let report = look(&turned);
        assert_eq!(
            (report.kind, report.mangled[0].code),
            (FileKind::Mangled, "rotated"),
            "{by:#x}"
        );
        assert!(recovers(&turned, 0) == chip, "{by:#x}");
    }
    let no_boot = &chip[KERNEL..];
    assert_eq!(look(no_boot).kind, FileKind::ShiftedDump);
    assert!(!look(no_boot).next.iter().any(|step| step.contains("download")));
    assert!(recovers(no_boot, 4)[KERNEL..] == chip[KERNEL..]);
}

#[test]
fn a_dump_without_its_first_four_bytes_is_no_swapped_one() {
    let chip = camera();
    let report = look(&chip[4..]);
    assert_eq!(report.kind, FileKind::ShiftedDump, "{}", report.to_text());
    assert!(recovers(&chip[4..], 4)[KERNEL..] == chip[KERNEL..]);
    // With 3, 4 or 6 of them missing it looks as if 1 of each 65536 bytes was.
    for by in [3, 6] {
        assert!(!codes(&look(&chip[by..])).contains(&"lost-bytes"), "{by}");
    }
}

#[test]
fn a_dump_four_bytes_late_is_no_swapped_one() {
    // Each transfer began with four bytes of a command, and its last four were lost.
    let chip = camera();
    let late: Vec<u8> =
        chip.chunks(4096).flat_map(|page| [&[0xFF; 4], &page[..4092]].concat()).collect();
    let report = look(&late);
    assert_eq!(report.kind, FileKind::ShiftedDump, "{}", report.to_text());
    assert!(recovers(&late, 4)[FACTORY..] == chip[FACTORY..]);
}

#[test]
fn the_firmware_of_a_model_with_another_map_has_not_slipped() {
    let (mut chip, other) = (chip("ipc009"), chip("ipc019"));
    chip[KERNEL..CONFIG].copy_from_slice(&other[KERNEL..CONFIG]);
    let report = look(&chip);
    assert_eq!(report.kind, FileKind::FullDump, "{}", report.to_text());
    assert_eq!(health(&report, Role::Rootfs), Health::Damaged, "{}", report.to_text());
    assert!(report.identity.health.is_healthy(), "{}", report.to_text());
}

#[test]
fn bytes_lost_or_added_on_the_way_leave_the_parts_behind_them_whole() {
    let chip = camera();
    let full = |mut bytes: Vec<u8>| {
        bytes.resize(chip.len(), 0xFF);
        bytes
    };
    let added = full([&chip[..0x5_8000], b"\0\0", &chip[0x5_8000..]].concat());
    let report = look(&added);
    assert_eq!(
        (report.kind, health(&report, Role::Kernel)),
        (FileKind::ShiftedDump, Health::Damaged)
    );
    assert!(codes(&report).contains(&"slipped"), "{}", report.to_text());
    assert_eq!(health(&report, Role::Rootfs), Health::Healthy);
    let made = recovers(&added, 4);
    assert!(made[ROOTFS..] == chip[ROOTFS..] && made[..KERNEL] == chip[..KERNEL]);
    let lost = full([&chip[..ROOTFS + 0x1_0000], &chip[ROOTFS + 0x1_1000..]].concat());
    let report = look(&lost);
    assert!(codes(&report).contains(&"slipped"), "{}", report.to_text());
    assert_eq!(health(&report, Role::Data), Health::Healthy);
    let made = recovers(&lost, 4);
    assert!(made[DATA..] == chip[DATA..] && made[..ROOTFS] == chip[..ROOTFS]);
    // Between the parts nothing is lost at all.
    let between = full([&chip[..ROOTFS - 0x8000], b"\xFF", &chip[ROOTFS - 0x8000..]].concat());
    assert!(recovers(&between, 0) == chip);
    // As much as a block, where nothing but padding was: all of DATA is still there.
    let block = full([&chip[..DATA - 0x2_0000], &chip[DATA - 0x1_0000..]].concat());
    assert!(recovers(&block, 0)[DATA..CONFIG] == chip[DATA..CONFIG]);
    advice_is_taken(&added);
}

#[test]
fn a_block_lost_before_config_never_puts_the_identity_into_config() {
    let chip = camera();
    for (from, to) in [(CONFIG - 0x1_0000, CONFIG), (DATA, DATA + 0x1_0000)] {
        let short = [&chip[..from], &chip[to..]].concat();
        for size in [chip.len(), short.len()] {
            let mut lost = short.clone();
            lost.resize(size, 0xFF);
            let report = look(&lost);
            assert_eq!(report.kind, FileKind::ShiftedDump, "{}", report.to_text());
            assert!(codes(&report).contains(&"slipped"), "{}", report.to_text());
            assert_eq!(health(&report, Role::Data), Health::Damaged, "{}", report.to_text());
            let made = recovers(&lost, 4);
            assert!(made[..DATA] == chip[..DATA] && made[CONFIG..] == chip[CONFIG..]);
            advice_is_taken(&lost);
        }
        // One block more in DATA.
        let more = [&chip[..to], &vec![0xFF; 0x1_0000], &chip[to..]].concat();
        let report = look(&more);
        assert!(codes(&report).contains(&"slipped"), "{}", report.to_text());
        let made = recovers(&more, 4);
        assert!(made[..DATA] == chip[..DATA] && made[CONFIG..] == chip[CONFIG..]);
    }
    // Several blocks.
    let mut lost = [&chip[..CONFIG - 0x5_0000], &chip[CONFIG..]].concat();
    lost.resize(chip.len(), 0xFF);
    assert!(codes(&look(&lost)).contains(&"slipped"), "{}", look(&lost).to_text());
    let made = recovers(&lost, 4);
    assert!(made[..DATA] == chip[..DATA] && made[CONFIG..] == chip[CONFIG..]);
    let identity = &chip[FACTORY..FACTORY + 64];
    assert_eq!(made.windows(64).filter(|window| *window == identity).count(), 1);
    // An erased CONFIG does not show whether a block is lost, or whether somebody wrote FACTORY there.
    let mut lost = chip.clone();
    lost[CONFIG..FACTORY].copy_from_slice(&chip[FACTORY..]);
    lost[FACTORY..].fill(0xFF);
    let made = recovers(&lost, 4);
    assert!(made[FACTORY..] == chip[FACTORY..]);
    assert!(made[CONFIG..FACTORY].iter().all(|byte| *byte == 0xFF));
    // Where FACTORY is whole, CONFIG is left as it was, and reported.
    lost[FACTORY..].copy_from_slice(&chip[FACTORY..]);
    assert!(codes(&look(&lost)).contains(&"identity-in-config"));
    let desk = Desk::new();
    desk.put("d.bin", &lost);
    let (ran, made) = desk.recover(&["d.bin"]);
    assert!(ran.status == Some(0) && made == lost, "{ran:?}");
}

#[test]
fn what_was_cut_to_a_chip_s_size_is_still_mangled() {
    let mut bytes: Vec<u8> =
        camera().chunks(512).flat_map(|piece| [piece, &[0][..]].concat()).collect();
    bytes.truncate(0x100_0000);
    let report = look(&bytes);
    assert_eq!((report.kind, report.mangled[0].code), (FileKind::Mangled, "inserted"));
    let desk = Desk::new();
    desk.put("d.bin", &bytes);
    let ran = desk.run(&["redact", "d.bin", "--out", "safe.bin"]);
    assert_eq!(ran.status, Some(3), "its secrets are elsewhere than a map says: {ran:?}");
    assert!(!desk.path("safe.bin").exists());
}

#[test]
fn a_reader_that_left_bytes_out_is_named() {
    let left = |every: usize, from: usize, to: usize| -> Vec<u8> {
        camera().chunks(every).flat_map(|piece| piece[from..to].to_vec()).collect()
    };
    for (bytes, what) in [
        (left(256, 0, 252), "1 of each 64"),
        (left(256, 1, 256), "1 of each 256"),
        (left(0x1_0000, 0, 0xFFFF), "1 of each 65536"),
        (left(2, 0, 1), "1 of each 2 "),
        (left(2, 1, 2), "1 of each 2 "),
    ] {
        let report = look(&bytes);
        let finding = report.findings.iter().find(|f| f.code == "lost-bytes");
        assert!(finding.is_some_and(|f| f.reason.contains(what)), "{what}: {}", report.to_text());
        assert_eq!(report.kind, FileKind::Mangled, "{what}: {}", report.to_text());
        assert!(!report.identity.answer.starts_with("No"), "{what}: {}", report.to_text());
        assert!(report.has_damage() && never_posts(&report), "{what}: {}", report.to_text());
        if what.ends_with('4') {
            advice_is_taken(&bytes);
        }
    }
}

#[test]
fn one_wrong_bit_in_the_flash_map_is_damage() {
    // The magic; in records the version, a place, a size, a letter of a name.
    for at in [0x00, 0x04, 0x0A, 0x12, 0x21, 0x88 + 0x0A, 2 * 0x88 + 0x20] {
        let mut bytes = chip("ipc009");
        bytes[0x2_0000 + at] ^= 4;
        let report = look(&bytes);
        assert_eq!(report.kind, FileKind::FullDump, "{at:#x}: {}", report.to_text());
        assert_eq!(health(&report, Role::Boot), Health::Damaged, "{at:#x}: {}", report.to_text());
        assert!(report.identity.health.is_healthy(), "{at:#x}");
        assert!(!report.next.iter().any(|step| step.contains("written back")), "{at:#x}");
    }
    // A map that is whole and leaves the chip's end free is another maker's.
    let mut bytes = chip("ipc009");
    let record = |name: &str, start, size| mxp::Record {
        kind: mxp::RecordKind::Partition,
        start,
        size,
        name: name.into(),
    };
    let records = [record("BOOT", 0, 0x5_0000), record("OTHER", 0x5_0000, 0x30_0000)];
    bytes[0x2_0000..0x2_1000].copy_from_slice(&mxp::build(&records).unwrap());
    assert!(!codes(&look(&bytes)).contains(&"map-damaged"));
}

#[test]
fn config_and_factory_in_one_file_are_two() {
    let bytes = chip("ipc009")[CONFIG..].to_vec();
    assert!(recovers_part(&bytes)[CONFIG..] == chip("ipc009")[CONFIG..]);
    // Cut out behind its header: its texts are still the identity's.
    let report = look(&factory("123456789")[20..]);
    assert!(report.identity.answer.starts_with("In part") && never_posts(&report));
    // A FACTORY that begins one byte late is whole: only an erased byte is lost.
    let mut late = vec![0];
    late.extend(&factory("123456789")[..0xFFFF]);
    let report = look(&late);
    assert!(report.identity.answer.starts_with("Yes"), "{}", report.to_text());
    assert!(recovers_part(&late)[FACTORY..] == chip("ipc009")[FACTORY..]);
}

fn recovers_part(bytes: &[u8]) -> Vec<u8> {
    let desk = Desk::new();
    desk.put("d.bin", bytes);
    let (ran, made) = desk.recover(&["d.bin"]);
    assert_eq!(ran.status, Some(4), "the rest is missing: {ran:?}");
    advice_is_taken(bytes);
    made
}

#[test]
fn line_ends_that_became_others_are_named() {
    let mut bytes = camera();
    let full = noise(0x40_0000);
    bytes[ROOTFS + 0x10_0000..ROOTFS + 0x50_0000].copy_from_slice(&full);
    for (from, to) in [(b'\n', b'\r'), (b'\r', b'\n')] {
        let mut sent = bytes.clone();
        sent.iter_mut().filter(|byte| **byte == from).for_each(|byte| *byte = to);
        let report = look(&sent);
        assert!(codes(&report).contains(&"text-mode"), "{}", report.to_text());
    }
}

#[test]
fn what_is_not_known_is_never_said_to_hold_no_identity() {
    for bytes in [noise(0x80_0000), vec![0xFF; 0x1_0000], vec![0; 0x100_0000]] {
        let report = look(&bytes);
        assert!(report.identity.answer.starts_with("Unknown"), "{}", report.to_text());
    }
}

#[test]
fn a_chip_with_another_maker_s_kernel_is_not_to_be_written() {
    let mut bytes = chip("ipc009");
    let kernel = mi360d::formats::uimage::build(synthetic::I3, 1, &noise(100_000)).unwrap();
    let mut header = mi360d::formats::uimage::parse(&kernel).unwrap();
    header.load = 0x4000_8000;
    bytes[KERNEL..KERNEL + 64].copy_from_slice(&header.to_bytes());
    let report = look(&bytes);
    assert!(codes(&report).contains(&"wrong-load-address"), "{}", report.to_text());
    assert!(!report.next.iter().any(|step| step.contains("can be written back")));
}

#[test]
fn what_only_looks_like_something_swapped_is_not() {
    // A squashfs of another maker, with the other order of bytes, and a flash map alone.
    let mut other = b"sqsh\0\0\x01\0".to_vec();
    other.extend(noise(0x2_0000));
    let table = &chip("ipc009")[0x2_0000..0x2_1000];
    for bytes in [&other[..], table] {
        let report = look(bytes);
        assert!(report.mangled.is_empty(), "{}", report.to_text());
        advice_is_taken(bytes);
    }
}

#[test]
fn what_no_file_has_is_not_called_gone() {
    let desk = Desk::new();
    let whole = chip("ipc009");
    std::fs::create_dir(desk.path("d")).unwrap();
    desk.put("d/mtdblock0", &whole[..KERNEL]);
    desk.put("d/mtdblock1", &whole[KERNEL..ROOTFS]);
    let said = desk.run(&["--json", "inspect", "d"]).json();
    let answer = said["identity"]["answer"].as_str().unwrap();
    assert!(answer.starts_with("Unknown") && answer.contains("FACTORY"), "{said}");
    assert!(!said.to_string().contains("identity-blank"), "{said}");
    desk.put("d/mtdblock5", &factory("123456789"));
    desk.put("d/FACTORY-old.bin", &factory("987654321"));
    let said = desk.run(&["--json", "inspect", "d"]).json();
    let next = said["next"].to_string();
    assert!(next.contains("Remove one") && !next.contains("recover"), "{next}");
}
