//! What must not be flashed, and where the advised steps lead.

use std::fs;
use std::process::Command;

use mi360d::formats::{flsh, squashfs, uimage};

use crate::desk::{CONFIG, DATA, Desk, FACTORY, KERNEL, ROOTFS, advice_is_taken};
use crate::synthetic::{I3, chip, noise, tf_image};

#[test]
fn what_this_camera_cannot_start_is_refused() {
    let plan = |name: &str, bytes: &[u8]| {
        let desk = Desk::new();
        desk.put("whole.bin", &chip("ipc009"));
        desk.put(name, bytes);
        let made = desk.run(&["sim", "create", "sim", "--from", "whole.bin"]);
        assert_eq!(made.status, Some(0), "{made:?}");
        let ran = desk.run(&["--sim", "sim", "--json", "plan", name]);
        let blockers = ran.json()["blockers"].clone();
        let codes: Vec<String> = blockers
            .as_array()
            .unwrap()
            .iter()
            .map(|f| f["code"].as_str().unwrap().to_owned())
            .collect();
        (ran.status, codes)
    };
    let kernel = uimage::build(I3, 1, &noise(5000)).unwrap();
    assert_eq!(plan("k.bin", &kernel).0, Some(0));
    let mut header = uimage::parse(&kernel).unwrap();
    header.load = 0x4000_8000;
    let other = [&header.to_bytes()[..], &kernel[uimage::HEADER..]].concat();
    assert_eq!(plan("k.bin", &other), (Some(3), vec!["wrong-load-address".to_owned()]));

    let good = squashfs::build(30_000, 1, &noise(30_000)).unwrap();
    assert_eq!(plan("r.bin", &good).0, Some(0));
    let mut gzip = good;
    gzip[20] = 1;
    assert_eq!(plan("r.bin", &gzip), (Some(3), vec!["wrong-compression".to_owned()]));
    let empty = squashfs::build_named(b"sbin", 30_000, 1, &noise(30_000)).unwrap();
    assert_eq!(plan("r.bin", &empty), (Some(3), vec!["no-linuxrc".to_owned()]));
}

#[test]
fn the_steps_for_every_other_kind_lead_somewhere() {
    let whole = chip("ipc009");
    let tar = {
        let desk = Desk::new();
        desk.put("BOOT.bin", &whole[..KERNEL]);
        desk.put("FACTORY.bin", &whole[FACTORY..]);
        let words = ["cf", "t.tar", "BOOT.bin", "FACTORY.bin"];
        assert!(
            Command::new("tar").args(words).current_dir(desk.0.path()).status().unwrap().success()
        );
        fs::read(desk.path("t.tar")).unwrap()
    };
    let mut early = whole[0x1000..].to_vec();
    let image = tf_image("ipc009");
    for bytes in [
        &whole[..0xA0_0000],
        &[&whole[..], &[0; 100]].concat(),
        &early.split_off(0x30_0000),
        &whole[..KERNEL],
        &whole[..KERNEL - 1],
        &whole[KERNEL..ROOTFS],
        &whole[ROOTFS..DATA],
        &whole[DATA..CONFIG],
        &whole[CONFIG..FACTORY],
        &whole[KERNEL..KERNEL + 50_000],
        &image,
        &image[..image.len() / 2],
        &tar,
        b"",
        b"<html>",
        &noise(5000),
        &vec![0; 0x100_0000],
        &vec![0xFF; 0x1_0000],
    ] {
        advice_is_taken(bytes);
    }
}

#[test]
fn the_steps_for_a_brick_lead_somewhere() {
    let mut dead = chip("ipc009");
    dead[KERNEL..CONFIG].fill(0xFF);
    advice_is_taken(&dead);
    let mut moved = chip("ipc009");
    moved.copy_within(FACTORY.., 0xC0_0000);
    moved[FACTORY..].fill(0xFF);
    advice_is_taken(&moved);
    advice_is_taken(&chip("ipc009"));
    advice_is_taken(&flsh::build(&[(b"a", b"b")], 0x1_0000).unwrap());
}
