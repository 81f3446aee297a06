//! The gate's thread: one `poll(2)` over the listener and every connection.
//!
//! Nothing ends this loop but its handle. Errors of accept and of poll cost a connection or a
//! short pause, never the gate.

use std::io::Read;
use std::net::TcpListener;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{setsockopt, sockopt};

use crate::web::door::Door;
use crate::web::gate::answer::Refusal;
use crate::web::gate::conn::{Around, Conn, Phase};
use crate::web::gate::limits::Limits;
use crate::web::gate::relay::Relay;
use crate::web::gate::shared::Shared;
use crate::web::gate::table::{self, Stage};

/// What one read takes at most, for all connections in turn.
const SCRATCH: usize = 16 * 1024;
/// How long the listener rests after an error that would come again at once.
pub(super) const PAUSE: Duration = Duration::from_millis(100);
/// How often to look for a place while requests wait for one.
const QUEUE_LOOK: Duration = Duration::from_millis(100);
/// The longest sleep.
const IDLE: Duration = Duration::from_secs(60);
/// Linux tells with this bit that the other side has closed its half. nix has no name for it: its
/// `events` panics on it, and its `revents` is None.
const RDHUP: PollFlags = PollFlags::from_bits_retain(nix::libc::POLLRDHUP);

/// What a poll said of one connection.
#[derive(Clone, Copy, Debug)]
struct Ready {
    index: usize,
    half_closed: bool,
}

/// The thread's state.
#[derive(Debug)]
pub(super) struct PollLoop {
    pub(super) listener: TcpListener,
    wake: UnixStream,
    door: Door,
    pub(super) limits: Limits,
    pub(super) shared: Arc<Shared>,
    pub(super) conns: Vec<Conn>,
    scratch: Vec<u8>,
    /// The listener is left alone until then.
    pub(super) rests_until: Option<Instant>,
    /// When the last slow reader was dropped for a waiting request.
    last_cull: Option<Instant>,
}

impl PollLoop {
    pub(super) fn new(
        listener: TcpListener,
        wake: UnixStream,
        door: Door,
        limits: Limits,
        shared: Arc<Shared>,
    ) -> Self {
        // Accepted sockets inherit these; where they cannot be set, the kernel's own are used.
        let _ = setsockopt(&listener, sockopt::RcvBuf, &limits.kernel_buffer);
        let _ = setsockopt(&listener, sockopt::SndBuf, &limits.kernel_buffer);
        Self {
            listener,
            wake,
            door,
            limits,
            shared,
            conns: Vec::new(),
            scratch: vec![0; SCRATCH],
            rests_until: None,
            last_cull: None,
        }
    }

    pub(super) fn run(mut self) {
        // A panic here would be a bug of ours; it may cost the connections, not the gate.
        while catch_unwind(AssertUnwindSafe(|| self.rounds())).is_err() {
            log::error!("the gate panicked: every connection was dropped, and it continues");
            self.conns.clear();
        }
    }

    fn rounds(&mut self) {
        while !self.shared.stop.load(Ordering::Acquire) {
            let now = Instant::now();
            self.expire(now);
            self.keep_within_limits(now);
            self.serve_queued(now);
            self.conns.retain(|conn| !matches!(conn.phase, Phase::Closed));
            self.publish();
            let (accept, ready) = match self.wait(now) {
                Ok(events) => events,
                Err(Errno::EINTR) => continue,
                Err(error) => {
                    // EINVAL: more descriptors than allowed by now; ENOMEM: a moment may help.
                    log::warn!("poll: {error}; dropping the oldest idle connection");
                    self.drop_oldest_idle(now);
                    std::thread::sleep(PAUSE);
                    continue;
                }
            };
            let now = Instant::now();
            for event in ready {
                self.step(event, now);
                self.keep_within_limits(now);
            }
            if accept {
                self.accept(now);
            }
        }
    }

    /// The connections, and what their steps need.
    pub(super) fn parts(&mut self, now: Instant) -> (&mut Vec<Conn>, &mut [u8], Around<'_>) {
        let around = Around {
            limits: &self.limits,
            shared: &self.shared,
            key: self.door.key(),
            clients: self.door.clients(),
            now,
        };
        (&mut self.conns, &mut self.scratch, around)
    }

    fn step(&mut self, event: Ready, now: Instant) {
        let (conns, scratch, around) = self.parts(now);
        let Some(conn) = conns.get_mut(event.index) else { return };
        if event.half_closed {
            conn.half_closed(&around);
        }
        conn.step(scratch, &around);
    }

