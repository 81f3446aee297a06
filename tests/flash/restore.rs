//! Restoring sets, and the laws for BOOT, CONFIG and FACTORY.

use std::fs;
use std::path::PathBuf;

use mi360d::backup::Silent;
use mi360d::camera::flashing::{FlashingError, WhatCame};
use mi360d::error::{Exit, Explain};
use mi360d::flash::{PlanRequest, Unwatched};
use mi360d::formats::flsh;

use crate::rig::{
    Bench, CONFIG, FACTORY, KERNEL, ROOTFS, flash, image, only, plan, resume, set, six_blocks,
};
use crate::synthetic;

/// A set of the camera as it is.
fn backup(bench: &Bench) -> PathBuf {
    let camera = bench.camera("");
    camera.secure_identity();
    camera.backup(None, &Silent).unwrap().set.path
}

/// A set of another camera, on this camera's card.
fn foreign_set(bench: &Bench) -> PathBuf {
    let mut chip = synthetic::chip("ipc009");
    let entries: [(&[u8], &[u8]); 5] = [
        (b"vendor", b"chuangmi"),
        (b"model", b"chuangmi.camera.ipc009"),
        (b"mac", b"50:EC:50:11:22:33"),
        (b"did", b"987654321"),
        (b"key", b"AnotherCamerasK1"),
    ];
    chip[FACTORY..].copy_from_slice(&flsh::build(&entries, 0x1_0000).unwrap());
    let other = Bench::with(&chip, 0x1_0000);
    let made = backup(&other);
    let to = bench.home().join("backups/0077-").with_file_name(format!(
        "0077-{}",
        made.file_name().unwrap().to_str().unwrap().split('-').nth(1).unwrap()
    ));
    fs::create_dir_all(&to).unwrap();
    for entry in fs::read_dir(made).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
    to
}

fn blocked(result: Result<mi360d::camera::flashing::Flashed, FlashingError>) -> Vec<&'static str> {
    match result {
        Err(FlashingError::Blocked(planned)) => {
            planned.plan.blockers.iter().map(|f| f.code).collect()
        }
        Err(e) => panic!("{e}"),
        Ok(done) => panic!("{:?}", done.outcome),
    }
}

#[test]
fn a_foreign_identity_is_never_written_whatever_the_live_one_is() {
    let entries: [(&[u8], &[u8]); 0] = [];
    let empty = flsh::build(&entries, 0x1_0000).unwrap();
    let mut damaged = synthetic::factory("123456789");
    damaged[0x30] ^= 0x41;
    let lives = [synthetic::factory("123456789"), vec![0xFF; 0x1_0000], empty, damaged];
    for live in &lives {
        let bench = Bench::new();
        let foreign = foreign_set(&bench);
        let mut chip = bench.bytes();
        chip[FACTORY..].copy_from_slice(live);
        bench.set(&chip);
        for request in [set(&foreign), only(set(&foreign), &["FACTORY"])] {
            let result = flash(&bench.camera(""), &request);
            assert_eq!(result.as_ref().err().unwrap().exit(), Exit::Refused);
            assert!(blocked(result).contains(&"foreign-identity"));
        }
        // As a dump, and unlocked, it is refused all the same.
        fs::write(bench.home().join("config.toml"), "[flash]\nunlock = [\"FACTORY\", \"BOOT\"]\n")
            .unwrap();
        let dump = bench.upload("dump.bin", &fs::read(foreign.join("chip.bin")).unwrap());
        let request = only(image(&dump), &["FACTORY"]);
        assert!(blocked(flash(&bench.camera(""), &request)).contains(&"foreign-identity"));
        assert!(bench.bytes() == chip, "nothing was written");
    }
}

#[test]
fn the_own_identity_goes_back_onto_a_blank_or_damaged_factory() {
    let mut damaged = synthetic::factory("123456789");
    damaged[0x22] = 0;
    for live in [vec![0xFF; 0x1_0000], damaged, vec![0; 0x1_0000]] {
        let bench = Bench::new();
        let whole = bench.bytes();
        let own = backup(&bench);
        let mut chip = whole.clone();
        chip[FACTORY..].copy_from_slice(&live);
        bench.set(&chip);
        let planned = plan(&bench.camera(""), &set(&own));
        assert_eq!(
            planned.plan.confirm.as_deref(),
            Some("FLASH FACTORY"),
            "{:?}",
            planned.plan.blockers
        );
        let done = flash(&bench.camera(""), &set(&own)).unwrap();
        assert_eq!(done.outcome, WhatCame::Done, "{:?}", done.error);
        assert!(bench.bytes() == whole);
    }
}

