//! The laws of a flash: the phrase, one writer, nothing before it is saved.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use mi360d::backup::Silent;
use mi360d::camera::flash_jobs;
use mi360d::camera::flashing::{FlashingError, WhatCame};
use mi360d::camera::job::JobState;
use mi360d::error::{Exit, Explain};
use mi360d::flash::{Heals, Unwatched};

use crate::rig::{
    Bench, Noting, everything, flash, flashed, image, only, plan, resume, six_blocks,
};
use crate::synthetic::signed;

#[test]
fn nothing_is_written_without_the_one_phrase() {
    let bench = Bench::new();
    let before = bench.bytes();
    let path = bench.upload("six.img", &six_blocks());
    let camera = bench.camera("");
    let right = plan(&camera, &image(&path)).plan.confirm.unwrap();
    assert_eq!(right, "FLASH KERNEL ROOTFS DATA WITHOUT RESCUE");
    for phrase in [None, Some(""), Some("FLASH"), Some("FLASH KERNEL ROOTFS DATA"), Some("yes")] {
        let refused = camera.flash(&image(&path), phrase, &Unwatched, &Silent).err().unwrap();
        assert!(matches!(refused, FlashingError::Phrase(..)), "{refused}");
        assert_eq!(refused.exit(), Exit::Refused);
        assert!(refused.to_string().contains(&right), "{refused}");
    }
    assert!(bench.bytes() == before);
    assert!(!bench.home().join("backups").exists(), "not even a backup was made");
}

#[test]
fn a_plan_changes_nothing_at_all() {
    let bench = Bench::new();
    let path = bench.upload("six.img", &six_blocks());
    let list = |bench: &Bench| {
        let mut all: Vec<String> = walk(&bench.card());
        all.sort();
        all
    };
    let (chip, card) = (bench.bytes(), list(&bench));
    let chip_ops = Noting::new(bench.chip(""));
    let ops = chip_ops.ops.clone();
    plan(&bench.camera_on(Box::new(chip_ops)), &image(&path));
    assert!(ops.lock().unwrap().is_empty());
    assert!(bench.bytes() == chip);
    assert_eq!(list(&bench), card);
}

fn walk(dir: &std::path::Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap().map(|e| e.unwrap()) {
        if entry.path().is_dir() {
            found.extend(walk(&entry.path()));
        }
        let time = entry.metadata().unwrap().modified().unwrap();
        found.push(format!("{} {time:?}", entry.path().display()));
    }
    found
}

#[test]
fn what_is_overwritten_lies_in_a_proven_set_before_the_first_erase() {
    let bench = Bench::new();
    let before = bench.bytes();
    let path = bench.upload("six.img", &six_blocks());
    let cut = flash(&bench.camera("cut@1"), &image(&path)).unwrap();
    let set = bench.home().join("backups").join(cut.before.unwrap());
    assert!(fs::read(set.join("chip.bin")).unwrap() == before);
    assert!(mi360d::backup::verify::verify(&set, &Silent).unwrap().is_whole());
    // DATA alone that changed since is saved too, although a start would not.
    let bench = Bench::new();
    let camera = bench.camera("");
    camera.secure_identity();
    let old = camera.backup(None, &Silent).unwrap().set.name.to_string();
    drop(camera);
    let mut chip = bench.bytes();
    chip[crate::rig::DATA + 0x5_0000] = 0x00;
    bench.set(&chip);
    let path = bench.upload("six.img", &six_blocks());
    let done = flash(&bench.camera(""), &image(&path)).unwrap();
    let new = done.before.unwrap();
    assert_ne!(new, old);
    assert!(fs::read(bench.home().join("backups").join(new).join("chip.bin")).unwrap() == chip);
}

#[test]
fn one_writer_at_a_time_also_from_another_process() {
    let bench = Bench::new();
    let path = bench.upload("six.img", &six_blocks());
    let camera = bench.camera("");
    let lock = camera.writer_lock().unwrap().unwrap();
    let phrase = "FLASH KERNEL ROOTFS DATA WITHOUT RESCUE";
    let ran = bench.run(&["--json", "flash", path.to_str().unwrap(), "--confirm", phrase], "");
    assert_eq!(
        (ran.status, ran.json()["error"]["code"].as_str()),
        (Some(3), Some("busy")),
        "{ran:?}"
    );
    let ran = bench.run(&["backup"], "");
    assert_eq!(ran.status, Some(3), "{ran:?}");
    let ran = bench.run(&["--json", "resume"], "");
    assert_eq!((ran.status, ran.json()["error"]["code"].as_str()), (Some(3), Some("busy")));
    drop(lock);
    let ran = bench.run(&["--json", "flash", path.to_str().unwrap(), "--confirm", phrase], "");
    assert_eq!(ran.status, Some(0), "{ran:?}");
}

