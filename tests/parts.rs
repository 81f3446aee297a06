//! Chips in pieces, and other cameras' chips: partition files in a folder or a tar, parts in another
//! order, chips that are not whole.

#![allow(clippy::unwrap_used)] // in the helpers too

mod desk;
mod rig;
mod synthetic;

use std::fs;
use std::process::Command;

use mi360d::chip::Role;
use mi360d::formats::{squashfs, uboot_env, uimage};
use mi360d::image::inspect::FileKind;

use desk::{
    CONFIG, DATA, Desk, FACTORY, KERNEL, ROOTFS, advice_is_taken, advice_on_is_taken, codes, look,
    never_posts,
};
use synthetic::{I3, chip, factory, noise, tf_image};

// Whole chips that are not whole

#[test]
fn u_boot_alone_on_an_erased_chip_is_a_chip_s_dump() {
    let mut bytes = vec![0xFF; 0x100_0000];
    let uboot = uimage::build(synthetic::I3_BOOT, 1, &noise(0x1_0000)).unwrap();
    bytes[..uboot.len()].copy_from_slice(&uboot);
    let mut header = uimage::parse(&bytes).unwrap();
    header.os = uimage::OS_UBOOT;
    bytes[..uimage::HEADER].copy_from_slice(&header.to_bytes());
    let report = look(&bytes);
    assert_eq!((report.kind, codes(&report)), (FileKind::OtherDump, vec!["uboot-alone"]));
    assert!(report.has_damage() && report.what.contains("wrong place"), "{}", report.what);
}

#[test]
fn partition_files_are_taken_together_as_a_folder_and_as_a_tar() {
    let desk = Desk::new();
    let whole = chip("ipc009");
    let folder = desk.path("parts");
    fs::create_dir(&folder).unwrap();
    let places = [0, KERNEL, ROOTFS, DATA, CONFIG, FACTORY, 0x100_0000];
    for (i, pair) in places.windows(2).enumerate() {
        fs::write(folder.join(format!("mtdblock{i}")), &whole[pair[0]..pair[1]]).unwrap();
    }
    let made =
        Command::new("tar").args(["cf", "parts.tar", "parts"]).current_dir(desk.0.path()).status();
    assert!(made.unwrap().success());
    desk.put("donor.img", &tf_image("ipc009"));
    for what in ["parts", "parts.tar"] {
        let ran = desk.run(&["--json", "inspect", what]);
        assert_eq!(ran.status, Some(0), "{ran:?}");
        let report = ran.json();
        assert_eq!(
            (report["kind"].as_str(), report["identity"]["health"].as_str()),
            (Some("parts"), Some("healthy"))
        );
        let (ran, made) = desk.recover(&[what]);
        assert_eq!(ran.status, Some(0), "{ran:?}");
        assert!(made == whole, "{what}");
        let out = format!("{what}.bin");
        let ran = desk.run(&["assemble", "--own", what, "--donor", "donor.img", "--out", &out]);
        assert_eq!(ran.status, Some(0), "{ran:?}");
        let ran = desk.run(&["redact", what, "--out", &format!("{what}.safe")]);
        assert_eq!(ran.status, Some(0), "{ran:?}");
    }
    advice_on_is_taken(&desk, "parts");
    advice_on_is_taken(&desk, "parts.tar");
    let files: Vec<String> = (0..6).map(|i| format!("parts/mtdblock{i}")).collect();
    let words: Vec<&str> = files.iter().map(String::as_str).collect();
    assert!(desk.recover(&words).1 == whole);
    assert_eq!(desk.recover(&words[..5]).0.status, Some(4));
}

