//! Power cuts at every operation: one flash is noted operation by operation;
//! then, for each of them, the chip is put into the state that a cut during it
//! leaves, and a new start goes on.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::rig::{
    Bench, Noting, Op, apply, everything, flash, flashed, image, only, plan, resume, set,
    six_blocks, untouched,
};
use mi360d::camera::flashing::WhatCame;
use mi360d::flash::PlanRequest;

/// How many of the cuts are tried by default; `MI360D_ALL_CUTS=1` tries all.
const SHARE: usize = 16;

fn share() -> usize {
    if std::env::var_os("MI360D_ALL_CUTS").is_some() { 1 } else { SHARE }
}

/// A flash that was begun, with all that it did to the chip.
struct Noted {
    bench: Bench,
    before: Vec<u8>,
    wanted: Vec<u8>,
    ops: Vec<Op>,
    /// The card's `state/` as it was while the flash ran.
    state: Vec<(String, Vec<u8>)>,
}

impl Noted {
    /// Flashes once without a cut for its operations, and once with a cut at
    /// the first one for what lies on the card meanwhile.
    fn new(bench: Bench, request: &PlanRequest, wanted: Vec<u8>) -> Noted {
        let before = bench.bytes();
        let chip = Noting::new(bench.chip(""));
        let ops = chip.ops.clone();
        let flashed = flash(&bench.camera_on(Box::new(chip)), request).unwrap();
        assert_eq!(flashed.outcome, WhatCame::Done, "{:?}", flashed.error);
        assert!(bench.bytes() == wanted, "an uncut flash gives what was wanted");
        let ops = std::mem::take(&mut *ops.lock().unwrap());
        bench.set(&before);
        let cut = flash(&bench.camera("cut@1"), request).unwrap();
        assert!(cut.error.is_some());
        let state = read_dir(&bench.home().join("state"));
        Noted { bench, before, wanted, ops, state }
    }

    /// Cuts at each of these operations, counted from 1, and goes on.
    fn cut_at(&self, places: &[usize]) {
        let next = AtomicUsize::new(0);
        std::thread::scope(|threads| {
            for _ in 0..2 {
                threads.spawn(|| {
                    let bench = self.copy();
                    // The chip before the operation that is next, kept from cut to cut.
                    let mut chip = self.before.clone();
                    let mut applied = 0;
                    while let Some(n) = places.get(next.fetch_add(1, Ordering::Relaxed)) {
                        bench.set(&chip);
                        {
                            let whole = bench.chip("");
                            for op in &self.ops[applied..n - 1] {
                                apply(&whole, op).unwrap();
                            }
                        }
                        applied = n - 1;
                        chip = bench.bytes();
                        self.cut(&bench, *n);
                    }
                });
            }
        });
    }

    /// A cut during operation `n` of the chip as it stands, and what follows.
    fn cut(&self, bench: &Bench, n: usize) {
        apply(&bench.chip("cut@1"), &self.ops[n - 1]).unwrap_err();
        assert!(untouched(&self.before, &bench.bytes()) || self.is_whole_restore(), "cut {n}");
        write_dir(&bench.home().join("state"), &self.state);
        if n.is_multiple_of(10) {
            // A second cut, somewhere in what is left, and a third in the end of it.
            let second = n * 7 % (self.ops.len() - n + 1) + 1;
            let cut = resume(&bench.camera(&format!("cut@{second}"))).unwrap().unwrap();
            assert!(
                cut.error.is_some() || bench.bytes() == self.wanted,
                "cut {n}, second at {second}: {:?}",
                cut.error
            );
            assert!(untouched(&self.before, &bench.bytes()) || self.is_whole_restore());
            if cut.error.is_none() {
                return;
            }
        }
        let done = resume(&bench.camera("")).unwrap().unwrap();
        assert_eq!(done.outcome, WhatCame::Done, "cut {n}: {:?}", done.error);
        assert!(done.warnings.is_empty(), "cut {n}: {:?}", done.warnings);
        assert!(bench.bytes() == self.wanted, "cut {n}: the chip holds what was wanted");
        assert!(resume(&bench.camera("")).unwrap().is_none(), "cut {n}: nothing is left to do");
        let rescue = bench.card().join("tf_recovery.img");
        assert!(!rescue.exists(), "cut {n}: the rescue image is gone");
    }

    fn is_whole_restore(&self) -> bool {
        !untouched(&self.before, &self.wanted)
    }

    /// The same camera and card once more, for another thread.
    fn copy(&self) -> Bench {
        let bench = Bench::with(&self.before, 0x1_0000);
        let status = std::process::Command::new("cp")
            .arg("-a")
            .arg(self.bench.card())
            .arg(bench.path())
            .status()
            .unwrap();
        assert!(status.success());
        bench
    }
}

fn read_dir(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap());
    entries
        .map(|e| (e.file_name().into_string().unwrap(), std::fs::read(e.path()).unwrap()))
        .collect()
}

