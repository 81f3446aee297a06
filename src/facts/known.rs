//! The facts known so far in a running program.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Moment;

/// What is known of the facts by now.
#[derive(Debug, Default)]
pub struct Known(Mutex<Inner>);

#[derive(Debug, Default)]
/// See [`Known`].
pub struct Inner {
    /// Factory mode at 0, 5 and 30 s.
    pub start: Vec<Moment>,
    /// The text, once it is made.
    pub text: Option<String>,
    /// Why frames of the firmware were not understood, when that was last added.
    pub reason: Option<String>,
}

impl Known {
    /// The facts, locked.
    pub fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
