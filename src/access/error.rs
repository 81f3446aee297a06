//! Why somebody does not come in.

use std::io;
use std::time::Duration;

use thiserror::Error;

use crate::card::CardError;
use crate::error::{Code, Exit, Explain, Kind};

/// An error of the login. None of them holds what was typed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LoginError {
    /// There is no password yet.
    #[error("no password is set yet")]
    SetupNeeded,
    /// There is one.
    #[error("a password is set already")]
    AlreadySetUp,
    /// There is no code, because it could not be put on the card.
    #[error("there is no setup code: the card cannot be written")]
    NoCode,
    /// Another code.
    #[error("that is not the code on the card")]
    WrongCode,
    /// Another password.
    #[error("that is not the password")]
    WrongPassword,
    /// It was wrong, like many before it.
    #[error("wrong again: wait {seconds} s before the next try")]
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
    #[error("an empty password is not taken")]
    EmptyPassword,
    /// Fewer than 8 characters.
    #[error("a password has at least 8 characters")]
    ShortPassword,
    /// Beyond 1024 bytes.
    #[error("a password has at most 1024 bytes")]
    LongPassword,
    /// A token's name is wrong.
    #[error("a token needs a name of 1 to 60 characters")]
    TokenName,
    /// There are too many.
    #[error("there are 32 tokens already")]
    TooManyTokens,
    /// No such token.
    #[error("there is no such token")]
    NoSuchToken,
    /// The card.
    #[error(transparent)]
    Card(#[from] CardError),
    /// The system gave no random bytes.
    #[error("the system gives no random numbers: {0}")]
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
                "Forgotten? Put an empty file mi360d/reset-password on the card and restart."
            }
            LoginError::NoCode => "Put in a card that can be written, and restart.",
            LoginError::TooMany { .. } => {
                "Nobody is locked out: the right one opens at any time. Forgotten? Put an empty file \
                 mi360d/reset-password on the card and restart."
            }
            LoginError::Crowded { .. } => {
                "Somebody may be guessing your password. Try again in a few seconds."
            }
            LoginError::EmptyPassword | LoginError::ShortPassword => "Use at least 8 characters.",
            LoginError::LongPassword => "Take a shorter one.",
            LoginError::TokenName => "Name it after what uses it, as in: Home Assistant.",
            LoginError::TooManyTokens => "Revoke one that is no longer used.",
            LoginError::NoSuchToken => "GET /api/v1/tokens lists them.",
            LoginError::Card(e) => return e.hint(),
            LoginError::Random(_) => "Restart the camera.",
        }
        .to_owned()
    }

    fn kind(&self) -> Kind {
        match self {
            LoginError::WrongPassword | LoginError::WrongCode | LoginError::SetupNeeded => {
                Kind::Login
            }
            LoginError::TooMany { .. } | LoginError::Crowded { .. } => Kind::TooMany,
            LoginError::EmptyPassword
            | LoginError::ShortPassword
            | LoginError::LongPassword
            | LoginError::TokenName => Kind::Invalid,
            LoginError::NoSuchToken => Kind::Missing,
            LoginError::Card(e) => e.kind(),
            _ => Kind::of(self.exit()),
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
