//! Errors of the PC, its programmer and the chip. Each says in which state the chip is.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::backup::BackupError;
use crate::card::CardError;
use crate::error::{Code, Exit, Explain};
use crate::image::{Finding, InspectError};

/// Why a command for the programmer did not reach its end.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ProgrammerError {
    /// There is no flashrom on the PATH.
    #[error("flashrom is not installed")]
    NoFlashrom,
    /// flashrom could not be started.
    #[error("flashrom cannot be started")]
    Start(#[source] io::Error),
    /// The programmer does not answer, or its name is unknown.
    #[error("flashrom cannot use the programmer {programmer}: {reason}")]
    NoProgrammer {
        /// Its name.
        programmer: String,
        /// flashrom's own words.
        reason: String,
    },
    /// No chip answers.
    #[error("no flash chip answers")]
    NoChip,
    /// Several chips fit.
    #[error("several chips match: {}", names.join(", "))]
    Ambiguous {
        /// What `--chip` takes.
        names: Vec<String>,
    },
    /// The chip is not of the size of these cameras' chips.
    #[error("the chip has {found} bytes, the image has {wanted}")]
    OtherSize {
        /// The chip's bytes.
        found: u64,
        /// The image's bytes.
        wanted: u64,
    },
    /// flashrom failed while it only read.
    #[error("reading failed: {reason}")]
    Read {
        /// flashrom's own words.
        reason: String,
    },
    /// No two of the readings agree.
    #[error("{readings} readings of the chip all differ: {}", places.join("; "))]
    Unsettled {
        /// How many there are.
        readings: usize,
        /// Where they differ.
        places: Vec<String>,
        /// Where they are kept.
        folder: PathBuf,
    },
    /// A file or folder is there already.
    #[error("{} already exists", .0.display())]
    Exists(PathBuf),
    /// A file on the PC cannot be read or written.
    #[error("{} cannot be used", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// A file or folder on the PC cannot be used.
    #[error(transparent)]
    Folder(#[from] CardError),
    /// The reading cannot be kept as a set.
    #[error(transparent)]
    Set(#[from] BackupError),
    /// The image cannot be inspected.
    #[error(transparent)]
    Inspect(#[from] InspectError),
    /// The image must not be written to this chip.
    #[error("{}", .0.first().map_or("the image is refused", |f| f.reason.as_str()))]
    Refused(Vec<Finding>),
    /// The protection cannot be lifted; nothing was written.
    #[error("the chip's write protection cannot be lifted: {reason}")]
    Protected {
        /// flashrom's own words.
        reason: String,
    },
    /// flashrom ended in the middle of a write.
    #[error("writing was interrupted: {reason}")]
    Interrupted {
        /// flashrom's own words.
        reason: String,
    },
    /// What was written does not read back.
    #[error("the chip does not contain what was written: {reason}")]
    NotVerified {
        /// The first place, or flashrom's own words.
        reason: String,
    },
    /// flashrom failed and says that it changed nothing.
    #[error("flashrom could not write, and changed nothing: {reason}")]
    Unchanged {
        /// flashrom's own words.
        reason: String,
    },
}

impl Explain for ProgrammerError {
    fn code(&self) -> Code {
        match self {
            ProgrammerError::NoFlashrom => Code::NoFlashrom,
            ProgrammerError::Start(_) => Code::Flashrom,
            ProgrammerError::NoProgrammer { .. } => Code::NoProgrammer,
            ProgrammerError::NoChip => Code::NoChip,
            ProgrammerError::Ambiguous { .. } => Code::SeveralChips,
            ProgrammerError::OtherSize { .. } => Code::WrongSize,
            ProgrammerError::Read { .. } => Code::ProgrammerRead,
            ProgrammerError::Unsettled { .. } => Code::ReadingsDiffer,
            ProgrammerError::Exists(_) => Code::FileExists,
            ProgrammerError::File { .. } => Code::File,
            ProgrammerError::Folder(e) => e.code(),
            ProgrammerError::Set(e) => e.code(),
            ProgrammerError::Inspect(e) => e.code(),
            ProgrammerError::Refused(findings) => {
                findings.first().map_or(Code::Refused, |f| Code::Finding(f.code))
            }
            ProgrammerError::Protected { .. } => Code::ChipProtected,
            ProgrammerError::Interrupted { .. } => Code::Interrupted,
            ProgrammerError::NotVerified { .. } => Code::NotVerified,
            ProgrammerError::Unchanged { .. } => Code::NothingWritten,
        }
    }

    fn hint(&self) -> String {
        let text = match self {
            ProgrammerError::NoFlashrom => {
                "Install it (Debian and Ubuntu: sudo apt install flashrom), then run this again."
            }
            ProgrammerError::Start(_) => "Check that flashrom itself runs: flashrom --version.",
            ProgrammerError::NoProgrammer { .. } => {
                "Nothing was changed. Check the USB cable, run this as root, or name the \
                 programmer: --programmer NAME, as flashrom calls it."
            }
            ProgrammerError::NoChip => {
                "Nothing was changed. Turn the camera's power off and reseat the clip: pin 1 of \
                 the clip goes to the chip's dot. Then run the same command again."
            }
            ProgrammerError::Ambiguous { names } => {
                return format!(
                    "Nothing was changed. Read the chip's label and name it: --chip \"{}\".",
                    names.first().map_or("NAME", String::as_str)
                );
            }
            ProgrammerError::OtherSize { .. } => {
                "Nothing was changed. Use an image of the whole chip, as assemble and recover \
                 make it."
            }
            ProgrammerError::Read { .. } => {
                "Nothing was changed on the chip. Reseat the clip and run the same command again."
            }
            ProgrammerError::Unsettled { folder, .. } => {
                return format!(
                    "Nothing was changed. The contact is bad: reseat the clip, shorten the cable, \
                     and read again. All readings are kept in {}.",
                    folder.display()
                );
            }
            ProgrammerError::Exists(_) => {
                "Choose another name, or move this one away: nothing is ever overwritten."
            }
            ProgrammerError::File { .. } => "Check the path, its permissions and the disk.",
            ProgrammerError::Folder(e) => return e.hint(),
            ProgrammerError::Set(e) => return e.hint(),
            ProgrammerError::Inspect(e) => return e.hint(),
            ProgrammerError::Refused(findings) => {
                return findings.first().map(|f| f.hint.clone()).unwrap_or_default();
            }
            ProgrammerError::Protected { .. } => {
                "Nothing was written. Check that the chip's WP pin is connected to 3.3 V through \
                 the clip, and run the same command again."
            }
            ProgrammerError::Interrupted { .. } => {
                "The chip is partly written, and what it contained before is kept. Reseat the \
                 clip and run the same command again: it continues."
            }
            ProgrammerError::NotVerified { .. } => {
                "Reseat the clip and run the same command again: it writes only what is still \
                 different. If it fails at the same place again, the chip is worn out."
            }
            ProgrammerError::Unchanged { .. } => {
                "The chip contains what it did before. Reseat the clip and run the same command \
                 again."
            }
        };
        text.to_owned()
    }

    fn exit(&self) -> Exit {
        match self {
            ProgrammerError::Exists(_)
            | ProgrammerError::OtherSize { .. }
            | ProgrammerError::Refused(_)
            | ProgrammerError::Protected { .. } => Exit::Refused,
            ProgrammerError::Unsettled { .. } | ProgrammerError::NotVerified { .. } => {
                Exit::Damaged
            }
            ProgrammerError::Interrupted { .. } => Exit::Interrupted,
            ProgrammerError::Folder(e) => e.exit(),
            ProgrammerError::Set(e) => e.exit(),
            ProgrammerError::Inspect(e) => e.exit(),
            _ => Exit::Failed,
        }
    }
}

pub fn file_error(path: &Path, source: io::Error) -> ProgrammerError {
    ProgrammerError::File { path: path.to_owned(), source }
}
