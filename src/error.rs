//! What every error of the program can tell besides its text: a stable code,
//! a hint for the owner, and the exit status. No error is defined here; each
//! module has its own.

/// The exit status of the command line, in the meanings of the contract.
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
    /// Interrupted; `resume` goes on.
    Interrupted = 5,
    /// The daemon is to be started again: the card holds a newer program. For the hook.
    Again = 10,
}

/// What stands beside an error's text wherever it is shown.
pub trait Explain: std::error::Error {
    /// A stable name of this kind of error, in kebab-case: scripts rely on it.
    fn code(&self) -> &'static str;
    /// The next step for the owner, a whole sentence.
    fn hint(&self) -> String;
    /// What the command line ends with.
    fn exit(&self) -> Exit {
        Exit::Failed
    }
}
