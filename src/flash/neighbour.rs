//! The blocks behind each partition that is written: a chip that erases more than it should
//! takes them along, and they may be the identity's. They are held in memory from before the first
//! erase, read again after the last one, and put back where they were lost.

use super::block::{BlockWriter, Verified};
use super::content::NewContent;
use super::error::FlashError;
use super::plan::{Action, Block, read_chip};
use crate::backup::reading::is_live;
use crate::card::CardError;
use crate::chip::{Chip, ChipError, Partition};
use crate::error::Chain;
use crate::formats::crc32;
use crate::formats::sha256::Sha256;

/// Bytes that are held of each: one erase block of the camera's chips, and all of FACTORY. Chips
/// with smaller blocks may be erased by as much.
const SPAN: u32 = 0x1_0000;

/// The blocks that are held.
#[derive(Debug, Default)]
pub struct Neighbours(Vec<Held>);

/// The first bytes of a partition, whole erase blocks.
#[derive(Debug)]
struct Held {
    part: Partition,
    bytes: Vec<u8>,
}

/// What the last look at them found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct PutBack {
    /// Partitions that had lost something, and contain it again.
    pub back: Vec<String>,
    /// Partitions that do not take back what they lost, or cannot be read any more.
    pub lost: Vec<String>,
}

impl NewContent for Held {
    fn read(&self, offset: u32, buf: &mut [u8]) -> Result<(), CardError> {
        let from = offset as usize;
        if let Some(bytes) = self.bytes.get(from..from + buf.len()) {
            buf.copy_from_slice(bytes);
        }
        Ok(())
    }
}

/// The partitions that are right behind these and are none of them. DATA that is mounted changes by
/// itself, so it is left out.
pub fn behind<'a>(chip: &'a dyn Chip, written: &[&Partition]) -> Vec<&'a Partition> {
    let is_written = |part: &Partition| written.iter().any(|w| w.index == part.index);
    let ends: Vec<u32> = written.iter().filter_map(|part| Some(part.offset? + part.size)).collect();
    let mut found = chip.map().covering();
    found.retain(|part| {
        part.offset.is_some_and(|start| ends.contains(&start))
            && !is_written(part)
            && !is_live(part)
    });
    found
}

/// How many bytes of a partition are held.
pub fn span(part: &Partition) -> u32 {
    part.size.min(SPAN.max(part.erase_size))
}

/// What is held of a partition, as the chip has it, once two readings in a row agree.
pub fn settled(chip: &dyn Chip, part: &Partition) -> Option<Vec<u8>> {
    let mut last = vec![0; span(part) as usize];
    let mut next = last.clone();
    read_chip(chip, part, 0, &mut last).ok()?;
    for _ in 0..3 {
        read_chip(chip, part, 0, &mut next).ok()?;
        if last == next {
            return Some(last);
        }
        std::mem::swap(&mut last, &mut next);
    }
    None
}

impl Neighbours {
    /// Holds these bytes, which `part` begins with.
    pub fn add(&mut self, part: &Partition, bytes: Vec<u8>) {
        self.0.push(Held { part: part.clone(), bytes });
    }

    /// Looks whether the chip still contains all of it, and puts back what was lost.
    ///
    /// # Errors
    /// [`FlashError::Chip`] where power is gone.
    pub fn put_back(&self, chip: &dyn Chip) -> Result<PutBack, FlashError> {
        let mut found = PutBack::default();
        for held in &self.0 {
            let name = held.part.name.clone();
            // Nothing is erased for a guess, and nothing that cannot be read counts as whole.
            let Some(now) = settled(chip, &held.part) else {
                log::error!("the first block of {name} can no longer be read");
                found.lost.push(name);
                continue;
            };
            if now == held.bytes {
                continue;
            }
            log::error!("{name} lost its first block: restoring it");
            match held.write(chip, &now) {
                Ok(()) => found.back.push(name),
                Err(FlashError::Chip(e @ ChipError::PowerCut)) => return Err(e.into()),
                Err(e) => {
                    log::error!("{e}", e = Chain(&e));
                    found.lost.push(name);
                }
            }
        }
        Ok(found)
    }
}

impl Held {
    /// Writes each block that differs from `now`; continues behind one that does not take it.
    fn write(&self, chip: &dyn Chip, now: &[u8]) -> Result<(), FlashError> {
        let size = self.part.erase_size as usize;
        let mut writer = BlockWriter::new(chip, &self.part);
        let mut done = Ok(());
        for (number, (new, old)) in self.bytes.chunks(size).zip(now.chunks(size)).enumerate() {
            if new == old {
                continue;
            }
            let plan = Block {
                action: Action::of(old, new),
                sha256: Sha256::digest(new),
                old_crc32: crc32::hash(old),
                pages: 0,
            };
            let number = number as u32;
            let verified = Verified::read(&self.part, self, number, &plan, Vec::new())?;
            match writer.put(&verified, &plan) {
                Err(FlashError::Chip(e @ ChipError::PowerCut)) => return Err(e.into()),
                Err(e) => done = Err(e),
                Ok(()) => {}
            }
        }
        done
    }
}