#[test]
fn without_a_wifi_address_the_only_identity_or_the_typed_did_decides() {
    let bench = Bench::new();
    let whole = bench.bytes();
    let own = backup(&bench);
    let settings = fs::read_to_string(bench.path().join("camera.toml")).unwrap();
    let without: String =
        settings.lines().filter(|l| !l.starts_with("wifi_mac")).map(|l| format!("{l}\n")).collect();
    fs::write(bench.path().join("camera.toml"), without).unwrap();
    let mut chip = whole.clone();
    chip[FACTORY..].fill(0xFF);
    bench.set(&chip);
    // The only one ever saved on this card.
    let done = flash(&bench.camera(""), &only(set(&own), &["FACTORY"])).unwrap();
    assert_eq!(done.outcome, WhatCame::Done);
    assert!(bench.bytes() == whole);
    // Two were saved: it takes the did.
    let second = bench.home().join("identity/00000000");
    fs::create_dir_all(&second).unwrap();
    fs::write(second.join("FACTORY.bin"), synthetic::factory("555555555")).unwrap();
    bench.set(&chip);
    let request = only(set(&own), &["FACTORY"]);
    assert_eq!(blocked(flash(&bench.camera(""), &request)), ["identity-uncertain"]);
    let typed = |did: &str| PlanRequest { did: Some(did.to_owned()), ..request.clone() };
    assert_eq!(blocked(flash(&bench.camera(""), &typed("555555555"))), ["identity-uncertain"]);
    flash(&bench.camera(""), &typed("123456789")).unwrap();
    assert!(bench.bytes() == whole);
}

#[test]
fn protected_partitions_come_from_own_sets_or_are_unlocked() {
    let bench = Bench::new();
    let before = bench.bytes();
    let mut dump = before.clone();
    dump[0x4_8000] ^= 0xFF;
    dump[CONFIG..FACTORY]
        .copy_from_slice(&flsh::build(&[(&b"a"[..], &b"b"[..])], 0x1_0000).unwrap());
    let path = bench.upload("dump.bin", &dump);
    // By default a dump brings firmware only.
    assert!(
        plan(&bench.camera(""), &image(&path))
            .plan
            .parts
            .iter()
            .all(|p| !p.part.role.is_protected())
    );
    for name in ["BOOT", "CONFIG", "FACTORY"] {
        let request = only(image(&path), &[name]);
        assert!(blocked_or_same(&bench, &request).contains(&"partition-locked"), "{name}");
    }
    assert!(bench.bytes() == before);
    fs::write(bench.home().join("config.toml"), "[flash]\nunlock = [\"CONFIG\"]\n").unwrap();
    flash(&bench.camera(""), &only(image(&path), &["CONFIG"])).unwrap();
    assert!(bench.bytes()[CONFIG..FACTORY] == dump[CONFIG..FACTORY]);
    let request = only(image(&path), &["BOOT"]);
    assert!(blocked_or_same(&bench, &request).contains(&"partition-locked"));
}

#[test]
fn law_only_the_file_on_the_card_unlocks_a_partition() {
    let bench = Bench::new();
    let mut dump = bench.bytes();
    dump[CONFIG..FACTORY]
        .copy_from_slice(&flsh::build(&[(&b"a"[..], &b"b"[..])], 0x1_0000).unwrap());
    let request = only(image(&bench.upload("dump.bin", &dump)), &["CONFIG"]);
    // A file that the daemon was started with lies elsewhere.
    let elsewhere = bench.path().join("elsewhere.toml");
    fs::write(&elsewhere, "[flash]\nunlock = [\"CONFIG\"]\ncarry_wifi = false\n").unwrap();
    let camera = bench.camera("");
    camera.state().settings_path = Some(elsewhere);
    let codes = |camera: &mi360d::camera::Camera| -> Vec<&'static str> {
        plan(camera, &request).plan.blockers.iter().map(|f| f.code).collect()
    };
    assert!(codes(&camera).contains(&"partition-locked"));
    assert!(!camera.carries_wifi(), "the rest of that file counts");
    fs::write(bench.home().join("config.toml"), "[flash]\nunlock = [\"CONFIG\"]\n").unwrap();
    assert!(!codes(&camera).contains(&"partition-locked"), "the card's own file counts at once");
}

