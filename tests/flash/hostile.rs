//! What a hostile, stale or exchanged card could make a resumption do, and
//! what changes under a flash while it is prepared.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};

use mi360d::backup::{Progress, Silent, Work};
use mi360d::camera::flashing::WhatCame;
use mi360d::chip::{Chip, ChipError, EraseBlock, FlashMap, Partition, SimChip};
use mi360d::error::Explain;
use mi360d::flash::Unwatched;
use mi360d::flash::protection::{Lifted, scan};

use crate::rig::{
    BLOCK, Bench, DATA, KERNEL, ROOTFS, everything, flash, image, only, resume, set, six_blocks,
};

/// A flash that was cut in its middle, and its journal's text.
fn cut(bench: &Bench) -> String {
    let path = bench.upload("six.img", &six_blocks());
    flash(&bench.camera("cut@300"), &image(&path)).unwrap();
    fs::read_to_string(bench.home().join("state/flash.toml")).unwrap()
}

fn refused(bench: &Bench, job: &str) -> String {
    fs::write(bench.home().join("state/flash.toml"), job).unwrap();
    let before = bench.bytes();
    let error = resume(&bench.camera("")).err().expect("it is refused");
    assert!(bench.bytes() == before, "nothing was written: {error}");
    error.code().name().to_owned()
}

#[test]
fn a_card_cannot_make_a_resume_write_what_no_flash_would() {
    let bench = Bench::new();
    let job = cut(&bench);
    let boot = "[[partition]]\nname = \"BOOT\"\nsha256 = \"00\"\ncarried = ";
    for (what, with) in [
        ("BOOT out of settings", format!("{job}{boot}true\n")),
        ("BOOT out of an image", format!("{job}{boot}false\n")),
        ("twice the same", format!("{job}[[partition]]\nname = \"DATA\"\nsha256 = \"00\"\n")),
        ("no partition of a camera", job.replace("\"DATA\"", "\"all\"")),
        ("a file of the owner's", job.replace("tf_recovery.img", "mi360d/config.toml")),
        ("no backup before it", job.replace("before = \"0001-", "before = \"0007-")),
    ] {
        assert_eq!(refused(&bench, &with), "journal-damaged", "{what}");
    }
    fs::write(bench.home().join("state/flash.toml"), job).unwrap();
    assert_eq!(resume(&bench.camera("")).unwrap().unwrap().outcome, WhatCame::Done);
}

#[test]
fn a_blank_camera_does_not_go_on_with_another_blank_cameras_flash() {
    let bench = Bench::new();
    let mut chip = bench.bytes();
    chip[crate::rig::FACTORY..].fill(0xFF);
    bench.set(&chip);
    cut(&bench);
    let settings = fs::read_to_string(bench.path().join("camera.toml")).unwrap();
    let other = settings.replace("50:ec:50:ab:cd:ef", "50:ec:50:11:22:33");
    fs::write(bench.path().join("camera.toml"), other).unwrap();
    assert_eq!(resume(&bench.camera("")).err().unwrap().code(), "other-camera");
}

#[test]
fn a_resume_that_fails_before_its_first_erase_stays_resumable() {
    let bench = Bench::new();
    let tf = everything();
    let path = bench.upload("all.img", &tf);
    let fault = format!("stuck@{KERNEL}");
    let first = flash(&bench.camera(&fault), &image(&path)).unwrap();
    assert_eq!(first.outcome, WhatCame::Partly);
    let again = resume(&bench.camera(&fault)).unwrap().unwrap();
    assert_eq!(again.outcome, WhatCame::Partly, "what an earlier run wrote counts");
    assert!(bench.home().join("state/flash.toml").exists());
    assert!(bench.card().join("tf_recovery.img").exists(), "the boot loader may still be needed");
    assert_eq!(resume(&bench.camera("")).unwrap().unwrap().outcome, WhatCame::Done);
    assert!(!bench.card().join("tf_recovery.img").exists());
}

