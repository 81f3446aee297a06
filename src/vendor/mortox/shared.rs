//! State shared by the bus's thread and its callers: known values, requests, results, the
//! listener.

use std::collections::{BTreeMap, VecDeque};
use std::os::unix::net::UnixStream;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use thiserror::Error;

use super::change::Change;
use super::key::Key;

/// Why a change was not made.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum BusError {
    /// The camera's settings service does not run.
    #[error("the camera's settings service cannot be reached")]
    Away,
    /// Too soon after the last one.
    #[error("too soon: the camera accepts this again in {} s", .0.as_secs_f32().ceil())]
    TooSoon(Duration),
    /// Many wait already.
    #[error("too many changes at once")]
    TooMany,
    /// The service said no.
    #[error("the camera's settings service refused it ({0})")]
    Refused(i32),
    /// No echo in time.
    #[error("the camera did not confirm the change")]
    Unconfirmed,
}

/// What became of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// The value was there already: nothing was written.
    Equal,
    /// It was set, and its echo came.
    Changed,
}

/// The value of a key, and since when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The value; `None` where the key is not set.
    pub value: Option<String>,
    /// When it was first seen.
    pub since: Instant,
    /// The bus's count of news at that moment.
    pub seq: u64,
}

/// What is asked of the thread.
#[derive(Clone, Copy, Debug)]
pub(super) enum Request {
    /// A change.
    Set(Change),
    /// A key is removed.
    Unset(Key),
}

#[derive(Debug, Default)]
pub(super) struct Inner {
    pub(super) stopped: bool,
    pub(super) connected: bool,
    /// The answer to the registration for a key came in this connection.
    pub(super) values: BTreeMap<Key, Held>,
    /// Grows with each news, and each time the connection comes or ends.
    pub(super) seq: u64,
    pub(super) number: u64,
    pub(super) requests: VecDeque<(u64, Request)>,
    pub(super) results: BTreeMap<u64, Result<Done, BusError>>,
    /// Sets that were sent since the start.
    pub(super) sets: u64,
}

/// What a listener gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News<'a> {
    /// A key has another value than it was known to have.
    Value(Key, Option<&'a str>),
    /// The connection is there, or gone.
    Connected(bool),
}

/// A function that gets the news.
pub(super) struct Listener(pub(super) Box<dyn Fn(News<'_>) + Send + Sync>);

impl std::fmt::Debug for Listener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Listener")
    }
}

/// All of it.
#[derive(Debug)]
pub(super) struct Shared {
    inner: Mutex<Inner>,
    /// Something in it is new.
    pub(super) changed: Condvar,
    /// Ends the thread's sleep. As long as the thread runs it stays open: a closed one would wake
    /// it again and again.
    pub(super) wake: UnixStream,
    /// Told on the bus's thread: must be quick.
    pub(super) listener: Listener,
}

impl Shared {
    /// Nothing is known yet.
    pub(super) fn new(
        wake: UnixStream,
        listener: impl Fn(News<'_>) + Send + Sync + 'static,
    ) -> Shared {
        Shared {
            inner: Mutex::default(),
            changed: Condvar::new(),
            wake,
            listener: Listener(Box::new(listener)),
        }
    }

    /// It, for as long as the guard is kept.
    pub(super) fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
