//! One client, from its first byte to its end. Which connection is dropped when there is no room
//! is decided in [`super::table`].

use std::io::{Read, Write};
use std::net::{IpAddr, Shutdown, TcpStream};
use std::time::Instant;

use crate::base::is_later;
use crate::web::clients::{Clients, Ticket};
use crate::web::gate::answer::{self, Refusal};
use crate::web::gate::forward::Added;
use crate::web::gate::head::{self, Head, Header, Version};
use crate::web::gate::head_buffer::HeadBuffer;
use crate::web::gate::limits::Limits;
use crate::web::gate::relay::{Relay, Step};
use crate::web::gate::shared::{ForeignHost, Shared, count};
use crate::web::gate::spool::Admission;
use crate::web::gate::table::{Seat, Stage};
use crate::web::gate::{forward, host};

/// A client that leaves has this many times `leave_time` in all, however much it still sends.
const LEAVE_TIMES: u32 = 5;

/// One client's connection.
#[derive(Debug)]
pub(super) struct Conn {
    pub(super) stream: TcpStream,
    pub(super) peer: IpAddr,
    /// When it was accepted.
    pub(super) since: Instant,
    pub(super) phase: Phase,
    /// The request is a HEAD: an answer has no body.
    head_only: bool,
    /// Bytes of a body that was refused, and that its client still sends.
    owed: u64,
}

/// How far it has come.
#[derive(Debug)]
pub(super) enum Phase {
    /// The head arrives.
    Head(HeadBuffer),
    /// The body arrives behind the rewritten head, until `whole` bytes are there.
    Body { client: Ticket, request: Vec<u8>, whole: usize, until: Instant },
    /// The whole request waits for a place.
    Queued { client: Ticket, request: Vec<u8>, since: Instant, half_closed: bool },
    /// tiny_http has it.
    Served(Box<Relay>),
    /// The gate's own answer goes out.
    Answering { bytes: Vec<u8>, sent: usize, until: Instant },
    /// The answer is out. What the client still sends is read and thrown away: closing a socket
    /// with unread bytes resets it, and a reset can take the answer from the client again.
    Leaving { until: Instant, end: Instant },
    /// To be removed from the table.
    Closed,
}

/// Where a request belongs that is no upload.
enum Route {
    /// The gate answers itself.
    Health,
    /// tiny_http answers; its body is held whole first.
    Backend,
}

fn route(head: &Head<'_>) -> Route {
    match head.target.split('?').next() {
        Some("/healthz") => Route::Health,
        _ => Route::Backend,
    }
}

/// What a step needs of the poll loop.
pub(super) struct Around<'a> {
    pub(super) limits: &'a Limits,
    pub(super) shared: &'a Shared,
    pub(super) key: &'a str,
    pub(super) clients: &'a Clients,
    pub(super) now: Instant,
}

impl Conn {
    pub(super) fn new(stream: TcpStream, peer: IpAddr, limits: &Limits, now: Instant) -> Self {
        let phase = Phase::Head(HeadBuffer::new(limits.head_bytes));
        Self { stream, peer, since: now, phase, head_only: false, owed: 0 }
    }

    pub(super) fn seat(&self) -> Option<Seat> {
        let half_closed = matches!(self.phase, Phase::Queued { half_closed: true, .. });
        let (stage, held) = match &self.phase {
            Phase::Head(buffer) => (Stage::Unfinished, buffer.held()),
            Phase::Body { request, .. } => (Stage::Unfinished, request.capacity()),
            Phase::Queued { request, .. } => (Stage::Queued, request.capacity()),
            Phase::Served(_) => (Stage::Served, 0),
            Phase::Answering { .. } | Phase::Leaving { .. } => (Stage::Leaving, 0),
            Phase::Closed => return None,
        };
        Some(Seat { peer: self.peer, since: self.since, stage, held, half_closed })
    }

    pub(super) fn deadline(&self, limits: &Limits) -> Option<Instant> {
        match &self.phase {
            Phase::Head(_) => Some(self.since + limits.head_time),
            Phase::Queued { since, .. } => Some(*since + limits.queue_time),
            Phase::Served(relay) => Some(relay.deadline(limits)),
            Phase::Body { until, .. }
            | Phase::Answering { until, .. }
            | Phase::Leaving { until, .. } => Some(*until),
            Phase::Closed => None,
        }
    }

    /// Its deadline has passed.
    pub(super) fn expire(&mut self, around: &Around<'_>) {
        match &self.phase {
            // A browser opens connections ahead of need: no answer to a question never asked.
            Phase::Head(buffer) if buffer.bytes().is_empty() => self.drop_it(around),
            Phase::Head(_) | Phase::Body { .. } => self.refuse(Refusal::TooSlow, around),
            Phase::Queued { .. } => self.refuse(Refusal::Busy, around),
            Phase::Served(relay) => {
                let step = relay.expire();
                self.after(&step, around);
            }
            Phase::Answering { .. } => self.drop_it(around),
            Phase::Leaving { .. } | Phase::Closed => self.phase = Phase::Closed,
        }
    }

