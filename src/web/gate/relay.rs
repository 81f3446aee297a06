//! One request with tiny_http: its bytes on their way in, the answer's on their way back. Nothing
//! here blocks; the poll loop says what is ready.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use crate::base::is_later;
use crate::web::clients::Ticket;
use crate::web::gate::Limits;
use crate::web::gate::answer::Refusal;
use crate::web::gate::forward::{self, ResponseStart};
use crate::web::gate::table::Pace;

/// Most bytes of a response's head; the handlers are ours, and write a few hundred.
const RESPONSE_HEAD: usize = 16 * 1024;

/// How a step ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// It continues when the sockets are ready again.
    Wait,
    /// The whole answer is with the client's kernel.
    Done,
    /// No byte of an answer went out: the client gets this instead.
    Refuse(Refusal),
    /// The client is gone, or the answer broke off in its middle.
    Broken,
}

/// One request that is being served.
#[derive(Debug)]
pub(super) struct Relay {
    /// Tells the handler whether the client is still there.
    client: Ticket,
    backend: UnixStream,
    /// The request, and how much of it tiny_http has.
    request: Vec<u8>,
    written: usize,
    /// What tiny_http said and the client has not taken yet.
    pending: Vec<u8>,
    taken: usize,
    /// The response's head has been rewritten and is in `pending`, or gone.
    head_done: bool,
    /// tiny_http has said all.
    ended: bool,
    /// The client has closed its half.
    half_closed: bool,
    started: Instant,
    /// The last time the side that is waited for did something.
    moved: Instant,
    delivered: u64,
}

impl Relay {
    pub(super) fn new(client: Ticket, backend: UnixStream, request: Vec<u8>, now: Instant) -> Self {
        Self {
            client,
            backend,
            request,
            written: 0,
            pending: Vec::new(),
            taken: 0,
            head_done: false,
            ended: false,
            half_closed: false,
            started: now,
            moved: now,
            delivered: 0,
        }
    }

    pub(super) fn backend(&self) -> &UnixStream {
        &self.backend
    }

    /// Whether the client has closed its half.
    pub(super) fn is_half_closed(&self) -> bool {
        self.half_closed
    }

    /// The client has closed its half.
    pub(super) fn note_half_closed(&mut self, now: Instant) {
        if !self.half_closed {
            self.half_closed = true;
            self.moved = now;
            self.client.half_closed();
        }
    }

    /// Whether bytes lie ready for the client.
    pub(super) fn waits_for_client(&self) -> bool {
        self.head_done && self.taken < self.pending.len()
    }

    /// Whether part of the request is still to be given to tiny_http.
    pub(super) fn waits_to_write(&self) -> bool {
        self.written < self.request.len()
    }

    /// When it is dropped unless something moves.
    pub(super) fn deadline(&self, limits: &Limits) -> Instant {
        let patience = match (self.waits_for_client(), self.half_closed && self.head_done) {
            (true, _) => limits.write_stall,
            (false, true) => limits.half_closed,
            (false, false) => limits.backend_silence,
        };
        (self.moved + patience).min(self.started + limits.total_time)
    }

    /// What to do when the deadline has passed.
    pub(super) fn expire(&self) -> Step {
        if self.head_done { Step::Broken } else { Step::Refuse(Refusal::BackendSilent) }
    }

    pub(super) fn pace(&self, index: usize, now: Instant) -> Pace {
        Pace {
            index,
            age: now.saturating_duration_since(self.started).max(Duration::from_millis(1)),
            taken: self.delivered,
            waits_for_client: self.waits_for_client(),
            half_closed: self.half_closed,
        }
    }

    /// Moves what can be moved now. One read for each call: others are waiting too.
    pub(super) fn step(
        &mut self,
        client: &mut TcpStream,
        scratch: &mut [u8],
        now: Instant,
    ) -> Step {
        if self.waits_to_write() {
            match self.backend.write(&self.request[self.written..]) {
                Ok(count) => {
                    self.written += count;
                    self.moved = now;
                }
                Err(error) if is_later(&error) => {}
                // It may have answered before it read all; what it said is still to be read.
                Err(_) => self.written = self.request.len(),
            }
            if !self.waits_to_write() {
                self.request = Vec::new();
                self.written = 0;
            }
        }
        if !self.waits_for_client() && !self.ended {
            match self.read_backend(scratch, now) {
                Step::Wait => {}
                other => return other,
            }
        }
        if self.waits_for_client() {
            match client.write(&self.pending[self.taken..]) {
                Ok(0) => return Step::Broken,
                Ok(count) => {
                    self.taken += count;
                    self.delivered += count as u64;
                    self.moved = now;
                }
                Err(error) if is_later(&error) => {}
                Err(_) => return Step::Broken,
            }
            if self.taken == self.pending.len() {
                self.pending.clear();
                self.taken = 0;
            }
        }
        if self.ended && !self.waits_for_client() { Step::Done } else { Step::Wait }
    }

    fn read_backend(&mut self, scratch: &mut [u8], now: Instant) -> Step {
        let count = match self.backend.read(scratch) {
            Ok(0) => 0,
            Ok(count) => count,
            Err(error) if is_later(&error) => return Step::Wait,
            Err(_) => return if self.head_done { Step::Broken } else { broke_off() },
        };
        if count == 0 {
            self.ended = true;
            return if self.head_done { Step::Wait } else { broke_off() };
        }
        self.moved = now;
        self.pending.extend_from_slice(scratch.get(..count).unwrap_or_default());
        if self.head_done {
            return Step::Wait;
        }
        match forward::response(&self.pending) {
            ResponseStart::More if self.pending.len() > RESPONSE_HEAD => broke_off(),
            ResponseStart::More => Step::Wait,
            ResponseStart::Refuse(refusal) => Step::Refuse(refusal),
            ResponseStart::Send(bytes) => {
                self.pending = bytes;
                self.head_done = true;
                Step::Wait
            }
        }
    }
}

fn broke_off() -> Step {
    Step::Refuse(Refusal::BackendGone)
}
