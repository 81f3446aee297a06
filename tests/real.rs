//! Real input: a dump put together from real firmware parts, a squashfs made
//! by mksquashfs, and a FACTORY that belongs to nobody.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod rig;
mod samples;

use std::fs;
use std::path::Path;
use std::process::Command;

use rig::{Ran, Sim, factory, program};

/// A full dump of an ipc019; `None` where what it needs is not at hand, and then it says so.
fn dump(dir: &Path) -> Option<Vec<u8>> {
    let root = dir.join("root");
    fs::create_dir_all(root.join("etc")).unwrap();
    fs::write(root.join("etc/release"), "3.5.1_0052\n").unwrap();
    let noise: Vec<u8> =
        (0..2_000_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    fs::write(root.join("noise"), noise).unwrap();
    let text: String = (0..100_000u32).map(|i| format!("line {}\n", i.wrapping_mul(i))).collect();
    fs::write(root.join("text"), text).unwrap();
    std::os::unix::fs::symlink("bin/busybox", root.join("linuxrc")).unwrap();
    let image = dir.join("root.squashfs");
    let made = Command::new("mksquashfs")
        .args([&root, &image])
        .args(["-comp", "xz", "-noappend", "-quiet", "-no-progress"])
        .output()
        .expect("mksquashfs: tests/run installs it");
    assert!(made.status.success(), "{made:?}");
    let mut chip = vec![0xFF; 0x100_0000];
    for (offset, bytes) in [
        (0, samples::read("ipc019/BOOT.bin")?),
        (0x05_0000, samples::read("ipc019/KERNEL-2019.uImage")?),
        (0x25_0000, fs::read(image).unwrap()),
        (0x9B_0000, samples::read("ipc019/DATA-3.5.1_0052.jffs2")?),
        (0xFE_0000, samples::read("ipc019/CONFIG-empty.bin")?),
        (0xFF_0000, factory(1)),
    ] {
        chip[offset..offset + bytes.len()].copy_from_slice(&bytes);
    }
    Some(chip)
}

fn inspect(file: &Path) -> Ran {
    Ran::of(Command::new(program()).args(["--json", "inspect"]).arg(file))
}

#[test]
fn inspect_names_every_part_of_a_real_dump_rightly() {
    let dir = tempfile::tempdir().unwrap();
    let Some(chip) = dump(dir.path()) else { return };
    let file = dir.path().join("dump.bin");
    fs::write(&file, &chip).unwrap();
    let ran = inspect(&file);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    let report = ran.json();
    assert_eq!(report["kind"], "full-dump");
    assert!(report["map_source"].as_str().unwrap().contains("MXP"), "{}", report["map_source"]);
    assert_eq!(report["identity"]["health"], "healthy");
    assert!(
        report["identity"]["answer"].as_str().unwrap().starts_with("Yes"),
        "{}",
        report["identity"]
    );
    let wanted = [
        ("BOOT", 0, 0x05_0000, "U-Boot"),
        ("KERNEL", 0x05_0000, 0x20_0000, "uImage, I6, Linux 4.9"),
        ("ROOTFS", 0x25_0000, 0x76_0000, "squashfs, xz"),
        ("DATA", 0x9B_0000, 0x63_0000, "JFFS2"),
        ("CONFIG", 0xFE_0000, 0x01_0000, "FLSH"),
        ("FACTORY", 0xFF_0000, 0x01_0000, "FLSH"),
    ];
    for ((name, offset, size, kind), part) in
        wanted.iter().zip(report["partitions"].as_array().unwrap())
    {
        assert_eq!(part["name"], *name);
        assert_eq!(part["offset"], *offset);
        assert_eq!(part["size"], *size);
        assert_eq!(part["health"], "healthy", "{part}");
        assert!(part["kind"].as_str().unwrap().contains(kind), "{part}");
    }
    // The version is in DATA only, inside of packed nodes.
    assert_eq!(report["firmware"], "3.5.1_0052");
    let rootfs = &report["partitions"][2];
    assert!(rootfs["squashfs"]["blocks_verified"].as_u64().unwrap() > 10, "{rootfs}");
    for secret in ["PlantedKey000001", "300000001"] {
        assert!(!ran.out.contains(secret), "{secret} was shown");
    }
}

#[test]
fn a_camera_made_from_a_real_dump_gives_it_back_byte_for_byte() {
    let dir = tempfile::tempdir().unwrap();
    let Some(chip) = dump(dir.path()) else { return };
    let file = dir.path().join("dump.bin");
    fs::write(&file, &chip).unwrap();
    let sim = Sim { dir: tempfile::tempdir().unwrap() };
    let made = Ran::of(
        Command::new(program()).args(["sim", "create"]).arg(sim.path()).arg("--from").arg(&file),
    );
    assert_eq!(made.status, Some(0), "{made:?}");
    let settings = fs::read_to_string(sim.path().join("camera.toml")).unwrap();
    assert!(settings.contains("wifi_mac = \"02:00:00:00:00:01\""), "{settings}");
    assert_eq!(sim.run(&["backup"], "").status, Some(0));
    let set = sim.backups().join(&sim.sets()[0]);
    assert!(fs::read(set.join("chip.bin")).unwrap() == chip);

    // One flipped byte: the file, the offset, and exit status 4.
    let data = set.join("DATA.bin");
    let mut bytes = fs::read(&data).unwrap();
    bytes[3_000_001] ^= 0x20;
    fs::write(&data, bytes).unwrap();
    let ran = sim.run(&["--json", "verify", "1"], "");
    assert_eq!(ran.status, Some(4), "{ran:?}");
    assert_eq!(ran.json()["damage"][0]["file"], "DATA.bin");
    assert_eq!(ran.json()["damage"][0]["offset"], 3_000_001);
    assert_eq!(Ran::of(Command::new(program()).arg("verify").arg(&set)).status, Some(4));
}

#[test]
fn the_owner_of_a_brick_learns_first_whether_the_identity_is_still_there() {
    let dir = tempfile::tempdir().unwrap();
    let Some(mut chip) = dump(dir.path()) else { return };
    let file = dir.path().join("brick.bin");
    // Everything is gone but BOOT, CONFIG and FACTORY.
    chip[0x05_0000..0xFE_0000].fill(0xFF);
    fs::write(&file, &chip).unwrap();
    let ran = Ran::of(Command::new(program()).arg("inspect").arg(&file));
    assert_eq!(ran.status, Some(4));
    let answer = ran.out.find("Yes").unwrap();
    assert!(answer < 700, "the answer comes late: {}", ran.out);
    assert_eq!(inspect(&file).json()["identity"]["health"], "healthy");

    chip[0xFF_0000..].fill(0xFF);
    fs::write(&file, &chip).unwrap();
    let report = inspect(&file).json();
    assert_eq!(report["identity"]["health"], "blank");
    assert!(report["identity"]["answer"].as_str().unwrap().starts_with("No"), "{report}");
}

#[test]
fn one_wrong_bit_in_a_real_loader_or_a_real_squashfs_is_seen() {
    let dir = tempfile::tempdir().unwrap();
    let Some(chip) = dump(dir.path()) else { return };
    let file = dir.path().join("flipped.bin");
    let used = u64::from_le_bytes(chip[0x25_0028..0x25_0030].try_into().unwrap()) as usize;
    for (at, name) in [(0x400, "BOOT"), (0x1_0800, "BOOT"), (0x25_0000 + used - 60_000, "ROOTFS")] {
        let mut bytes = chip.clone();
        bytes[at] ^= 0x10;
        fs::write(&file, &bytes).unwrap();
        let ran = inspect(&file);
        let report = ran.json();
        let part = report["partitions"].as_array().unwrap().iter().find(|p| p["name"] == name);
        assert_eq!((ran.status, &part.unwrap()["health"]), (Some(4), &"damaged".into()), "{at:#x}");
    }
}
