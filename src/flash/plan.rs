//! Plan of one partition, block by block: the same pass that reads the new content compares it with
//! the chip. The decision is pure; the rest only reads.

use std::sync::Arc;

use crate::formats::bytes::alike;
use crate::formats::crc32;
use crate::formats::crc32::Hasher;
use crate::formats::sha256::Sha256;
use serde::Serialize;

use super::content::NewContent;
use super::error::FlashError;
use crate::backup::reading::{PartReading, window_length, windows};
use crate::backup::{Progress, Work};
use crate::base::Digest;
use crate::chip::{Chip, ChipError, Partition, WINDOW, time};

/// How often a failing read of the chip is tried.
const READ_TRIES: u32 = 3;

/// What one erase block needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Nothing: it contains what it should.
    Same,
    /// Bits have to be cleared only: no erase.
    Program,
    /// It has to be erased, and programmed where it is not to be 0xFF.
    Erase,
}

impl Action {
    /// What turns `old` into `new`; both are one erase block. NOR flash clears
    /// bits one by one, and sets them only all together.
    pub fn of(old: &[u8], new: &[u8]) -> Action {
        if alike(old, new) {
            Action::Same
        } else if old.iter().zip(new).all(|(old, new)| old & new == *new) {
            Action::Program
        } else {
            Action::Erase
        }
    }

    /// One letter of a map: `s`, `p`, `e`.
    pub fn letter(self) -> char {
        match self {
            Action::Same => 's',
            Action::Program => 'p',
            Action::Erase => 'e',
        }
    }
}

/// How many blocks need what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// All blocks of the partition.
    pub total: u32,
    /// Those that contain what they should.
    pub same: u32,
    /// Those that are programmed only.
    pub program: u32,
    /// Those that are erased first.
    pub erase: u32,
}

/// One erase block of a plan.
#[derive(Clone, Copy, Debug)]
pub struct Block {
    /// What it needs.
    pub action: Action,
    /// SHA-256 of its new content.
    pub sha256: Digest,
    /// CRC32 of what it held when the plan was made.
    pub old_crc32: u32,
    /// Pages of 256 bytes of the new content that are not all 0xFF.
    pub pages: u16,
}

/// One partition of a plan.
#[derive(Clone)]
pub struct PartPlan {
    /// The partition.
    pub part: Partition,
    /// Its blocks, in order.
    pub blocks: Vec<Block>,
    /// SHA-256 of the whole new content.
    pub sha256: Digest,
    /// The new content.
    pub content: Arc<dyn NewContent>,
}

impl std::fmt::Debug for PartPlan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PartPlan({}, {:?})", self.part.name, self.counts())
    }
}

impl PartPlan {
    /// How many blocks need what.
    pub fn counts(&self) -> Counts {
        let of = |action| self.blocks.iter().filter(|b| b.action == action).count() as u32;
        Counts {
            total: self.blocks.len() as u32,
            same: of(Action::Same),
            program: of(Action::Program),
            erase: of(Action::Erase),
        }
    }

    /// Whether anything has to change.
    pub fn changes(&self) -> bool {
        self.blocks.iter().any(|b| b.action != Action::Same)
    }

    /// One letter for each block.
    pub fn letters(&self) -> String {
        self.blocks.iter().map(|b| b.action.letter()).collect()
    }

    /// Whether the first block is written although it alone need not be: it is
    /// erased first and written last, so that a half-written partition never
    /// looks whole.
    pub fn rewrites_first(&self) -> bool {
        self.blocks.iter().skip(1).any(|b| b.action != Action::Same)
    }

    /// Blocks that will be written.
    pub fn writes(&self) -> u32 {
        let counts = self.counts();
        let first =
            self.rewrites_first() && self.blocks.first().is_some_and(|b| b.action == Action::Same);
        counts.program + counts.erase + u32::from(first)
    }

