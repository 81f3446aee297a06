//! The proof of a partition: all of it, as the chip gave it back, hashed in its
//! order on a thread of its own, so that one reading both compares and hashes.
//! And a sample of every block, looked at again when all is written: a chip
//! that erases more than it was told to ruins what was good when it was read.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Builder, Scope, ScopedJoinHandle};

use crate::formats::sha256::Sha256;

use super::error::FlashError;
use super::plan::read_chip;
use crate::backup::Digest;
use crate::chip::{Chip, Partition};
use crate::formats::crc32;

/// Stack of the hashing thread, in bytes: its buffers are on the heap.
const STACK: usize = 64 << 10;
/// Bytes looked at again in each block: a page.
const SAMPLE: usize = 256;

/// One page of a block.
#[derive(Clone, Copy, Debug)]
struct Sample {
    /// Bytes from the partition's start.
    offset: u32,
    crc32: u32,
}

/// A proof that is being made.
pub(super) struct Proof<'scope> {
    erase_size: usize,
    out: SyncSender<Vec<u8>>,
    spare: Receiver<Vec<u8>>,
    hashing: ScopedJoinHandle<'scope, Digest>,
    samples: Vec<Sample>,
}

/// A proof that is complete.
pub(super) struct Proven {
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
        part: &Partition,
    ) -> Result<Proof<'scope>, FlashError> {
        let (out, read) = sync_channel::<Vec<u8>>(2);
        let (give_back, spare) = sync_channel::<Vec<u8>>(4);
        let hashing = Builder::new()
            .name("proof".to_owned())
            .stack_size(STACK)
            .spawn_scoped(threads, move || {
                let mut hasher = Sha256::new();
                while let Ok(bytes) = read.recv() {
                    hasher.update(&bytes);
                    let _ = give_back.try_send(bytes);
                }
                hasher.finalize()
            })
            .map_err(FlashError::Thread)?;
        let samples = Vec::with_capacity(part.blocks() as usize);
        Ok(Proof { erase_size: part.erase_size as usize, out, spare, hashing, samples })
    }

    /// A buffer of this length; what is in it means nothing.
    pub fn buffer(&self, length: usize) -> Vec<u8> {
        let mut buffer = self.spare.try_recv().unwrap_or_default();
        buffer.resize(length, 0);
        buffer
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
        self.out.send(bytes).map_err(|_| FlashError::Interrupted)
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

impl Proven {
    /// Whether every block still holds what it gave back.
    ///
    /// # Errors
    /// [`FlashError::Chip`].
    pub fn still_holds(&self, chip: &dyn Chip, part: &Partition) -> Result<bool, FlashError> {
        let mut page = [0; SAMPLE];
        for sample in &self.samples {
            let length = SAMPLE.min((part.size - sample.offset) as usize);
            read_chip(chip, part, sample.offset, &mut page[..length])?;
            if crc32::hash(&page[..length]) != sample.crc32 {
                log::warn!("{} at {:#x} no longer holds what it held", part.name, sample.offset);
                return Ok(false);
            }
        }
        Ok(true)
    }
}
