//! What every error of the program has in addition to its text: a stable code,
//! a hint for the owner, and the exit status. No error is defined here: each
//! module has its own.

mod code;

use std::time::Duration;

pub use code::Code;

/// The exit status of the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// Failed.
    Failed = 1,
    /// Wrong use.
    Usage = 2,
    /// Refused: a blocker or a safety rule; nothing was changed.
    Refused = 3,
    /// Damage was found, or what was written does not read back.
    Damaged = 4,
    /// Interrupted; `resume` continues.
    Interrupted = 5,
    /// The daemon must be started again: the card has a newer program. For the hook.
    Again = 10,
}

/// What kind of error it is, beyond the exit status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It failed.
    Failed,
    /// The request makes no sense.
    Usage,
    /// It makes sense, but a value in it is not accepted.
    Invalid,
    /// The login is missing or wrong.
    Login,
    /// It does not exist.
    Missing,
    /// Not possible in the present state.
    Refused,
    /// It is larger than the limit.
    TooLarge,
    /// Too many tries.
    TooMany,
    /// The card has no room.
    Full,
    /// Something that it needs is missing now, and may exist later.
    Unavailable,
    /// It was sent, but not confirmed in time.
    Unconfirmed,
}

impl Kind {
    /// The kind of an exit status.
    pub fn of(exit: Exit) -> Kind {
        match exit {
            Exit::Usage => Kind::Usage,
            Exit::Refused => Kind::Refused,
            _ => Kind::Failed,
        }
    }
}

/// An error's words and those of all its causes: the one text that page and terminal show. A cause
/// that the words before it contain already is not said again.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let words = cause.to_string();
        if !words.is_empty() && !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        source = cause.source();
    }
    text
}

/// What is shown with an error's text.
pub trait Explain: std::error::Error {
    /// What kind of error it is: scripts rely on its name.
    fn code(&self) -> Code;
    /// The next step for the owner, a whole sentence.
    fn hint(&self) -> String;
    /// The kind of error: page and terminal derive their status from it.
    fn kind(&self) -> Kind {
        Kind::of(self.exit())
    }
    /// After how long to try again, if known.
    fn retry_after(&self) -> Option<Duration> {
        None
    }
    /// The exit status of the command line.
    fn exit(&self) -> Exit {
        Exit::Failed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    enum Fault {
        #[error("the card: {0}")]
        Said(#[source] std::io::Error),
        #[error("no backup was made")]
        Unsaid(#[source] Box<Fault>),
    }

    #[test]
    fn every_cause_is_said_once() {
        let io = || std::io::Error::other("the medium is worn");
        assert_eq!(chain(&Fault::Said(io())), "the card: the medium is worn");
        let deep = Fault::Unsaid(Box::new(Fault::Said(io())));
        assert_eq!(chain(&deep), "no backup was made: the card: the medium is worn");
    }
}
