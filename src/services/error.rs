//! Errors of hacks, their settings, and requests about them.

use std::fmt;
use std::path::PathBuf;

use thiserror::Error;

use crate::card::CardError;
use crate::error::{Code, Exit, Explain, FailureKind};

/// What is wrong with a `hack.toml`, and where.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct ManifestError {
    /// Line of the file, from 1; `None` where it is about the folder.
    pub line: Option<usize>,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: String,
}

impl ManifestError {
    /// A fault without a line.
    pub fn new(message: impl Into<String>, hint: impl Into<String>) -> ManifestError {
        ManifestError { line: None, message: message.into(), hint: hint.into() }
    }
}

impl fmt::Display for ManifestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "line {line}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

/// Why a wish about hacks was not fulfilled.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ServiceError {
    /// There is no such hack.
    #[error("the hack '{0}' does not exist")]
    Unknown(String),
    /// Its `hack.toml` is broken.
    #[error("the hack '{id}' is broken: {fault}")]
    Broken {
        /// The hack.
        id: String,
        /// What is wrong with it.
        fault: ManifestError,
    },
    /// It cannot run here.
    #[error("the hack '{id}' cannot run here: {reason}")]
    Unavailable {
        /// The hack.
        id: String,
        /// Why.
        reason: String,
    },
    /// A setting's value is wrong, or there is no such setting.
    #[error("setting '{name}': {reason}")]
    Setting {
        /// The setting.
        name: String,
        /// What is wrong; never the value.
        reason: String,
    },
    /// `config.toml` cannot be changed because it is broken.
    #[error("config.toml has an error: {0}")]
    Config(String),
    /// A list of keys is wrong.
    #[error("line {line} of the keys: {reason}")]
    Key {
        /// Line, from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// A file of the original hack is not as expected.
    #[error("{}: {reason}", path.display())]
    Original {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Something of the framegrabber cannot be done.
    #[error("{reason}")]
    Framegrabber {
        /// Why.
        reason: String,
        /// What to do.
        hint: &'static str,
    },
    /// The services do not run: safe mode, or a command of the terminal.
    #[error("no hacks are running: {0}")]
    NotRunning(&'static str),
    /// The card.
    #[error(transparent)]
    Card(#[from] CardError),
}

impl Explain for ServiceError {
    fn code(&self) -> Code {
        match self {
            ServiceError::Unknown(_) => Code::NoSuchService,
            ServiceError::Broken { .. } => Code::HackToml,
            ServiceError::Unavailable { .. } => Code::ServiceUnavailable,
            ServiceError::Setting { .. } => Code::Setting,
            ServiceError::Config(_) => Code::Config,
            ServiceError::Key { .. } => Code::SshKey,
            ServiceError::Original { .. } => Code::OriginalHack,
            ServiceError::Framegrabber { .. } => Code::Framegrabber,
            ServiceError::NotRunning(_) => Code::ServicesOff,
            ServiceError::Card(e) => e.code(),
        }
    }

    fn hint(&self) -> String {
        match self {
            ServiceError::Unknown(_) => "Each folder in hacks/ on the card is one hack.".into(),
            ServiceError::Broken { fault, .. } => fault.hint.clone(),
            ServiceError::Unavailable { .. } => "The other hacks are not affected.".into(),
            ServiceError::Setting { .. } => {
                "Nothing was saved. Correct the value and save again.".into()
            }
            ServiceError::Config(_) => {
                "Correct mi360d/config.toml on the card, or remove it to use the defaults.".into()
            }
            ServiceError::Key { .. } => {
                "One key per line, as in the .pub file on your PC, for example \
                 ~/.ssh/id_ed25519.pub."
                    .into()
            }
            ServiceError::Original { .. } => {
                "Restore the file from the original hack's release.".into()
            }
            ServiceError::Framegrabber { hint, .. } => (*hint).into(),
            ServiceError::NotRunning(_) => {
                "Restart the camera. In safe mode, find out first why three starts failed.".into()
            }
            ServiceError::Card(e) => e.hint(),
        }
    }

    fn kind(&self) -> FailureKind {
        match self {
            ServiceError::Unknown(_) => FailureKind::Missing,
            ServiceError::Setting { .. } | ServiceError::Key { .. } => FailureKind::Invalid,
            ServiceError::Card(e) => e.kind(),
            _ => FailureKind::of(self.exit()),
        }
    }

    fn exit(&self) -> Exit {
        match self {
            ServiceError::Card(e) => e.exit(),
            ServiceError::Unknown(_) | ServiceError::Setting { .. } | ServiceError::Key { .. } => {
                Exit::Usage
            }
            _ => Exit::Refused,
        }
    }
}
