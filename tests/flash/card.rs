//! Cards that fail in the middle of a flash.

use std::fs;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use mi360d::backup::{Progress, Silent, Work};
use mi360d::camera::flashing::{FlashingError, WhatCame};
use mi360d::chip::Partition;
use mi360d::error::{Exit, Explain};
use mi360d::flash::{BlockState, Step, Unwatched, Watch};

use crate::rig::{BLOCK, Bench, KERNEL, everything, flash, flashed, image, plan, resume};

/// Does something to the card when so many blocks are written.
struct At<'a> {
    block: u32,
    written: AtomicU32,
    what: &'a (dyn Fn() + Sync),
}

impl Watch for At<'_> {
    fn step(&self, _step: Step, _partition: Option<&Partition>) {}
    fn block(&self, _partition: &Partition, _number: u32, state: BlockState) {
        if state == BlockState::Written
            && self.written.fetch_add(1, Ordering::SeqCst) + 1 == self.block
        {
            (self.what)();
        }
    }
    fn progress(&self, _done: u32, _total: u32) {}
}
// `what` is only called from the writing thread.
fn with(bench: &Bench, block: u32, what: &(dyn Fn() + Sync)) -> mi360d::camera::flashing::Flashed {
    let camera = bench.camera("");
    let path = bench.home().join("images/all.img");
    let request = image(&path);
    let phrase = plan(&camera, &request).plan.confirm;
    let watch = Watching(At { block, written: AtomicU32::new(0), what });
    // The closure lives as long as the call.
    camera.flash(&request, phrase.as_deref(), &watch, &Silent).unwrap()
}

struct Watching<'a>(At<'a>);

impl Watch for Watching<'_> {
    fn step(&self, step: Step, partition: Option<&Partition>) {
        self.0.step(step, partition);
    }
    fn block(&self, partition: &Partition, number: u32, state: BlockState) {
        self.0.block(partition, number, state);
    }
    fn progress(&self, done: u32, total: u32) {
        self.0.progress(done, total);
    }
}

/// No erase block of the image's range is empty that should not be.
fn none_left_erased(now: &[u8], before: &[u8], wanted: &[u8]) {
    for at in (KERNEL..0xFE_0000).step_by(BLOCK) {
        let block = &now[at..at + BLOCK];
        let known = *block == before[at..at + BLOCK] || *block == wanted[at..at + BLOCK];
        assert!(known, "the block at {at:#x} is neither the old nor the new one");
    }
}

#[test]
fn an_image_that_cannot_be_read_in_the_middle_leaves_no_block_erased() {
    for block in [1, 10, 120, 200] {
        let bench = Bench::new();
        let tf = everything();
        let path = bench.upload("all.img", &tf);
        let before = bench.bytes();
        let wanted = flashed(&before, &tf);
        // What is open stays open: only bytes that are not there any more cannot be read.
        let shorten = || {
            let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
            file.set_len(0x1000).unwrap();
        };
        let done = with(&bench, block, &shorten);
        let error = done.error.as_ref().unwrap();
        assert_eq!(
            (error.code().name(), done.outcome),
            ("image-unreadable", WhatCame::Partly),
            "{error}"
        );
        assert_eq!(done.exit(), Exit::Interrupted);
        none_left_erased(&bench.bytes(), &before, &wanted);
        // The image is back: it goes on.
        fs::write(&path, &tf).unwrap();
        let done = resume(&bench.camera("")).unwrap().unwrap();
        assert_eq!(done.outcome, WhatCame::Done, "{:?}", done.error);
        assert!(bench.bytes() == wanted);
    }
}

#[test]
fn an_image_that_changes_in_the_middle_is_noticed_before_the_erase() {
    let bench = Bench::new();
    let tf = everything();
    let path = bench.upload("all.img", &tf);
    let before = bench.bytes();
    let wanted = flashed(&before, &tf);
    let spoil = || {
        use std::os::unix::fs::FileExt as _;
        let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
        for at in (0..tf.len() as u64).step_by(BLOCK) {
            file.write_all_at(&[0x42; 3], at + 1000).unwrap();
        }
    };
    let done = with(&bench, 20, &spoil);
    assert_eq!(done.error.as_ref().unwrap().code(), "image-changed");
    none_left_erased(&bench.bytes(), &before, &wanted);
}