    /// Ends it without a word.
    pub(super) fn drop_it(&mut self, around: &Around<'_>) {
        count(&around.shared.dropped);
        self.phase = Phase::Closed;
    }

    /// Ends it with an error.
    pub(super) fn refuse(&mut self, refusal: Refusal, around: &Around<'_>) {
        log::debug!("{} refused: {refusal}", self.peer);
        count(&around.shared.refused);
        self.answer(refusal.to_bytes(self.head_only), around);
    }

    fn answer(&mut self, bytes: Vec<u8>, around: &Around<'_>) {
        let until = around.now + around.limits.write_stall;
        self.phase = Phase::Answering { bytes, sent: 0, until };
        self.send_answer(around);
    }

    fn send_answer(&mut self, around: &Around<'_>) {
        let Phase::Answering { bytes, sent, .. } = &mut self.phase else { return };
        match self.stream.write(bytes.get(*sent..).unwrap_or_default()) {
            Ok(taken) => *sent += taken,
            Err(error) if is_later(&error) => {}
            Err(_) => return self.drop_it(around),
        }
        if *sent >= bytes.len() {
            self.leave(around);
        }
    }

    fn leave(&mut self, around: &Around<'_>) {
        let is_body = self.owed > 0 && self.owed <= around.limits.refused_body;
        let in_all = if is_body {
            around.limits.refused_time
        } else {
            around.limits.leave_time * LEAVE_TIMES
        };
        let end = around.now + in_all;
        let until = around.now + around.limits.leave_time;
        self.phase = match self.stream.shutdown(Shutdown::Write) {
            Ok(()) => Phase::Leaving { until, end },
            Err(_) => Phase::Closed,
        };
    }

    /// Something of this connection is ready, or may be: does one round of what it waits for.
    pub(super) fn step(&mut self, scratch: &mut [u8], around: &Around<'_>) {
        match &mut self.phase {
            Phase::Head(_) | Phase::Body { .. } => self.receive(scratch, around),
            Phase::Served(relay) => {
                let step = relay.step(&mut self.stream, scratch, around.now);
                self.after(&step, around);
            }
            Phase::Answering { .. } => self.send_answer(around),
            Phase::Leaving { .. } => self.drain(scratch, around),
            Phase::Queued { .. } | Phase::Closed => {}
        }
    }

    /// The client has closed its half, or its connection broke. Half a close ends nothing once
    /// the request is whole: a script may well do that.
    pub(super) fn half_closed(&mut self, around: &Around<'_>) {
        if !matches!(self.stream.take_error(), Ok(None)) {
            return self.drop_it(around);
        }
        match &mut self.phase {
            Phase::Served(relay) => relay.note_half_closed(around.now),
            Phase::Queued { half_closed, .. } => *half_closed = true,
            _ => {}
        }
    }

    fn after(&mut self, step: &Step, around: &Around<'_>) {
        match *step {
            Step::Wait => {}
            Step::Done => {
                count(&around.shared.served);
                self.leave(around);
            }
            Step::Refuse(refusal) => self.refuse(refusal, around),
            Step::Broken => self.drop_it(around),
        }
    }

    fn drain(&mut self, scratch: &mut [u8], around: &Around<'_>) {
        let Phase::Leaving { until, end } = &mut self.phase else { return };
        match self.stream.read(scratch) {
            Ok(0) => self.phase = Phase::Closed,
            Ok(_) => *until = (around.now + around.limits.leave_time).min(*end),
            Err(error) if is_later(&error) => {}
            Err(_) => self.phase = Phase::Closed,
        }
    }

    fn receive(&mut self, scratch: &mut [u8], around: &Around<'_>) {
        let room = match &self.phase {
            Phase::Body { request, whole, .. } => (whole - request.len()).min(scratch.len()),
            _ => scratch.len(),
        };
        let piece = match self.stream.read(scratch.get_mut(..room).unwrap_or_default()) {
            Ok(0) => return self.drop_it(around),
            Ok(taken) => scratch.get(..taken).unwrap_or_default(),
            Err(error) if is_later(&error) => return,
            Err(_) => return self.drop_it(around),
        };
        match &mut self.phase {
            Phase::Head(buffer) => match buffer.feed(piece) {
                Ok(None) => {}
                Ok(Some(end)) => {
                    let buffer = std::mem::replace(buffer, HeadBuffer::new(0));
                    let (head, rest) = buffer.bytes().split_at(end);
                    if let Err(refusal) = self.judge(head, rest, around) {
                        self.refuse(refusal, around);
                    }
                }
                Err(refusal) => self.refuse(refusal, around),
            },
            Phase::Body { request, whole, .. } => {
                request.extend_from_slice(piece);
                if request.len() >= *whole
                    && let Phase::Body { client, request, .. } =
                        std::mem::replace(&mut self.phase, Phase::Closed)
                {
                    self.enqueue(client, request, around);
                }
            }
            _ => {}
        }
    }

