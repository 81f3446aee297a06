//! The daemon's connection to the bus, shared by all who ask: one thread connects, registers for
//! every key, compares before it sets, waits for the echo, and connects again where mortoxd
//! restarted. The limits of [`super::pace`] are applied here, so nobody gets around them.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use thiserror::Error;

use super::connection::Mortox;
use super::key::{Change, Key, Reported};
use super::pace::Pace;
use super::wire::{Ask, Said};

/// How long the daemon may take for an answer, and then for the echo of a new value.
pub const PATIENCE: Duration = Duration::from_secs(2);
/// From a lost connection to the next try, and between two looks for a socket that nobody listens
/// on, which costs the daemon nothing.
const RETRY: Duration = Duration::from_secs(1);
/// The longest pause after connections that ended soon: the pause doubles up to this, since what
/// ends them may be our own questions.
const RETRY_MOST: Duration = Duration::from_secs(60);
/// A connection that lasted so long was a good one.
const STEADY: Duration = Duration::from_secs(30);
/// Requests that wait at once.
const MOST: usize = 16;
/// How long a request waits for its turn.
const TURN: Duration = Duration::from_secs(12);
/// Stack of the thread.
const STACK: usize = 96 << 10;
/// Bytes of a value that are kept; the vendor's own are below 128.
const LONGEST: usize = 256;

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
enum Request {
    Set(Change),
    Unset(Key),
}

#[derive(Debug, Default)]
struct Inner {
    stopped: bool,
    connected: bool,
    /// The answer to the registration for a key came in this connection.
    values: BTreeMap<Key, Held>,
    /// Grows with each news, and each time the connection comes or goes.
    seq: u64,
    number: u64,
    requests: VecDeque<(u64, Request)>,
    results: BTreeMap<u64, Result<Done, BusError>>,
    /// Sets that were sent since the start.
    sets: u64,
}

/// See the module.
#[derive(Debug)]
pub struct Bus {
    inner: Mutex<Inner>,
    changed: Condvar,
    /// Ends the thread's sleep.
    wake: UnixStream,
    /// Told on the bus's thread: must be quick.
    listener: Listener,
}

/// What a listener is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News<'a> {
    /// A key has another value than it was known to have.
    Value(Key, Option<&'a str>),
    /// The connection is there, or gone.
    Connected(bool),
}

