//! Wrong guesses cost time: five are free, then each waits longer, never more than a minute, for
//! each address apart, so that a stranger's guesses do not keep the owner out. Pure but for the
//! clock in [`Throttle::allow`].

use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

use super::LoginError;

/// Wrong guesses that cost nothing.
const FREE: u32 = 5;
/// The longest wait.
const LONGEST: Duration = Duration::from_secs(60);
/// After so long without a guess, all is forgotten.
const FORGET: Duration = Duration::from_secs(3600);
/// Addresses that are remembered; whoever was quiet longest makes room.
const MOST: usize = 64;

/// The guesses of every address.
#[derive(Default)]
pub(super) struct Throttle(Vec<Row>);

struct Row {
    from: IpAddr,
    wrong: u32,
    last: Instant,
}

impl Throttle {
    /// Whether this address may guess now.
    pub fn allow(&mut self, from: IpAddr) -> Result<(), LoginError> {
        match self.wait(from, Instant::now()) {
            None => Ok(()),
            Some(left) => Err(LoginError::TooMany { seconds: left.as_secs() + 1 }),
        }
    }

    /// How long this address still has to wait.
    fn wait(&mut self, from: IpAddr, now: Instant) -> Option<Duration> {
        self.0.retain(|row| now.saturating_duration_since(row.last) < FORGET);
        let row = self.0.iter().find(|row| row.from == key(from))?;
        let over = row.wrong.checked_sub(FREE)?;
        let pause = Duration::from_secs(1 << over.min(6)).min(LONGEST);
        pause.checked_sub(now.saturating_duration_since(row.last)).filter(|left| !left.is_zero())
    }

    /// A wrong guess.
    pub fn wrong(&mut self, from: IpAddr, now: Instant) {
        let from = key(from);
        if let Some(row) = self.0.iter_mut().find(|row| row.from == from) {
            row.wrong = row.wrong.saturating_add(1);
            row.last = now;
            return;
        }
        if self.0.len() >= MOST
            && let Some(quiet) = (0..self.0.len()).min_by_key(|&i| self.0[i].last)
        {
            self.0.swap_remove(quiet);
        }
        self.0.push(Row { from, wrong: 1, last: now });
    }

    /// A right one.
    pub fn right(&mut self, from: IpAddr) {
        self.0.retain(|row| row.from != key(from));
    }
}

/// Whoever has one IPv6 address has all of its /64.
fn key(from: IpAddr) -> IpAddr {
    match from {
        IpAddr::V6(v6) if !v6.is_loopback() => {
            IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)))
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const THIEF: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 66));
    const OWNER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2));

    #[test]
    fn five_are_free_then_each_waits_longer_but_never_more_than_a_minute() {
        let mut throttle = Throttle::default();
        let mut now = Instant::now();
        let mut waits = Vec::new();
        for _ in 0..14 {
            let wait = throttle.wait(THIEF, now).unwrap_or_default();
            waits.push(wait.as_secs());
            now += wait;
            assert_eq!(throttle.wait(THIEF, now), None, "the wait was served");
            throttle.wrong(THIEF, now);
        }
        assert_eq!(waits, [0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(throttle.wait(OWNER, now), None, "the owner is somebody else");
        throttle.right(THIEF);
        assert_eq!(throttle.wait(THIEF, now), None);
    }

    #[test]
    fn a_whole_network_of_ipv6_is_one_and_the_table_stays_small() {
        let mut throttle = Throttle::default();
        let now = Instant::now();
        for n in 0..10u128 {
            throttle.wrong(IpAddr::V6(Ipv6Addr::from_bits(0xfd00 << 112 | n)), now);
        }
        let other = IpAddr::V6(Ipv6Addr::from_bits((0xfd00 << 112) + 999));
        assert!(throttle.wait(other, now).is_some());
        for n in 0..1000 {
            throttle.wrong(IpAddr::V4(std::net::Ipv4Addr::from_bits(n)), now);
        }
        assert_eq!(throttle.0.len(), MOST);
    }
}