#[test]
fn a_flash_that_takes_anothers_place_takes_its_rescue_image_away_too() {
    let bench = Bench::new();
    let camera = bench.camera("");
    camera.secure_identity();
    let own = camera.backup(None, &Silent).unwrap().set.path;
    drop(camera);
    cut(&bench);
    assert!(bench.card().join("tf_recovery.img").exists());
    let request = only(set(&own), &["KERNEL", "ROOTFS", "DATA"]);
    assert_eq!(flash(&bench.camera(""), &request).unwrap().outcome, WhatCame::Done);
    assert!(
        !bench.card().join("tf_recovery.img").exists(),
        "it would be flashed at the next start"
    );
    // Also one under the other name; and what the owner has as .bak stays.
    let (now, other) = ("tf_recovery.img", "tf_update.img");
    let bak = bench.card().join("tf_recovery.img.bak");
    fs::write(&bak, six_blocks()).unwrap();
    let job = cut(&bench).replace(now, other);
    fs::write(bench.home().join("state/flash.toml"), job).unwrap();
    fs::rename(bench.card().join(now), bench.card().join(other)).unwrap();
    let path = bench.home().join("images/six.img");
    assert_eq!(flash(&bench.camera(""), &image(&path)).unwrap().outcome, WhatCame::Done);
    assert!(!bench.card().join(now).exists() && !bench.card().join(other).exists());
    assert!(fs::read(&bak).unwrap() == six_blocks());
}

/// Changes the image when the comparison begins.
struct Meddler<'a>(&'a std::path::Path, AtomicBool);

impl Progress for Meddler<'_> {
    fn at(&self, work: Work, _done: u64, _total: u64) {
        if work == Work::Compare && !self.1.swap(true, Ordering::SeqCst) {
            use std::os::unix::fs::FileExt as _;
            let file = fs::OpenOptions::new().write(true).open(self.0).unwrap();
            let at = DATA - KERNEL - BLOCK;
            file.write_all_at(b"WRONG BYTES", at as u64).unwrap();
        }
    }
}

#[test]
fn what_is_written_is_what_was_inspected() {
    let bench = Bench::new();
    let path = bench.upload("all.img", &everything());
    let meddler = Meddler(&path, AtomicBool::new(false));
    let error = bench.camera("").plan(&image(&path), &meddler).err().unwrap();
    assert_eq!(error.code().name(), "image-changed", "{error}");
    assert!(meddler.1.load(Ordering::SeqCst));
}

#[test]
fn a_backup_during_an_interruption_removes_nothing_that_it_needs() {
    let bench = Bench::new();
    let path = bench.upload("six.img", &six_blocks());
    bench.run(&["backup"], "");
    let mut chip = bench.bytes();
    chip[ROOTFS + 0x30_0000] = 1;
    bench.set(&chip);
    fs::write(bench.home().join("config.toml"), "[backup]\nkeep = 1\n").unwrap();
    let before = flash(&bench.camera("cut@300"), &image(&path)).unwrap().before.unwrap();
    assert_eq!(bench.run(&["backup"], "").status, Some(0));
    assert!(bench.home().join("backups").join(before).join("SHA256SUMS").exists());
    assert_eq!(resume(&bench.camera("")).unwrap().unwrap().outcome, WhatCame::Done);
}

/// A chip with protection that outlives power, and cannot lift some of it.
struct Locked {
    chip: SimChip,
    ranges: std::sync::Mutex<Vec<(String, u32)>>,
    stubborn: Option<&'static str>,
}

