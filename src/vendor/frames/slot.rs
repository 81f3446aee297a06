//! One endpoint's connection: its phases, and when the next one is due.

use std::time::{Duration, Instant};

use super::endpoint::{Endpoint, EndpointState};
use super::error::FrameError;
use super::link::Link;

/// From a failed connection to the next try; the vendor's own receivers wait as long.
pub(super) const RETRY: Duration = Duration::from_secs(1);
/// The same where something was not understood: each try is a connection that fetch_av serves.
pub(super) const LATER: Duration = Duration::from_secs(60);
/// How long a polite end waits for the other side.
pub(super) const FAREWELL: Duration = Duration::from_secs(2);

#[derive(Debug, Default)]
pub(super) enum Phase {
    #[default]
    Idle,
    Handshake(Link),
    Streaming(Link),
    Ending(Link, Instant),
}

#[derive(Debug)]
pub(super) struct Slot {
    pub(super) endpoint: Endpoint,
    pub(super) phase: Phase,
    pub(super) state: EndpointState,
    /// When it may connect again.
    pub(super) retry_at: Instant,
    /// The last frame's counter of this connection.
    pub(super) sequence: u32,
    /// The last frame's number by the encoder.
    pub(super) number: Option<u32>,
    /// Something came and could not be used.
    pub(super) lost: bool,
    pub(super) faults: u32,
    /// When the last datagram came.
    pub(super) heard: Option<Instant>,
}

impl Slot {
    /// Not connected yet.
    pub(super) fn new(endpoint: Endpoint) -> Slot {
        Slot {
            endpoint,
            phase: Phase::Idle,
            state: EndpointState::Missing,
            retry_at: Instant::now(),
            sequence: 0,
            number: None,
            lost: false,
            faults: 0,
            heard: None,
        }
    }

    pub(super) fn link(&self) -> Option<&Link> {
        match &self.phase {
            Phase::Idle => None,
            Phase::Handshake(link) | Phase::Streaming(link) | Phase::Ending(link, _) => Some(link),
        }
    }

    /// When something is due without a datagram.
    pub(super) fn due(&self) -> Option<Instant> {
        match self.phase {
            Phase::Idle => Some(self.retry_at),
            Phase::Ending(_, until) => Some(until),
            Phase::Handshake(_) | Phase::Streaming(_) => None,
        }
    }

    /// The other side ended: nothing is left to be polite to.
    pub(super) fn close(&mut self, now: Instant) -> Option<EndpointState> {
        let ending = matches!(self.phase, Phase::Ending(..));
        self.phase = Phase::Idle;
        if ending {
            return None;
        }
        self.retry_at = now + RETRY;
        Some(EndpointState::Gone)
    }

    /// Leaves without a hard close.
    pub(super) fn leave(&mut self, now: Instant) {
        self.phase = match std::mem::take(&mut self.phase) {
            Phase::Handshake(link) | Phase::Streaming(link) => {
                link.finish();
                Phase::Ending(link, now + FAREWELL)
            }
            other => other,
        };
    }

    pub(super) fn give_up(&mut self, fault: FrameError, now: Instant) -> EndpointState {
        self.leave(now);
        self.retry_at = now + LATER;
        EndpointState::NotUnderstood(fault)
    }
}