#[test]
fn what_the_boot_loader_could_write_heals_and_the_rest_is_said() {
    let bench = Bench::new();
    let path = bench.upload("six.img", &six_blocks());
    let camera = bench.camera("");
    let of = |names: &[&str]| plan(&camera, &only(image(&path), names));
    assert_eq!(of(&["DATA"]).plan.heals, Heals::Itself);
    assert_eq!(of(&["DATA"]).plan.confirm.unwrap(), "FLASH DATA");
    let rootfs = of(&["ROOTFS"]);
    assert_eq!((rootfs.plan.heals, rootfs.plan.rescue), (Heals::NeedsPc, None));
    assert!(rootfs.plan.warnings.iter().any(|f| f.code == "without-rescue"));
    assert_eq!(plan(&camera, &image(&path)).plan.rescue, Some("tf_recovery.img"));
}

#[test]
fn what_the_boot_loader_does_for_a_camera_is_told_by_its_own_u_boot() {
    let key = signed::key(1);
    let tf = signed::sign(&key, six_blocks());
    let path_of = |bench: &Bench| bench.upload("six.img", &tf);
    for (name, rescue) in [
        ("tf_recovery.img", Some("tf_recovery.img")),
        ("tf_update.img", Some("tf_update.img")),
        ("neither.img", None),
    ] {
        let bench = Bench::new();
        let mut chip = bench.bytes();
        let boot = signed::boot(&key, name);
        chip[..boot.len()].copy_from_slice(&boot);
        bench.set(&chip);
        let camera = bench.camera("");
        let planned = plan(&camera, &image(&path_of(&bench)));
        assert_eq!(planned.plan.rescue, rescue, "{name}");
        let phrase = planned.plan.confirm.clone().unwrap();
        assert_eq!(phrase.ends_with("WITHOUT RESCUE"), rescue.is_none(), "{name}: {phrase}");
        assert_eq!(planned.plan.heals == Heals::BootLoader, rescue.is_some(), "{name}");
        let why = planned.plan.warnings.iter().find(|f| f.code == "without-rescue");
        assert_eq!(why.is_some_and(|f| f.reason.contains("names no image")), rescue.is_none());
        // Plan, card and RECOVERY.txt say the same.
        let cut = flash(&bench.camera("cut@1"), &image(&path_of(&bench))).unwrap();
        let text = bench.home().join("backups").join(cut.before.unwrap()).join("RECOVERY.txt");
        let text = fs::read_to_string(text).unwrap();
        assert_eq!(text.contains("written at power-up"), rescue.is_some(), "{name}\n{text}");
        for known in ["tf_recovery.img", "tf_update.img"] {
            let there = bench.card().join(known);
            assert_eq!(there.exists(), rescue == Some(known), "{name}: {known}");
            assert_eq!(text.contains(known), rescue.is_none_or(|name| name == known), "{name}");
            assert!(!there.exists() || fs::read(there).unwrap() == tf, "{name}");
        }
    }
}

#[test]
fn an_image_from_elsewhere_is_copied_to_the_card_before_the_journal_opens() {
    let bench = Bench::new();
    let tf = six_blocks();
    let outside = bench.path().join("elsewhere.img");
    fs::write(&outside, &tf).unwrap();
    let wanted = flashed(&bench.bytes(), &tf);
    let cut = flash(&bench.camera("cut@300"), &image(&outside)).unwrap();
    assert!(cut.error.is_some());
    fs::remove_file(&outside).unwrap();
    let done = resume(&bench.camera("")).unwrap().unwrap();
    assert_eq!(done.outcome, WhatCame::Done, "{:?}", done.error);
    assert!(bench.bytes() == wanted);
    let left = fs::read_dir(bench.home().join("images")).unwrap().count();
    assert_eq!(left, 0, "the copy was for the job only");
}