    /// The head is whole: decides what becomes of it.
    fn judge(&mut self, head: &[u8], rest: &[u8], around: &Around<'_>) -> Result<(), Refusal> {
        // An answer to HEAD must have no body, even if the rest of the head is wrong.
        self.head_only = head.starts_with(b"HEAD ");
        let head = head::parse(head)?;
        let host = match head.host {
            Some(name) if host::is_ours(name, &around.shared.hosts()) => name.to_owned(),
            Some(name) => return self.refuse_name(name, &head, around),
            // Only HTTP/1.0 comes without one, and no browser speaks that.
            None => self.own_address(),
        };
        let reads = matches!(head.method, "GET" | "HEAD");
        let length = head.content_length.unwrap_or(0);
        // Only a refusal makes anything of it.
        self.owed = length.saturating_sub(rest.len() as u64);
        if reads && length > 0 {
            return Err(Refusal::Malformed("GET and HEAD have no body"));
        }
        if let Route::Health = route(&head) {
            if !reads {
                return Err(Refusal::Method);
            }
            self.answer(answer::healthy(self.head_only), around);
            return Ok(());
        }
        match around.shared.uploads.as_ref().map(|uploads| uploads.judge(&head, self.peer)) {
            None | Some(Admission::NotMine) => {}
            Some(Admission::Refused(answer)) => {
                count(&around.shared.refused);
                self.answer(answer, around);
                return Ok(());
            }
            Some(Admission::Taken(takes)) => {
                // The gate's own descriptor goes with this row.
                match self.stream.try_clone() {
                    Ok(stream) => takes(stream, rest.to_vec()),
                    Err(error) => log::warn!("an upload has no file descriptor: {error}"),
                }
                self.phase = Phase::Closed;
                return Ok(());
            }
        }
        let length = usize::try_from(length)
            .ok()
            .filter(|&bytes| bytes <= around.limits.body_bytes)
            .ok_or(Refusal::BodyTooLarge)?;

        let client = around.clients.enter();
        let added =
            Added { peer: self.peer, host: &host, number: client.number(), key: around.key };
        let mut request = forward::request(&head, &added, length);
        let whole = request.len() + length;
        request.extend(rest.iter().take(length));
        if request.len() == whole {
            self.enqueue(client, request, around);
            return Ok(());
        }
        if head.expects_continue && head.version == Version::Http11 && rest.is_empty() {
            // The socket is new and empty: 25 bytes fit. Where they do not, the client sends its
            // body after a second anyway (RFC 9110, section 10.1.1).
            let _ = self.stream.write(b"HTTP/1.1 100 Continue\r\n\r\n");
        }
        let until = around.now + around.limits.body_time;
        self.phase = Phase::Body { client, request, whole, until };
        Ok(())
    }

    /// Our address on this connection, as a Host names it.
    fn own_address(&self) -> String {
        let address = self.stream.local_addr();
        address.map_or_else(|_| "localhost".to_owned(), |a| host::of_address(a.ip(), a.port()))
    }

    /// The Host is not ours: a program gets the error, a person a page that says what to do.
    fn refuse_name(
        &mut self,
        name: &str,
        head: &Head<'_>,
        around: &Around<'_>,
    ) -> Result<(), Refusal> {
        let reads = matches!(head.method, "GET" | "HEAD");
        let value = |name: &str| {
            let found = head.headers.iter().find(|h| h.name.eq_ignore_ascii_case(name));
            found.map(Header::text).unwrap_or_default()
        };
        let Some(page) =
            around.shared.foreign.filter(|_| reads && value("Accept").contains("text/html"))
        else {
            return Err(Refusal::ForeignHost);
        };
        let address = self.own_address();
        let html =
            page(&ForeignHost { name, address: &address, languages: &value("Accept-Language") });
        log::debug!("{} refused: {}", self.peer, Refusal::ForeignHost);
        count(&around.shared.refused);
        self.answer(answer::foreign_host(&html, self.head_only), around);
        Ok(())
    }

    fn enqueue(&mut self, client: Ticket, request: Vec<u8>, around: &Around<'_>) {
        self.phase = Phase::Queued { client, request, since: around.now, half_closed: false };
    }
}
