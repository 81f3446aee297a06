//! Wrong passwords cost time: after five from one address each further one waits longer, never
//! more than a minute. Pure: instants come in.

use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Wrong ones that cost nothing: an owner may mistype.
const FREE: u32 = 5;
/// The longest wait.
const LONGEST: Duration = Duration::from_secs(60);
/// Addresses remembered; the one that has waited longest without a mistake goes first.
const MOST: usize = 64;
/// So long after its last mistake an address is forgotten.
const FORGET: Duration = Duration::from_secs(900);

#[derive(Clone, Copy, Debug)]
struct Entry {
    address: IpAddr,
    wrong: u32,
    last: Instant,
    not_before: Instant,
}

/// Who was wrong how often.
#[derive(Clone, Debug, Default)]
pub struct Guard {
    entries: Vec<Entry>,
}

impl Guard {
    /// Nobody was.
    pub fn new() -> Guard {
        Guard::default()
    }

    /// When a login from this address may be judged; none for at once.
    pub fn wait(&self, address: IpAddr, now: Instant) -> Option<Instant> {
        let entry = self.entries.iter().find(|entry| entry.address == address)?;
        (entry.not_before > now).then_some(entry.not_before)
    }

    /// A wrong password came from there.
    pub fn wrong(&mut self, address: IpAddr, now: Instant) {
        self.entries.retain(|entry| now.saturating_duration_since(entry.last) < FORGET);
        let index = self.entries.iter().position(|entry| entry.address == address);
        let index = index.unwrap_or_else(|| {
            if self.entries.len() >= MOST {
                let oldest = self.entries.iter().enumerate().min_by_key(|(_, entry)| entry.last);
                if let Some((oldest, _)) = oldest {
                    self.entries.swap_remove(oldest);
                }
            }
            self.entries.push(Entry { address, wrong: 0, last: now, not_before: now });
            self.entries.len() - 1
        });
        if let Some(entry) = self.entries.get_mut(index) {
            entry.wrong = entry.wrong.saturating_add(1);
            entry.last = now;
            if entry.wrong >= FREE {
                let doubled = 1u64 << (entry.wrong - FREE).min(6);
                entry.not_before = now + Duration::from_secs(doubled).min(LONGEST);
            }
        }
    }

    /// The owner is there.
    pub fn right(&mut self, address: IpAddr) {
        self.entries.retain(|entry| entry.address != address);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_wrong_passwords_cost_most_of_a_day() {
        let mut guard = Guard::new();
        let address = IpAddr::from([10, 0, 0, 9]);
        let start = Instant::now();
        let mut now = start;
        for number in 0..1000 {
            if let Some(until) = guard.wait(address, now) {
                assert!(number >= 5, "the first five cost nothing");
                assert!(until - now <= LONGEST);
                now = until;
            }
            guard.wrong(address, now);
        }
        assert!(now - start > Duration::from_secs(16 * 3600), "{:?}", now - start);
        assert!(guard.wait(IpAddr::from([10, 0, 0, 8]), now).is_none(), "others go free");
        guard.right(address);
        assert!(guard.wait(address, now).is_none());
    }

    #[test]
    fn many_addresses_take_no_more_memory() {
        let mut guard = Guard::new();
        let now = Instant::now();
        for number in 0..100_000u32 {
            guard.wrong(IpAddr::from(number.to_be_bytes()), now);
        }
        assert_eq!(guard.entries.len(), MOST);
    }
}
