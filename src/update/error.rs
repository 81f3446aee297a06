//! Errors of a release.

use thiserror::Error;

use crate::card::CardError;
use crate::error::{Code, Exit, Explain, FailureKind, chain};
use crate::formats::zip::ZipError;

/// Errors of a release.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum UpdateError {
    /// It is no release.
    #[error("this is not a release of mi360d: {0}")]
    NoRelease(String),
    /// It is one, and not whole.
    #[error("the release is damaged: {0}")]
    Damaged(String),
    /// Its program is for another machine.
    #[error("the release is not for this camera: {0}")]
    OtherMachine(String),
    /// Its signature is wrong: worse than none.
    #[error("the release's signature is wrong: {0}")]
    Forged(String),
    /// The phrase is needed, or is another one.
    #[error("type the phrase: {0}")]
    Phrase(String),
    /// It is already installed.
    #[error("this release is already installed")]
    Same,
    /// A simulated camera.
    #[error("a simulated camera runs this PC's program")]
    Simulated,
    /// The card has no room.
    #[error("the card has {free} KiB free, this needs {needed}")]
    NoRoom {
        /// KiB free.
        free: u64,
        /// KiB needed.
        needed: u64,
    },
    /// The card.
    #[error(transparent)]
    Card(#[from] CardError),
}

impl From<ZipError> for UpdateError {
    fn from(e: ZipError) -> UpdateError {
        match e {
            ZipError::NoZip => UpdateError::NoRelease(e.to_string()),
            other => UpdateError::Damaged(chain(&other)),
        }
    }
}

impl Explain for UpdateError {
    fn code(&self) -> Code {
        match self {
            UpdateError::NoRelease(_) => Code::NoRelease,
            UpdateError::Damaged(_) => Code::ReleaseDamaged,
            UpdateError::OtherMachine(_) => Code::ReleaseOtherMachine,
            UpdateError::Forged(_) => Code::ReleaseForged,
            UpdateError::Phrase(_) => Code::PhraseNeeded,
            UpdateError::Same => Code::NothingToDo,
            UpdateError::Simulated => Code::Simulated,
            UpdateError::NoRoom { .. } => Code::CardFull,
            UpdateError::Card(e) => e.code(),
        }
    }

    fn hint(&self) -> String {
        match self {
            UpdateError::NoRelease(_) => "Upload the release zip as you downloaded it.",
            UpdateError::Damaged(_) => {
                "Nothing was changed. Download it again, then upload it \
                again."
            }
            UpdateError::OtherMachine(_) => "Nothing was changed. Use the release for the camera.",
            UpdateError::Forged(_) => {
                "Nothing was changed. It may have been altered: download it from the project's \
                 own page."
            }
            UpdateError::Phrase(_) => {
                "Nothing was changed. This release is not signed: type the phrase only if you \
                 built it yourself or trust its source."
            }
            UpdateError::Same => "There is nothing to do.",
            UpdateError::Simulated => "On a PC, build and start the newer program.",
            UpdateError::NoRoom { .. } => "Delete old images or backups, or use a larger card.",
            UpdateError::Card(e) => return e.hint(),
        }
        .to_owned()
    }

    fn kind(&self) -> FailureKind {
        match self {
            UpdateError::NoRelease(_)
            | UpdateError::Damaged(_)
            | UpdateError::Forged(_)
            | UpdateError::OtherMachine(_) => FailureKind::Invalid,
            UpdateError::NoRoom { .. } => FailureKind::Full,
            UpdateError::Card(e) => e.kind(),
            _ => FailureKind::of(self.exit()),
        }
    }

    fn exit(&self) -> Exit {
        match self {
            UpdateError::Card(e) => e.exit(),
            UpdateError::Damaged(_) | UpdateError::Forged(_) => Exit::Damaged,
            _ => Exit::Refused,
        }
    }
}
