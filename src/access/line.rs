//! The queue for judging the page's password, which the camera hashes for half
//! a second on the camera. One is judged at a time, few wait, and each source takes its turn, so that
//! one source's tries do not keep another's out.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::LoginSource;
use super::throttle::{Budget, Throttle};

/// Tries that wait at once. Each is one of the page's handlers, which are twelve.
const MOST: usize = 4;
/// How long one waits for its turn: longer than any pause of the budget.
const PATIENCE: Duration = Duration::from_secs(15);
/// The answer to a try that found no place.
const FULL: Duration = Duration::from_secs(2);

/// One that waits.
#[derive(Clone, Copy, Debug)]
struct Waiter {
    ticket: u64,
    from: LoginSource,
}

#[derive(Debug)]
struct Inner {
    throttle: Throttle,
    waiting: Vec<Waiter>,
    /// The sources that were judged last, the newest last.
    judged: Vec<LoginSource>,
    judging: bool,
    tickets: u64,
}

/// A throttle with its line.
#[derive(Debug)]
pub struct Line {
    inner: Mutex<Inner>,
    changed: Condvar,
}

/// What came of a try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tried {
    /// It was right.
    Right,
    /// It was wrong.
    Wrong,
    /// It was wrong, and the next one from there is to wait so long.
    Wait(Duration),
    /// It was not judged: too many came at once. It may come again after so long.
    NoPlace(Duration),
}

impl From<Option<Duration>> for Tried {
    fn from(wait: Option<Duration>) -> Tried {
        wait.map_or(Tried::Wrong, Tried::Wait)
    }
}

impl Line {
    /// Nobody waits.
    pub fn new(budget: Budget) -> Line {
        Line {
            inner: Mutex::new(Inner {
                throttle: Throttle::new(budget),
                waiting: Vec::new(),
                judged: Vec::new(),
                judging: false,
                tickets: 0,
            }),
            changed: Condvar::new(),
        }
    }

    /// Judges a try when it is its turn.
    pub fn judge(&self, from: LoginSource, is_right: impl FnOnce() -> bool) -> Tried {
        if let Err(wait) = self.enter(from) {
            return Tried::NoPlace(wait);
        }
        let place = Judging(self);
        let right = is_right();
        let mut inner = self.inner();
        inner.judged.retain(|source| *source != from);
        inner.judged.push(from);
        if inner.judged.len() > 2 * MOST {
            inner.judged.remove(0);
        }
        let tried = if right {
            inner.throttle.right(from);
            Tried::Right
        } else {
            inner.throttle.wrong(from, Instant::now()).into()
        };
        drop(inner);
        drop(place);
        tried
    }

    /// A try whose judgement is free.
    pub fn judge_now(&self, from: LoginSource, right: bool) -> Tried {
        let mut inner = self.inner();
        if right {
            inner.throttle.right(from);
            return Tried::Right;
        }
        inner.throttle.wrong_again(from, Instant::now()).into()
    }