#[test]
fn a_gone_image_is_replaced_by_the_set_that_was_made_before() {
    let bench = Bench::new();
    let tf = everything();
    let path = bench.upload("all.img", &tf);
    let before = bench.bytes();
    let gone = || {
        let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
        file.set_len(0).unwrap();
    };
    let done = with(&bench, 150, &gone);
    assert_eq!(done.outcome, WhatCame::Partly);
    assert!(bench.bytes() != before);
    fs::remove_file(&path).unwrap();
    // A start does not decide that by itself; the owner does.
    let camera = bench.camera("");
    let refused = camera.resume(true, &mi360d::flash::Unwatched, &Silent).err().unwrap();
    assert_eq!(refused.code().name(), "image-gone");
    drop(camera);
    let done = resume(&bench.camera("")).unwrap().unwrap();
    assert_eq!(done.outcome, WhatCame::Done, "{:?}", done.error);
    assert!(bench.bytes() == before, "the way back is whole");
}

#[test]
fn a_card_that_takes_no_journal_any_more_ends_the_flash_well() {
    let bench = Bench::new();
    let tf = everything();
    bench.upload("all.img", &tf);
    let before = bench.bytes();
    let wanted = flashed(&before, &tf);
    let state = bench.home().join("state");
    let break_journal = || {
        // Root may write to anything: the folder itself goes.
        fs::rename(&state, bench.home().join("state.away")).unwrap();
    };
    let done = with(&bench, 10, &break_journal);
    assert_eq!(done.outcome, WhatCame::Done, "{:?}", done.error);
    assert!(bench.bytes() == wanted);
}

/// Does something at the first of these steps.
pub struct AtStep<'a> {
    step: Step,
    done: AtomicBool,
    what: &'a (dyn Fn() + Sync),
}

impl Watch for AtStep<'_> {
    fn step(&self, step: Step, _partition: Option<&Partition>) {
        if step == self.step && !self.done.swap(true, Ordering::SeqCst) {
            (self.what)();
        }
    }
    fn block(&self, _partition: &Partition, _number: u32, _state: BlockState) {}
    fn progress(&self, _done: u32, _total: u32) {}
}

pub fn at(step: Step, what: &(dyn Fn() + Sync)) -> AtStep<'_> {
    AtStep { step, done: AtomicBool::new(false), what }
}

#[test]
fn a_rescue_image_that_is_still_there_at_the_end_forbids_the_restart() {
    let rescue = |bench: &Bench| bench.card().join("tf_recovery.img");
    // It cannot be removed; or FAT's other spelling of the name is still listed.
    let becomes_a_folder = |bench: &Bench| {
        fs::remove_file(rescue(bench)).unwrap();
        fs::create_dir_all(rescue(bench).join("x")).unwrap();
    };
    let is_there_twice = |bench: &Bench| {
        fs::copy(rescue(bench), bench.card().join("TF_RECOVERY.IMG")).unwrap();
    };
    for what in [&becomes_a_folder as &(dyn Fn(&Bench) + Sync), &is_there_twice] {
        let bench = Bench::new();
        let tf = everything();
        let path = bench.upload("all.img", &tf);
        let wanted = flashed(&bench.bytes(), &tf);
        let camera = bench.camera("");
        let request = image(&path);
        let phrase = plan(&camera, &request).plan.confirm;
        let spoil = || what(&bench);
        let watch = at(Step::Closing, &spoil);
        let done = camera.flash(&request, phrase.as_deref(), &watch, &Silent).unwrap();
        assert_eq!(done.outcome, WhatCame::Done, "{:?}", done.error);
        assert!(bench.bytes() == wanted);
        assert!(!done.may_restart, "the boot loader would flash it at every start");
        assert!(done.warnings[0].contains("tf_recovery.img"), "{:?}", done.warnings);
    }
}