fn blocked_or_same(bench: &Bench, request: &PlanRequest) -> Vec<&'static str> {
    plan(&bench.camera(""), request).plan.blockers.iter().map(|f| f.code).collect()
}

#[test]
fn parts_of_a_foreign_set_are_a_donor_and_its_settings_are_named() {
    let bench = Bench::new();
    let foreign = foreign_set(&bench);
    let mut chip = bench.bytes();
    chip[ROOTFS + 0x2_0000..ROOTFS + 0x3_0000].fill(0x77);
    bench.set(&chip);
    let done = flash(&bench.camera(""), &only(set(&foreign), &["KERNEL", "ROOTFS"])).unwrap();
    assert_eq!(done.outcome, WhatCame::Done, "{:?}", done.error);
    assert!(bench.bytes() == synthetic::chip("ipc009"));
}

#[test]
fn the_wifi_settings_are_carried_through_config_and_back_by_a_restore() {
    let bench = Bench::new();
    let nvram = flsh::build(
        &[(&b"miio_ssid"[..], &b"home"[..]), (&b"miio_passwd"[..], &b"hunter2"[..])],
        0x1_0000,
    )
    .unwrap();
    fs::create_dir_all(bench.path().join("data")).unwrap();
    fs::write(bench.path().join("data/.config.nvram"), &nvram).unwrap();
    let own = backup(&bench);
    let before = bench.bytes();
    let tf = six_blocks();
    let path = bench.upload("six.img", &tf);
    let planned = plan(&bench.camera(""), &image(&path));
    assert!(
        planned.plan.confirm.as_deref().unwrap().contains("DATA CONFIG"),
        "{:?}",
        planned.plan.confirm
    );
    // Cut while CONFIG is written, and go on without the live settings.
    let cut = flash(&bench.camera("cut@2"), &image(&path)).unwrap();
    assert!(cut.error.is_some());
    fs::remove_dir_all(bench.path().join("data")).unwrap();
    let done = resume(&bench.camera("")).unwrap().unwrap();
    assert_eq!(done.outcome, WhatCame::Done, "{:?}", done.error);
    let now = bench.bytes();
    assert!(now[CONFIG..FACTORY] == nvram[..]);
    assert!(now[KERNEL..CONFIG] == tf[..CONFIG - KERNEL]);
    let state = fs::read_dir(bench.home().join("state")).unwrap().flatten();
    let left: Vec<_> =
        state.filter(|entry| entry.file_name().to_string_lossy().starts_with("carried")).collect();
    assert!(left.is_empty(), "the settings do not lie about: {left:?}");
    // The whole way back.
    flash(&bench.camera(""), &set(&own)).unwrap();
    assert!(bench.bytes() == before);
}

#[test]
fn a_damaged_set_is_refused_and_named() {
    let bench = Bench::new();
    let own = backup(&bench);
    let before = bench.bytes();
    bench.set(&{
        let mut chip = before.clone();
        chip[ROOTFS + 0x5_0000] ^= 1;
        chip
    });
    let file = own.join("ROOTFS.bin");
    let mut bytes = fs::read(&file).unwrap();
    bytes[0x5_1234] ^= 4;
    fs::write(&file, bytes).unwrap();
    assert!(blocked(flash(&bench.camera(""), &set(&own))).contains(&"set-damaged"));
    // What of it holds may still be had.
    assert_eq!(plan(&bench.camera(""), &only(set(&own), &["KERNEL"])).plan.blockers.len(), 0);
}

#[test]
fn an_interrupted_restore_of_factory_is_not_gone_on_with_on_another_camera() {
    let bench = Bench::new();
    let own = backup(&bench);
    let mut chip = bench.bytes();
    chip[FACTORY..].fill(0xFF);
    bench.set(&chip);
    let cut = flash(&bench.camera("cut@1"), &set(&own)).unwrap();
    assert!(cut.error.is_some());
    // The card is put into another camera: with an identity of its own, or with none.
    let settings = fs::read_to_string(bench.path().join("camera.toml")).unwrap();
    let other = settings.replace("50:ec:50:ab:cd:ef", "50:ec:50:11:22:33");
    fs::write(bench.path().join("camera.toml"), other).unwrap();
    for live in [synthetic::factory("777777777"), vec![0xFF; 0x1_0000]] {
        chip[FACTORY..].copy_from_slice(&live);
        bench.set(&chip);
        let refused = resume(&bench.camera("")).err().unwrap();
        assert_eq!(refused.code().name(), "other-camera");
        assert!(bench.bytes() == chip);
    }
    // Back in its own camera it goes on.
    fs::write(bench.path().join("camera.toml"), settings).unwrap();
    resume(&bench.camera("")).unwrap().unwrap();
    assert!(bench.bytes()[FACTORY..] == synthetic::factory("123456789")[..]);
}

