//! A chip that protects a fraction at its end, as SPI NOR does: one register
//! holds how much, so a range can be lifted only if nothing below it is protected.

use std::sync::{Arc, Mutex};

use mi360d::camera::flashing::WhatCame;
use mi360d::chip::{Chip, ChipError, EraseBlock, FlashMap, Partition, SimChip, Spent};
use mi360d::formats::flsh;

use crate::rig::{
    BLOCK, Bench, CONFIG, DATA, FACTORY, KERNEL, everything, flash, image, only, resume,
};

const END: u32 = 0x100_0000;
/// The last 2 MiB: the end of DATA, CONFIG, FACTORY.
const FROM: u32 = 0xE0_0000;

/// Protects everything from `from` on.
struct Fraction {
    chip: SimChip,
    from: Arc<Mutex<u32>>,
}

impl Fraction {
    fn is_open(&self, part: &Partition, offset: u32) -> bool {
        part.offset.unwrap() + offset < *self.from.lock().unwrap()
    }
}

impl Chip for Fraction {
    fn map(&self) -> &FlashMap {
        self.chip.map()
    }

    fn read(&self, part: &Partition, offset: u32, buf: &mut [u8]) -> Result<(), ChipError> {
        self.chip.read(part, offset, buf)
    }

    fn erase(&self, block: &EraseBlock<'_>) -> Result<(), ChipError> {
        if self.is_open(block.partition(), block.start()) { self.chip.erase(block) } else { Ok(()) }
    }

    fn program(&self, part: &Partition, offset: u32, data: &[u8]) -> Result<(), ChipError> {
        if self.is_open(part, offset) { self.chip.program(part, offset, data) } else { Ok(()) }
    }

    fn is_writable(&self, part: &Partition) -> bool {
        self.chip.is_writable(part)
    }

    fn is_locked(&self, block: &EraseBlock<'_>) -> Option<bool> {
        Some(!self.is_open(block.partition(), block.start()))
    }

    fn set_locked(
        &self,
        part: &Partition,
        offset: u32,
        length: u32,
        locked: bool,
    ) -> Result<(), ChipError> {
        let mut from = self.from.lock().unwrap();
        let start = part.offset.unwrap() + offset;
        let end = start + length;
        let wanted = match locked {
            true if start >= *from => return Ok(()),
            true => start,
            false if end <= *from => return Ok(()),
            false => end,
        };
        let joins = if locked { end >= *from } else { start <= *from };
        if !joins || !(wanted == END || (END - wanted).is_power_of_two()) {
            let source = std::io::Error::from(std::io::ErrorKind::InvalidInput);
            return Err(ChipError::Protect {
                partition: part.name.clone(),
                offset,
                length,
                source,
            });
        }
        *from = wanted;
        Ok(())
    }

    fn spent(&self) -> Option<Spent> {
        self.chip.spent()
    }
}

/// A camera with WiFi settings in DATA, an image, and how much of its chip is protected.
fn bench() -> (Bench, std::path::PathBuf, Vec<u8>, Arc<Mutex<u32>>) {
    let bench = Bench::new();
    let nvram = flsh::build(&[(b"miio_ssid".as_slice(), b"a network".as_slice())], BLOCK).unwrap();
    std::fs::create_dir_all(bench.path().join("data")).unwrap();
    std::fs::write(bench.path().join("data/.config.nvram"), &nvram).unwrap();
    let tf = everything();
    let path = bench.upload("all.img", &tf);
    let mut wanted = bench.bytes();
    wanted[DATA..CONFIG].copy_from_slice(&tf[DATA - KERNEL..CONFIG - KERNEL]);
    wanted[CONFIG..FACTORY].copy_from_slice(&nvram);
    (bench, path, wanted, Arc::new(Mutex::new(FROM)))
}

fn chip(bench: &Bench, from: &Arc<Mutex<u32>>, faults: &str) -> Box<Fraction> {
    Box::new(Fraction { chip: bench.chip(faults), from: Arc::clone(from) })
}

#[test]
fn protection_that_spans_partitions_is_lifted_from_its_inner_end_and_put_back() {
    let (bench, path, wanted, from) = bench();
    let camera = bench.camera_on(chip(&bench, &from, ""));
    let flashed = flash(&camera, &only(image(&path), &["DATA"])).unwrap();
    assert_eq!(flashed.outcome, WhatCame::Done, "{:?}", flashed.error);
    assert_eq!(flashed.warnings, Vec::<String>::new());
    assert!(bench.bytes() == wanted);
    assert_eq!(*from.lock().unwrap(), FROM);
}

#[test]
fn what_was_protected_before_a_power_cut_is_so_again_after_the_resumption() {
    // Also after another flash that takes its place.
    for is_resumed in [true, false] {
        let (bench, path, wanted, from) = bench();
        let camera = bench.camera_on(chip(&bench, &from, "cut@300"));
        let cut = flash(&camera, &only(image(&path), &["DATA"])).unwrap();
        assert_eq!(cut.outcome, WhatCame::Partly);
        assert_ne!(*from.lock().unwrap(), FROM, "the power failed while it was lifted");
        drop(camera);
        let camera = bench.camera_on(chip(&bench, &from, ""));
        let done = if is_resumed {
            resume(&camera).unwrap().unwrap()
        } else {
            flash(&camera, &only(image(&path), &["DATA"])).unwrap()
        };
        assert_eq!(done.outcome, WhatCame::Done, "{:?}", done.error);
        assert!(bench.bytes() == wanted);
        assert_eq!(*from.lock().unwrap(), FROM, "resumed: {is_resumed}");
    }
}
