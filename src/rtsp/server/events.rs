//! Events of the server's thread: every descriptor in its `poll(2)`, and the response when one is
//! ready.

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::rtsp::server::local::{self, Asker};
use crate::rtsp::server::poll_loop::{IDLE, PollLoop};
use crate::rtsp::server::session::{Carrier, FOR_PICTURE, Session};

/// Live views of the daemon at once.
const MOST_LIVE: usize = 4;

/// What a descriptor in the poll is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    Wake,
    Listener,
    Local,
    Conn(usize),
    Rtp(usize, usize),
    Rtcp(usize, usize),
    Asker(usize),
}

impl PollLoop {
    /// When something is due, at the latest after [`IDLE`].
    fn deadline(&self, now: Instant) -> Instant {
        let mut until = now + IDLE;
        let mut not_after = |due: Option<Instant>| until = until.min(due.unwrap_or(until));
        for conn in &self.conns {
            let has_viewer = self.sessions.iter().any(|session| session.conn == Some(conn.id));
            not_after(conn.deadline(has_viewer));
        }
        for session in &self.sessions {
            not_after(Some(session.deadline()));
        }
        for asker in &self.askers {
            not_after(asker.deadline());
        }
        not_after(self.rests_until);
        let hears = |session: &Session| {
            session.tracks.iter().any(|track| track.is_sound() && track.place.is_some())
        };
        if self.sessions.iter().any(hears) || self.askers.iter().any(Asker::hears) {
            not_after(Some(now + FOR_PICTURE));
        }
        until
    }

    /// Sleeps until something is ready or due; gives what is ready.
    pub(super) fn wait(&mut self, now: Instant) -> Result<Vec<Owner>, Errno> {
        // One more millisecond: poll rounds down, and would wake just too early.
        let sleep = self.deadline(now).saturating_duration_since(now) + Duration::from_millis(1);
        let mut fds = vec![PollFd::new(self.wake.fd(), PollFlags::POLLIN)];
        let mut owners = vec![Owner::Wake];
        if self.rests_until.is_none() {
            fds.push(PollFd::new(self.listener.as_fd(), PollFlags::POLLIN));
            owners.push(Owner::Listener);
            if let Some(local) = &self.local {
                fds.push(PollFd::new(local.as_fd(), PollFlags::POLLIN));
                owners.push(Owner::Local);
            }
        }
        for (index, conn) in self.conns.iter().enumerate() {
            let blocked = self.sessions.iter().any(|session| {
                session.conn == Some(conn.id)
                    && session.tracks.iter().any(|track| track.is_tcp() && track.blocked)
            });
            let mut flags = PollFlags::empty();
            flags.set(PollFlags::POLLIN, conn.wants_input());
            flags.set(PollFlags::POLLOUT, blocked || conn.backlog() > 0);
            fds.push(PollFd::new(conn.stream.as_fd(), flags));
            owners.push(Owner::Conn(index));
        }
        for (index, session) in self.sessions.iter().enumerate() {
            for (at, track) in session.tracks.iter().enumerate() {
                let Carrier::Udp { rtp, rtcp } = &track.carrier else { continue };
                let mut flags = PollFlags::POLLIN;
                flags.set(PollFlags::POLLOUT, track.blocked);
                fds.push(PollFd::new(rtp.as_fd(), flags));
                owners.push(Owner::Rtp(index, at));
                fds.push(PollFd::new(rtcp.as_fd(), PollFlags::POLLIN));
                owners.push(Owner::Rtcp(index, at));
            }
        }
        for (index, asker) in self.askers.iter().enumerate() {
            let mut flags = PollFlags::POLLIN;
            flags.set(PollFlags::POLLOUT, asker.wants_output());
            fds.push(PollFd::new(asker.stream.as_fd(), flags));
            owners.push(Owner::Asker(index));
        }
        poll(&mut fds, PollTimeout::try_from(sleep).unwrap_or(PollTimeout::MAX))?;
        let is_ready = |fd: &PollFd<'_>| fd.any() != Some(false);
        Ok(fds.iter().zip(&owners).filter(|(fd, _)| is_ready(fd)).map(|(_, o)| *o).collect())
    }

    /// Does what a ready descriptor asks for.
    pub(super) fn handle(&mut self, owner: Owner, now: Instant) {
        match owner {
            Owner::Wake => self.wake.clear(),
            Owner::Listener => self.accept(now),
            Owner::Local => self.accept_local(now),
            Owner::Conn(index) => {
                let mut conns = std::mem::take(&mut self.conns);
                if let Some(conn) = conns.get_mut(index) {
                    if conn.wants_input() {
                        conn.receive(now);
                        self.serve(conn, now);
                    } else if !matches!(conn.stream.take_error(), Ok(None)) {
                        conn.closed = true;
                    }
                }
                self.conns = conns;
            }
            Owner::Rtp(index, at) | Owner::Rtcp(index, at) => {
                let Some(session) = self.sessions.get_mut(index) else { return };
                let Some(track) = session.tracks.get_mut(at) else { return };
                let (speaker, id) = (self.speaker.as_deref(), &session.id);
                let mut say = |packet: &[u8]| {
                    speaker.iter().for_each(|speaker| speaker.hear(id, packet, now));
                };
                if track.hear(matches!(owner, Owner::Rtcp(..)), &mut say) {
                    session.seen = now;
                }
            }
            Owner::Asker(index) => {
                let line = self.askers.get_mut(index).and_then(|asker| asker.receive(now));
                let Some(line) = line else { return };
                if let Some(word) = line.strip_prefix("power ") {
                    self.switch(word == "off");
                }
                let may_watch = self.askers.iter().filter(|a| a.is_endless()).count() < MOST_LIVE;
                let stats = self.stats(now);
                let parts = local::Parts {
                    feeds: &self.feeds,
                    sound: self.sound.as_ref(),
                    snapshots: self.snapshots.as_deref(),
                    speaker: self.speaker.as_deref(),
                    off: self.off,
                };
                if let Some(asker) = self.askers.get_mut(index) {
                    asker.answer(&line, &parts, may_watch, || {
                        serde_json::to_vec(&stats).unwrap_or_default()
                    });
                }
            }
        }
    }
}
