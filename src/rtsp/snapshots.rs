//! Snapshots from the firmware's own encoder: one request at a time, spaced, and one picture shared
//! by all clients that ask within a second. Between the thread that reads the frames and the
//! server's.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::feed::{Wake, firmware_words};
use crate::vendor::frames::EndpointState;

/// How old a picture may be for a client that asks now.
const FRESH: Duration = Duration::from_secs(1);
/// How long a snapshot is waited for. The firmware takes 0.8 s at best.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Debug, Default)]
struct Inner {
    state: EndpointState,
    /// The newest picture and when it came.
    last: Option<(Instant, Arc<[u8]>)>,
    /// Somebody waits for a new one.
    wanted: bool,
    /// When the request was sent whose answer has not come.
    requested: Option<Instant>,
    failed: Option<Instant>,
}

/// The answer to a client.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum SnapshotAnswer {
    /// The JPEG file.
    Picture(Arc<[u8]>),
    /// It is being made.
    Later,
    /// There will be none, and why.
    None(String),
}

/// See the module.
#[derive(Debug)]
pub(super) struct Snapshots {
    inner: Mutex<Inner>,
    /// Wakes the thread that reads the frames, and the server's.
    pub(super) reader: Arc<Wake>,
    server: Arc<Wake>,
}

impl Snapshots {
    pub(super) fn new(reader: Arc<Wake>, server: Arc<Wake>) -> Snapshots {
        Snapshots { inner: Mutex::default(), reader, server }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How far it is with the firmware's endpoint, in words.
    pub(super) fn words(&self) -> String {
        firmware_words(&self.inner().state)
    }

    /// For a client that has been asking since then.
    pub(super) fn ask(&self, since: Instant, now: Instant) -> SnapshotAnswer {
        let mut inner = self.inner();
        if let Some((at, picture)) = &inner.last
            && *at + FRESH >= since
        {
            return SnapshotAnswer::Picture(Arc::clone(picture));
        }
        if inner.failed.is_some_and(|at| at >= since) {
            return SnapshotAnswer::None("the camera's encoder made no snapshot".to_owned());
        }
        if !matches!(inner.state, EndpointState::Connected | EndpointState::Live) {
            let words = firmware_words(&inner.state);
            return SnapshotAnswer::None(format!("the firmware's snapshots are {words}"));
        }
        if now.saturating_duration_since(since) >= PATIENCE {
            return SnapshotAnswer::None("the firmware sent no snapshot within 5 s".to_owned());
        }
        // One that was asked for is awaited, unless it should be here by now.
        let pending =
            inner.requested.is_some_and(|at| now.saturating_duration_since(at) < PATIENCE);
        if !pending && !inner.wanted {
            inner.wanted = true;
            drop(inner);
            self.reader.wake();
        }
        SnapshotAnswer::Later
    }

    /// Whether one is to be requested.
    pub(super) fn is_wanted(&self) -> bool {
        self.inner().wanted
    }

    /// A request was sent.
    pub(super) fn requested(&self) {
        let mut inner = self.inner();
        inner.wanted = false;
        inner.requested = Some(Instant::now());
    }

    /// The endpoint has a new state.
    pub(super) fn set_state(&self, state: &EndpointState) {
        let mut inner = self.inner();
        if let EndpointState::NotUnderstood(fault) = state {
            log::warn!("snapshots of the firmware are not understood: {fault}");
        }
        // A new connection owes nothing.
        if !matches!(state, EndpointState::Live) {
            inner.requested = None;
            inner.wanted = false;
        }
        inner.state = state.clone();
        drop(inner);
        self.server.wake();
    }

    /// An answer came; without bytes where the encoder failed. The picture was taken just now, also
    /// where the request is long ago: the encoder takes one when it gets to it.
    pub(super) fn came(&self, jpeg: &[u8]) {
        let mut inner = self.inner();
        inner.requested = None;
        if jpeg.is_empty() {
            inner.failed = Some(Instant::now());
        } else {
            inner.last = Some((Instant::now(), jpeg.into()));
        }
        drop(inner);
        self.server.wake();
    }

    /// Lets a picture go that nobody will be given any more.
    pub(super) fn tidy(&self) {
        let mut inner = self.inner();
        if inner.last.as_ref().is_some_and(|(at, _)| at.elapsed() > 4 * FRESH) {
            inner.last = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshots() -> Snapshots {
        Snapshots::new(Arc::new(Wake::new().unwrap()), Arc::new(Wake::new().unwrap()))
    }

    #[test]
    fn one_picture_is_shared_and_an_answer_that_never_comes_blocks_nothing() {
        let shots = snapshots();
        let start = Instant::now();
        assert!(matches!(shots.ask(start, start), SnapshotAnswer::None(_)), "no endpoint yet");
        shots.set_state(&EndpointState::Connected);
        for _ in 0..3 {
            assert_eq!(shots.ask(start, start), SnapshotAnswer::Later);
        }
        assert!(shots.is_wanted());
        shots.requested();
        assert_eq!(shots.ask(start, start), SnapshotAnswer::Later);
        assert!(!shots.is_wanted(), "one request for all");
        // It does not come: the clients get an error, the next one causes a new request.
        let later = start + PATIENCE + FRESH;
        assert!(matches!(shots.ask(start, later), SnapshotAnswer::None(_)));
        assert_eq!(shots.ask(later, later), SnapshotAnswer::Later);
        assert!(shots.is_wanted());
        shots.requested();
        assert_eq!(shots.ask(later, later), SnapshotAnswer::Later);
        shots.came(b"\xff\xd8 jpeg");
        assert_eq!(shots.ask(start, later), SnapshotAnswer::Picture(b"\xff\xd8 jpeg"[..].into()));
        // Within a second of its coming it is everybody's.
        let soon = Instant::now() + FRESH / 2;
        assert!(matches!(shots.ask(soon, soon), SnapshotAnswer::Picture(_)));
        let late = Instant::now() + 2 * FRESH;
        assert_eq!(shots.ask(late, late), SnapshotAnswer::Later);
    }

    #[test]
    fn an_encoder_that_fails_is_reported_at_once() {
        let shots = snapshots();
        shots.set_state(&EndpointState::Live);
        let start = Instant::now();
        assert_eq!(shots.ask(start, start), SnapshotAnswer::Later);
        shots.requested();
        shots.came(b"");
        assert!(matches!(shots.ask(start, start), SnapshotAnswer::None(_)));
    }
}