    /// What a chip takes to write it and read it back whole, in microseconds,
    /// by the data sheet.
    pub fn chip_micros(&self) -> u64 {
        if !self.changes() {
            return 0;
        }
        let size = self.part.erase_size;
        let mut micros = time::read(u64::from(self.part.size)).as_micros() as u64;
        for (i, block) in self.blocks.iter().enumerate() {
            let first = i == 0 && self.rewrites_first();
            if block.action == Action::Same && !first {
                continue;
            }
            if first {
                // That it is erased is read, too.
                micros += time::read(u64::from(size)).as_micros() as u64;
            }
            micros += u64::from(block.pages) * time::PAGE.as_micros() as u64;
            if block.action == Action::Erase || first {
                micros += time::erase(size).as_micros() as u64;
            }
        }
        micros
    }
}

/// Reads the new content once, and compares it with the chip: by the CRC32s of
/// a reading where there is one (what differs is checked byte by byte, and a
/// whole partition is hashed after the write), by the bytes otherwise.
///
/// # Errors
/// [`FlashError::Content`], [`FlashError::Chip`].
pub fn compare(
    chip: &dyn Chip,
    part: &Partition,
    content: Arc<dyn NewContent>,
    reading: Option<&PartReading>,
    progress: &dyn Progress,
) -> Result<PartPlan, FlashError> {
    let size = part.erase_size as usize;
    let mut whole = Sha256::new();
    let mut blocks = Vec::with_capacity(part.blocks() as usize);
    let mut window = vec![0; WINDOW as usize];
    let mut old = vec![0; size];
    for offset in windows(part) {
        let new = &mut window[..window_length(part, offset)];
        content.read(offset, new).map_err(FlashError::Content)?;
        whole.update(&*new);
        for (i, new) in new.chunks(size).enumerate() {
            let at = offset + (i * size) as u32;
            let number = at / part.erase_size;
            let crc = crc32::hash(new);
            let known = reading.and_then(|r| r.cells.get(number as usize)).copied();
            let (action, old_crc32) = if known == Some(crc) {
                (Action::Same, crc)
            } else {
                let old = &mut old[..new.len()];
                read_chip(chip, part, at, old)?;
                (Action::of(old, new), crc_of(old))
            };
            let pages = new.chunks(256).filter(|page| page.iter().any(|b| *b != 0xFF)).count();
            let sha256 = Sha256::digest(new);
            blocks.push(Block { action, sha256, old_crc32, pages: pages as u16 });
        }
        let done = u64::from(offset) + new.len() as u64;
        progress.at(Work::Compare, done, u64::from(part.size));
    }
    Ok(PartPlan { part: part.clone(), blocks, sha256: whole.finalize(), content })
}

fn crc_of(bytes: &[u8]) -> u32 {
    let mut hasher = Hasher::new();
    hasher.update(bytes);
    hasher.finalize()
}

/// Reads, again where it fails.
///
/// # Errors
/// [`ChipError`] of the last try.
pub(super) fn read_chip(
    chip: &dyn Chip,
    part: &Partition,
    offset: u32,
    buf: &mut [u8],
) -> Result<(), ChipError> {
    let mut tries = READ_TRIES;
    loop {
        tries -= 1;
        match chip.read(part, offset, buf) {
            Err(ChipError::Read { .. }) if tries > 0 => {}
            done => return done,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_bit_that_must_be_set_costs_an_erase() {
        assert_eq!(Action::of(&[1, 2], &[1, 2]), Action::Same);
        assert_eq!(Action::of(&[0xFF, 0xFF], &[0x12, 0xFF]), Action::Program);
        assert_eq!(Action::of(&[0b1110], &[0b0110]), Action::Program);
        assert_eq!(Action::of(&[0b0110], &[0b1110]), Action::Erase);
    }

    proptest::proptest! {
        #[test]
        fn programming_alone_is_chosen_exactly_where_it_is_enough(
            pairs in proptest::collection::vec((0u8.., 0u8..), 1..64),
        ) {
            let (old, new): (Vec<u8>, Vec<u8>) = pairs.into_iter().unzip();
            let programmed: Vec<u8> = old.iter().zip(&new).map(|(o, n)| o & n).collect();
            match Action::of(&old, &new) {
                Action::Same => assert_eq!(old, new),
                Action::Program => assert!(old != new && programmed == new),
                Action::Erase => assert_ne!(programmed, new),
            }
        }
    }
}
