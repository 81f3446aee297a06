//! Presence: whether the client of a request is still there. The gate sees clients leave, the
//! handlers wait for the camera; this register tells the one what the other saw.
//!
//! tiny_http cannot: a handler learns of a closed connection only when it writes, and a handler that
//! waits for a picture or for news of a job writes nothing.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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

#[derive(Default)]
struct Register {
    next: AtomicU64,
    /// The served requests; `true` where the client has closed its half.
    served: Mutex<BTreeMap<u64, bool>>,
}

impl Register {
    fn served(&self) -> MutexGuard<'_, BTreeMap<u64, bool>> {
        self.served.lock().unwrap_or_else(PoisonError::into_inner)
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
}

#[cfg(test)]
mod tests {
    use super::*;

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