#[test]
fn parts_in_another_order_and_without_config_are_put_in_their_places() {
    let whole = chip("ipc009");
    let order = [FACTORY..0x100_0000, DATA..CONFIG, 0..KERNEL, ROOTFS..DATA, KERNEL..ROOTFS];
    let bytes: Vec<u8> = order.into_iter().flat_map(|r| whole[r].to_vec()).collect();
    let desk = Desk::new();
    desk.put("joined.bin", &bytes);
    let report = look(&bytes);
    assert_eq!(report.kind, FileKind::JumbledDump, "{}", report.to_text());
    assert!(report.identity.answer.starts_with("Yes."), "{}", report.identity.answer);
    advice_is_taken(&bytes);
    let (ran, made) = desk.recover(&["joined.bin"]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    for part in [0..KERNEL, KERNEL..ROOTFS, ROOTFS..DATA, FACTORY..0x100_0000] {
        assert!(made[part.clone()] == whole[part.clone()], "{part:x?}");
    }
    assert!(never_posts(&look(&bytes)));
}

#[test]
fn settings_are_never_posted_even_without_an_identity() {
    let mut bytes = chip("ipc009");
    bytes[FACTORY..].fill(0xFF);
    for bytes in [&bytes[..], &bytes[DATA..CONFIG]] {
        let report = look(bytes);
        assert!(never_posts(&report), "{}", report.to_text());
        advice_is_taken(bytes);
    }
    // Settings that somebody copied out of it.
    for words in [&b"miio_ssid=home\nmiio_passwd=secret123\n"[..], b"\x01\0miio_passwd=x\0"] {
        let report = look(words);
        assert!(never_posts(&report), "{}", report.to_text());
    }
    assert!(!never_posts(&look(&tf_image("ipc009"))));
    assert!(!never_posts(&look(b"a text")));
}

#[test]
fn a_tf_image_without_its_signature_or_with_padding_is_a_donor() {
    let whole = tf_image("ipc009");
    let bare = whole[..whole.len() - 80].to_vec();
    let mut padded = whole.clone();
    padded.resize(0x100_0000, 0xFF);
    let desk = Desk::new();
    let behind = [b"UPDATE\0\0".repeat(64), whole.clone()].concat();
    advice_is_taken(&behind);
    assert!(look(&behind).next.iter().any(|step| step.contains("tail -c +513 FILE")));
    desk.put("own.bin", &chip("ipc009"));
    for (bytes, words) in [(bare, "without its signature"), (padded, "padding")] {
        advice_is_taken(&bytes);
        let report = look(&bytes);
        assert_eq!(
            (report.kind, report.has_damage()),
            (FileKind::TfImage, false),
            "{}",
            report.to_text()
        );
        assert!(report.what.contains(words), "{}", report.what);
        desk.put("donor.img", &bytes);
        let _ = fs::remove_file(desk.path("a.bin"));
        let ran =
            desk.run(&["assemble", "--own", "own.bin", "--donor", "donor.img", "--out", "a.bin"]);
        assert_eq!(ran.status, Some(0), "{words}: {ran:?}");
    }
}

#[test]
fn other_systems_are_named_and_nothing_is_guessed() {
    let mut bytes = vec![0xFF; 0x80_0000];
    bytes[..8].copy_from_slice(b"\x02\0\0\xEAIPL_");
    let env = uboot_env::build(
        &[(b"bootargs", b"mtdparts=NOR_FLASH:256k(boot),64k(env),2048k(kernel),-(rootfs)")],
        0x1000,
    );
    bytes[0x4_0000..0x4_1000].copy_from_slice(&env.unwrap());
    let kernel = uimage::build("Linux-4.9.84", 1, &noise(5000)).unwrap();
    bytes[KERNEL..KERNEL + kernel.len()].copy_from_slice(&kernel);
    let rootfs = squashfs::build(60_000, 1, &noise(60_000)).unwrap();
    bytes[0x25_0000..0x25_0000 + rootfs.len()].copy_from_slice(&rootfs);
    let report = look(&bytes);
    assert_eq!(report.kind, FileKind::OtherDump, "{}", report.to_text());
    assert!(report.to_text().contains("2048k(kernel)") && report.model.is_none());
    assert!(report.next.iter().any(|s| s.contains("do not flash it")), "{:?}", report.next);
    bytes[0x30_0000..0x30_0007].copy_from_slice(b"OpenIPC");
    assert!(look(&bytes).what.contains("OpenIPC"));
    // Another system on a camera's own chip leaves its FACTORY alone.
    bytes.resize(0x100_0000, 0xFF);
    bytes[FACTORY..].copy_from_slice(&factory("123456789"));
    assert!(look(&bytes).next.iter().any(|step| step.contains("cuts the identity out")));
    advice_is_taken(&bytes);

    let wrapped = [&uimage::build("rootfs", 1, &rootfs).unwrap()[..], &[0xFF; 10]].concat();
    assert!(look(&wrapped).what.contains("mkimage"), "{}", look(&wrapped).what);
}

#[test]
fn where_two_maps_fit_none_is_guessed() {
    let mut bytes = chip("ipc009");
    bytes[0x2_0000..0x2_1000].fill(0xFF);
    bytes[KERNEL..DATA].copy_from_slice(&noise(DATA - KERNEL));
    let report = look(&bytes);
    assert!(codes(&report).contains(&"two-maps"), "{}", report.to_text());
    assert!(report.by_role(Role::Kernel).is_none() && report.has_damage());
    assert!(report.identity.health.is_healthy());
}

#[test]
fn partition_files_are_planned_flashed_and_restored_like_an_image() {
    let desk = Desk::new();
    let whole = chip("ipc009");
    desk.put("whole.bin", &whole);
    let folder = desk.path("parts");
    fs::create_dir(&folder).unwrap();
    let mut kernel = uimage::build(I3, 2, &noise(90_000)).unwrap();
    fs::write(folder.join("kernel.uImage"), &kernel).unwrap();
    let rootfs = squashfs::build(400_000, 2, &noise(400_000)).unwrap();
    fs::write(folder.join("mtdblock2"), &rootfs).unwrap();
    fs::write(folder.join("mtd5_FACTORY.bin"), factory("987654321")).unwrap();
    let made =
        Command::new("tar").args(["cf", "parts.tar", "parts"]).current_dir(desk.0.path()).status();
    assert!(made.unwrap().success());
    let mut after = whole.clone();
    after[KERNEL..DATA].fill(0xFF);
    after[KERNEL..KERNEL + kernel.len()].copy_from_slice(&kernel);
    after[ROOTFS..ROOTFS + rootfs.len()].copy_from_slice(&rootfs);
    for (what, command) in [("parts", "flash"), ("parts.tar", "flash"), ("parts", "restore")] {
        let sim = format!("sim-{what}-{command}");
        let made = desk.run(&["sim", "create", &sim, "--from", "whole.bin"]);
        assert_eq!(made.status, Some(0), "{made:?}");
        let ran = desk.run(&["--sim", &sim, "--json", "plan", what]);
        let plan = ran.json();
        assert_eq!(ran.status, Some(0), "{ran:?}");
        let phrase = plan["confirm"].as_str().unwrap().to_owned();
        assert!(phrase.starts_with("FLASH KERNEL ROOTFS") && !phrase.contains("FACTORY"));
        let ran = desk.run(&["--sim", &sim, command, what, "--confirm", &phrase]);
        assert_eq!(ran.status, Some(0), "{ran:?}");
        assert!(fs::read(desk.path(&sim).join("flash.bin")).unwrap() == after, "{what}");
        // Another camera's identity is refused from here as from anywhere.
        let ran = desk.run(&["--sim", &sim, "--json", "plan", what, "--only", "FACTORY"]);
        assert_eq!(ran.status, Some(3), "{ran:?}");
    }
    let refused = |name: &str, bytes: &[u8]| -> Vec<String> {
        fs::write(folder.join(name), bytes).unwrap();
        let ran = desk.run(&["--sim", "sim-parts-flash", "--json", "plan", "parts"]);
        fs::remove_file(folder.join(name)).unwrap();
        assert_eq!(ran.status, Some(3), "{ran:?}");
        let blockers = ran.json()["blockers"].clone();
        let code = |f: &serde_json::Value| f["code"].as_str().unwrap().to_owned();
        blockers.as_array().unwrap().iter().map(code).collect()
    };
    assert_eq!(refused("KERNEL-old.bin", &kernel), ["two-files"]);
    // A note about a part is no part.
    fs::write(folder.join("kernel.txt"), "from the camera in the hall").unwrap();
    assert!(refused("DATA.bin", &vec![0xFF; 0x63_0001]).contains(&"too-long".to_owned()));
    kernel.resize(0x20_0000, 0xFF);
    fs::remove_file(folder.join("kernel.uImage")).unwrap();
    assert!(refused("KERNEL.bin", &kernel).contains(&"wrong-map".to_owned()));
}