#[test]
fn a_rescue_image_that_was_taken_away_after_a_cut_is_put_back_before_it_goes_on() {
    let bench = Bench::new();
    let tf = everything();
    let path = bench.upload("all.img", &tf);
    let rescue = bench.card().join("tf_recovery.img");
    flash(&bench.camera("cut@900"), &image(&path)).unwrap();
    fs::remove_file(&rescue).unwrap();
    let cut = resume(&bench.camera("cut@5")).unwrap().unwrap();
    assert!(cut.error.is_some());
    assert!(fs::read(&rescue).unwrap() == tf, "the boot loader may need it");
    assert_eq!(resume(&bench.camera("")).unwrap().unwrap().outcome, WhatCame::Done);
    assert!(!rescue.exists());
}

#[test]
fn an_image_that_changes_after_it_was_found_again_is_not_gone_on_with() {
    let bench = Bench::new();
    let tf = everything();
    let path = bench.upload("all.img", &tf);
    flash(&bench.camera("cut@900"), &image(&path)).unwrap();
    let before = bench.bytes();
    let spoil = || {
        use std::os::unix::fs::FileExt as _;
        let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
        file.write_all_at(&[0x42; 64], 0x9000).unwrap();
    };
    let watch = at(Step::Preparing, &spoil);
    let refused = bench.camera("").resume(false, &watch, &Silent).err().unwrap();
    assert_eq!(refused.code().name(), "image-changed", "{refused}");
    assert!(bench.bytes() == before, "nothing was written");
}

/// Changes a file when its copying begins.
struct Meddler<'a>(&'a std::path::Path, AtomicBool);

impl Progress for Meddler<'_> {
    fn at(&self, work: Work, _done: u64, _total: u64) {
        if work == Work::CopyImage && !self.1.swap(true, Ordering::SeqCst) {
            use std::os::unix::fs::FileExt as _;
            let file = fs::OpenOptions::new().write(true).open(self.0).unwrap();
            file.write_all_at(&[0x42; 64], 0xF0_0000).unwrap();
        }
    }
}

#[test]
fn a_copy_on_the_card_that_is_not_the_image_is_never_flashed_from() {
    let bench = Bench::new();
    let path = bench.path().join("elsewhere.img");
    fs::write(&path, everything()).unwrap();
    let before = bench.bytes();
    let camera = bench.camera("");
    let request = image(&path);
    let phrase = plan(&camera, &request).plan.confirm;
    let meddler = Meddler(&path, AtomicBool::new(false));
    let refused = camera.flash(&request, phrase.as_deref(), &Unwatched, &meddler);
    assert!(meddler.1.load(Ordering::SeqCst), "it was copied");
    assert_eq!(refused.err().unwrap().code(), "card-lies");
    assert!(bench.bytes() == before, "nothing was written");
    assert_eq!(fs::read_dir(bench.home().join("images")).unwrap().count(), 0);
    assert!(!bench.home().join("state/flash.toml").exists());
}

#[test]
fn an_identity_that_is_not_on_the_card_forbids_every_flash() {
    let bench = Bench::new();
    // Another identity than any other test's: its last resort is this PC's own /tmp.
    let mut chip = bench.bytes();
    chip[crate::rig::FACTORY..].copy_from_slice(&crate::synthetic::factory("135797531"));
    bench.set(&chip);
    let path = bench.upload("all.img", &everything());
    fs::write(bench.home().join("identity"), "no folder").unwrap();
    let camera = bench.camera("");
    let refused = match flash(&camera, &image(&path)).err().unwrap() {
        FlashingError::Blocked(planned) => planned,
        other => panic!("{other}"),
    };
    assert!(refused.plan.blockers.iter().any(|f| f.code == "identity-not-safe"), "{refused:?}");
    assert!(bench.bytes() == chip);
    let print = mi360d::identity::fingerprint(&chip[crate::rig::FACTORY..]);
    fs::remove_dir_all(std::path::Path::new("/tmp/mi360d-identity").join(print)).unwrap();
}
