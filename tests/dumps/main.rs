//! What people really bring, by kind, and the right answer to each: the words,
//! the exit status, and that every command which is advised takes the very file. Here are read
//! errors, cut-out identities, and what must not be flashed.

#![allow(clippy::unwrap_used)] // in the helpers too

#[path = "../desk/mod.rs"]
mod desk;
#[path = "../rig/mod.rs"]
mod rig;
mod steps;
#[path = "../synthetic/mod.rs"]
mod synthetic;

use std::fs;

use mi360d::chip::Role;
use mi360d::image::Health;
use mi360d::image::inspect::FileKind;

use desk::{
    CONFIG, DATA, Desk, FACTORY, KERNEL, ROOTFS, advice_is_taken, codes, health, look, never_posts,
};
use synthetic::{chip, factory, tf_image};

// Read errors

#[test]
fn one_wrong_bit_in_the_first_loaders_is_damage_with_its_place() {
    for (bit, at) in [(0x100, 0), (0x1_2000, 0x1_0000)] {
        let mut bytes = chip("ipc009");
        bytes[bit] ^= 4;
        let report = look(&bytes);
        assert_eq!(
            (codes(&report), health(&report, Role::Boot)),
            (vec!["ipl-damaged"], Health::Damaged)
        );
        assert_eq!(report.findings[0].at, Some(at));
        let desk = Desk::new();
        let own = desk.put("own.bin", &bytes);
        desk.put("donor.img", &tf_image("ipc009"));
        let own = own.to_str().unwrap();
        let ran =
            desk.run(&["--json", "assemble", "--own", own, "--donor", "donor.img", "--out", "x"]);
        assert_eq!(
            (ran.status, ran.json()["error"]["code"].as_str()),
            (Some(3), Some("ipl-damaged"))
        );
    }
}

#[test]
fn one_wrong_bit_in_the_root_file_system_is_damage_with_its_block() {
    let whole = look(&chip("ipc009"));
    let last = whole.next.iter().find(|s| s.contains("checksums show")).unwrap();
    assert!(last.contains("Read the chip twice and compare"), "{last}");
    for bit in [0x1_0000, 0x7_0000] {
        let mut bytes = chip("ipc009");
        bytes[ROOTFS + bit] ^= 1;
        let report = look(&bytes);
        assert_eq!(codes(&report), ["squashfs-block"], "{}", report.to_text());
        let at = report.findings[0].at.unwrap() as usize;
        assert!((ROOTFS + bit - 0x2_0100..=ROOTFS + bit).contains(&at), "{at:#x}");
    }
}

