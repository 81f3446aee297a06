//! Chips that fail now and then, as worn ones do: a read that fails once, an erase that is left
//! half done, a page that is kept at the last try only.

use std::sync::Mutex;

use mi360d::backup::Silent;
use mi360d::camera::flashing::{FlashingError, WhatCame};
use mi360d::chip::{Chip, ChipError, EraseBlock, FlashMap, Partition, SimChip};
use mi360d::error::Explain;

use crate::rig::{
    BLOCK, Bench, DATA, FACTORY, KERNEL, ROOTFS, everything, flash, flashed, image, only,
};

/// What it gets wrong, of the erase block at one place of the chip.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mood {
    /// The first read of it fails, each time from another offset.
    ReadsFailOnce,
    /// A bit of its first reading is wrong.
    ReadsWrongOnce,
    /// A bit of the first reading after each programming is wrong.
    ReadsBackWrongOnce,
    /// The first so many erases are left half done.
    HalfErases(u32),
    /// The first so many programmings do nothing.
    ForgetsPages(u32),
    /// The kernel lets nobody write there.
    ReadOnly,
}

struct Moody {
    chip: SimChip,
    at: u32,
    mood: Mood,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    reads: Vec<(u32, usize)>,
    written: bool,
    erases: u32,
    programs: u32,
}

impl Moody {
    fn hits(&self, part: &Partition, offset: u32, length: usize) -> bool {
        let start = part.offset.unwrap() + offset;
        start < self.at + BLOCK as u32 && start + length as u32 > self.at
    }
}

impl Chip for Moody {
    fn map(&self) -> &FlashMap {
        self.chip.map()
    }

    fn read(&self, part: &Partition, offset: u32, buf: &mut [u8]) -> Result<(), ChipError> {
        let hit = self.hits(part, offset, buf.len());
        let mut seen = self.seen.lock().unwrap();
        if hit && self.mood == Mood::ReadsFailOnce && !seen.reads.contains(&(offset, buf.len())) {
            seen.reads.push((offset, buf.len()));
            let source = std::io::Error::from_raw_os_error(nix::libc::EIO);
            return Err(ChipError::Read { partition: part.name.clone(), offset, source });
        }
        self.chip.read(part, offset, buf)?;
        if hit && self.mood == Mood::ReadsWrongOnce && seen.reads.is_empty() {
            seen.reads.push((offset, buf.len()));
            buf[0] ^= 1;
        }
        if hit && self.mood == Mood::ReadsBackWrongOnce && std::mem::take(&mut seen.written) {
            buf[0] ^= 1;
        }
        Ok(())
    }

    fn erase(&self, block: &EraseBlock<'_>) -> Result<(), ChipError> {
        let part = block.partition();
        if self.hits(part, block.start(), 1) {
            let mut seen = self.seen.lock().unwrap();
            seen.erases += 1;
            if let Mood::HalfErases(times) = self.mood
                && seen.erases <= times
            {
                // Some of it has lost what it held, and is not blank.
                return self.chip.program(part, block.start(), &[0x11; 4096]);
            }
        }
        self.chip.erase(block)
    }

    fn program(&self, part: &Partition, offset: u32, data: &[u8]) -> Result<(), ChipError> {
        if self.hits(part, offset, data.len()) {
            let mut seen = self.seen.lock().unwrap();
            seen.programs += 1;
            seen.written = true;
            if let Mood::ForgetsPages(times) = self.mood
                && seen.programs <= times
            {
                return Ok(());
            }
        }
        self.chip.program(part, offset, data)
    }

    fn is_writable(&self, part: &Partition) -> bool {
        !(self.mood == Mood::ReadOnly && self.hits(part, 0, part.size as usize))
    }
}

/// A flash of everything on such a chip; what was wanted, too.
fn with_mood(
    at: usize,
    mood: Mood,
) -> (Bench, Vec<u8>, Result<mi360d::camera::flashing::Flashed, FlashingError>) {
    let bench = Bench::new();
    let tf = everything();
    let path = bench.upload("all.img", &tf);
    let wanted = flashed(&bench.bytes(), &tf);
    let seen = Mutex::default();
    let chip = Moody { chip: bench.chip(""), at: at as u32, mood, seen };
    let camera = bench.camera_on(Box::new(chip));
    let done = flash(&camera, &image(&path));
    drop(camera);
    (bench, wanted, done)
}

