//! Waits after wrong tries. Pure: instants come in.
//!
//! Two measures, for two purposes:
//!
//! - The **wait** of a source: five wrong tries are free, then each one waits longer, never more than
//!   a minute. It slows down wrong tries and is not a lock: a right try is admitted meanwhile.
//! - The **budget** of all sources together: a bound on how many passwords can be tried at all, from
//!   however many addresses. While it lasts every try is judged at once; beyond it tries are judged
//!   one after the other with pauses. A source from which the right password has come before has a
//!   budget of its own, so strangers' guesses never delay it.

use std::time::{Duration, Instant};

use super::LoginSource;

/// Wrong tries that cost a source nothing: an owner may mistype.
const FREE: u32 = 5;
/// The longest wait.
const LONGEST: Duration = Duration::from_secs(60);
/// After so long without a try, a source's wrong ones are forgotten.
const FORGET: Duration = Duration::from_secs(3600);
/// Sources that are remembered for wrong tries; the one that was quiet longest makes room.
const MOST: usize = 64;
/// Sources that are remembered for right tries.
const MOST_PROVEN: usize = 32;

/// How a budget is spent.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// One wrong try is forgotten after so long: in the long run, one try in this time.
    pub leak: Duration,
    /// The pauses between two tries, by how many wrong ones are not forgotten yet: up to so many,
    /// this pause. Beyond the last row the pause is [`Budget::leak`].
    pub pauses: &'static [(u32, Duration)],
}

/// For a password that its owner chose: 20 tries at once, fewer than 2,000 in the first hour and
/// 15,000 on the first day, 8,640 on every other day. Where nobody else waits, a right try is delayed
/// by a second at most after 20 wrong ones, by two after 100, by ten after 5,000.
pub const CHOSEN: Budget = Budget {
    leak: Duration::from_secs(10),
    pauses: &[
        (20, Duration::ZERO),
        (100, Duration::from_secs(1)),
        (1000, Duration::from_secs(2)),
        (5000, Duration::from_secs(5)),
    ],
};

/// For the streams' password, which has 80 bits unless its owner set another: 100 at once, then one
/// each second. A recorder with an old password that comes every few seconds stays far below that.
pub const STREAMS: Budget =
    Budget { leak: Duration::from_secs(1), pauses: &[(100, Duration::ZERO)] };

/// For a secret of 40 bits and more that exists for minutes: no bound but the waits.
pub const CODE: Budget = Budget { leak: Duration::ZERO, pauses: &[] };

/// How much of a budget is spent.
#[derive(Clone, Copy, Debug)]
struct Spent {
    /// When all wrong tries are forgotten.
    until: Instant,
    /// The last wrong try.
    last: Instant,
}

#[derive(Clone, Copy, Debug)]
struct Row {
    from: LoginSource,
    wrong: u32,
    last: Instant,
    not_before: Instant,
}

/// The tries of all sources at one password.
#[derive(Clone, Debug)]
pub struct Throttle {
    budget: Budget,
    rows: Vec<Row>,
    /// Strangers' tries together.
    strangers: Option<Spent>,
    /// Sources from which the right password came, the newest last, each with its own budget.
    proven: Vec<(LoginSource, Option<Spent>)>,
}

impl Throttle {
    /// No try has come yet.
    pub fn new(budget: Budget) -> Throttle {
        Throttle { budget, rows: Vec::new(), strangers: None, proven: Vec::new() }
    }

    /// How long until a try from here may be judged; zero for now.
    pub fn turn(&self, from: LoginSource, now: Instant) -> Duration {
        let Some(spent) = self.spent(from) else { return Duration::ZERO };
        let left = spent.until.saturating_duration_since(now);
        let wrong = left.as_millis() / self.budget.leak.as_millis().max(1);
        let row = self.budget.pauses.iter().find(|(most, _)| wrong < u128::from(*most));
        let pause = row.map_or(self.budget.leak, |(_, pause)| *pause);
        (spent.last + pause).saturating_duration_since(now)
    }

    /// Whether the right password has come from here.
    pub fn is_proven(&self, from: LoginSource) -> bool {
        self.proven.iter().any(|(source, _)| *source == from)
    }

    /// A wrong try that was judged. `None`: the source waited as requested, and learns that it was
    /// wrong. Otherwise it came too early; the time to wait is returned.
    pub fn wrong(&mut self, from: LoginSource, now: Instant) -> Option<Duration> {
        let leak = self.budget.leak;
        let spend = |spent: Option<Spent>| {
            let from = spent.map_or(now, |spent| spent.until.max(now));
            Some(Spent { until: from + leak, last: now })
        };
        match self.proven.iter_mut().find(|(source, _)| *source == from) {
            Some((_, spent)) => *spent = spend(*spent),
            None => self.strangers = spend(self.strangers),
        }
        self.wrong_again(from, now)
    }

    /// A try that is known to be wrong without being judged, such as one that was made before: it
    /// tells a guesser nothing, and spends no budget.
    pub fn wrong_again(&mut self, from: LoginSource, now: Instant) -> Option<Duration> {
        self.rows.retain(|row| now.saturating_duration_since(row.last) < FORGET);
        let row = if let Some(index) = self.rows.iter().position(|row| row.from == from) {
            self.rows.get_mut(index)?
        } else {
            let quiet = (0..self.rows.len()).min_by_key(|&index| self.rows[index].last);
            if let Some(quiet) = quiet.filter(|_| self.rows.len() >= MOST) {
                self.rows.swap_remove(quiet);
            }
            self.rows.push(Row { from, wrong: 0, last: now, not_before: now });
            self.rows.last_mut()?
        };
        let early = row.not_before > now;
        row.wrong = row.wrong.saturating_add(1);
        row.last = now;
        if let Some(over) = row.wrong.checked_sub(FREE) {
            row.not_before = now + Duration::from_secs(1 << over.min(6)).min(LONGEST);
        }
        early.then(|| row.not_before - now)
    }