#[test]
fn a_dump_shifted_by_one_byte_has_a_whole_identity() {
    let mut bytes = vec![0];
    bytes.extend(&chip("ipc009")[..0x100_0000 - 1]);
    let report = look(&bytes);
    assert_eq!(report.kind, FileKind::ShiftedDump);
    assert!(report.identity.answer.starts_with("Yes."), "{}", report.identity.answer);
    assert!(codes(&report).contains(&"end-cut-off"));
    advice_is_taken(&bytes);
    let desk = Desk::new();
    desk.put("d.bin", &bytes);
    let (ran, made) = desk.recover(&["d.bin"]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert!(made == chip("ipc009"));
}

#[test]
fn bytes_inserted_by_the_reader_are_taken_out() {
    // The last two: a reader that keeps what came while it sent the command and a dummy byte.
    for (every, count, value, ahead) in [
        (0x1_0000, 1, 0, false),
        (512, 1, 0, false),
        (0x1_0000, 1, 0xFF, false),
        (2048, 64, 7, false),
        (4096 - 4, 4, 0xFF, true),
        (256, 5, 0xFF, true),
    ] {
        let mut bytes = Vec::new();
        for piece in chip("ipc009").chunks(every) {
            let inserted = vec![value; count];
            let both = if ahead { [&inserted, piece] } else { [piece, &inserted] };
            bytes.extend(both.concat());
        }
        let report = look(&bytes);
        assert_eq!((report.kind, report.mangled[0].code), (FileKind::Mangled, "inserted"));
        assert!(report.identity.answer.starts_with("Yes, but"), "{}", report.identity.answer);
        let desk = Desk::new();
        desk.put("d.bin", &bytes);
        assert!(desk.recover(&["d.bin"]).1 == chip("ipc009"));
    }
}

#[test]
fn with_255_of_each_256_bytes_nothing_is_guessed() {
    let bytes: Vec<u8> = chip("ipc009").chunks(256).flat_map(|page| page[..255].to_vec()).collect();
    let report = look(&bytes);
    assert!(codes(&report).contains(&"lost-bytes"), "{}", report.to_text());
    advice_is_taken(&bytes);
    assert!(report.model.as_ref().is_none_or(|m| m.certain), "{:?}", report.model);
    assert!(!report.next.iter().any(|s| s.contains("ipc019")), "{:?}", report.next);
}

#[test]
fn a_chip_twice_in_one_file_gives_one() {
    let mut bytes = [chip("ipc009"), chip("ipc009")].concat();
    let report = look(&bytes);
    assert_eq!((report.kind, report.mangled[0].code), (FileKind::Mangled, "doubled"));
    assert!(report.what.contains("all are equal") && never_posts(&report));
    advice_is_taken(&bytes);
    bytes[0x100_0000 + ROOTFS + 0x1_0000] ^= 8;
    assert!(look(&bytes).what.contains("not equal"));
    let desk = Desk::new();
    desk.put("d.bin", &bytes);
    let (ran, made) = desk.recover(&["d.bin"]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert!(made == chip("ipc009"));
    let differences = ran.json()["differences"].clone();
    assert_eq!(differences["places"][0]["offset"], ROOTFS + 0x1_0000);
    assert_eq!(differences["places"][0]["bits"][0], 3);
    assert_eq!(differences["places"][0]["settled"], "checksum");
}

#[test]
fn all_0xff_says_nothing_about_the_chip() {
    let report = look(&vec![0xFF; 0x100_0000]);
    assert_eq!((report.kind, report.has_damage()), (FileKind::Erased, true));
    assert!(report.identity.answer.starts_with("Unknown"), "{}", report.identity.answer);
    assert!(
        report.next.iter().any(|s| s.contains("clip")) && !report.to_text().contains("is gone")
    );
}

#[test]
fn all_zeros_say_nothing_about_the_chip_either() {
    let report = look(&vec![0; 0x100_0000]);
    assert!(report.has_damage() && report.what.contains("zeros"), "{}", report.to_text());
    assert!(report.identity.answer.contains("without contact"), "{}", report.identity.answer);
    assert!(report.next.iter().any(|step| step.contains("clip")));
}

#[test]
fn an_erased_factory_among_other_erased_parts_may_be_a_bad_reading() {
    let whole = chip("ipc009");
    let mut region = whole.clone();
    region[KERNEL..].fill(0xFF);
    let mut first_pages = whole.clone();
    first_pages.chunks_mut(0x1_0000).for_each(|block| block[..256].fill(0xFF));
    for bytes in [&region, &first_pages] {
        let report = look(bytes);
        assert!(report.has_damage());
        assert!(report.identity.answer.starts_with("Unknown."), "{}", report.to_text());
        assert!(report.next.iter().any(|step| step.contains("again")), "{}", report.to_text());
    }
    let next = look(&region).next;
    assert!(next.iter().any(|step| step.contains("Never write another camera's")), "{next:?}");
    // CONFIG, just before it, was read: it is erased on the chip.
    let mut brick = whole.clone();
    brick[KERNEL..CONFIG].fill(0xFF);
    brick[FACTORY..].fill(0xFF);
    assert!(look(&brick).identity.answer.starts_with("No. FACTORY is erased"));
    // The rest is whole: the chip has lost it.
    let mut gone = whole;
    gone[FACTORY..].fill(0xFF);
    assert!(look(&gone).identity.answer.starts_with("No. FACTORY is erased"));
}

#[test]
fn an_identity_never_comes_from_a_dump_that_may_be_of_another_camera() {
    let own = chip("ipc009");
    let mut donor = own.clone();
    donor[FACTORY..].copy_from_slice(&factory("987654321"));
    let desk = Desk::new();
    desk.put("donor.bin", &donor);
    desk.put("FACTORY-other.bin", &donor[FACTORY..]);
    let code = |ran: &rig::Ran| (ran.status, ran.json()["error"]["code"].clone());
    let mut half = own.clone();
    half.truncate(0x80_0000);
    let mut blank = own.clone();
    blank[FACTORY..].fill(0xFF);
    let mut zeros = own.clone();
    zeros[FACTORY..].fill(0);
    // As a reading, as another file, and as single partitions.
    std::fs::create_dir(desk.path("d")).unwrap();
    desk.put("d/mtd0", &own[..KERNEL]);
    desk.put("d/mtd5", &blank[FACTORY..]);
    desk.put("d/whole.bin", &donor);
    assert_eq!(code(&desk.recover(&["d"]).0), (Some(3), "two-chips".into()));
    for without in [&half, &blank, &zeros] {
        desk.put("own.bin", without);
        let (ran, made) = desk.recover(&["own.bin", "donor.bin"]);
        assert_eq!((code(&ran), made.len()), ((Some(3), "two-chips".into()), 0), "{ran:?}");
        // The owner knows that it is of the same camera, and can say so.
        let (ran, made) = desk.recover(&["own.bin", "donor.bin", "--factory", "donor.bin"]);
        assert_eq!((ran.status, made == donor), (Some(0), true), "{ran:?}");
    }
    // The stock system does not check the checksum: with a wrong one it is an identity, too.
    let mut crc = own.clone();
    crc[FACTORY + 8] ^= 1;
    desk.put("own.bin", &crc);
    for others in [
        &["donor.bin"][..],
        &["FACTORY-other.bin"],
        &["--factory", "FACTORY-other.bin"],
        &["donor.bin", "--factory", "donor.bin"],
    ] {
        let (ran, made) = desk.recover(&[&["own.bin"][..], others].concat());
        assert_eq!((code(&ran), made.len()), ((Some(3), "two-identities".into()), 0), "{ran:?}");
    }
    // Nor from behind the own one, which lost only its checksum by that.
    let mut behind = own.clone();
    let other = &factory("987654321")[..300];
    behind[FACTORY + 0x8000..FACTORY + 0x8000 + other.len()].copy_from_slice(other);
    let report = look(&behind);
    assert!(report.identity.answer.starts_with("In part. All values"), "{}", report.to_text());
    assert!(!report.next.iter().any(|step| step.contains("Cut the identity out")));
    advice_is_taken(&behind);
    // What a reading error or a write without an erase left is the same camera's.
    let mut wrong = own.clone();
    let did = wrong[FACTORY..].windows(9).position(|w| w == b"123456789").unwrap();
    wrong[FACTORY + did] ^= 8;
    let both = own.iter().zip(&donor).map(|(a, b)| a & b).collect::<Vec<u8>>();
    desk.put("FACTORY.bin", &own[FACTORY..]);
    for damaged in [&crc, &wrong, &both] {
        desk.put("own.bin", damaged);
        let (ran, made) = desk.recover(&["own.bin", "--factory", "FACTORY.bin"]);
        assert_eq!((ran.status, made == own), (Some(0), true), "{ran:?}");
    }
    desk.put("good.bin", &own);
    desk.put("wrong.bin", &wrong);
    desk.put("KERNEL.bin", &own[KERNEL..ROOTFS]);
    let (ran, made) = desk.recover(&["KERNEL.bin", "wrong.bin", "good.bin"]);
    assert_eq!((ran.status, made == own), (Some(0), true), "{ran:?}");
}

#[test]
fn several_reads_are_merged_by_majority_and_their_differences_are_named() {
    let desk = Desk::new();
    let whole = chip("ipc009");
    for (name, at, bit) in
        [("a.bin", DATA + 0x100, 1u8), ("b.bin", KERNEL + 0x90, 0x40), ("c.bin", 0x100, 2)]
    {
        let mut bytes = whole.clone();
        bytes[at] ^= bit;
        desk.put(name, &bytes);
    }
    let (ran, made) = desk.recover(&["a.bin", "b.bin", "c.bin"]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert!(made == whole);
    let differences = ran.json()["differences"].clone();
    assert_eq!(
        (differences["bytes"].as_u64(), differences["readings"].as_u64()),
        (Some(3), Some(3))
    );
    let cells = differences["cells"].as_str().unwrap();
    assert_eq!((cells.len(), cells.matches('m').count()), (256, 3));
    let text = desk.run(&["recover", "a.bin", "b.bin", "c.bin", "--out", "text.bin"]).out;
    assert!(text.contains("settled by majority") && text.contains("bit 6"), "{text}");
    // Another camera's dump is never mixed in.
    let mut other = whole;
    other[FACTORY..].copy_from_slice(&factory("987654321"));
    desk.put("other.bin", &other);
    let (ran, made) = desk.recover(&["a.bin", "other.bin"]);
    assert_eq!((ran.status, made.len()), (Some(3), 0), "{ran:?}");
}

#[test]
fn a_cut_out_factory_is_judged_and_put_back() {
    let whole = factory("123456789");
    let cut = &whole[..300];
    let report = look(cut);
    assert!(report.identity.health.is_healthy() && !report.has_damage(), "{}", report.to_text());
    let mut crc = whole.clone();
    crc[8] ^= 1;
    let report = look(&crc);
    assert!(report.has_damage() && codes(&report).contains(&"identity-crc"));
    assert!(report.identity.answer.contains("does not check"), "{}", report.identity.answer);
    for bytes in [cut, &whole, &crc] {
        advice_is_taken(bytes);
    }
    let desk = Desk::new();
    let mut brick = chip("ipc009");
    brick[FACTORY..].fill(0xFF);
    desk.put("brick.bin", &brick);
    desk.put("FACTORY.bin", cut);
    let (ran, made) = desk.recover(&["brick.bin", "--factory", "FACTORY.bin"]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert!(made == chip("ipc009"));
    desk.put("donor.img", &tf_image("ipc009"));
    let ran = desk.run(&[
        "assemble",
        "--own",
        "brick.bin",
        "--donor",
        "donor.img",
        "--factory",
        "FACTORY.bin",
        "--out",
        "a.bin",
    ]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert!(fs::read(desk.path("a.bin")).unwrap()[FACTORY..] == whole[..]);
    // Not over another camera's healthy one.
    desk.put("other.bin", &factory("987654321"));
    desk.put("own.bin", &chip("ipc009"));
    let (ran, _) = desk.recover(&["own.bin", "--factory", "other.bin"]);
    assert_eq!(
        (ran.status, ran.json()["error"]["code"].as_str()),
        (Some(3), Some("two-identities"))
    );
}
