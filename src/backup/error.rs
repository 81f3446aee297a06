//! Errors of making, finding and verifying a backup.

use thiserror::Error;

use crate::card::CardError;
use crate::chip::ChipError;
use crate::error::{Code, Exit, Explain, FailureKind};

/// An error of the backup.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BackupError {
    /// The card failed.
    #[error(transparent)]
    Card(#[from] CardError),
    /// The chip failed.
    #[error(transparent)]
    Chip(#[from] ChipError),
    /// Too little room for a set.
    #[error("the card has {free} MiB free, a backup needs {needed} MiB")]
    NoRoom {
        /// MiB free.
        free: u64,
        /// MiB needed.
        needed: u64,
    },
    /// The chip never gave the same bytes twice.
    #[error("no two readings of {partition} agree")]
    Unsettled {
        /// The partition's name.
        partition: String,
    },
    /// The card does not hold what was written.
    #[error("the new backup reads back wrong from the card: {file}")]
    NotProven {
        /// The file in the set.
        file: String,
    },
    /// A thread could not be started.
    #[error("no thread could be started")]
    Thread(#[source] std::io::Error),
    /// A part of the work ended, and its own error says why.
    #[error("the backup was interrupted")]
    Interrupted,
    /// No set of this name.
    #[error("there is no backup '{name}'")]
    NoSuchSet {
        /// What was asked for.
        name: String,
    },
    /// All numbers are taken.
    #[error("the card has backup number 9999: there is no next number")]
    NumbersUsedUp,
}

impl Explain for BackupError {
    fn code(&self) -> Code {
        match self {
            BackupError::Card(e) => e.code(),
            BackupError::Chip(e) => e.code(),
            BackupError::NoRoom { .. } => Code::CardFull,
            BackupError::Unsettled { .. } => Code::ChipUnsettled,
            BackupError::NotProven { .. } => Code::CardLies,
            BackupError::Thread(_) => Code::NoThread,
            BackupError::Interrupted => Code::Interrupted,
            BackupError::NoSuchSet { .. } => Code::NoSuchBackup,
            BackupError::NumbersUsedUp => Code::NumbersUsedUp,
        }
    }

    fn hint(&self) -> String {
        match self {
            BackupError::Card(e) => e.hint(),
            BackupError::Chip(e) => e.hint(),
            BackupError::NoRoom { .. } => "Delete old backups, or free space on the card with a \
                PC, then try again."
                .into(),
            BackupError::Unsettled { .. } => "The flash chip or its power supply is failing. Keep \
                what is on the card, and try another power supply."
                .into(),
            BackupError::NotProven { .. } => "The card loses data. Copy what is on it and use \
                another card."
                .into(),
            BackupError::Thread(_) => "Stop other programs to free memory, then try again.".into(),
            BackupError::Interrupted => "Try again; if it happens again, report it.".into(),
            BackupError::NoSuchSet { .. } => {
                "`mi360d backups` lists the backups on the card.".into()
            }
            BackupError::NumbersUsedUp => {
                "Move old backups from the card to a PC, then try again.".into()
            }
        }
    }

    fn kind(&self) -> FailureKind {
        match self {
            BackupError::NoRoom { .. } => FailureKind::Full,
            BackupError::NoSuchSet { .. } => FailureKind::Missing,
            BackupError::Card(e) => e.kind(),
            _ => FailureKind::of(self.exit()),
        }
    }

    fn exit(&self) -> Exit {
        match self {
            BackupError::Card(e) => e.exit(),
            BackupError::Chip(e) => e.exit(),
            BackupError::NoSuchSet { .. } => Exit::Usage,
            BackupError::NotProven { .. } => Exit::Damaged,
            _ => Exit::Failed,
        }
    }
}
