//! Errors of the flash chip.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::error::{Code, Exit, Explain};

/// An error of a chip, real or simulated.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ChipError {
    /// A read failed.
    #[error("{partition} cannot be read at {offset:#x}")]
    Read {
        /// The partition's name.
        partition: String,
        /// Bytes from its start.
        offset: u32,
        /// The driver's reason.
        source: io::Error,
    },
    /// An erase failed.
    #[error("{partition} cannot be erased at {offset:#x}")]
    Erase {
        /// The partition's name.
        partition: String,
        /// Bytes from its start.
        offset: u32,
        /// The driver's reason.
        source: io::Error,
    },
    /// A program operation failed.
    #[error("{partition} cannot be programmed at {offset:#x}")]
    Program {
        /// The partition's name.
        partition: String,
        /// Bytes from its start.
        offset: u32,
        /// The driver's reason.
        source: io::Error,
    },
    /// Protection could not be lifted or restored.
    #[error(
        "the write protection of {partition} at {offset:#x}, {length:#x} bytes, cannot be changed"
    )]
    Protect {
        /// The partition's name.
        partition: String,
        /// Bytes from its start.
        offset: u32,
        /// Bytes.
        length: u32,
        /// The driver's reason.
        source: io::Error,
    },
    /// An access beyond the partition.
    #[error("{partition} has {size:#x} bytes; {offset:#x} with {length:#x} more is beyond its end")]
    OutOfRange {
        /// The partition's name.
        partition: String,
        /// Its size in bytes.
        size: u32,
        /// Where the access starts.
        offset: u32,
        /// How long it is, in bytes.
        length: usize,
    },
    /// The map cannot be had.
    #[error("the flash map cannot be read from {}: {reason}", path.display())]
    Map {
        /// Where it was looked for.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// A file of a simulated camera is not as it must be.
    #[error("{} is not a simulated camera: {reason}", path.display())]
    Sim {
        /// The file or folder.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// A word in `MI360D_SIM_FAULTS` means nothing.
    #[error("MI360D_SIM_FAULTS: '{word}' is not a fault: {reason}")]
    Fault {
        /// The word.
        word: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The simulated power is gone.
    #[error("the simulated power failed")]
    PowerCut,
}

impl Explain for ChipError {
    fn code(&self) -> Code {
        match self {
            ChipError::Read { .. } => Code::ChipRead,
            ChipError::Erase { .. } => Code::ChipErase,
            ChipError::Program { .. } => Code::ChipProgram,
            ChipError::Protect { .. } => Code::ChipProtect,
            ChipError::OutOfRange { .. } => Code::ChipRange,
            ChipError::Map { .. } => Code::NoFlashMap,
            ChipError::Sim { .. } => Code::BadSimulatedCamera,
            ChipError::Fault { .. } => Code::BadFault,
            ChipError::PowerCut => Code::PowerCut,
        }
    }

    fn hint(&self) -> String {
        match self {
            ChipError::Read { .. } => {
                "Everything else can still be saved: make a backup now, and keep the card.".into()
            }
            ChipError::Map { .. } => "On a PC, use a simulated camera with --sim DIR; `mi360d sim \
                create DIR` makes one."
                .into(),
            ChipError::Sim { .. } => {
                "`mi360d sim create DIR` makes a simulated camera in an empty folder.".into()
            }
            ChipError::Fault { .. } => {
                "Known are cut@N, flip@OFFSET:BIT, stuck@OFFSET, eio@OFFSET and wp@OFFSET.".into()
            }
            ChipError::Erase { .. } | ChipError::Program { .. } => {
                "The chip may be write-protected; nothing more was written.".into()
            }
            ChipError::Protect { .. } => {
                "Nothing was written. A flash programmer can change the chip's protection.".into()
            }
            ChipError::OutOfRange { .. } => "This is a bug: report it.".into(),
            ChipError::PowerCut => {
                "Start again: the program continues from the state on the card.".into()
            }
        }
    }

    fn exit(&self) -> Exit {
        match self {
            ChipError::Fault { .. } => Exit::Usage,
            _ => Exit::Failed,
        }
    }
}
