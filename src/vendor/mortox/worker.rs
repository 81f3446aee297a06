//! The bus's thread: it connects, registers for every key, compares before it sets, waits for the
//! echo, and connects again after a restart of mortoxd. The limits of [`super::pace`] are applied
//! here, so nobody gets around them.

use std::io::{self, Read as _};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::change::Change;
use super::connection::Mortox;
use super::key::Key;
use super::pace::Pace;
use super::shared::{BusError, Done, Held, News, Request, Shared};
use super::value::Reported;
use super::wire::{Ask, Said};
use crate::error::Chain;

/// How long the daemon may take for an answer, and then for the echo of a new value.
pub const PATIENCE: Duration = Duration::from_secs(2);
/// From a lost connection to the next try, and between two looks for a socket that nobody listens
/// on, which costs the daemon nothing.
const RETRY: Duration = Duration::from_secs(1);
/// The longest pause after connections that ended soon: the pause doubles up to this, since what
/// ends them may be our own questions.
const RETRY_MOST: Duration = Duration::from_secs(60);
/// A connection that lasted so long was a good one; where it did not end while we asked something, so
/// long is enough.
const STEADY: Duration = Duration::from_secs(30);
const UNASKED: Duration = Duration::from_secs(5);
/// Bytes of a value that are kept; the vendor's own are below 128.
const LONGEST: usize = 256;

/// The pause after a connection that lasted so long, and the next one if that ends soon, too. `asking`:
/// a question of ours was open when it ended.
fn pauses(pause: Duration, lasted: Duration, asking: bool) -> (Duration, Duration) {
    let steady = if asking { STEADY } else { UNASKED };
    let pause = if lasted < steady { pause } else { RETRY };
    (pause, (pause * 2).min(RETRY_MOST))
}

/// The thread.
pub(super) struct Worker {
    pub(super) shared: Arc<Shared>,
    pub(super) socket: PathBuf,
    pub(super) woken: UnixStream,
    pub(super) pace: Pace,
}

impl Worker {
    pub(super) fn run(mut self) {
        // A service that does not answer is tried again, and reported once.
        let mut reported = false;
        let mut lasting = RETRY;
        while !self.shared.inner().stopped {
            let (mut pause, tried) = (RETRY, Instant::now());
            if let Ok(connection) = Mortox::connect(&self.socket) {
                let began = Instant::now();
                let mut asking = true;
                let ended = self.serve(connection, &mut asking);
                if self.shared.inner().stopped {
                    return;
                }
                let was_connected = self.shared.inner().connected;
                if let Err(e) = ended
                    && (was_connected || !std::mem::replace(&mut reported, true))
                {
                    log::info!("the connection to mortoxd ended: {e}", e = Chain(&e));
                }
                reported &= !was_connected;
                (pause, lasting) = pauses(lasting, began.elapsed(), asking);
            }
            self.away();
            self.sleep(None, pause);
            // A client that waits ends the pause (`Bus::reach`), but not before a second is over.
            let left = RETRY.min(pause).saturating_sub(tried.elapsed());
            if !self.shared.inner().stopped {
                std::thread::sleep(left);
            }
        }
    }

    /// The connection is gone, and all that wait for it.
    fn away(&self) {
        let mut inner = self.shared.inner();
        let was_connected = std::mem::take(&mut inner.connected);
        inner.seq += u64::from(was_connected);
        inner.values.clear();
        while let Some((number, _)) = inner.requests.pop_front() {
            inner.results.insert(number, Err(BusError::Away));
        }
        drop(inner);
        if was_connected {
            (self.shared.listener.0)(News::Connected(false));
        }
        self.shared.changed.notify_all();
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
    fn serve(&mut self, mut connection: Mortox, asking: &mut bool) -> io::Result<()> {
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
            let mut inner = self.shared.inner();
            inner.connected = true;
            inner.seq += 1;
            // Results nobody has fetched: their time was up.
            inner.results.clear();
        }
        (self.shared.listener.0)(News::Connected(true));
        self.shared.changed.notify_all();
        log::info!("connected to mortoxd");
        loop {
            *asking = false;
            while let Some(said) = connection.next(Duration::ZERO)? {
                self.news(said);
            }
            let next = self.shared.inner().requests.pop_front();
            if self.shared.inner().stopped {
                return Ok(());
            }
            let Some((number, request)) = next else {
                self.sleep(Some(&connection), Duration::from_secs(60));
                continue;
            };
            *asking = true;
            let result = self.perform(&mut connection, request);
            let (result, end) = match result {
                Ok(result) => (result, Ok(())),
                Err(e) => (Err(BusError::Away), Err(e)),
            };
            self.shared.inner().results.insert(number, result);
            self.shared.changed.notify_all();
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
        let mut inner = self.shared.inner();
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
            (self.shared.listener.0)(News::Value(key, value.as_deref()));
        }
        self.shared.changed.notify_all();
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
        self.shared.inner().sets += 1;
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
        self.shared.inner().values.get(&key).is_some_and(|held| held.value.as_ref() == wanted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_that_ends_connections_is_asked_ever_more_rarely() {
        let (mut next, mut all) = (RETRY, Vec::new());
        for lasted in [0, 0, 1, 29, 2, 0, 0, 0, 31, 0] {
            let pause;
            (pause, next) = pauses(next, Duration::from_secs(lasted), true);
            all.push(pause.as_secs());
        }
        assert_eq!(all, [1, 2, 4, 8, 16, 32, 60, 60, 1, 2]);
        // One that ends by itself, some seconds after the last question, is not our fault.
        let four = Duration::from_secs(4);
        for (lasted, pause) in [(4, 4), (5, 1), (29, 1)] {
            assert_eq!(pauses(four, Duration::from_secs(lasted), false).0.as_secs(), pause);
        }
    }
}
