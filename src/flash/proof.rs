//! The proof of a partition: all of it, as the chip gave it back, hashed in its
//! order on a thread of its own, so that one reading both compares and hashes.
//! The same thread reads the new content ahead: two threads keep two processors
//! busy, where a third one would delay the one that writes.
//! And a sample of every block, checked again when all is written: a chip
//! that erases more than it should ruins what was good when it was read.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Builder, Scope, ScopedJoinHandle};

use crate::formats::sha256::Sha256;

use super::block::Verified;
use super::error::FlashError;
use super::plan::{PartPlan, read_chip};
use crate::base::Digest;
use crate::chip::{Chip, Partition};
use crate::formats::crc32;

/// Stack of the hashing thread, in bytes: its buffers are on the heap.
const STACK: usize = 64 << 10;
/// Blocks of new content that are in memory before they are written: one that is written, and the
/// next.
pub(super) const AHEAD: usize = 2;
/// Bytes checked again in each block: a page.
const SAMPLE: usize = 256;

/// One page of a block.
#[derive(Clone, Copy, Debug)]
struct Sample {
    /// Bytes from the partition's start.
    offset: u32,
    crc32: u32,
}

/// What the thread has to do.
enum Work {
    /// What came from the chip, to be hashed.
    Hash(Vec<u8>),
    /// The new content of this block, to be read into a buffer and checked.
    Read(u32, Vec<u8>),
}

/// A proof that is being made.
pub(super) struct Proof<'scope> {
    erase_size: usize,
    out: SyncSender<Work>,
    spare: Receiver<Vec<u8>>,
    ready: Receiver<Result<Verified, FlashError>>,
    hashing: ScopedJoinHandle<'scope, Digest>,
    samples: Vec<Sample>,
}

/// A proof that is complete.
pub struct Proven {
    /// SHA-256 of all that was added.
    pub sha256: Digest,
    samples: Vec<Sample>,
}

impl<'scope> Proof<'scope> {
    /// Begins one; what the chip gives back is added from the partition's start on.
    ///
    /// # Errors
    /// [`FlashError::Thread`].
    pub fn begin<'env>(
        threads: &'scope Scope<'scope, 'env>,
        plan: &'env PartPlan,
    ) -> Result<Proof<'scope>, FlashError> {
        let part = &plan.part;
        let (out, work) = sync_channel::<Work>(4);
        let (give_back, spare) = sync_channel::<Vec<u8>>(4);
        // Never more than were asked for, so the thread never waits here.
        let (content, ready) = sync_channel(AHEAD);
        let hashing = Builder::new()
            .name("proof".to_owned())
            .stack_size(STACK)
            .spawn_scoped(threads, move || {
                let mut hasher = Sha256::new();
                // After one that cannot be read the flash ends, and block 0 waits to be written.
                let mut failed = false;
                for work in work {
                    match work {
                        Work::Hash(bytes) => {
                            hasher.update(&bytes);
                            let _ = give_back.try_send(bytes);
                        }
                        Work::Read(..) if failed => {
                            let _ = content.send(Err(FlashError::Interrupted));
                        }
                        Work::Read(number, buffer) => {
                            let read = read(plan, number, buffer);
                            failed = read.is_err();
                            let _ = content.send(read);
                        }
                    }
                }
                hasher.finalize()
            })
            .map_err(FlashError::Thread)?;
        let samples = Vec::with_capacity(part.blocks() as usize);
        Ok(Proof { erase_size: part.erase_size as usize, out, spare, ready, hashing, samples })
    }

    /// A buffer of this length; what is in it means nothing.
    pub fn buffer(&self, length: usize) -> Vec<u8> {
        let mut buffer = self.spare.try_recv().unwrap_or_default();
        buffer.resize(length, 0);
        buffer
    }

    /// Asks for the new content of a block, at most [`AHEAD`] before it is taken.
    ///
    /// # Errors
    /// [`FlashError::Interrupted`].
    pub fn ask(&self, number: u32, buffer: Vec<u8>) -> Result<(), FlashError> {
        self.out.send(Work::Read(number, buffer)).map_err(|_| FlashError::Interrupted)
    }

    /// The new content that was asked for first.
    ///
    /// # Errors
    /// [`FlashError`] where it cannot be read, or is not what was planned.
    pub fn content(&self) -> Result<Verified, FlashError> {
        self.ready.recv().map_err(|_| FlashError::Interrupted)?
    }

    /// Adds whole erase blocks, as they were read at `offset`.
    ///
    /// # Errors
    /// [`FlashError::Interrupted`].
    pub fn add(&mut self, offset: u32, bytes: Vec<u8>) -> Result<(), FlashError> {
        for (i, block) in bytes.chunks(self.erase_size).enumerate() {
            // One that an erase would change.
            let pages = block.chunks(SAMPLE).enumerate();
            let mut marked = pages.filter(|(_, page)| page.iter().any(|b| *b != 0xFF));
            let (at, page) = marked.next().unwrap_or((0, &block[..SAMPLE.min(block.len())]));
            let offset = offset + (i * self.erase_size + at * SAMPLE) as u32;
            self.samples.push(Sample { offset, crc32: crc32::hash(page) });
        }
        self.out.send(Work::Hash(bytes)).map_err(|_| FlashError::Interrupted)
    }

    /// Ends it: all was added.
    ///
    /// # Errors
    /// [`FlashError::Interrupted`].
    pub fn end(self) -> Result<Proven, FlashError> {
        drop(self.out);
        let sha256 = self.hashing.join().map_err(|_| FlashError::Interrupted)?;
        Ok(Proven { sha256, samples: self.samples })
    }
}

fn read(plan: &PartPlan, number: u32, buffer: Vec<u8>) -> Result<Verified, FlashError> {
    let block = plan.blocks.get(number as usize).ok_or(FlashError::Interrupted)?;
    Verified::read(&plan.part, plan.content.as_ref(), number, block, buffer)
}

impl Proven {
    /// Whether every block still contains what it gave back.
    ///
    /// # Errors
    /// [`FlashError::Chip`].
    pub fn still_holds(&self, chip: &dyn Chip, part: &Partition) -> Result<bool, FlashError> {
        let mut page = [0; SAMPLE];
        for sample in &self.samples {
            let length = SAMPLE.min((part.size - sample.offset) as usize);
            read_chip(chip, part, sample.offset, &mut page[..length])?;
            if crc32::hash(&page[..length]) != sample.crc32 {
                log::warn!("{} at {:#x} has changed", part.name, sample.offset);
                return Ok(false);
            }
        }
        Ok(true)
    }
}
