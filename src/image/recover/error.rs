//! Errors of `recover`: reasons why no image can be made.

use crate::error::{Code, Exit, Explain};

/// Why nothing can be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecoverError {
    /// No part of a camera is in any file.
    #[error("no part of a camera was found in {0}")]
    Nothing(String),
    /// Nothing tells which flash map is right.
    #[error("two flash maps fit, and nothing shows which is right")]
    TwoMaps,
    /// Two cameras' identities.
    #[error("{0} and {1} have the identities of two cameras")]
    TwoIdentities(String, String),
    /// The readings have little in common.
    #[error("{0} and {1} are not readings of one chip: most of their pages differ")]
    TwoChips(String, String),
    /// Only one of two dumps has an identity.
    #[error("{0} has no identity, and {1} has one: nothing shows that both are of one camera")]
    Unsure(String, String),
    /// `--factory` is no identity.
    #[error("{0} contains no identity")]
    NoFactory(String),
    /// A part is too long for its place.
    #[error("{name} has {has} bytes, but its place has {room}")]
    TooLong {
        /// The partition.
        name: String,
        /// Bytes found.
        has: usize,
        /// Bytes of the partition.
        room: u32,
    },
}

impl Explain for RecoverError {
    fn code(&self) -> Code {
        match self {
            RecoverError::Nothing(_) => Code::NothingFound,
            RecoverError::TwoMaps => Code::TwoMaps,
            RecoverError::TwoIdentities(..) => Code::TwoIdentities,
            RecoverError::TwoChips(..) | RecoverError::Unsure(..) => Code::TwoChips,
            RecoverError::NoFactory(_) => Code::NoIdentity,
            RecoverError::TooLong { .. } => Code::TooLong,
        }
    }

    fn hint(&self) -> String {
        match self {
            RecoverError::Nothing(_) => "`mi360d inspect FILE` says what a file is.",
            RecoverError::TwoMaps => {
                "Add a file that shows the model: BOOT, KERNEL, or a FACTORY of this camera."
            }
            RecoverError::TwoIdentities(..) | RecoverError::TwoChips(..) => {
                "Use only files of one camera: its identity belongs to it alone."
            }
            RecoverError::Unsure(_, other) => {
                return format!(
                    "If {other} is of your camera too, add `--factory {other}`. For another camera's \
                     firmware use `mi360d assemble`, with your camera's own dump as --own."
                );
            }
            RecoverError::NoFactory(_) => "`mi360d inspect FILE` says what the file is.",
            RecoverError::TooLong { .. } => "It is for a model with another flash map.",
        }
        .to_owned()
    }

    fn exit(&self) -> Exit {
        Exit::Refused
    }
}
