//! Properties that every error of the program has in addition to its text: a stable code, a hint
//! for the owner, and the exit status. No error is defined here: each module has its own.

mod code;

use std::fmt;
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
pub enum FailureKind {
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

impl FailureKind {
    /// The kind of an exit status.
    pub fn of(exit: Exit) -> FailureKind {
        match exit {
            Exit::Usage => FailureKind::Usage,
            Exit::Refused => FailureKind::Refused,
            _ => FailureKind::Failed,
        }
    }
}

/// An error's text and those of all its causes, with a colon between them, for page, terminal and
/// log. An error has its cause in `source()` only, so each is said once.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// The same, to be formatted.
pub struct Chain<'a>(pub &'a dyn std::error::Error);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&chain(self.0))
    }
}

/// What is shown with an error's text.
pub trait Explain: std::error::Error {
    /// What kind of error it is: scripts rely on its name.
    fn code(&self) -> Code;
    /// The next step for the owner, a whole sentence.
    fn hint(&self) -> String;
    /// The kind of error: page and terminal derive their status from it.
    fn kind(&self) -> FailureKind {
        FailureKind::of(self.exit())
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
    use std::fs;
    use std::path::{Path, PathBuf};

    use super::*;

    #[derive(Debug, thiserror::Error)]
    enum Broken {
        #[error("the card cannot be read")]
        Card(#[source] std::io::Error),
        #[error("no backup was made")]
        Backup(#[source] Box<Broken>),
    }

    #[test]
    fn every_cause_is_said_once() {
        let fault = Broken::Card(std::io::Error::other("the medium is worn"));
        let deep = Broken::Backup(Box::new(fault));
        let said = "no backup was made: the card cannot be read: the medium is worn";
        assert_eq!(chain(&deep), said);
        assert_eq!(Chain(&deep).to_string(), said);
    }

    fn sources(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, found);
            } else if path.extension().is_some_and(|kind| kind == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path, text));
            }
        }
    }

    #[test]
    fn no_error_has_its_cause_in_its_own_text_too() {
        let mut found = Vec::new();
        sources(Path::new("src"), &mut found);
        let mut looked_at = 0;
        for (path, text) in &found {
            for after in text.split("#[error(").skip(1) {
                let Some((said, variant)) = after.split_once(")]") else { continue };
                let variant = variant.split("\n}").next().unwrap_or_default();
                let named = variant.contains("source:");
                if named || variant.contains("#[source]") || variant.contains("#[from]") {
                    looked_at += 1;
                    let twice = said.contains("{source") || said.contains("{0");
                    assert!(!twice, "{}: {said}", path.display());
                }
            }
        }
        assert!(looked_at > 40, "{looked_at}");
    }
}