    fn expire(&mut self, now: Instant) {
        if self.rests_until.is_some_and(|until| until <= now) {
            self.rests_until = None;
        }
        let (conns, _, around) = self.parts(now);
        for conn in conns {
            if conn.deadline(around.limits).is_some_and(|deadline| deadline <= now) {
                conn.expire(&around);
            }
        }
    }

    /// The table's view, and where each of its rows is in `conns`.
    pub(super) fn seats(&self) -> (Vec<table::Seat>, Vec<usize>) {
        let rows = self.conns.iter().enumerate();
        rows.filter_map(|(index, conn)| Some((conn.seat()?, index))).unzip()
    }

    pub(super) fn drop_row(&mut self, row: Option<&usize>, now: Instant) -> bool {
        let (conns, _, around) = self.parts(now);
        let Some(conn) = row.and_then(|&index| conns.get_mut(index)) else { return false };
        // A client that has its answer and does not close loses nothing.
        match conn.phase {
            Phase::Leaving { .. } => conn.phase = Phase::Closed,
            Phase::Queued { .. } => conn.refuse(Refusal::Busy, &around),
            _ => {
                log::debug!("{} dropped to make room", conn.peer);
                conn.drop_it(&around);
            }
        }
        true
    }

    pub(super) fn keep_within_limits(&mut self, now: Instant) {
        loop {
            let (seats, rows) = self.seats();
            let leaving = |seat: &table::Seat| seat.stage == Stage::Leaving;
            let victim = table::over_budget(&seats, self.limits.held_bytes)
                .or_else(|| table::over_queue(&seats, self.limits.queued))
                .or_else(|| {
                    let full = seats.iter().filter(|s| leaving(s)).count() > self.limits.leaving;
                    full.then(|| table::oldest(&seats, leaving)).flatten()
                });
            if !victim.is_some_and(|seat| self.drop_row(rows.get(seat), now)) {
                return;
            }
        }
    }

    /// Frees a descriptor: the oldest connection that waits for its client.
    pub(super) fn drop_oldest_idle(&mut self, now: Instant) -> bool {
        let (seats, rows) = self.seats();
        let victim = table::oldest(&seats, |seat| seat.stage == Stage::Unfinished)
            .or_else(|| table::oldest(&seats, |seat| seat.stage == Stage::Leaving));
        let dropped = victim.is_some_and(|seat| self.drop_row(rows.get(seat), now));
        // The descriptor is free only when the stream is.
        self.conns.retain(|conn| !matches!(conn.phase, Phase::Closed));
        dropped
    }

    /// Gives free places to those who wait, the longest waiting first.
    fn serve_queued(&mut self, now: Instant) {
        loop {
            let waiting = self.conns.iter().enumerate().filter_map(|(index, conn)| {
                if let Phase::Queued { since, .. } = conn.phase {
                    Some((since, index))
                } else {
                    None
                }
            });
            let Some((since, index)) = waiting.min() else { return };
            let served =
                self.conns.iter().filter(|conn| matches!(conn.phase, Phase::Served(_))).count();
            if served >= self.limits.served {
                return self.drop_slowest(since, now);
            }
            let backend = match self.door.connect() {
                Ok(backend) => backend,
                Err(error) => {
                    // The request waits on: a new server is on its way, or a descriptor.
                    log::debug!("tiny_http cannot be reached: {error}");
                    match error.raw_os_error().map(Errno::from_raw) {
                        Some(Errno::ECONNREFUSED) => self.door.report_closed(),
                        Some(Errno::EMFILE | Errno::ENFILE) => {
                            self.drop_oldest_idle(now);
                        }
                        _ => {}
                    }
                    return;
                }
            };
            let (conns, scratch, around) = self.parts(now);
            let Some(conn) = conns.get_mut(index) else { return };
            if let Phase::Queued { client, request, half_closed, .. } =
                std::mem::replace(&mut conn.phase, Phase::Closed)
            {
                let mut relay = Relay::new(client, backend, request, now);
                if half_closed {
                    relay.note_half_closed(now);
                }
                conn.phase = Phase::Served(Box::new(relay));
                conn.step(scratch, &around);
            }
        }
    }

