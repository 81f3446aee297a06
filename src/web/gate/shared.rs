//! State that the gate's thread shares with its handle.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::host::Names;
use super::spool;

/// A browser's request with a name that is not ours.
#[derive(Clone, Copy, Debug)]
pub struct ForeignHost<'a> {
    /// The name, as the browser sent it.
    pub name: &'a str,
    /// Our address on this connection, by which the page opens.
    pub address: &'a str,
    /// The browser's Accept-Language.
    pub languages: &'a str,
}

/// The HTML for such a request.
pub type ForeignPage = fn(&ForeignHost<'_>) -> String;

/// What the thread and its handle share.
#[derive(Debug, Default)]
pub(super) struct Shared {
    pub(super) stop: AtomicBool,
    pub(super) hosts: Mutex<Names>,
    pub(super) foreign: Option<ForeignPage>,
    pub(super) uploads: Option<Arc<dyn spool::Spool>>,
    pub(super) accepted: AtomicU64,
    pub(super) dropped: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) served: AtomicU64,
    pub(super) open: AtomicU64,
    pub(super) serving: AtomicU64,
}

impl Shared {
    pub(super) fn hosts(&self) -> MutexGuard<'_, Names> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