impl Chip for Locked {
    fn map(&self) -> &FlashMap {
        self.chip.map()
    }
    fn read(&self, part: &Partition, offset: u32, buf: &mut [u8]) -> Result<(), ChipError> {
        self.chip.read(part, offset, buf)
    }
    fn erase(&self, block: &EraseBlock<'_>) -> Result<(), ChipError> {
        if self.is_locked(block) == Some(true) { Ok(()) } else { self.chip.erase(block) }
    }
    fn program(&self, part: &Partition, offset: u32, data: &[u8]) -> Result<(), ChipError> {
        self.chip.program(part, offset, data)
    }
    fn is_writable(&self, _part: &Partition) -> bool {
        true
    }
    fn is_locked(&self, block: &EraseBlock<'_>) -> Option<bool> {
        let key = (block.partition().name.clone(), block.start());
        Some(self.ranges.lock().unwrap().contains(&key))
    }
    fn set_locked(&self, part: &Partition, at: u32, len: u32, on: bool) -> Result<(), ChipError> {
        if self.stubborn == Some(part.name.as_str()) && !on {
            let source = std::io::Error::from(std::io::ErrorKind::Unsupported);
            let partition = part.name.clone();
            return Err(ChipError::Protect { partition, offset: at, length: len, source });
        }
        let mut locked = self.ranges.lock().unwrap();
        for start in (at..at + len).step_by(part.erase_size as usize) {
            locked.retain(|(name, offset)| *name != part.name || *offset != start);
            if on {
                locked.push((part.name.clone(), start));
            }
        }
        Ok(())
    }
}

fn locked(bench: &Bench, faults: &str, stubborn: Option<&'static str>) -> Locked {
    let all = [("ROOTFS", 0), ("ROOTFS", 0x1_0000), ("DATA", 0)];
    let locked = all.iter().map(|(name, at)| ((*name).to_owned(), *at)).collect();
    Locked { chip: bench.chip(faults), ranges: std::sync::Mutex::new(locked), stubborn }
}

#[test]
fn protection_is_put_back_also_where_it_cannot_be_lifted_or_power_fails() {
    let bench = Bench::new();
    let chip = locked(&bench, "", Some("DATA"));
    let parts: Vec<Partition> =
        ["ROOTFS", "DATA"].iter().map(|n| chip.map().by_name(n).unwrap().clone()).collect();
    let parts: Vec<&Partition> = parts.iter().collect();
    Lifted::try_out(&chip, &parts, Vec::new()).unwrap_err();
    assert_eq!(chip.ranges.lock().unwrap().len(), 3, "all of it is as it was");
    // The copy of an image from elsewhere does not outlive a refusal.
    let outside = bench.path().join("elsewhere.img");
    fs::write(&outside, six_blocks()).unwrap();
    let camera = bench.camera_on(Box::new(chip));
    assert!(flash(&camera, &image(&outside)).is_err());
    assert_eq!(fs::read_dir(bench.home().join("images")).unwrap().count(), 0);
    drop(camera);
    // A whole flash: lifted, written, put back.
    let path = bench.upload("six.img", &six_blocks());
    let camera = bench.camera_on(Box::new(locked(&bench, "", None)));
    let phrase = camera.plan(&image(&path), &Silent).unwrap().plan.confirm;
    let done = camera.flash(&image(&path), phrase.as_deref(), &Unwatched, &Silent).unwrap();
    assert_eq!(done.outcome, WhatCame::Done, "{:?}", done.error);
    let part = camera.chip().map().by_name("ROOTFS").unwrap();
    assert_eq!(scan(camera.chip(), part).len(), 1, "two blocks, one range");
    // Cut while it is lifted: the next start knows what to put back.
    let bench = Bench::new();
    let path = bench.upload("six.img", &six_blocks());
    flash(&bench.camera_on(Box::new(locked(&bench, "cut@300", None))), &image(&path)).unwrap();
    let open = Locked { chip: bench.chip(""), ranges: std::sync::Mutex::default(), stubborn: None };
    let camera = bench.camera_on(Box::new(open));
    assert_eq!(resume(&camera).unwrap().unwrap().outcome, WhatCame::Done);
    let part = camera.chip().map().by_name("ROOTFS").unwrap();
    assert_eq!(scan(camera.chip(), part).len(), 1, "put back after the cut");
}