#[test]
fn a_read_that_fails_once_costs_nothing() {
    let (bench, wanted, done) = with_mood(ROOTFS + 7 * BLOCK, Mood::ReadsFailOnce);
    let done = done.unwrap();
    assert_eq!(done.outcome, WhatCame::Done, "{:?}", done.error);
    assert!(bench.bytes() == wanted);
}

#[test]
fn a_wrong_reading_after_a_write_is_read_again_and_not_written_again() {
    let erases = |mood| {
        let (bench, wanted, done) = with_mood(ROOTFS + 7 * BLOCK, mood);
        let done = done.unwrap();
        assert_eq!(done.outcome, WhatCame::Done, "{:?}", done.error);
        assert!(bench.bytes() == wanted);
        done.blocks
    };
    // The sum of the whole was made of the right reading, so nothing was mended either.
    assert_eq!(erases(Mood::ReadsBackWrongOnce), erases(Mood::HalfErases(0)));
    let bench = Bench::new();
    let path = bench.upload("all.img", &everything());
    let at = (ROOTFS + 7 * BLOCK) as u32;
    let moody =
        Moody { chip: bench.chip(""), at, mood: Mood::ReadsBackWrongOnce, seen: Mutex::default() };
    let noting = crate::rig::NotingAny::new(Box::new(moody));
    let ops = noting.erases.clone();
    flash(&bench.camera_on(Box::new(noting)), &image(&path)).unwrap();
    let ops = ops.lock().unwrap();
    let count = ops.iter().filter(|place| **place == ("ROOTFS".to_owned(), 7)).count();
    assert!(count <= 1, "an erase costs the chip a part of its life: {count}");
}

#[test]
fn a_block_that_keeps_its_content_at_the_last_try_is_not_left_erased() {
    let (bench, wanted, done) = with_mood(ROOTFS + 7 * BLOCK, Mood::ForgetsPages(3));
    let done = done.unwrap();
    assert_eq!(done.outcome, WhatCame::Done, "{:?}", done.error);
    assert!(bench.bytes() == wanted);
}

#[test]
fn a_first_block_whose_erase_is_left_half_done_gets_its_content_all_the_same() {
    for at in [KERNEL, ROOTFS, DATA] {
        let (bench, wanted, done) = with_mood(at, Mood::HalfErases(3));
        let done = done.unwrap();
        assert_eq!(done.error.as_ref().unwrap().code(), "block-stuck");
        assert_eq!(done.outcome, WhatCame::Partly);
        let now = bench.bytes();
        assert!(now[at..at + BLOCK] == wanted[at..at + BLOCK], "not left as the erase left it");
    }
}

#[test]
fn a_partition_that_the_kernel_does_not_let_be_written_is_refused_before_anything() {
    let bench = Bench::new();
    let before = bench.bytes();
    let path = bench.upload("all.img", &everything());
    let chip = Moody {
        chip: bench.chip(""),
        at: ROOTFS as u32,
        mood: Mood::ReadOnly,
        seen: Mutex::default(),
    };
    let camera = bench.camera_on(Box::new(chip));
    let planned = camera.plan(&image(&path), &Silent).unwrap();
    let codes: Vec<_> = planned.plan.blockers.iter().map(|f| f.code).collect();
    assert_eq!(codes, ["read-only-partition"]);
    assert!(flash(&camera, &image(&path)).is_err());
    let others = camera.plan(&only(image(&path), &["KERNEL", "DATA"]), &Silent).unwrap();
    assert!(others.plan.blockers.is_empty());
    assert!(bench.bytes() == before);
}

#[test]
fn what_is_held_of_a_neighbour_is_what_two_readings_agree_on() {
    let bench = Bench::new();
    let mood = Mood::ReadsWrongOnce;
    let chip = Moody { chip: bench.chip(""), at: FACTORY as u32, mood, seen: Mutex::default() };
    let factory = chip.map().by_name("FACTORY").unwrap();
    let held = mi360d::flash::neighbour::settled(&chip, factory).unwrap();
    assert!(held == bench.bytes()[FACTORY..]);
}
