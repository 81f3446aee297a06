//! Errors of the login.

use std::io;
use std::time::Duration;

use thiserror::Error;

use crate::card::CardError;
use crate::error::{Code, Exit, Explain, FailureKind};

/// An error of the login. None of them contains what was typed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LoginError {
    /// There is no password yet.
    #[error("no password is set yet")]
    SetupNeeded,
    /// There is one.
    #[error("a password is already set")]
    AlreadySetUp,
    /// There is no code, because it could not be put on the card.
    #[error("no setup code could be written to the card")]
    NoCode,
    /// Another code.
    #[error("this is not the code on the card")]
    WrongCode,
    /// Another password.
    #[error("the password is wrong")]
    WrongPassword,
    /// It was wrong, like many before it.
    #[error("wrong again: try again in {seconds} s")]
    TooMany {
        /// How long.
        seconds: u64,
    },
    /// It was not judged: too many tries at once.
    #[error("too many logins at once: try again in {seconds} s")]
    Crowded {
        /// How long.
        seconds: u64,
    },
    /// Nothing.
    #[error("the password is empty")]
    EmptyPassword,
    /// Fewer than 8 characters.
    #[error("the password is shorter than 8 characters")]
    ShortPassword,
    /// Beyond 1024 bytes.
    #[error("the password is longer than 1024 bytes")]
    LongPassword,
    /// A token's name is wrong.
    #[error("a token needs a name of 1 to 60 characters")]
    TokenName,
    /// There are too many.
    #[error("there are already 32 tokens")]
    TooManyTokens,
    /// No such token.
    #[error("this token does not exist")]
    NoSuchToken,
    /// The card.
    #[error(transparent)]
    Card(#[from] CardError),
    /// The system gave no random bytes.
    #[error("the system returned no random numbers")]
    Random(#[source] io::Error),
}

impl Explain for LoginError {
    fn code(&self) -> Code {
        match self {
            LoginError::SetupNeeded => Code::SetupNeeded,
            LoginError::AlreadySetUp => Code::AlreadySetUp,
            LoginError::NoCode => Code::NoSetupCode,
            LoginError::WrongCode => Code::WrongCode,
            LoginError::WrongPassword => Code::WrongPassword,
            LoginError::TooMany { .. } => Code::TooManyTries,
            LoginError::Crowded { .. } => Code::TooManyLogins,
            LoginError::EmptyPassword => Code::EmptyPassword,
            LoginError::ShortPassword => Code::ShortPassword,
            LoginError::LongPassword => Code::LongPassword,
            LoginError::TokenName => Code::TokenName,
            LoginError::TooManyTokens => Code::TooManyTokens,
            LoginError::NoSuchToken => Code::NoSuchToken,
            LoginError::Card(e) => e.code(),
            LoginError::Random(_) => Code::NoRandom,
        }
    }

    fn hint(&self) -> String {
        match self {
            LoginError::SetupNeeded | LoginError::WrongCode => {
                "The code is in mi360d/setup-code.txt on the card."
            }
            LoginError::AlreadySetUp | LoginError::WrongPassword => {
                "Forgotten? Put an empty file mi360d/reset-password on the card and restart the \
                 camera."
            }
            LoginError::NoCode => "Insert a writable card and restart the camera.",
            LoginError::TooMany { .. } => {
                "The right password still works at any time. Forgotten? Put an empty file \
                 mi360d/reset-password on the card and restart the camera."
            }
            LoginError::Crowded { .. } => {
                "Somebody may be guessing your password. Try again in a few seconds."
            }
            LoginError::EmptyPassword | LoginError::ShortPassword => "Use at least 8 characters.",
            LoginError::LongPassword => "Choose a shorter one.",
            LoginError::TokenName => {
                "Name it after the program that uses it, for example Home \
                Assistant."
            }
            LoginError::TooManyTokens => "Revoke one that is no longer used.",
            LoginError::NoSuchToken => "GET /api/v1/tokens lists the tokens.",
            LoginError::Card(e) => return e.hint(),
            LoginError::Random(_) => "Restart the camera.",
        }
        .to_owned()
    }

    fn kind(&self) -> FailureKind {
        match self {
            LoginError::WrongPassword | LoginError::WrongCode | LoginError::SetupNeeded => {
                FailureKind::Login
            }
            LoginError::TooMany { .. } | LoginError::Crowded { .. } => FailureKind::TooMany,
            LoginError::EmptyPassword
            | LoginError::ShortPassword
            | LoginError::LongPassword
            | LoginError::TokenName => FailureKind::Invalid,
            LoginError::NoSuchToken => FailureKind::Missing,
            LoginError::Card(e) => e.kind(),
            _ => FailureKind::of(self.exit()),
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            LoginError::TooMany { seconds } | LoginError::Crowded { seconds } => {
                Some(Duration::from_secs(*seconds))
            }
            _ => None,
        }
    }

    fn exit(&self) -> Exit {
        match self {
            LoginError::Card(e) => e.exit(),
            LoginError::Random(_) => Exit::Failed,
            LoginError::EmptyPassword | LoginError::ShortPassword | LoginError::LongPassword => {
                Exit::Usage
            }
            _ => Exit::Refused,
        }
    }
}