    /// How long this source's wrong tries make it wait now; a right one does not wait.
    pub fn penalty(&self, from: LoginSource, now: Instant) -> Duration {
        let row = self.rows.iter().find(|row| row.from == from);
        row.map_or(Duration::ZERO, |row| row.not_before.saturating_duration_since(now))
    }

    /// A right one.
    pub fn right(&mut self, from: LoginSource) {
        self.rows.retain(|row| row.from != from);
        let at = self.proven.iter().position(|(source, _)| *source == from);
        let row = at.map_or((from, None), |at| self.proven.remove(at));
        if self.proven.len() >= MOST_PROVEN {
            self.proven.remove(0);
        }
        self.proven.push(row);
    }

    fn spent(&self, from: LoginSource) -> Option<Spent> {
        let own = self.proven.iter().find(|(source, _)| *source == from);
        own.map_or(self.strangers, |(_, spent)| *spent)
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    fn at(last: u32) -> LoginSource {
        LoginSource::address(IpAddr::from((0x0a00_0000 | last).to_be_bytes()))
    }

    #[test]
    fn five_are_free_then_each_waits_longer_but_never_more_than_a_minute() {
        let mut throttle = Throttle::new(STREAMS);
        let mut now = Instant::now();
        let mut waits = Vec::new();
        for _ in 0..14 {
            let wait = throttle.penalty(at(66), now);
            waits.push(wait.as_secs());
            now += wait;
            assert_eq!(throttle.wrong(at(66), now), None, "the wait was served");
        }
        assert_eq!(waits, [0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(throttle.wrong(at(66), now), Some(LONGEST), "it came at once");
        assert_eq!(throttle.penalty(at(2), now), Duration::ZERO, "others wait for nothing");
        assert_eq!(throttle.turn(at(66), now), Duration::ZERO, "a right one would be let in now");
        throttle.right(at(66));
        assert_eq!(throttle.penalty(at(66), now), Duration::ZERO);
    }

    /// Tries as many as can be judged from as many addresses as one likes; how many that were.
    fn attack(budget: Budget, time: Duration) -> u32 {
        let mut throttle = Throttle::new(budget);
        let start = Instant::now();
        let mut now = start;
        let mut judged = 0;
        loop {
            now += throttle.turn(at(judged), now);
            if now - start > time {
                return judged;
            }
            throttle.wrong(at(judged), now);
            judged += 1;
        }
    }

    #[test]
    fn from_however_many_addresses_guessing_is_bounded_in_all() {
        let (hour, day) = (Duration::from_secs(3600), Duration::from_secs(86_400));
        let chosen = [hour, day, 10 * day].map(|time| attack(CHOSEN, time));
        assert!(chosen[0] < 2000 && chosen[1] < 15_000 && chosen[2] < 95_000, "{chosen:?}");
        let streams = attack(STREAMS, day);
        assert!(streams <= 86_600, "{streams}");
    }

    #[test]
    fn a_login_that_was_right_before_is_never_delayed_by_strangers() {
        let mut throttle = Throttle::new(CHOSEN);
        let now = Instant::now();
        throttle.right(at(1));
        for number in 2..10_000 {
            throttle.wrong(at(number), now);
        }
        assert_eq!(throttle.turn(at(1), now), Duration::ZERO);
        assert_eq!(
            throttle.turn(LoginSource::Session(7), now),
            CHOSEN.leak,
            "this one is not known yet"
        );
        // Its own wrong ones count for it alone.
        for _ in 0..20 {
            throttle.wrong(at(1), now);
        }
        assert_eq!(throttle.turn(at(1), now), Duration::from_secs(1));
    }

    #[test]
    fn no_try_waits_longer_for_its_turn_than_the_budget_says() {
        let mut throttle = Throttle::new(CHOSEN);
        let now = Instant::now();
        for (wrong, wait) in [(19, 0), (20, 1), (100, 2), (1000, 5), (9000, 10)] {
            throttle.strangers = None;
            for _ in 0..wrong {
                throttle.wrong(at(9), now);
            }
            assert!(throttle.turn(at(8), now).as_secs() <= wait, "after {wrong}");
        }
        let calm = now + CHOSEN.leak * 9000;
        assert_eq!(throttle.turn(at(8), calm), Duration::ZERO, "all is forgotten");
    }

    #[test]
    fn a_repeated_wrong_password_spends_nothing_and_many_sources_take_no_more_memory() {
        let mut throttle = Throttle::new(CHOSEN);
        let now = Instant::now();
        for number in 0..10_000 {
            throttle.wrong_again(at(number), now);
        }
        assert_eq!(throttle.turn(at(1), now), Duration::ZERO);
        assert_eq!(throttle.rows.len(), MOST);
        for number in 0..1000 {
            throttle.right(at(number));
        }
        assert_eq!(throttle.proven.len(), MOST_PROVEN);
    }
}