#[test]
fn also_without_a_wifi_address_factory_is_not_gone_on_with_over_another_identity() {
    let bench = Bench::new();
    let settings = fs::read_to_string(bench.path().join("camera.toml")).unwrap();
    let without: Vec<&str> = settings.lines().filter(|l| !l.starts_with("wifi_mac")).collect();
    fs::write(bench.path().join("camera.toml"), without.join("\n")).unwrap();
    let whole = bench.bytes();
    let own = backup(&bench);
    let mut chip = whole.clone();
    chip[FACTORY..].fill(0xFF);
    bench.set(&chip);
    let cut = flash(&bench.camera("cut@1"), &only(set(&own), &["FACTORY"])).unwrap();
    assert!(cut.error.is_some());
    let torn = bench.bytes();
    let mut other = torn.clone();
    other[FACTORY..].copy_from_slice(&synthetic::factory("777777777"));
    bench.set(&other);
    assert_eq!(resume(&bench.camera("")).err().unwrap().code(), "other-camera");
    assert!(bench.bytes() == other, "a healthy identity gives way to no other");
    bench.set(&torn);
    assert_eq!(resume(&bench.camera("")).unwrap().unwrap().outcome, WhatCame::Done);
    assert!(bench.bytes() == whole);
}

#[test]
fn the_set_that_is_restored_is_not_removed_to_make_room_for_newer_ones() {
    let bench = Bench::new();
    let first = bench.bytes();
    let camera = bench.camera("");
    camera.secure_identity();
    let mut chip = first.clone();
    let mut made = Vec::new();
    for n in 0..3u8 {
        chip[ROOTFS + 0x30_0000] = n;
        bench.set(&chip);
        made.push(bench.camera("").backup(None, &Silent).unwrap().set.path);
    }
    fs::write(bench.home().join("config.toml"), "[backup]\nkeep = 1\n").unwrap();
    chip[ROOTFS + 0x30_0000] = 9;
    bench.set(&chip);
    // The one in the middle is neither pristine nor the newest.
    let done = flash(&bench.camera(""), &set(&made[1])).unwrap();
    assert_eq!(done.outcome, WhatCame::Done, "{:?}", done.error);
    assert_eq!(bench.bytes()[ROOTFS + 0x30_0000], 1);
    assert!(made[1].join("SHA256SUMS").exists());
}

#[test]
fn settings_that_the_vendors_daemon_had_not_written_yet_are_the_ones_that_are_carried() {
    let settings = |ssid: &[u8]| {
        let pairs: [(&[u8], &[u8]); 2] = [(b"miio_ssid", ssid), (b"miio_passwd", b"secret")];
        flsh::build(&pairs, 0x1_0000).unwrap()
    };
    let bench = Bench::new();
    let path = bench.upload("six.img", &six_blocks());
    let data = bench.path().join("data");
    fs::create_dir_all(&data).unwrap();
    fs::write(data.join(".config.nvram"), settings(b"old network")).unwrap();
    fs::write(data.join(".config.nvram.unwritten"), settings(b"new network")).unwrap();
    let camera = bench.camera("");
    let request = only(image(&path), &["DATA"]);
    let planned = camera.plan(&request, &Silent).unwrap();
    assert!(data.join(".config.nvram.unwritten").exists(), "a plan asks nobody for anything");
    // It says beforehand that WiFi and page are away, and for how long.
    let away = planned.document(&camera).away_s.unwrap();
    assert!((120..600).contains(&away), "{away}");
    let done =
        camera.flash(&request, planned.plan.confirm.as_deref(), &Unwatched, &Silent).unwrap();
    assert_eq!(done.outcome, WhatCame::Done);
    assert!(bench.bytes()[CONFIG..FACTORY] == settings(b"new network")[..]);
    // What has nothing to do with DATA keeps WiFi and page.
    let kernel = only(image(&path), &["KERNEL"]);
    assert_eq!(plan(&bench.camera(""), &kernel).document(&camera).away_s, None);
}
