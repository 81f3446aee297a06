//! The order of writing, a chip that lies about it, and how often a start goes on with one journal.

use mi360d::backup::Silent;
use mi360d::camera::flashing::WhatCame;
use mi360d::error::{Exit, Explain};
use mi360d::flash::{PlanRequest, Unwatched};

use crate::rig::{
    BLOCK, Bench, CONFIG, DATA, FACTORY, KERNEL, Noting, Op, ROOTFS, everything, flash, flashed,
    image, resume, set, six_blocks,
};

/// All that a flash does to the chip.
fn operations(bench: &Bench, request: &PlanRequest) -> Vec<Op> {
    let chip = Noting::new(bench.chip(""));
    let ops = chip.ops.clone();
    let done = flash(&bench.camera_on(Box::new(chip)), request).unwrap();
    assert_eq!(done.outcome, WhatCame::Done, "{:?}", done.error);
    std::mem::take(&mut *ops.lock().unwrap())
}

/// The partition and the block of an operation, and whether it is an erase.
fn place(op: &Op) -> (&str, u32, bool) {
    match op {
        Op::Erase { part, block } => (part, *block, true),
        Op::Page { part, offset, .. } => (part, offset / BLOCK as u32, false),
    }
}

/// The law for one flash: the partitions one after the other in this order, and of each the first
/// block erased before anything else and programmed after everything else, the others one by one.
fn obeys(ops: &[Op], order: &[&str]) {
    let mut seen = Vec::new();
    for op in ops {
        let (part, ..) = place(op);
        if seen.last() != Some(&part) {
            seen.push(part);
        }
    }
    assert_eq!(seen, order, "the partitions, one after the other");
    for name in order {
        let mine: Vec<(u32, bool)> = ops
            .iter()
            .map(place)
            .filter(|(part, ..)| part == name)
            .map(|(_, block, erase)| (block, erase))
            .collect();
        let blocks: Vec<u32> = {
            let mut all: Vec<u32> = mine.iter().map(|(block, _)| *block).collect();
            all.dedup();
            all
        };
        if blocks == [0] {
            continue; // nothing else changes: there is no order
        }
        assert_eq!(mine[0], (0, true), "{name}: the first block is erased first");
        assert_ne!(mine[1].0, 0, "{name}: and nothing is written to it then");
        let rest = &blocks[1..blocks.len() - 1];
        assert_eq!(blocks.last(), Some(&0), "{name}: the first block is written last");
        assert!(!rest.contains(&0), "{name}: and not in between: {blocks:?}");
        assert!(rest.is_sorted() && !rest.is_empty(), "{name}: {blocks:?}");
        let erases = mine.iter().filter(|(block, erase)| *block == 0 && *erase).count();
        assert_eq!(erases, 1, "{name}: the first block is erased once");
        // What is erased is written before the next one is erased.
        for pair in mine.windows(2).skip(1) {
            let (before, now) = (pair[0], pair[1]);
            assert!(!now.1 || !before.1, "{name}: two erases in a row, {before:?} {now:?}");
        }
    }
}

#[test]
fn of_every_partition_the_first_block_is_erased_first_and_written_last() {
    for tf in [six_blocks(), everything()] {
        let bench = Bench::new();
        let path = bench.upload("image.img", &tf);
        obeys(&operations(&bench, &image(&path)), &["DATA", "ROOTFS", "KERNEL"]);
    }
    // A restore of all six: what Linux starts without comes first, BOOT comes last.
    let bench = Bench::new();
    let camera = bench.camera("");
    camera.secure_identity();
    let own = camera.backup(None, &Silent).unwrap().set.path;
    drop(camera);
    let mut chip = bench.bytes();
    for start in [0, KERNEL, ROOTFS, DATA] {
        chip[start + 0x7_0000 - 0x4_0000..start + 0x3_1000].fill(0);
    }
    chip[CONFIG + 0x1000..CONFIG + 0x1100].fill(0);
    chip[FACTORY..].fill(0xFF);
    bench.set(&chip);
    let order = ["FACTORY", "CONFIG", "DATA", "ROOTFS", "KERNEL", "BOOT"];
    obeys(&operations(&bench, &set(&own)), &order);
}

#[test]
fn a_write_that_says_it_succeeded_and_did_not_is_named_with_its_block() {
    let tf = everything();
    for at in [KERNEL + 0x300, ROOTFS + 50 * BLOCK + 77, CONFIG - 1 - BLOCK / 2] {
        let bench = Bench::new();
        let path = bench.upload("all.img", &tf);
        let before = bench.bytes();
        let wanted = flashed(&before, &tf);
        let done = flash(&bench.camera(&format!("lying-write@{at}")), &image(&path)).unwrap();
        let error = done.error.as_ref().unwrap_or_else(|| panic!("{at:#x} was not noticed"));
        assert_eq!(
            (error.code().name(), done.outcome),
            ("block-not-kept", WhatCame::Partly),
            "{error}"
        );
        assert_eq!(done.exit(), Exit::Damaged);
        let start = [KERNEL, ROOTFS, DATA].into_iter().rfind(|start| *start <= at).unwrap();
        let place = format!("{:#x}", (at - start) / BLOCK * BLOCK);
        assert!(error.to_string().contains(&place), "{place}: {error}");
        assert!(crate::rig::untouched(&before, &bench.bytes()));
        let done = resume(&bench.camera("")).unwrap().unwrap();
        assert_eq!(done.outcome, WhatCame::Done, "{:?}", done.error);
        assert!(bench.bytes() == wanted);
    }
}

#[test]
fn a_start_goes_on_with_one_journal_three_times_and_then_waits_for_its_owner() {
    let bench = Bench::new();
    let tf = six_blocks();
    let path = bench.upload("six.img", &tf);
    let wanted = flashed(&bench.bytes(), &tf);
    assert!(flash(&bench.camera("cut@40"), &image(&path)).unwrap().error.is_some());
    // Each start is cut off, early and late; each of them counts.
    for (start, cut) in [(1, 1), (2, 700), (3, 2)] {
        let camera = bench.camera(&format!("cut@{cut}"));
        let cut = camera.resume(true, &Unwatched, &Silent).unwrap().unwrap();
        assert!(cut.error.is_some(), "start {start} was cut off");
        assert_eq!(bench.camera("").interrupted().unwrap().resumed, start);
    }
    let before = bench.bytes();
    for _ in 0..2 {
        let camera = bench.camera("");
        let refused = camera.resume(true, &Unwatched, &Silent).err().expect("a fourth start");
        assert_eq!(
            (refused.code().name(), refused.exit()),
            ("resume-limit", Exit::Refused),
            "{refused}"
        );
        assert!(bench.bytes() == before, "nothing was written");
        assert!(camera.interrupted().is_some(), "and the journal stays");
    }
    // The owner may, as often as it takes.
    assert!(resume(&bench.camera("cut@1")).unwrap().unwrap().error.is_some());
    let done = resume(&bench.camera("")).unwrap().unwrap();
    assert_eq!(done.outcome, WhatCame::Done, "{:?}", done.error);
    assert!(bench.bytes() == wanted);
}
