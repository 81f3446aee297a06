//! Errors of a flash, and the content of the chip after each of them.

use thiserror::Error;

use crate::backup::BackupError;
use crate::card::{CardError, CardFault};
use crate::chip::ChipError;
use crate::error::{Code, Exit, Explain, FailureKind};

/// An error of a flash.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FlashError {
    /// The chip reports success and changes nothing.
    #[error("{partition} is write-protected or worn: the block at {offset:#x} was not erased")]
    WriteProtected {
        /// The partition's name.
        partition: String,
        /// Bytes from its start.
        offset: u32,
    },
    /// A block does not erase.
    #[error("{partition}: the block at {offset:#x} can no longer be erased")]
    Stuck {
        /// The partition's name.
        partition: String,
        /// Bytes from its start.
        offset: u32,
    },
    /// A block does not keep what is written.
    #[error("{partition}: the block at {offset:#x} reads back wrong after {tries} tries")]
    NotKept {
        /// The partition's name.
        partition: String,
        /// Bytes from its start.
        offset: u32,
        /// How often it was tried.
        tries: u32,
    },
    /// A partition does not have the hash it must have, although each block did.
    #[error("{partition} has a wrong hash")]
    NotProven {
        /// The partition's name.
        partition: String,
    },
    /// The chip erased more than it should, and it cannot be put back.
    #[error(
        "{partition} lost its first block although nothing was written there, and the block could \
         not be restored: {why}"
    )]
    NeighbourLost {
        /// The partition's name.
        partition: String,
        /// Why it could not be put back.
        why: String,
        /// The backup that contains it.
        set: String,
        /// The partitions that a restore has to name, with commas between them.
        only: String,
    },
    /// New content reads differently than before.
    #[error("the new content of {partition} at {offset:#x} has changed")]
    ContentChanged {
        /// The partition's name.
        partition: String,
        /// Bytes from its start.
        offset: u32,
    },
    /// New content cannot be read.
    #[error("the new content cannot be read")]
    Content(#[source] CardError),
    /// The card.
    #[error(transparent)]
    Card(#[from] CardError),
    /// The chip or its driver.
    #[error(transparent)]
    Chip(#[from] ChipError),
    /// The backup before it.
    #[error("what would be overwritten cannot be saved")]
    Backup(#[from] BackupError),
    /// Protection was found that cannot be lifted, or not put back.
    #[error("{partition} is write-protected at {offset:#x}, and the chip's driver cannot {what}")]
    Protection {
        /// The partition's name.
        partition: String,
        /// Bytes from its start.
        offset: u32,
        /// What it cannot do.
        what: &'static str,
    },
    /// A thread does not start.
    #[error("a thread cannot be started")]
    Thread(#[source] std::io::Error),
    /// The reading thread is gone.
    #[error("the reading of the new content was interrupted")]
    Interrupted,
}

impl FlashError {
    /// The partition that was lost without being written; empty where none was.
    pub fn lost(&self) -> String {
        match self {
            FlashError::NeighbourLost { partition, .. } => partition.clone(),
            _ => String::new(),
        }
    }

    /// Whether it is the card's fault, and the same flash can continue with another try.
    pub fn is_of_card(&self) -> bool {
        matches!(
            self,
            FlashError::Content(_)
                | FlashError::Card(_)
                | FlashError::ContentChanged { .. }
                | FlashError::Interrupted
        )
    }
}

impl Explain for FlashError {
    fn code(&self) -> Code {
        match self {
            FlashError::WriteProtected { .. } => Code::WriteProtected,
            FlashError::Stuck { .. } => Code::BlockStuck,
            FlashError::NotKept { .. } => Code::BlockNotKept,
            FlashError::NotProven { .. } => Code::NotProven,
            FlashError::NeighbourLost { .. } => Code::NeighbourLost,
            FlashError::ContentChanged { .. } => Code::ImageChanged,
            FlashError::Content(e) => match e.fault() {
                CardFault::Gone => Code::CardMissing,
                _ => Code::ImageUnreadable,
            },
            FlashError::Card(e) => e.code(),
            FlashError::Chip(e) => e.code(),
            FlashError::Backup(e) => e.code(),
            FlashError::Protection { .. } => Code::ProtectedPartition,
            FlashError::Thread(_) => Code::NoThread,
            FlashError::Interrupted => Code::Interrupted,
        }
    }

    fn hint(&self) -> String {
        match self {
            FlashError::WriteProtected { .. } => {
                "Linux cannot write there. A flash programmer can: RECOVERY.txt in the newest \
                 backup explains how."
            }
            FlashError::Stuck { .. } | FlashError::NotKept { .. } => {
                "The chip is worn here. Keep the camera powered, copy the newest backup to a PC, \
                 and try `resume`. If it fails again, only a new chip helps."
            }
            FlashError::NotProven { .. } => {
                "Keep the camera powered and try `resume`. If it fails again, restore the newest \
                 backup."
            }
            FlashError::NeighbourLost { partition, set, only, .. } => {
                return format!(
                    "The chip erases more than it should. Keep the camera powered and copy backup \
                     {set} to a PC. Then run `mi360d resume` to restore {partition}, or `mi360d \
                     restore {set} --only {only}` (with `--did DID` from the label if FACTORY \
                     needs it). If both fail, write chip.bin of that backup with a flash \
                     programmer."
                );
            }
            FlashError::ContentChanged { .. } => {
                "The card or its file is failing or was replaced. Keep the camera powered, put \
                 the same image back, then run `resume`."
            }
            FlashError::Content(_) | FlashError::Interrupted => {
                "Keep the camera powered. With this card, run `resume`; with another card, flash \
                 the same image again."
            }
            FlashError::Protection { .. } => {
                "Nothing was written. A flash programmer can write it: RECOVERY.txt in the newest \
                 backup explains how."
            }
            FlashError::Thread(_) => "Stop other programs to free memory, then try again.",
            FlashError::Card(e) => return e.hint(),
            FlashError::Chip(e) => return e.hint(),
            FlashError::Backup(e) => return e.hint(),
        }
        .to_owned()
    }

    fn kind(&self) -> FailureKind {
        match self {
            FlashError::Content(e) if e.fault() == CardFault::Gone => FailureKind::Unavailable,
            FlashError::Card(e) => e.kind(),
            FlashError::Backup(e) => e.kind(),
            _ => FailureKind::of(self.exit()),
        }
    }

    fn exit(&self) -> Exit {
        match self {
            FlashError::WriteProtected { .. }
            | FlashError::Stuck { .. }
            | FlashError::NotKept { .. }
            | FlashError::NotProven { .. }
            | FlashError::NeighbourLost { .. } => Exit::Damaged,
            FlashError::Protection { .. } => Exit::Refused,
            FlashError::Card(e) => e.exit(),
            FlashError::Chip(e) => e.exit(),
            FlashError::Backup(e) => e.exit(),
            _ => Exit::Failed,
        }
    }
}