fn write_dir(dir: &Path, files: &[(String, Vec<u8>)]) {
    for (name, bytes) in files {
        std::fs::write(dir.join(name), bytes).unwrap();
    }
}

#[test]
fn power_cut_at_any_operation_of_six_blocks_ends_in_the_image_after_resume() {
    let bench = Bench::new();
    let tf = six_blocks();
    let path = bench.upload("six.img", &tf);
    let wanted = flashed(&bench.bytes(), &tf);
    let counts = plan(&bench.camera(""), &image(&path));
    for part in &counts.plan.parts {
        let counts = part.counts();
        assert_eq!(counts.erase + counts.program, 2, "{part:?}");
    }
    let noted = Noted::new(bench, &image(&path), wanted);
    let all = noted.ops.len();
    let share = share();
    // The first and the last operations of each partition are always among them.
    let places: Vec<usize> =
        (1..=all).filter(|n| n % share == 0 || *n < 4 || *n > all - 3).collect();
    noted.cut_at(&places);
    println!("cut at {} of {all} operations of a flash of six blocks", places.len());
    assert!(all > 1_200, "{all}");
}

#[test]
fn power_cut_anywhere_in_a_flash_of_everything_ends_in_the_image_after_resume() {
    let bench = Bench::new();
    let tf = everything();
    let path = bench.upload("all.img", &tf);
    let wanted = flashed(&bench.bytes(), &tf);
    let noted = Noted::new(bench, &image(&path), wanted);
    let all = noted.ops.len();
    let count = 500 / share();
    let places: Vec<usize> = (0..count).map(|i| 1 + i * (all - 1) / (count - 1)).collect();
    noted.cut_at(&places);
    println!("cut at {count} of {all} operations of a flash of everything");
}

#[test]
fn power_cut_at_any_operation_of_a_restore_ends_in_the_set_after_resume() {
    let bench = Bench::new();
    let first = bench.bytes();
    let camera = bench.camera("");
    camera.secure_identity();
    let made = camera.backup(None, &mi360d::backup::Silent).unwrap();
    let tf = six_blocks();
    let path = bench.upload("six.img", &tf);
    flash(&camera, &image(&path)).unwrap();
    assert!(bench.bytes() != first);
    drop(camera);
    let noted = Noted::new(bench, &set(&made.set.path), first);
    let all = noted.ops.len();
    let share = share() * 2;
    let places: Vec<usize> = (1..=all).filter(|n| n % share == 1 || *n > all - 2).collect();
    noted.cut_at(&places);
    println!("cut at {} of {all} operations of a restore", places.len());
}

#[test]
fn real_cuts_of_a_whole_flash_leave_what_a_resume_needs() {
    let bench = Bench::new();
    let tf = six_blocks();
    let path = bench.upload("six.img", &tf);
    let before = bench.bytes();
    let wanted = flashed(&before, &tf);
    let step = if share() == 1 { 29 } else { 190 };
    let mut cuts = 0;
    for n in (1..).step_by(step) {
        bench.set(&before);
        let cut = flash(&bench.camera(&format!("cut@{n}")), &image(&path)).unwrap();
        if cut.error.is_none() {
            assert!(bench.bytes() == wanted);
            break;
        }
        cuts += 1;
        assert!(untouched(&before, &bench.bytes()), "cut {n}");
        let rescue = std::fs::read(bench.card().join("tf_recovery.img")).unwrap();
        assert!(rescue == tf, "cut {n}: the boot loader has what it needs");
        let done = resume(&bench.camera("")).unwrap().unwrap();
        assert_eq!(done.outcome, WhatCame::Done, "cut {n}: {:?}", done.error);
        assert!(bench.bytes() == wanted, "cut {n}");
    }
    println!("{cuts} cuts of a whole flash");
    assert!(cuts > 5);
}

#[test]
fn a_half_written_partition_never_looks_whole() {
    let bench = Bench::new();
    let tf = six_blocks();
    let path = bench.upload("six.img", &tf);
    let before = bench.bytes();
    let request = only(image(&path), &["ROOTFS"]);
    let chip = Noting::new(bench.chip(""));
    let ops = chip.ops.clone();
    flash(&bench.camera_on(Box::new(chip)), &request).unwrap();
    let ops = std::mem::take(&mut *ops.lock().unwrap());
    bench.set(&before);
    let chip = bench.chip("");
    for (i, op) in ops.iter().enumerate() {
        let is_last_page = i + 1 == ops.len();
        apply(&chip, op).unwrap();
        let magic = bench.bytes()[crate::rig::ROOTFS..][..4] == *b"hsqs";
        let programmed = matches!(op, Op::Page { offset, .. } if *offset < 0x1_0000);
        // Its first page is the superblock's; all other blocks are there by then.
        assert!(!magic || programmed || is_last_page, "operation {i}");
        if magic {
            let now = bench.bytes();
            let from = crate::rig::ROOTFS + 0x1_0000;
            assert!(
                now[from..crate::rig::DATA]
                    == tf[from - crate::rig::KERNEL..][..crate::rig::DATA - from]
            );
        }
    }
}
