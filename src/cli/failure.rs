//! Errors of any room on their way to the terminal.

use crate::error::{Exit, Explain};

/// An error of any module, on its way to the terminal.
pub struct Failure(pub(super) Box<dyn Explain>);

impl<E: Explain + 'static> From<E> for Failure {
    fn from(error: E) -> Failure {
        Failure(Box::new(error))
    }
}

/// What a command ends with.
pub type Result = std::result::Result<Exit, Failure>;
