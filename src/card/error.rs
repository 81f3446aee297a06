//! Errors of the card.

use std::io;
use std::path::{Path, PathBuf};

use nix::libc;
use thiserror::Error;

use crate::error::{Code, Exit, Explain, FailureKind};

/// An operation on the card that failed.
#[derive(Debug, Error)]
#[error("{}: {what}", path.display())]
pub struct CardError {
    /// The action that failed, as in "cannot write".
    pub what: &'static str,
    /// The file or folder.
    pub path: PathBuf,
    /// The system's reason.
    pub source: io::Error,
}

/// What a failure says about the card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CardFault {
    /// No room.
    Full,
    /// Cannot be written.
    ReadOnly,
    /// Gone, or failing.
    Gone,
    /// What was written does not read back.
    Lying,
    /// Another program uses it.
    Busy,
    /// The firmware formats or ejects it: see [`super::claim`].
    Claimed,
    /// Something else.
    Other,
}

impl CardError {
    /// An error of the system at `path`.
    pub fn new(what: &'static str, path: &Path, source: io::Error) -> CardError {
        CardError { what, path: path.to_owned(), source }
    }

    /// There is no card.
    pub fn missing(root: &Path) -> CardError {
        CardError::new("no card", root, io::Error::from_raw_os_error(libc::ENODEV))
    }

    /// The card cannot be written.
    pub fn read_only(root: &Path) -> CardError {
        CardError::new("cannot write", root, io::Error::from_raw_os_error(libc::EROFS))
    }

    /// What was written does not read back.
    pub fn lying(path: &Path) -> CardError {
        let reason = io::Error::new(
            io::ErrorKind::InvalidData,
            "what was written reads back wrong from the card",
        );
        CardError::new("not verified", path, reason)
    }

    /// The fault of the card that it shows.
    pub fn fault(&self) -> CardFault {
        if self.source.kind() == io::ErrorKind::InvalidData {
            return CardFault::Lying;
        }
        if self.source.kind() == io::ErrorKind::ResourceBusy && self.source.raw_os_error().is_none()
        {
            return CardFault::Claimed;
        }
        match self.source.raw_os_error() {
            Some(libc::ENOSPC | libc::EDQUOT | libc::EFBIG) => CardFault::Full,
            Some(libc::EROFS | libc::EACCES | libc::EPERM) => CardFault::ReadOnly,
            Some(libc::EIO | libc::ENODEV | libc::ENXIO | libc::ENOENT) => CardFault::Gone,
            Some(libc::EAGAIN) => CardFault::Busy,
            _ => CardFault::Other,
        }
    }
}

impl Explain for CardError {
    fn code(&self) -> Code {
        match self.fault() {
            CardFault::Full => Code::CardFull,
            CardFault::ReadOnly => Code::CardReadOnly,
            CardFault::Gone => Code::CardMissing,
            CardFault::Lying => Code::CardLies,
            CardFault::Busy => Code::Busy,
            CardFault::Claimed => Code::CardClaimed,
            CardFault::Other => Code::CardError,
        }
    }

    fn hint(&self) -> String {
        match self.fault() {
            CardFault::Full => {
                "Delete old backups, or free at least 40 MiB on the card with a PC, then try \
                 again."
            }
            CardFault::ReadOnly => {
                "Check the card's write-protect switch. If Linux made the card read-only, it has \
                 errors: check it on a PC, or use another card."
            }
            CardFault::Gone => {
                "Insert a card formatted as FAT32 and restart the camera. A card that keeps \
                 disappearing is worn: copy what is on it and use another card."
            }
            CardFault::Lying => "The card loses data. Copy what is on it and use another card.",
            CardFault::Claimed => {
                "The camera's own app formats or ejects the card. It is used again when it is \
                 back."
            }
            CardFault::Busy => "Another backup or flash is running; wait until it ends.",
            CardFault::Other => "Check the card on a PC. If it has errors, use another card.",
        }
        .to_owned()
    }

    fn kind(&self) -> FailureKind {
        match self.fault() {
            CardFault::Full => FailureKind::Full,
            CardFault::ReadOnly | CardFault::Gone => FailureKind::Unavailable,
            _ => FailureKind::of(self.exit()),
        }
    }

    fn exit(&self) -> Exit {
        match self.fault() {
            CardFault::Busy | CardFault::Claimed => Exit::Refused,
            CardFault::Lying => Exit::Damaged,
            _ => Exit::Failed,
        }
    }
}
