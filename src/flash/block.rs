//! One erase block: its new content is verified in memory before anything
//! is erased, and only what reads back counts.

use crate::error::Chain;
use crate::formats::sha256::Sha256;

use super::content::NewContent;
use super::error::FlashError;
use super::plan::{Action, Block, read_chip};
use crate::chip::{Chip, ChipError, Partition};
use crate::formats::bytes::alike;
use crate::formats::crc32;

/// How often a block is written before it is given up.
pub const TRIES: u32 = 3;
/// Bytes programmed at once by every chip of these cameras.
const PAGE: usize = 256;

/// New content of one block, read and checked: nothing else is ever written.
#[derive(Debug)]
pub struct Verified {
    number: u32,
    bytes: Vec<u8>,
}

impl Verified {
    /// Reads a block's new content and checks its hash; read again where it
    /// does not match, for a card may err once.
    ///
    /// # Errors
    /// [`FlashError::Content`] where it cannot be read,
    /// [`FlashError::ContentChanged`] where it is not what the plan was made of.
    pub fn read(
        part: &Partition,
        content: &dyn NewContent,
        number: u32,
        block: &Block,
        mut bytes: Vec<u8>,
    ) -> Result<Verified, FlashError> {
        let offset = number * part.erase_size;
        bytes.resize(part.erase_size as usize, 0);
        let mut failure = FlashError::ContentChanged { partition: part.name.clone(), offset };
        for _ in 0..TRIES {
            match content.read(offset, &mut bytes) {
                Ok(()) if block.sha256 == Sha256::digest(&bytes) => {
                    return Ok(Verified { number, bytes });
                }
                Ok(()) => {}
                Err(e) => failure = FlashError::Content(e),
            }
        }
        log::error!("{}: {}", super::content::changed(&part.name), Chain(&failure));
        Err(failure)
    }

    /// The block's number in its partition.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// The content.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Gives the buffer back.
    pub fn into_buffer(self) -> Vec<u8> {
        self.bytes
    }
}

/// What is written, and how the chip answers.
pub struct BlockWriter<'a> {
    chip: &'a dyn Chip,
    part: &'a Partition,
    back: Vec<u8>,
}

impl<'a> BlockWriter<'a> {
    /// A writer for one partition.
    pub fn new(chip: &'a dyn Chip, part: &'a Partition) -> BlockWriter<'a> {
        BlockWriter { chip, part, back: vec![0; part.erase_size as usize] }
    }

    /// Writes a block until it reads back as it should.
    ///
    /// # Errors
    /// [`FlashError::WriteProtected`], [`FlashError::Stuck`] or
    /// [`FlashError::NotKept`] after three tries; [`FlashError::Chip`].
    pub fn put(&mut self, new: &Verified, plan: &Block) -> Result<(), FlashError> {
        let offset = new.number * self.part.erase_size;
        let mut action = plan.action;
        let mut last = None;
        for attempt in 1..=TRIES {
            match self.attempt(new, offset, action) {
                Ok(true) => return Ok(()),
                Ok(false) => {
                    log::warn!(
                        "{} at {offset:#x} reads back wrong, try {attempt} of {TRIES}",
                        self.part.name
                    );
                    // What is there now is in `back`; it may be unchanged.
                    if attempt == 1 && crc32::hash(&self.back) == plan.old_crc32 {
                        last = Some(FlashError::WriteProtected {
                            partition: self.part.name.clone(),
                            offset,
                        });
                    }
                }
                Err(FlashError::Chip(e @ ChipError::PowerCut)) => return Err(e.into()),
                Err(e) => {
                    log::warn!("{e}, try {attempt} of {TRIES}", e = Chain(&e));
                    if attempt == TRIES {
                        return Err(e);
                    }
                }
            }
            action = Action::Erase;
        }
        if let Some(protected) = last
            && crc32::hash(&self.back) == plan.old_crc32
        {
            return Err(protected);
        }
        self.diagnose(new, offset)
    }

    /// What was read back last, in exchange for another buffer of a block's length.
    pub fn take_back(&mut self, other: Vec<u8>) -> Vec<u8> {
        std::mem::replace(&mut self.back, other)
    }

    /// Erases a block whose content is to be written later.
    ///
    /// # Errors
    /// As [`BlockWriter::put`].
    pub fn clear(&mut self, new: &Verified, plan: &Block) -> Result<(), FlashError> {
        let offset = new.number * self.part.erase_size;
        let mut failure = None;
        for _ in 0..TRIES {
            let erased = self.erase(new.number).and_then(|()| self.read(offset));
            match erased {
                Ok(()) if self.back.iter().all(|b| *b == 0xFF) => return Ok(()),
                Ok(()) => {}
                Err(FlashError::Chip(e @ ChipError::PowerCut)) => return Err(e.into()),
                Err(e) => failure = Some(e),
            }
        }
        if let Some(e) = failure {
            return Err(e);
        }
        let partition = self.part.name.clone();
        // To tell the two apart, something would have to be programmed into a block that may
        // never be erased again: the old content is worth more than the word.
        if crc32::hash(&self.back) == plan.old_crc32 {
            return Err(FlashError::WriteProtected { partition, offset });
        }
        Err(FlashError::Stuck { partition, offset })
    }

    /// One try; whether it reads back right.
    fn attempt(&mut self, new: &Verified, offset: u32, action: Action) -> Result<bool, FlashError> {
        if action == Action::Erase {
            self.erase(new.number)?;
        }
        if action != Action::Same {
            self.program(offset, &new.bytes)?;
        }
        self.read(offset)?;
        if alike(&self.back, &new.bytes) {
            return Ok(true);
        }
        // The reading may have erred, not the chip.
        self.read(offset)?;
        Ok(alike(&self.back, &new.bytes))
    }

    /// Programs the pages that are not all 0xFF, neighbouring pages at once.
    fn program(&self, offset: u32, bytes: &[u8]) -> Result<(), FlashError> {
        let blank = |page: &[u8]| page.iter().all(|b| *b == 0xFF);
        let mut at = 0;
        while at < bytes.len() {
            let rest = &bytes[at..];
            let run = rest.chunks(PAGE).take_while(|page| !blank(page)).map(<[u8]>::len).sum();
            if run > 0 {
                self.chip.program(self.part, offset + at as u32, &rest[..run])?;
            }
            at += run;
            at += bytes[at..]
                .chunks(PAGE)
                .take_while(|page| blank(page))
                .map(<[u8]>::len)
                .sum::<usize>();
        }
        Ok(())
    }

    fn erase(&self, number: u32) -> Result<(), FlashError> {
        // Plans are made of the partition's own blocks: there is one of this number.
        match self.part.erase_block(number) {
            Some(block) => Ok(self.chip.erase(&block)?),
            None => Ok(self.part.check_range(number.saturating_mul(self.part.erase_size), 1)?),
        }
    }

    fn read(&mut self, offset: u32) -> Result<(), FlashError> {
        Ok(read_chip(self.chip, self.part, offset, &mut self.back)?)
    }

    /// After three tries: does the block not erase, or not keep?
    fn diagnose(&mut self, new: &Verified, offset: u32) -> Result<(), FlashError> {
        let partition = self.part.name.clone();
        self.erase(new.number)?;
        self.read(offset)?;
        if self.back.iter().any(|b| *b != 0xFF) {
            return Err(FlashError::Stuck { partition, offset });
        }
        // It erases: never leave it so.
        self.program(offset, &new.bytes)?;
        self.read(offset)?;
        if alike(&self.back, &new.bytes) {
            return Ok(());
        }
        Err(FlashError::NotKept { partition, offset, tries: TRIES })
    }
}
