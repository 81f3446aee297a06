//! All endpoints of this process, read by one thread: connecting again and again, checking what
//! comes, and asking for key frames and snapshots no more often than the vendor's own programs do.
//!
//! ```text
//!            connect                 type 1 is right            type 2
//!   Idle -----------------> Handshake --------------> Streaming ------> frames
//!    ^  no socket: 1 s       | end: 1 s                | end: 1 s
//!    |                       | not understood          | not understood
//!    +---- 60 s ---- Ending (no more sending, read to the end) <-+
//! ```

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::endpoint::{Endpoint, EndpointKind, EndpointState, Event, Sink};
use super::error::FrameError;
use super::link::Link;
use super::slot::{LATER, Phase, RETRY, Slot};
use super::wire::LONGEST;

/// How long the descriptor is awaited when this process ends: a snapshot blocks the other side for
/// a second or two.
const HANDSHAKE: Duration = Duration::from_secs(4);
/// Between two requests for a key frame, of all streams together; between two snapshots.
const SPACE: Duration = Duration::from_secs(1);
/// Datagrams of sound before the other endpoints have their turn.
const TURN: usize = 32;
/// Sound waits so long for a picture to be read with: each wake-up costs more than reading it.
const WITH_PICTURE: Duration = Duration::from_millis(60);
/// Without a frame of an endpoint for so long, it is waited for on its own.
const QUIET: Duration = Duration::from_secs(1);
/// The longest sleep.
const IDLE: Duration = Duration::from_millis(500);

const REQ_IDR: &[u8] = b"REQ_IDR";
const REQ_SNAPSHOT: &[u8] = b"REQ_SNAPSHOT_R";

/// See the module.
#[derive(Debug)]
pub struct Reader {
    pub(super) slots: Vec<Slot>,
    pub(super) datagram: Vec<u8>,
    pub(super) buffer: Vec<u8>,
    pub(super) key_wanted: bool,
    key_requested: Option<Instant>,
    snapshot_requested: Option<Instant>,
    wake_at: Option<Instant>,
}

impl Reader {
    /// Connects to nothing yet.
    pub fn new(endpoints: Vec<Endpoint>) -> Reader {
        let mut reader = Reader {
            slots: Vec::new(),
            datagram: vec![0; LONGEST + 1],
            buffer: Vec::new(),
            key_wanted: false,
            key_requested: None,
            snapshot_requested: None,
            wake_at: None,
        };
        for endpoint in endpoints {
            reader.add(endpoint);
        }
        reader
    }

    /// One more endpoint; its number.
    pub fn add(&mut self, endpoint: Endpoint) -> usize {
        self.slots.push(Slot::new(endpoint));
        self.slots.len() - 1
    }

    /// Waits for frames, at most half a second or until `wake` is readable, and does what is due.
    /// True where `wake` is readable.
    pub fn turn(&mut self, wake: Option<BorrowedFd<'_>>, sink: Sink<'_>) -> bool {
        let now = Instant::now();
        for index in 0..self.slots.len() {
            self.look_after(index, now, sink);
        }
        self.send_key_request(now);
        let (ready, woken) = self.wait(wake, now);
        let now = Instant::now();
        for index in ready {
            self.receive(index, now, sink);
        }
        woken
    }

    /// Whether frames of this kind have come within the last second.
    fn flows(&self, kind: EndpointKind, now: Instant) -> bool {
        let recent = |at: Instant| now.saturating_duration_since(at) < QUIET;
        self.slots.iter().any(|slot| slot.endpoint.kind == kind && slot.heard.is_some_and(recent))
    }

    /// Asks for a key frame of both streams, as soon as a second has passed since the last time.
    pub fn request_key_frame(&mut self) {
        self.key_wanted = true;
    }

    /// The next waits end then, also without a frame.
    pub fn wake_at(&mut self, at: Option<Instant>) {
        self.wake_at = at;
    }

    /// Sends a piece of A-law at 16 kHz to the speaker. Pieces of 640 bytes are never taken for a
    /// command; their rate is the caller's business. False where there is no speaker, or where it
    /// takes nothing now.
    pub fn speak(&mut self, piece: &[u8]) -> bool {
        let mut speakers =
            self.slots.iter().filter(|slot| slot.endpoint.kind == EndpointKind::Speaker);
        speakers
            .any(|slot| matches!(&slot.phase, Phase::Streaming(link) if link.say(piece).is_ok()))
    }

    /// Asks for a snapshot. False where none may be requested now: another was within the last
    /// second, or there is no such endpoint.
    pub fn request_snapshot(&mut self) -> bool {
        let now = Instant::now();
        if self.snapshot_requested.is_some_and(|at| now.saturating_duration_since(at) < SPACE) {
            return false;
        }
        let sent = self.slots.iter().filter(|slot| slot.endpoint.kind == EndpointKind::Jpeg).any(
            |slot| matches!(&slot.phase, Phase::Streaming(link) if link.say(REQ_SNAPSHOT).is_ok()),
        );
        if sent {
            self.snapshot_requested = Some(now);
        }
        sent
    }

    /// Ends all connections politely; takes some seconds at most.
    pub fn end(mut self) {
        let now = Instant::now();
        for slot in &mut self.slots {
            if matches!(slot.phase, Phase::Streaming(_)) {
                slot.leave(now);
            }
        }
        let until = now + HANDSHAKE;
        while self.slots.iter().any(|slot| slot.link().is_some()) && Instant::now() < until {
            let (ready, _) = self.wait(None, Instant::now());
            let now = Instant::now();
            for index in ready {
                self.receive(index, now, &mut |_, _| {});
                // The descriptor that was awaited has come.
                let slot = self.slots.get_mut(index);
                if let Some(slot) = slot.filter(|s| matches!(s.phase, Phase::Streaming(_))) {
                    slot.leave(now);
                }
            }
            for slot in &mut self.slots {
                if matches!(slot.phase, Phase::Ending(_, until) if until <= now) {
                    slot.phase = Phase::Idle;
                }
                slot.retry_at = now + LATER;
            }
        }
    }

