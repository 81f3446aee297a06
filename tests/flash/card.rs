//! Cards that fail in the middle of a flash.

use std::fs;
use std::sync::atomic::{AtomicU32, Ordering};

use mi360d::backup::Silent;
use mi360d::camera::flashing::WhatCame;
use mi360d::chip::Partition;
use mi360d::error::{Exit, Explain};
use mi360d::flash::{BlockState, Step, Watch};

use crate::rig::{BLOCK, Bench, KERNEL, everything, flashed, image, plan, resume};

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
    let phrase = plan(&camera, &request).confirm;
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
        assert_eq!((error.code(), done.outcome), ("image-unreadable", WhatCame::Partly), "{error}");
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
    assert_eq!(refused.code(), "image-gone");
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
