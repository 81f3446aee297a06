//! Backups of a whole chip: read twice, written, read again from the card,
//! and only then called verified.
//!
//! | file | contents |
//! | --- | --- |
//! | `vault` | FACTORY and CONFIG, saved before anything else |
//! | `reading` | one pass over the chip: hashed and judged |
//! | `make` | a set, from two readings to its closing checksums |
//! | `request` | what is asked of it, and what came of it |
//! | `second`, `proving` | the second reading, and the proof close behind it |
//! | `describe` | what a set says of itself |
//! | `offer` | the partitions of a set, for one camera to write |
//! | `verify` | a set, read again; which byte is wrong |
//! | `set`, `manifest`, `sums` | what is in a set's folder |
//! | `retention`, `room` | which sets stay (pure); and what goes |
//! | `recovery` | `RECOVERY.txt`, the way back in words |

mod describe;
pub mod downloaded;
pub mod error;
pub mod make;
pub mod manifest;
pub mod offer;
mod proving;
pub mod reading;
pub mod recovery;
pub mod request;
pub mod retention;
pub mod room;
mod second;
pub mod set;
pub mod sums;
pub mod unfinished;
pub mod vault;
pub mod verify;

pub use error::BackupError;
pub use manifest::Manifest;
pub use reading::{PartReading, Reading};
pub use request::{BackupOutcome, Facts, ProvenBackup, Request};
pub use set::{SetFolder, SetName, SetState};
pub use verify::{Damage, Verification};

/// What long work on chip and card is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Reading the chip for the first time.
    ReadChip,
    /// Reading it for the second time, onto the card.
    ReadAgain,
    /// Reading what is on the card.
    ReadCard,
    /// Comparing an image with the chip.
    Compare,
    /// Copying an image to the card's own folder.
    CopyImage,
    /// Reading a chip through a programmer: the reading's number, from 1.
    ReadClipped(usize),
    /// Writing a chip through a programmer.
    WriteClipped,
    /// Reading it back.
    ReadClippedBack,
    /// Putting its write protection back.
    ProtectClipped,
}

impl Work {
    /// Those that a camera does; the page has words for them.
    pub const ON_CAMERA: [Work; 5] =
        [Work::ReadChip, Work::ReadAgain, Work::ReadCard, Work::Compare, Work::CopyImage];

    /// A stable name; the page finds its words by it.
    pub fn code(self) -> &'static str {
        match self {
            Work::ReadChip => "read-chip",
            Work::ReadAgain => "read-again",
            Work::ReadCard => "read-card",
            Work::Compare => "compare",
            Work::CopyImage => "copy-image",
            Work::ReadClipped(_) => "read-clipped",
            Work::WriteClipped => "write-clipped",
            Work::ReadClippedBack => "read-clipped-back",
            Work::ProtectClipped => "protect-clipped",
        }
    }

    /// In words for a progress bar.
    pub fn words(self) -> &'static str {
        match self {
            Work::ReadChip => "reading the chip",
            Work::ReadAgain => "reading again, onto the card",
            Work::ReadCard => "reading the card",
            Work::Compare => "comparing",
            Work::CopyImage => "copying the image",
            Work::ReadClipped(1) => "Reading the chip, reading 1",
            Work::ReadClipped(2) => "Reading the chip, reading 2",
            Work::ReadClipped(3) => "Reading the chip, reading 3",
            Work::ReadClipped(_) => "Reading the chip, one more time",
            Work::WriteClipped => "Writing the chip: do not touch the clip",
            Work::ReadClippedBack => "Reading the chip back",
            Work::ProtectClipped => "Restoring the write protection",
        }
    }
}

/// Where long work says how far it is.
pub trait Progress: Sync {
    /// `done` of `total` bytes of this work.
    fn at(&self, work: Work, done: u64, total: u64);
}

/// Nobody watches.
pub struct Silent;

impl Progress for Silent {
    fn at(&self, _work: Work, _done: u64, _total: u64) {}
}