    pub(super) fn set_state(&mut self, index: usize, state: EndpointState, sink: Sink<'_>) {
        let Some(slot) = self.slots.get_mut(index) else { return };
        if slot.state != state {
            slot.state = state;
            sink(index, Event::State(&slot.state));
        }
    }

    /// What is due without a datagram: connecting, and the end of a farewell.
    fn look_after(&mut self, index: usize, now: Instant, sink: Sink<'_>) {
        let Some(slot) = self.slots.get_mut(index) else { return };
        if slot.due().is_none_or(|due| due > now) {
            return;
        }
        if let Phase::Ending(..) = slot.phase {
            slot.phase = Phase::Idle;
            return;
        }
        let state = match Link::connect(&slot.endpoint.folder) {
            Ok(link) => {
                slot.phase = Phase::Handshake(link);
                slot.sequence = 0;
                slot.number = None;
                slot.lost = false;
                slot.faults = 0;
                EndpointState::Connecting
            }
            Err(Errno::EPROTOTYPE) => slot.give_up(FrameError::SocketType, now),
            Err(error) => {
                slot.retry_at = now + RETRY;
                let gone = matches!(error, Errno::ECONNREFUSED | Errno::ENOENT)
                    && slot.state == EndpointState::Gone;
                if gone { EndpointState::Gone } else { EndpointState::Missing }
            }
        };
        // A new try says nothing new before it succeeds.
        if state != EndpointState::Connecting {
            self.set_state(index, state, sink);
        }
    }

    fn send_key_request(&mut self, now: Instant) {
        let spaced = self.key_requested.is_none_or(|at| now.saturating_duration_since(at) >= SPACE);
        if !self.key_wanted || !spaced {
            return;
        }
        // One request counts for both streams.
        let sent =
            self.slots.iter().filter(|slot| slot.endpoint.kind == EndpointKind::Picture).any(
                |slot| matches!(&slot.phase, Phase::Streaming(link) if link.say(REQ_IDR).is_ok()),
            );
        if sent {
            self.key_wanted = false;
            self.key_requested = Some(now);
        }
    }

    /// The endpoints that have something to read, or may have; and whether `wake` is readable.
    fn wait(&self, wake: Option<BorrowedFd<'_>>, now: Instant) -> (Vec<usize>, bool) {
        let mut until = now + IDLE;
        let mut fds = Vec::with_capacity(self.slots.len() + 1);
        let mut owners = Vec::with_capacity(self.slots.len() + 1);
        if let Some(wake) = wake {
            fds.push(PollFd::new(wake, PollFlags::POLLIN));
            owners.push(None);
        }
        let together =
            self.flows(EndpointKind::Picture, now) && self.flows(EndpointKind::Sound, now);
        let mut unasked = Vec::new();
        for (index, slot) in self.slots.iter().enumerate() {
            until = until.min(slot.due().unwrap_or(until));
            if together && slot.endpoint.kind == EndpointKind::Sound {
                unasked.push(index);
                continue;
            }
            if let Some(link) = slot.link() {
                fds.push(PollFd::new(link.as_fd(), PollFlags::POLLIN));
                owners.push(Some(index));
            }
        }
        if let Some(at) = self.key_requested.filter(|_| self.key_wanted) {
            until = until.min(at + SPACE);
        }
        until = until.min(self.wake_at.unwrap_or(until));
        if !unasked.is_empty() {
            until = until.min(now + WITH_PICTURE);
        }
        // One more millisecond: poll rounds down, and would wake just too early.
        let sleep = until.saturating_duration_since(now) + Duration::from_millis(1);
        if poll(&mut fds, PollTimeout::try_from(sleep).unwrap_or(PollTimeout::MAX)).is_err() {
            return (Vec::new(), false);
        }
        let is_ready = |fd: &PollFd<'_>| fd.any() != Some(false);
        let woken = wake.is_some() && fds.first().is_some_and(is_ready);
        let ready = fds.iter().zip(&owners).filter(|(fd, _)| is_ready(fd));
        // Sound first: it is sent with the picture that is read now.
        (unasked.into_iter().chain(ready.filter_map(|(_, owner)| *owner)).collect(), woken)
    }

    /// Takes in what an endpoint has sent.
    fn receive(&mut self, index: usize, now: Instant, sink: Sink<'_>) {
        // Of what was waited for there is one datagram: the wait tells sooner of the next one than
        // a call that finds nothing. Of sound that was not waited for there may be some.
        let sound =
            self.slots.get(index).is_some_and(|slot| slot.endpoint.kind == EndpointKind::Sound);
        for _ in 0..if sound { TURN } else { 1 } {
            let Some(slot) = self.slots.get_mut(index) else { return };
            let Some(link) = slot.link() else { return };
            let received = match link.receive(&mut self.datagram) {
                Ok(received) if received.length > 0 => received,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // The end, or an error that is one.
                Ok(_) | Err(_) => {
                    if let Some(state) = slot.close(now) {
                        self.set_state(index, state, sink);
                    }
                    return;
                }
            };
            slot.heard = Some(now);
            if let Phase::Ending(..) = slot.phase {
                continue;
            }
            if let Err(fault) = self.take(index, received, sink) {
                let Some(slot) = self.slots.get_mut(index) else { return };
                let state = slot.give_up(fault, now);
                self.set_state(index, state, sink);
                return;
            }
        }
    }
}
