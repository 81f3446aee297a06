//! Errors of a redaction: reasons why there is no copy that is safe to post.

use std::io;

use crate::error::{Code, Exit, Explain};

/// Why there is no safe copy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RedactError {
    /// Only of a whole chip is it known where the secrets are.
    #[error("this is not a dump of a whole chip: {0}")]
    NotADump(String),
    /// It cannot be read, or the copy not be written.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A secret was found in the copy. This is checked, and should never be.
    #[error("a secret is still in the copy, in {0}, so the copy was deleted")]
    Leak(String),
}

impl Explain for RedactError {
    fn code(&self) -> Code {
        match self {
            RedactError::NotADump(_) => Code::NotADump,
            RedactError::Io(_) => Code::Unreadable,
            RedactError::Leak(_) => Code::Leak,
        }
    }

    fn hint(&self) -> String {
        match self {
            RedactError::NotADump(_) => {
                "Read the whole chip again. In any other file the places of the secrets are \
                 unknown: do not post it."
            }
            RedactError::Io(_) => "Check the files, their permissions and the disk.",
            RedactError::Leak(_) => "Do not post this dump, and report this as a bug.",
        }
        .to_owned()
    }

    fn exit(&self) -> Exit {
        match self {
            RedactError::NotADump(_) => Exit::Refused,
            _ => Exit::Failed,
        }
    }
}
