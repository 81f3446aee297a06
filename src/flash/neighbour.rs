//! The erase block behind each partition that is written: a chip that erases more than it was told
//! to takes it along, and it may be the identity's. It is held in memory from before the first
//! erase, read again after the last one, and put back where it was lost.

use super::block::{BlockWriter, Verified};
use super::content::NewContent;
use super::error::FlashError;
use super::plan::{Action, Block, read_chip};
use crate::backup::reading::is_live;
use crate::card::CardError;
use crate::chip::{Chip, ChipError, Partition};
use crate::formats::crc32;
use crate::formats::sha256::Sha256;

/// The blocks that are held.
#[derive(Debug, Default)]
pub struct Neighbours(Vec<Held>);

/// The first erase block of a partition.
#[derive(Debug)]
struct Held {
    part: Partition,
    bytes: Vec<u8>,
}

impl NewContent for Held {
    fn read(&self, _offset: u32, buf: &mut [u8]) -> Result<(), CardError> {
        buf.copy_from_slice(&self.bytes);
        Ok(())
    }
}

impl Neighbours {
    /// Reads the block behind each of these partitions, where it belongs to none of them. DATA
    /// that is mounted changes by itself, so it is not held; nor is what two readings do not agree
    /// on.
    pub fn hold(chip: &dyn Chip, written: &[&Partition]) -> Neighbours {
        let is_written = |part: &Partition| written.iter().any(|w| w.index == part.index);
        let ends: Vec<u32> =
            written.iter().filter_map(|part| Some(part.offset? + part.size)).collect();
        let behind = chip.map().covering().into_iter().filter(|part| {
            part.offset.is_some_and(|start| ends.contains(&start))
                && !is_written(part)
                && !is_live(part)
        });
        let held = behind.filter_map(|part| {
            let bytes = settled(chip, part);
            if bytes.is_none() {
                log::warn!("the first block of {} cannot be held in memory", part.name);
            }
            Some(Held { part: part.clone(), bytes: bytes? })
        });
        Neighbours(held.collect())
    }

    /// Looks whether they still hold what they held, and puts back what was lost; the names of
    /// the partitions in which something was.
    ///
    /// # Errors
    /// [`FlashError::NeighbourLost`] where it cannot be put back, [`FlashError::Chip`] where power
    /// is gone.
    pub fn put_back(&self, chip: &dyn Chip) -> Result<Vec<String>, FlashError> {
        let mut lost = Vec::new();
        for held in &self.0 {
            // What cannot be read is not known to be lost, and nothing is erased for a guess.
            match settled(chip, &held.part) {
                Some(now) if now != held.bytes => {
                    log::error!("{} lost its first block: putting it back", held.part.name);
                    held.write(chip, &now)?;
                    lost.push(held.part.name.clone());
                }
                _ => {}
            }
        }
        Ok(lost)
    }
}

impl Held {
    fn write(&self, chip: &dyn Chip, now: &[u8]) -> Result<(), FlashError> {
        let plan = Block {
            action: Action::of(now, &self.bytes),
            sha256: Sha256::digest(&self.bytes),
            old_crc32: crc32::hash(now),
            pages: 0,
        };
        let new = Verified::read(&self.part, self, 0, &plan, Vec::new())?;
        match BlockWriter::new(chip, &self.part).put(&new, &plan) {
            Err(FlashError::Chip(e @ ChipError::PowerCut)) => Err(e.into()),
            Err(e) => {
                log::error!("{e}");
                Err(FlashError::NeighbourLost { partition: self.part.name.clone(), offset: 0 })
            }
            Ok(()) => Ok(()),
        }
    }
}

/// A partition's first block, once two readings in a row agree.
fn settled(chip: &dyn Chip, part: &Partition) -> Option<Vec<u8>> {
    let mut last = vec![0; part.erase_size as usize];
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
