//! Presence: whether the client of a request is still there. The gate sees clients leave, the
//! handlers wait for the camera; this register tells the one what the other saw.
//!
//! tiny_http cannot: a handler learns of a closed connection only when it writes, and a handler that
//! waits for a picture or for news of a job writes nothing.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What is known of a request's client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It waits for its answer.
    Here,
    /// It has closed its half: most likely it is gone, and it reads an answer if it is not.
    HalfClosed,
    /// Nobody takes the answer any more.
    Gone,
}

/// What a request takes one of the 12 handlers for, for long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hold {
    /// It waits for news.
    News,
    /// It is a picture or a sound without an end.
    Stream,
}

/// Handlers that are held at most; the other four are always free for ordinary requests.
const MOST_HELD: usize = 8;
/// Of these, by those that wait for news: they can ask again, and leave room to watch.
const MOST_NEWS: usize = 4;

#[derive(Default)]
struct Register {
    next: AtomicU64,
    /// Handlers that are held, for each [`Hold`].
    held: Mutex<[usize; 2]>,
    /// The served requests; `true` where the client has closed its half.
    served: Mutex<BTreeMap<u64, bool>>,
}

impl Register {
    fn served(&self) -> MutexGuard<'_, BTreeMap<u64, bool>> {
        self.served.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn held(&self) -> MutexGuard<'_, [usize; 2]> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The clients of all requests. Clones are the same register.
#[derive(Clone, Default)]
pub struct Clients(Arc<Register>);

impl fmt::Debug for Clients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clients({})", self.0.served().len())
    }
}

impl Clients {
    /// A client whose request the gate has read; it is there until the ticket is dropped.
    pub(crate) fn enter(&self) -> Ticket {
        let number = self.0.next.fetch_add(1, Ordering::Relaxed);
        self.0.served().insert(number, false);
        Ticket { clients: self.clone(), number }
    }

    /// The client with this number.
    pub fn client(&self, number: u64) -> Client {
        Client { clients: self.clone(), number }
    }
}

/// What the gate holds of a client.
#[derive(Debug)]
pub(crate) struct Ticket {
    clients: Clients,
    number: u64,
}

impl Ticket {
    /// The number that the request carries.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The client has closed its half.
    pub fn half_closed(&self) {
        if let Some(half) = self.clients.0.served().get_mut(&self.number) {
            *half = true;
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.clients.0.served().remove(&self.number);
    }
}

/// What a handler asks.
#[derive(Clone, Debug)]
pub struct Client {
    clients: Clients,
    number: u64,
}

impl Client {
    /// Whether it is still there.
    pub fn presence(&self) -> Presence {
        match self.clients.0.served().get(&self.number) {
            Some(false) => Presence::Here,
            Some(true) => Presence::HalfClosed,
            None => Presence::Gone,
        }
    }

    /// A place for a request that takes long, held as long as the value; `None` where it has to be
    /// answered at once.
    pub(crate) fn hold(&self, hold: Hold) -> Option<Held> {
        let mut held = self.clients.0.held();
        let [news, streams] = *held;
        if news + streams >= MOST_HELD || (hold == Hold::News && news >= MOST_NEWS) {
            return None;
        }
        held[hold as usize] += 1;
        drop(held);
        Some(Held { clients: self.clients.clone(), hold })
    }

    /// How long this request may wait for news: as long as it wishes, or not at all; and its place.
    pub(crate) fn patience(&self, wish: Option<u64>) -> (Duration, Option<Held>) {
        let wish = Duration::from_secs(wish.unwrap_or(0));
        let held = if wish.is_zero() { None } else { self.hold(Hold::News) };
        (if held.is_some() { wish } else { Duration::ZERO }, held)
    }
}

/// A held handler.
#[derive(Debug)]
pub(crate) struct Held {
    clients: Clients,
    hold: Hold,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.clients.0.held()[self.hold as usize] -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_handlers_stay_free_and_those_that_wait_leave_room_to_watch() {
        let clients = Clients::default();
        let client = clients.client(1);
        let mut news: Vec<_> = (0..MOST_NEWS).filter_map(|_| client.hold(Hold::News)).collect();
        assert_eq!(news.len(), MOST_NEWS);
        assert_eq!(client.patience(Some(20)).0, Duration::ZERO, "no more may wait");
        let mut streams: Vec<_> = (0..20).map_while(|_| client.hold(Hold::Stream)).collect();
        assert_eq!(streams.len(), MOST_HELD - MOST_NEWS);
        news.pop();
        streams.push(client.hold(Hold::Stream).unwrap());
        assert!(client.hold(Hold::News).is_none(), "all are held");
        streams.clear();
        let (wait, place) = client.patience(Some(20));
        assert_eq!((wait, place.is_some()), (Duration::from_secs(20), true));
        assert!(client.patience(None).1.is_none());
    }

    #[test]
    fn a_client_is_there_until_its_ticket_is_dropped() {
        let clients = Clients::default();
        let (one, two) = (clients.enter(), clients.enter());
        let asked = [clients.client(one.number()), clients.client(two.number())];
        one.half_closed();
        assert_eq!(asked.clone().map(|c| c.presence()), [Presence::HalfClosed, Presence::Here]);
        drop(one);
        assert_eq!(asked.clone().map(|c| c.presence()), [Presence::Gone, Presence::Here]);
        drop(two);
        assert_eq!(asked.map(|c| c.presence()), [Presence::Gone, Presence::Gone]);
    }
}