    /// Someone has waited since `since` and every place is taken.
    fn drop_slowest(&mut self, since: Instant, now: Instant) {
        let patience = self.limits.patience;
        let culled =
            self.last_cull.is_some_and(|at| now.saturating_duration_since(at) < QUEUE_LOOK);
        if now.saturating_duration_since(since) < patience || culled {
            return;
        }
        let paces: Vec<table::Pace> = self
            .conns
            .iter()
            .enumerate()
            .filter_map(|(index, conn)| match &conn.phase {
                Phase::Served(relay) => Some(relay.pace(index, now)),
                _ => None,
            })
            .collect();
        if let Some(index) = table::slowest(&paces, patience) {
            self.last_cull = Some(now);
            self.drop_row(Some(&index), now);
        }
    }

    fn publish(&self) {
        let serving =
            self.conns.iter().filter(|conn| matches!(conn.phase, Phase::Served(_))).count();
        self.shared.open.store(self.conns.len() as u64, Ordering::Relaxed);
        self.shared.serving.store(serving as u64, Ordering::Relaxed);
    }

    /// Sleeps until something is ready or due. A descriptor nothing is wanted of is not polled at
    /// all: what poll always reports (a hang-up) would wake the loop forever.
    fn wait(&mut self, now: Instant) -> Result<(bool, Vec<Ready>), Errno> {
        let mut until = now + IDLE;
        let mut fds = Vec::with_capacity(2 + self.conns.len() * 2);
        let mut owners = Vec::with_capacity(fds.capacity());
        fds.push(PollFd::new(self.wake.as_fd(), PollFlags::POLLIN));
        if self.rests_until.is_none() {
            fds.push(PollFd::new(self.listener.as_fd(), PollFlags::POLLIN));
        }
        let firsts = fds.len();
        for (index, conn) in self.conns.iter().enumerate() {
            if let Some(deadline) = conn.deadline(&self.limits) {
                until = until.min(deadline);
            }
            let (client, backend) = interest(conn);
            if let Some(flags) = client {
                fds.push(PollFd::new(conn.stream.as_fd(), flags));
                owners.push((index, flags.contains(RDHUP)));
            }
            if let (Some(flags), Phase::Served(relay)) = (backend, &conn.phase) {
                fds.push(PollFd::new(relay.backend().as_fd(), flags));
                owners.push((index, false));
            }
            if let Phase::Queued { .. } = conn.phase {
                until = until.min(now + QUEUE_LOOK);
            }
        }
        if let Some(rest) = self.rests_until {
            until = until.min(rest);
        }
        // One more millisecond: poll rounds down, and would wake just too early.
        let sleep = until.saturating_duration_since(now) + Duration::from_millis(1);
        poll(&mut fds, PollTimeout::try_from(sleep).unwrap_or(PollTimeout::MAX))?;

        let is_ready = |fd: &PollFd<'_>| fd.any() != Some(false);
        let accept = firsts == 2 && fds.get(1).is_some_and(is_ready);
        let woken = fds.first().is_some_and(is_ready);
        let mut ready: Vec<Ready> = Vec::new();
        for (fd, &(index, for_rdhup)) in fds.iter().skip(firsts).zip(&owners) {
            if is_ready(fd) {
                let ended = PollFlags::POLLERR | PollFlags::POLLHUP;
                let half_closed =
                    for_rdhup && fd.revents().is_none_or(|flags| flags.intersects(ended));
                match ready.last_mut() {
                    Some(last) if last.index == index => last.half_closed |= half_closed,
                    _ => ready.push(Ready { index, half_closed }),
                }
            }
        }
        drop(fds);
        if woken {
            let mut bytes = [0; 16];
            let _ = self.wake.read(&mut bytes);
        }
        Ok((accept, ready))
    }
}

/// What to wait for: of the client, and of tiny_http.
fn interest(conn: &Conn) -> (Option<PollFlags>, Option<PollFlags>) {
    let read = Some(PollFlags::POLLIN);
    let write = Some(PollFlags::POLLOUT);
    match &conn.phase {
        Phase::Head(_) | Phase::Body { .. } | Phase::Leaving { .. } => (read, None),
        Phase::Answering { .. } => (write, None),
        Phase::Queued { half_closed, .. } => ((!half_closed).then_some(RDHUP), None),
        Phase::Served(relay) if relay.waits_for_client() => (write, None),
        Phase::Served(relay) => {
            let backend = if relay.waits_to_write() {
                PollFlags::POLLIN | PollFlags::POLLOUT
            } else {
                PollFlags::POLLIN
            };
            ((!relay.is_half_closed()).then_some(RDHUP), Some(backend))
        }
        Phase::Closed => (None, None),
    }
}