    /// Waits for the turn of this source.
    fn enter(&self, from: LoginSource) -> Result<(), Duration> {
        let until = Instant::now() + PATIENCE;
        let mut inner = self.inner();
        inner.tickets += 1;
        let ticket = inner.tickets;
        inner.waiting.push(Waiter { ticket, from });
        if inner.waiting.len() > MOST {
            let crowd = crowding(&inner.waiting);
            inner.waiting.retain(|waiter| waiter.ticket != crowd);
            self.changed.notify_all();
        }
        loop {
            if !inner.waiting.iter().any(|waiter| waiter.ticket == ticket) {
                return Err(FULL);
            }
            let now = Instant::now();
            if !inner.judging && inner.next(now) == Some(ticket) {
                inner.waiting.retain(|waiter| waiter.ticket != ticket);
                inner.judging = true;
                return Ok(());
            }
            let turn = inner.throttle.turn(from, now);
            if now >= until {
                inner.waiting.retain(|waiter| waiter.ticket != ticket);
                return Err(turn.max(FULL));
            }
            let pause = if turn.is_zero() { PATIENCE } else { turn };
            let pause = pause.min(until - now);
            inner =
                self.changed.wait_timeout(inner, pause).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// The next try to judge, if any: known sources first, then the source that was judged
    /// longest ago, then the first come.
    fn next(&self, now: Instant) -> Option<u64> {
        let may = |waiter: &&Waiter| self.throttle.turn(waiter.from, now).is_zero();
        let order = |waiter: &&Waiter| {
            let judged = self.judged.iter().position(|source| *source == waiter.from);
            let judged = judged.map_or(0, |at| at + 1);
            (!self.throttle.is_proven(waiter.from), judged, waiter.ticket)
        };
        self.waiting.iter().filter(may).min_by_key(order).map(|waiter| waiter.ticket)
    }
}

/// The ticket that has to go where too many wait: the newest of the source that has most of them.
fn crowding(waiting: &[Waiter]) -> u64 {
    let of = |from: LoginSource| waiting.iter().filter(|waiter| waiter.from == from).count();
    let newest = waiting.iter().max_by_key(|waiter| (of(waiter.from), waiter.ticket));
    newest.map_or(0, |waiter| waiter.ticket)
}

/// The one judgement; over when this is dropped, also by a panic.
struct Judging<'a>(&'a Line);

impl Drop for Judging<'_> {
    fn drop(&mut self) {
        self.0.inner().judging = false;
        self.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::mpsc;

    use super::*;
    use crate::access::throttle::CHOSEN;

    fn waiters(sources: &[u64]) -> Vec<Waiter> {
        let from = |(at, session): (usize, &u64)| Waiter {
            ticket: at as u64 + 1,
            from: LoginSource::Session(*session),
        };
        sources.iter().enumerate().map(from).collect()
    }

    #[test]
    fn the_newest_of_the_source_that_crowds_goes() {
        assert_eq!(crowding(&waiters(&[7, 7, 7, 7, 8])), 4, "the newcomer is another");
        assert_eq!(crowding(&waiters(&[8, 7, 7, 7, 7])), 5);
        assert_eq!(crowding(&waiters(&[1, 2, 3, 4, 5])), 5, "nobody crowds: the newcomer");
    }

    #[test]
    fn sources_have_their_turn_and_known_ones_come_first() {
        let line = Line::new(CHOSEN);
        let mut inner = line.inner();
        inner.waiting = waiters(&[7, 7, 8, 9]);
        let now = Instant::now();
        assert_eq!(inner.next(now), Some(1));
        inner.judged = vec![LoginSource::Session(7)];
        assert_eq!(inner.next(now), Some(3), "7 had its turn");
        inner.judged =
            vec![LoginSource::Session(8), LoginSource::Session(7), LoginSource::Session(9)];
        assert_eq!(inner.next(now), Some(3), "all had theirs: 8 longest ago");
        inner.throttle.right(LoginSource::Session(9));
        assert_eq!(inner.next(now), Some(4), "9 knew the password");
    }

    #[test]
    fn a_source_that_floods_the_line_keeps_no_other_out() {
        let line = Line::new(CHOSEN);
        let (begun, begins) = mpsc::channel();
        let go = AtomicBool::new(false);
        let held = || {
            let _ = begun.clone().send(());
            while !go.load(Ordering::Acquire) {
                std::thread::yield_now();
            }
            false
        };
        std::thread::scope(|scope| {
            let mut flood = vec![scope.spawn(|| line.judge(LoginSource::Session(1), held))];
            begins.recv().unwrap();
            flood.extend(
                (0..8).map(|_| scope.spawn(|| line.judge(LoginSource::Session(1), || false))),
            );
            while line.inner().tickets < 9 {
                std::thread::yield_now();
            }
            let owner = scope.spawn(|| line.judge(LoginSource::Session(2), || true));
            while line.inner().tickets < 10 {
                std::thread::yield_now();
            }
            go.store(true, Ordering::Release);
            assert_eq!(owner.join().unwrap(), Tried::Right);
            let ends: Vec<Tried> = flood.into_iter().map(|try_| try_.join().unwrap()).collect();
            let refused = ends.iter().filter(|end| matches!(end, Tried::NoPlace(_))).count();
            assert!(refused >= 4, "{ends:?}");
        });
        assert!(line.inner().waiting.is_empty() && !line.inner().judging);
    }

    #[test]
    fn a_panic_in_a_judgement_frees_its_place() {
        let line = Line::new(CHOSEN);
        let panics =
            std::panic::AssertUnwindSafe(|| line.judge(LoginSource::Session(1), || panic!("!")));
        assert!(std::panic::catch_unwind(panics).is_err());
        assert_eq!(line.judge(LoginSource::Session(1), || true), Tried::Right);
    }
}