#[test]
fn law_another_image_than_the_one_of_the_plan_is_never_flashed() {
    let bench = Bench::new();
    let before = bench.bytes();
    let path = bench.upload("a.img", &six_blocks());
    let camera = Arc::new(bench.camera(""));
    let (id, document) = flash_jobs::plan(&camera, image(&path)).unwrap();
    let phrase = document.confirm.unwrap();
    // The same name, the same phrase, and another content.
    fs::write(&path, everything()).unwrap();
    assert_eq!(plan(&camera, &image(&path)).plan.confirm.unwrap(), phrase);
    let job = flash_jobs::begin(&camera, &id, &phrase).unwrap();
    let ended = loop {
        let seen = camera.jobs().get(&job.id, Some(u64::MAX), Duration::from_secs(1)).unwrap();
        if seen.state != JobState::Running {
            break seen;
        }
    };
    assert_eq!(ended.error.unwrap().code.name(), "other-image");
    assert!(bench.bytes() == before);
}

#[test]
fn an_interrupted_flash_of_another_camera_is_left_alone() {
    let bench = Bench::new();
    let path = bench.upload("six.img", &six_blocks());
    flash(&bench.camera("cut@300"), &image(&path)).unwrap();
    let mut chip = bench.bytes();
    chip[crate::rig::FACTORY..].copy_from_slice(&crate::synthetic::factory("424242424"));
    bench.set(&chip);
    let refused = resume(&bench.camera("")).err().unwrap();
    assert_eq!((refused.code().name(), refused.exit()), ("other-camera", Exit::Refused));
    assert!(bench.bytes() == chip);
    // Nor does a flash of this camera take its place: the other would never come back.
    let journal = bench.home().join("state/flash.toml");
    let before = fs::read(&journal).unwrap();
    let Err(FlashingError::Blocked(planned)) = flash(&bench.camera(""), &image(&path)) else {
        panic!("it is refused")
    };
    assert!(
        planned.plan.blockers.iter().any(|f| f.code == "other-camera"),
        "{:?}",
        planned.plan.blockers
    );
    assert!(bench.bytes() == chip && fs::read(&journal).unwrap() == before);
}

#[test]
fn another_image_at_the_cards_root_is_moved_aside_and_never_lost() {
    let bench = Bench::new();
    let path = bench.upload("six.img", &six_blocks());
    let mine = bench.card().join("tf_recovery.img");
    fs::write(&mine, b"an image that the owner put there").unwrap();
    flash(&bench.camera(""), &image(&path)).unwrap();
    assert!(!mine.exists(), "the boot loader would have flashed it at the next start");
    let aside = fs::read(bench.card().join("tf_recovery.img.other1")).unwrap();
    assert_eq!(aside, b"an image that the owner put there");
}

#[test]
fn a_flash_that_was_interrupted_ends_before_another_begins() {
    let bench = Bench::new();
    let path = bench.upload("six.img", &six_blocks());
    flash(&bench.camera("cut@900"), &image(&path)).unwrap();
    let request = only(image(&path), &["ROOTFS"]);
    let Err(FlashingError::Blocked(planned)) = flash(&bench.camera(""), &request) else {
        panic!("it is refused")
    };
    assert!(planned.plan.blockers.iter().any(|f| f.code == "flash-interrupted"));
    // One that covers all of it may take its place.
    let done = flash(&bench.camera(""), &image(&path)).unwrap();
    assert_eq!(done.outcome, WhatCame::Done, "{:?}", done.error);
    assert!(resume(&bench.camera("")).unwrap().is_none());
}

#[test]
fn a_plan_names_the_set_that_holds_the_chip_and_no_other() {
    let bench = Bench::new();
    let path = bench.upload("six.img", &six_blocks());
    assert_eq!(plan(&bench.camera(""), &image(&path)).held_by, None);
    let ran = bench.run(&["backup"], "");
    assert_eq!(ran.status, Some(0), "{ran:?}");
    let sets = std::fs::read_dir(bench.home().join("backups")).unwrap();
    let name = sets.last().unwrap().unwrap().file_name().into_string().unwrap();
    assert_eq!(plan(&bench.camera(""), &image(&path)).held_by, Some(name));
    let mut chip = bench.bytes();
    chip[crate::rig::DATA + 100] ^= 1;
    bench.set(&chip);
    assert_eq!(plan(&bench.camera(""), &image(&path)).held_by, None, "DATA is another");
}
