//! The chip's own write protection: recorded before a write, lifted for it,
//! put back after it. That it can be put back is tried before anything is
//! erased: a camera left unprotected died on its second start.

use super::error::FlashError;
use crate::chip::{Chip, Partition};

/// How often a range is set.
const TRIES: u32 = 2;

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

/// Protection that can be lifted and put back.
#[derive(Debug, Default)]
pub struct Liftable(Vec<Protected>);

impl Liftable {
    /// What is protected of these partitions, after trying that it can be lifted and put back:
    /// it is protected when this returns.
    ///
    /// # Errors
    /// [`FlashError::Protection`]; then all is as it was, as far as the chip lets.
    pub fn try_out(chip: &dyn Chip, parts: &[&Partition]) -> Result<Liftable, FlashError> {
        let mut ranges: Vec<Protected> = parts.iter().flat_map(|part| scan(chip, part)).collect();
        // Drivers protect a fraction at one end of the chip. So what lies nearest to its middle
        // is lifted first and put back last; which end that is, trying tells.
        ranges.sort_by_key(|range| range.part.offset.unwrap_or(0) + range.offset);
        let mut ranges = Liftable(ranges);
        if ranges.lift(chip).is_err() {
            ranges.0.reverse();
            ranges.lift(chip)?;
        }
        ranges.put_back(chip).inspect_err(|_| {
            let _ = ranges.put_back(chip);
        })?;
        Ok(ranges)
    }

    /// What an interrupted flash found protected: it may be lifted now, or not.
    pub fn recorded(ranges: Vec<Protected>) -> Liftable {
        Liftable(ranges)
    }

    /// The ranges, in the order in which they are lifted.
    pub fn ranges(&self) -> &[Protected] {
        &self.0
    }

    /// Lifts it.
    ///
    /// # Errors
    /// [`FlashError::Protection`]; then it was put back, as far as the chip lets.
    pub fn lift(&self, chip: &dyn Chip) -> Result<(), FlashError> {
        self.set(chip, false, "lift that").inspect_err(|_| {
            let _ = self.put_back(chip);
        })
    }

    /// Puts it back as it was.
    ///
    /// # Errors
    /// [`FlashError::Protection`], naming the first range that stays unprotected.
    pub fn put_back(&self, chip: &dyn Chip) -> Result<(), FlashError> {
        self.set(chip, true, "put it back")
    }

    /// Sets every range, and asks the chip whether it is so: in their order to lift them, in
    /// the opposite one to put them back.
    fn set(&self, chip: &dyn Chip, locked: bool, what: &'static str) -> Result<(), FlashError> {
        let count = self.0.len();
        for i in 0..count {
            let range = &self.0[if locked { count - 1 - i } else { i }];
            let failed = || FlashError::Protection {
                partition: range.part.name.clone(),
                offset: range.offset,
                what,
            };
            // What the chip says afterwards counts, not the driver: one that finds its register
            // not quite as it wrote it reports an error, and did it all the same.
            let mut done = false;
            for _ in 0..TRIES {
                if let Err(e) = chip.set_locked(&range.part, range.offset, range.length, locked) {
                    log::warn!("{e}");
                }
                let now = scan(chip, &range.part);
                done = if locked {
                    now.iter().any(|p| {
                        p.offset <= range.offset
                            && p.offset + p.length >= range.offset + range.length
                    })
                } else {
                    !now.iter().any(|p| {
                        p.offset < range.offset + range.length && p.offset + p.length > range.offset
                    })
                };
                if done {
                    break;
                }
            }
            if !done {
                return Err(failed());
            }
        }
        Ok(())
    }
}