/// A function that is told the news.
pub struct Listener(Box<dyn Fn(News<'_>) + Send + Sync>);

impl std::fmt::Debug for Listener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Listener")
    }
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
        let bus = Arc::new(Bus {
            inner: Mutex::default(),
            changed: Condvar::new(),
            wake,
            listener: Listener(Box::new(listener)),
        });
        let mine = Arc::clone(&bus);
        let body = move || Worker { bus: mine, socket, woken, pace: Pace::default() }.run();
        std::thread::Builder::new().name("mortox".to_owned()).stack_size(STACK).spawn(body)?;
        Ok(bus)
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn nudge(&self) {
        let _ = (&self.wake).write(&[0]);
    }

    /// Ends the thread.
    pub fn stop(&self) {
        self.inner().stopped = true;
        self.nudge();
        self.changed.notify_all();
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
                drop(self.changed.wait_timeout(inner, left));
            }
        }
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
            inner =
                self.changed.wait_timeout(inner, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// The pause after a connection that lasted so long, and the next one if that ends soon, too.
fn pauses(pause: Duration, lasted: Duration) -> (Duration, Duration) {
    let pause = if lasted < STEADY { pause } else { RETRY };
    (pause, (pause * 2).min(RETRY_MOST))
}

/// The thread.
struct Worker {
    bus: Arc<Bus>,
    socket: PathBuf,
    woken: UnixStream,
    pace: Pace,
}

impl Worker {
    fn run(mut self) {
        // A service that does not answer is tried again, and reported once.
        let mut reported = false;
        let mut lasting = RETRY;
        while !self.bus.inner().stopped {
            let mut pause = RETRY;
            if let Ok(connection) = Mortox::connect(&self.socket) {
                let began = Instant::now();
                let ended = self.serve(connection);
                if self.bus.inner().stopped {
                    return;
                }
                let was_connected = self.bus.is_connected();
                if let Err(e) = ended
                    && (was_connected || !std::mem::replace(&mut reported, true))
                {
                    log::info!("the connection to mortoxd ended: {e}");
                }
                reported &= !was_connected;
                (pause, lasting) = pauses(lasting, began.elapsed());
            }
            self.away();
            self.sleep(None, pause);
        }
    }

    /// The connection is gone, and all that wait for it.
    fn away(&self) {
        let mut inner = self.bus.inner();
        let was_connected = std::mem::take(&mut inner.connected);
        inner.seq += u64::from(was_connected);
        inner.values.clear();
        while let Some((number, _)) = inner.requests.pop_front() {
            inner.results.insert(number, Err(BusError::Away));
        }
        drop(inner);
        if was_connected {
            (self.bus.listener.0)(News::Connected(false));
        }
        self.bus.changed.notify_all();
    }

    /// Until something comes, or somebody asks.
    fn sleep(&mut self, connection: Option<&Mortox>, longest: Duration) {
        let mut polled = vec![PollFd::new(self.woken.as_fd(), PollFlags::POLLIN)];
        if let Some(connection) = connection {
            polled.push(PollFd::new(connection.as_fd(), PollFlags::POLLIN));
        }
        let timeout = PollTimeout::try_from(longest).unwrap_or(PollTimeout::MAX);
        if poll(&mut polled, timeout).is_err() {
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.woken.read(&mut [0; 64]);
    }

    /// One connection, until it ends.
    fn serve(&mut self, mut connection: Mortox) -> io::Result<()> {
        let watched = Key::ALL.into_iter().filter(|key| *key != Key::CardStatus);
        for key in watched {
            let id = connection.ask(Ask::Watch(key))?;
            let (code, value) = self.answer(&mut connection, id)?;
            // One that is refused is not known, which is not the same as unset.
            if code == 0 {
                self.learn(key, value);
            }
        }
        {
            let mut inner = self.bus.inner();
            inner.connected = true;
            inner.seq += 1;
            // Results nobody has fetched: their time was up.
            inner.results.clear();
        }
        (self.bus.listener.0)(News::Connected(true));
        self.bus.changed.notify_all();
        log::info!("connected to mortoxd");
        loop {
            while let Some(said) = connection.next(Duration::ZERO)? {
                self.news(said);
            }
            let next = self.bus.inner().requests.pop_front();
            if self.bus.inner().stopped {
                return Ok(());
            }
            let Some((number, request)) = next else {
                self.sleep(Some(&connection), Duration::from_secs(60));
                continue;
            };
            let result = self.perform(&mut connection, request);
            let (result, end) = match result {
                Ok(result) => (result, Ok(())),
                Err(e) => (Err(BusError::Away), Err(e)),
            };
            self.bus.inner().results.insert(number, result);
            self.bus.changed.notify_all();
            end?;
        }
    }

    /// The answer to a question; news that come before it are taken.
    fn answer(&mut self, connection: &mut Mortox, asked: u32) -> io::Result<(i32, Option<String>)> {
        let until = Instant::now() + PATIENCE;
        loop {
            match connection.next(until.saturating_duration_since(Instant::now()))? {
                Some(Said::Answer { id, code, value }) if id == asked => return Ok((code, value)),
                Some(said) => self.news(said),
                None => return Err(io::Error::new(io::ErrorKind::TimedOut, "it does not answer")),
            }
        }
    }

    fn news(&mut self, said: Said) {
        let Said::News { key, value } = said else { return };
        if key == Key::MotorPosition
            && let Some(reported) = value.as_deref().and_then(Reported::read)
        {
            self.pace.reported(reported.at);
        }
        self.learn(key, value);
    }

    fn learn(&self, key: Key, value: Option<String>) {
        // What is too long is not understood; it is not "unset", which would be put back as such.
        let value = value.map(|value| if value.len() > LONGEST { "?".to_owned() } else { value });
        let mut inner = self.bus.inner();
        inner.seq += 1;
        let seq = inner.seq;
        let known = inner.values.get(&key);
        let is_same = known.is_some_and(|known| known.value == value);
        if !is_same {
            let held = Held { value: value.clone(), since: Instant::now(), seq };
            inner.values.insert(key, held);
        }
        drop(inner);
        if !is_same {
            (self.bus.listener.0)(News::Value(key, value.as_deref()));
        }
        self.bus.changed.notify_all();
    }

    /// The outer error ends the connection.
    fn perform(
        &mut self,
        connection: &mut Mortox,
        request: Request,
    ) -> io::Result<Result<Done, BusError>> {
        let (key, wanted, ask) = match request {
            Request::Set(change) => (change.key(), Some(change.value()), Ask::Set(change)),
            Request::Unset(key) => (key, None, Ask::Unset(key)),
        };
        let id = connection.ask(Ask::Get(key))?;
        let (_, now) = self.answer(connection, id)?;
        if now == wanted {
            if let Request::Set(change @ Change::Target(_)) = request {
                self.pace.sent(&change, Instant::now());
            }
            self.learn(key, now);
            return Ok(Ok(Done::Equal));
        }
        self.learn(key, now);
        if let Request::Set(change) = request {
            if let Err(left) = self.pace.may(&change, Instant::now()) {
                return Ok(Err(BusError::TooSoon(left)));
            }
            self.pace.sent(&change, Instant::now());
        }
        if let Request::Unset(key) = request {
            if let Err(left) = self.pace.may_unset(key, Instant::now()) {
                return Ok(Err(BusError::TooSoon(left)));
            }
            self.pace.unset(key, Instant::now());
        }
        self.bus.inner().sets += 1;
        let id = connection.ask(ask)?;
        let (code, _) = self.answer(connection, id)?;
        if code != 0 {
            return Ok(Err(BusError::Refused(code)));
        }
        let until = Instant::now() + PATIENCE;
        while !self.has(key, wanted.as_ref()) {
            match connection.next(until.saturating_duration_since(Instant::now()))? {
                Some(said) => self.news(said),
                None => return Ok(Err(BusError::Unconfirmed)),
            }
        }
        Ok(Ok(Done::Changed))
    }

    fn has(&self, key: Key, wanted: Option<&String>) -> bool {
        self.bus.inner().values.get(&key).is_some_and(|held| held.value.as_ref() == wanted)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::super::key::{Night, Operation};
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
    fn a_service_that_ends_connections_is_asked_ever_more_rarely() {
        let (mut next, mut all) = (RETRY, Vec::new());
        for lasted in [0, 0, 1, 29, 2, 0, 0, 0, 31, 0] {
            let pause;
            (pause, next) = pauses(next, Duration::from_secs(lasted));
            all.push(pause.as_secs());
        }
        assert_eq!(all, [1, 2, 4, 8, 16, 32, 60, 60, 1, 2]);
    }

    #[test]
    fn the_limits_are_kept_whoever_asks() {
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
}
