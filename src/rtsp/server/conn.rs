//! One RTSP connection: what has come and is not understood yet, what is to go out. What requests
//! do is in `methods`.

use std::io::{self, Read, Write};
use std::net::{IpAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::base::is_later;
use crate::rtsp::auth::LoginCheck;

/// A connection without a viewer that says nothing for so long is closed.
const IDLE: Duration = Duration::from_secs(30);
/// From a request's first byte to its last.
const WHOLE: Duration = Duration::from_secs(10);
/// Answers wait in memory up to so many bytes; then no more requests are read.
const BACKLOG: usize = 16 * 1024;
/// Bytes of one read.
const PIECE: usize = 4096;

/// Why an answer waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// For the stream's first picture.
    Picture(usize),
    /// It had a wrong password, or too many wrong ones came from everywhere.
    Penalty,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Conn {
    pub(super) id: u64,
    pub(super) stream: TcpStream,
    pub(super) peer: IpAddr,
    /// Our own address on this connection.
    pub(super) local: IpAddr,
    /// The last time a whole request came, or it was accepted.
    pub(super) heard: Instant,
    /// When the request that is not whole yet began.
    partial_since: Option<Instant>,
    pub(super) input: Vec<u8>,
    /// So many bytes that come are of no interest: bodies, and the client's own reports.
    pub(super) skip: u64,
    output: Vec<u8>,
    sent: usize,
    /// What the login of its first unanswered request was worth, where that answer is held back.
    pub(super) judged: Option<LoginCheck>,
    /// It proved that it knows the password.
    pub(super) authorised: bool,
    /// Its first unanswered request waits for something, until then.
    pub(super) waits: Option<(Wait, Instant)>,
    /// Since when that request has been waiting, for whatever.
    pub(super) waited: Option<Instant>,
    /// It ends when all is sent.
    pub(super) ending: bool,
    pub(super) closed: bool,
}

impl Conn {
    pub(super) fn new(id: u64, stream: TcpStream, peer: IpAddr, now: Instant) -> io::Result<Conn> {
        let local = stream.local_addr()?.ip().to_canonical();
        Ok(Conn {
            id,
            stream,
            peer,
            local,
            heard: now,
            partial_since: None,
            input: Vec::new(),
            skip: 0,
            output: Vec::new(),
            sent: 0,
            judged: None,
            authorised: false,
            waits: None,
            waited: None,
            ending: false,
            closed: false,
        })
    }

    /// Whether more requests may be read now.
    pub(super) fn wants_input(&self) -> bool {
        !self.closed && !self.ending && self.waits.is_none() && self.backlog() < BACKLOG
    }

    pub(super) fn backlog(&self) -> usize {
        self.output.len() - self.sent
    }

    /// Puts bytes behind those that are to go out.
    pub(super) fn queue(&mut self, bytes: &[u8]) {
        self.output.extend_from_slice(bytes);
    }

    /// Bytes that are to go out before anything else.
    pub(super) fn waiting(&self) -> &[u8] {
        self.output.get(self.sent..).unwrap_or_default()
    }

    /// Of `count` bytes that were sent, those that were waiting; drops them.
    pub(super) fn took(&mut self, count: usize) -> usize {
        let own = count.min(self.backlog());
        self.sent += own;
        if own > 0 && self.backlog() == 0 {
            self.output.clear();
            self.output.shrink_to(PIECE);
            self.sent = 0;
        }
        own
    }

    /// Sends what waits; true when nothing does any more.
    pub(super) fn flush(&mut self) -> bool {
        while self.backlog() > 0 {
            match self.stream.write(self.output.get(self.sent..).unwrap_or_default()) {
                Ok(0) => self.closed = true,
                Ok(count) => {
                    self.sent += count;
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if is_later(&error) => {}
                Err(_) => self.closed = true,
            }
            return false;
        }
        self.output.clear();
        self.output.shrink_to(PIECE);
        self.sent = 0;
        if self.ending {
            self.closed = true;
        }
        true
    }

    /// Takes in what has come. One read: others wait too.
    pub(super) fn receive(&mut self, now: Instant) {
        let mut piece = [0; PIECE];
        match self.stream.read(&mut piece) {
            Ok(0) => self.closed = true,
            Ok(count) => {
                let skipped = self.skip.min(count as u64);
                self.skip -= skipped;
                // At most PIECE.
                let from = usize::try_from(skipped).unwrap_or(count);
                self.input.extend_from_slice(piece.get(from..count).unwrap_or_default());
                if !self.input.is_empty() {
                    self.partial_since.get_or_insert(now);
                }
            }
            Err(error) if is_later(&error) => {}
            Err(_) => self.closed = true,
        }
    }

    /// Drops bytes that are done with from the input's front, and then `more` that may still come.
    pub(super) fn consume(&mut self, bytes: usize, more: u64, now: Instant) {
        let rest = self.input.len() - bytes.min(self.input.len());
        let here = more.min(rest as u64);
        let skip = usize::try_from(here).unwrap_or(rest);
        self.input.drain(..(bytes + skip).min(self.input.len()));
        self.skip = more - here;
        self.partial_since = if self.input.is_empty() { None } else { Some(now) };
    }

    /// When it has to be checked, and what is wrong then if nothing has happened. One that has a
    /// viewer is judged by that.
    pub(super) fn deadline(&self, has_viewer: bool) -> Option<Instant> {
        let partial = self.partial_since.filter(|_| self.waits.is_none()).map(|at| at + WHOLE);
        let idle = (!has_viewer).then_some(self.heard + IDLE);
        let waits = self.waits.map(|(_, until)| until);
        [partial, idle.filter(|_| waits.is_none()), waits].into_iter().flatten().min()
    }

    /// Its time is over: too slow, or idle. What waits is not.
    pub(super) fn overdue(&self, has_viewer: bool, now: Instant) -> bool {
        self.waits.is_none() && self.deadline(has_viewer).is_some_and(|until| until <= now)
    }
}
