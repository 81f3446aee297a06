//! The daemon's connection to the bus, shared by all callers. Its thread is in
//! [`worker`](super::worker).

use std::io::{self, Write as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::change::Change;
use super::key::Key;
use super::pace::Pace;
use super::shared::{BusError, Done, Held, Inner, News, Request, Shared};
use super::worker::Worker;

/// Requests that wait at once.
const MOST: usize = 16;
/// How long a request waits for its turn.
const TURN: Duration = Duration::from_secs(12);
/// Stack of the thread.
const STACK: usize = 96 << 10;

/// See the module.
#[derive(Debug)]
pub struct Bus {
    shared: Arc<Shared>,
}

impl Bus {
    /// Starts the thread; it connects as soon as there is somebody at the socket.
    ///
    /// # Errors
    /// Where no thread or no socket pair can be had.
    pub fn start(
        socket: PathBuf,
        listener: impl Fn(News<'_>) + Send + Sync + 'static,
    ) -> io::Result<Arc<Bus>> {
        let (wake, woken) = UnixStream::pair()?;
        wake.set_nonblocking(true)?;
        woken.set_nonblocking(true)?;
        let shared = Arc::new(Shared::new(wake, listener));
        let mine = Arc::clone(&shared);
        let body = move || Worker { shared: mine, socket, woken, pace: Pace::default() }.run();
        std::thread::Builder::new().name("mortox".to_owned()).stack_size(STACK).spawn(body)?;
        Ok(Arc::new(Bus { shared }))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.shared.inner()
    }

    fn nudge(&self) {
        let _ = (&self.shared.wake).write(&[0]);
    }

    /// Ends the thread.
    pub fn stop(&self) {
        self.inner().stopped = true;
        self.nudge();
        self.shared.changed.notify_all();
    }

    /// Whether the bus can be reached now.
    pub fn is_connected(&self) -> bool {
        self.inner().connected
    }

    /// A key, if the bus has answered for it in this connection.
    pub fn held(&self, key: Key) -> Option<Held> {
        let inner = self.inner();
        inner.values.get(&key).filter(|_| inner.connected).cloned()
    }

    /// The value of a key; `None` where it is not set or not known.
    pub fn value(&self, key: Key) -> Option<String> {
        self.held(key).and_then(|held| held.value)
    }

    /// Grows with each news.
    pub fn seq(&self) -> u64 {
        self.inner().seq
    }

    /// Sets that were sent since the start.
    pub fn sets(&self) -> u64 {
        self.inner().sets
    }

    /// Waits until `found` says so, at most for so long; whether it did.
    pub fn wait(&self, patience: Duration, found: impl Fn(&Bus) -> bool) -> bool {
        let until = Instant::now() + patience;
        loop {
            let seq = self.seq();
            if found(self) {
                return true;
            }
            let inner = self.inner();
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || inner.stopped {
                return false;
            }
            if inner.seq == seq {
                drop(self.shared.changed.wait_timeout(inner, left));
            }
        }
    }

    /// Ends a pause before the next connection: somebody waits for it.
    pub fn hurry(&self) {
        if !self.is_connected() {
            self.nudge();
        }
    }

    /// The same, and waits for the connection, at most for so long.
    pub fn reach(&self, patience: Duration) {
        self.hurry();
        self.wait(patience, Bus::is_connected);
    }

    /// Makes a change: reads, compares, sets, waits for the echo.
    ///
    /// # Errors
    /// [`BusError`].
    pub fn set(&self, change: Change) -> Result<Done, BusError> {
        self.ask(Request::Set(change))
    }

    /// Removes a key.
    ///
    /// # Errors
    /// [`BusError`].
    pub fn unset(&self, key: Key) -> Result<Done, BusError> {
        self.ask(Request::Unset(key))
    }

    fn ask(&self, request: Request) -> Result<Done, BusError> {
        let mut inner = self.inner();
        if !inner.connected || inner.stopped {
            return Err(BusError::Away);
        }
        if inner.requests.len() >= MOST {
            return Err(BusError::TooMany);
        }
        inner.number += 1;
        let number = inner.number;
        inner.requests.push_back((number, request));
        self.nudge();
        let until = Instant::now() + TURN;
        loop {
            if let Some(result) = inner.results.remove(&number) {
                return result;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || inner.stopped {
                inner.requests.retain(|(other, _)| *other != number);
                return Err(BusError::Unconfirmed);
            }
            inner = self
                .shared
                .changed
                .wait_timeout(inner, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;
    use std::sync::mpsc;

    use super::super::value::{Night, Operation};
    use super::*;
    use crate::vendor::pretend::Pretend;

    const LONG: Duration = Duration::from_secs(30);

    fn started(socket: PathBuf) -> Arc<Bus> {
        let bus = Bus::start(socket, |_| {}).unwrap();
        assert!(bus.wait(LONG, Bus::is_connected));
        bus
    }

    #[test]
    fn a_change_is_compared_set_and_echoed_and_an_equal_value_writes_nothing() {
        let firmware = Pretend::start().unwrap();
        let bus = started(firmware.root().join("tmp/mortox.socket"));
        assert_eq!(bus.value(Key::Flip).as_deref(), Some("off"));
        assert_eq!(bus.set(Change::Flip(false)), Ok(Done::Equal));
        assert_eq!(bus.sets(), 0);
        assert_eq!(bus.set(Change::Flip(true)), Ok(Done::Changed));
        assert_eq!((bus.sets(), bus.value(Key::Flip).as_deref()), (1, Some("on")));
        // A key that is removed has no value, and its echo comes too.
        let unset = loop {
            match bus.unset(Key::Flip) {
                Err(BusError::TooSoon(wait)) => std::thread::sleep(wait),
                done => break done,
            }
        };
        assert_eq!(unset, Ok(Done::Changed));
        assert_eq!(bus.held(Key::Flip).unwrap().value, None);
        assert_eq!(bus.unset(Key::Flip), Ok(Done::Equal));
        bus.stop();
    }

    #[test]
    fn the_limits_are_kept_for_every_caller() {
        let firmware = Pretend::start().unwrap();
        let bus = started(firmware.root().join("tmp/mortox.socket"));
        assert_eq!(bus.set(Change::NightMode(Night::Night)), Ok(Done::Changed));
        let again = bus.set(Change::NightMode(Night::Day));
        assert!(matches!(again, Err(BusError::TooSoon(_))), "{again:?}");
        let sets = bus.sets();
        let pushes: Vec<_> = (0..8)
            .map(|counter| {
                let bus = Arc::clone(&bus);
                let push = Change::Motor { operation: Operation::Left, counter };
                std::thread::spawn(move || bus.set(push))
            })
            .collect();
        let (mut done, mut refused) = (0, 0);
        for push in pushes {
            match push.join().unwrap() {
                Ok(_) => done += 1,
                Err(BusError::TooSoon(_)) => refused += 1,
                Err(e) => panic!("{e}"),
            }
        }
        // However slow this machine is: what was refused was not sent.
        assert_eq!((done + refused, bus.sets() - sets), (8, done));
        assert!(done >= 1);
        bus.stop();
    }

    #[test]
    fn after_a_restart_of_the_service_it_registers_and_reads_again() {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("socket");
        let (told, news) = mpsc::channel();
        let first = Pretend::start().unwrap();
        std::os::unix::fs::symlink(first.root().join("tmp/mortox.socket"), &socket).unwrap();
        let bus = Bus::start(socket.clone(), move |news| {
            if let News::Connected(there) = news {
                let _ = told.send(there);
            }
        })
        .unwrap();
        assert_eq!(news.recv_timeout(LONG), Ok(true));
        assert_eq!(bus.set(Change::Flip(true)), Ok(Done::Changed));
        drop(first);
        assert_eq!(news.recv_timeout(LONG), Ok(false));
        assert_eq!(bus.held(Key::Flip), None);
        assert_eq!(bus.set(Change::Flip(true)), Err(BusError::Away));
        let second = Pretend::start().unwrap();
        std::fs::remove_file(&socket).unwrap();
        std::os::unix::fs::symlink(second.root().join("tmp/mortox.socket"), &socket).unwrap();
        assert_eq!(news.recv_timeout(LONG), Ok(true));
        assert_eq!(bus.value(Key::Flip).as_deref(), Some("off"));
        // The registration counts in the new connection too.
        assert_eq!(bus.set(Change::Flip(true)), Ok(Done::Changed));
        bus.stop();
    }

    #[test]
    fn while_somebody_waits_it_connects_again_without_the_pause_but_once_a_second_at_most() {
        let dir = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(dir.path().join("socket")).unwrap();
        let began = Instant::now();
        let bus = Bus::start(dir.path().join("socket"), |_| {}).unwrap();
        // Each connection ends at once, so the pauses would be 1, 2 and 4 seconds.
        for _ in 0..4 {
            drop(listener.accept().unwrap());
            bus.reach(Duration::from_millis(20));
        }
        let took = began.elapsed();
        assert!(took >= Duration::from_secs(3), "not spaced: {took:?}");
        assert!(took < Duration::from_millis(6_500), "not sooner: {took:?}");
        bus.stop();
    }
}
