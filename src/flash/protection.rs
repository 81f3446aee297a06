//! The chip's own write protection: recorded before a write, lifted for it,
//! put back after it. That it can be put back is tried before anything is
//! erased: a camera left unprotected died on its second start.

use super::error::FlashError;
use crate::chip::{Chip, Partition};
use crate::error::Chain;

/// A protected range of a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Protected {
    /// The partition.
    pub part: Partition,
    /// Bytes from its start.
    pub offset: u32,
    /// Bytes.
    pub length: u32,
}

/// The protected ranges of a partition, as far as the driver tells.
pub fn scan(chip: &dyn Chip, part: &Partition) -> Vec<Protected> {
    let mut found: Vec<Protected> = Vec::new();
    for number in 0..part.blocks() {
        let Some(block) = part.erase_block(number) else { break };
        match chip.is_locked(&block) {
            None => return Vec::new(),
            Some(false) => {}
            Some(true) => match found.last_mut() {
                Some(last) if last.offset + last.length == block.start() => {
                    last.length += block.length();
                }
                _ => found.push(Protected {
                    part: part.clone(),
                    offset: block.start(),
                    length: block.length(),
                }),
            },
        }
    }
    found
}

/// Protection that was lifted; put back by [`Lifted::put_back`].
#[derive(Debug, Default)]
pub struct Lifted(Vec<Protected>);

impl Lifted {
    /// Finds the protection of these partitions, and tries that it can be lifted
    /// and put back; it stays in place.
    ///
    /// `recorded` are ranges that were protected before an earlier run lifted them.
    ///
    /// # Errors
    /// [`FlashError::Protection`]; then all is as it was, as far as the chip lets.
    pub fn try_out(
        chip: &dyn Chip,
        parts: &[&Partition],
        recorded: Vec<Protected>,
    ) -> Result<Lifted, FlashError> {
        let mut ranges = recorded;
        for range in parts.iter().flat_map(|part| scan(chip, part)) {
            if !ranges.contains(&range) {
                ranges.push(range);
            }
        }
        let lifted = Lifted(ranges);
        if lifted.0.is_empty() {
            return Ok(lifted);
        }
        let tried =
            lifted.set(chip, false, "lift it").and_then(|()| lifted.set(chip, true, "restore it"));
        if let Err(e) = tried {
            let _ = lifted.set(chip, true, "restore it");
            return Err(e);
        }
        Ok(lifted)
    }

    /// Lifts it; by then the journal knows what is to be put back.
    ///
    /// # Errors
    /// [`FlashError::Protection`]; then all is as it was, as far as the chip lets.
    pub fn lift(&self, chip: &dyn Chip) -> Result<(), FlashError> {
        self.set(chip, false, "lift it").inspect_err(|_| {
            let _ = self.set(chip, true, "restore it");
        })
    }

    /// The ranges.
    pub fn ranges(&self) -> &[Protected] {
        &self.0
    }

    /// Whether there was any.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Puts it back as it was.
    ///
    /// # Errors
    /// [`FlashError::Protection`], naming the first range that stays unprotected.
    pub fn put_back(&self, chip: &dyn Chip) -> Result<(), FlashError> {
        self.set(chip, true, "restore it")
    }

    /// Sets every range, and asks the chip whether it is so. A chip that
    /// protects a fraction at one end takes ranges in one order only: what fails
    /// is tried again after the others.
    fn set(&self, chip: &dyn Chip, locked: bool, what: &'static str) -> Result<(), FlashError> {
        let mut left: Vec<&Protected> = self.0.iter().collect();
        while !left.is_empty() {
            let before = left.len();
            left.retain(|range| {
                if let Err(e) = chip.set_locked(&range.part, range.offset, range.length, locked) {
                    log::debug!("{e}", e = Chain(&e));
                }
                !is_set(chip, range, locked)
            });
            if left.len() == before {
                break;
            }
        }
        match left.first() {
            None => Ok(()),
            Some(range) => Err(FlashError::Protection {
                partition: range.part.name.clone(),
                offset: range.offset,
                what,
            }),
        }
    }
}

/// Whether a range is protected as a whole, or not at all.
fn is_set(chip: &dyn Chip, range: &Protected, locked: bool) -> bool {
    let end = range.offset + range.length;
    let now = scan(chip, &range.part);
    if locked {
        now.iter().any(|p| p.offset <= range.offset && p.offset + p.length >= end)
    } else {
        !now.iter().any(|p| p.offset < end && p.offset + p.length > range.offset)
    }
}
