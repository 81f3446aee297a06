//! The server's thread: one `poll(2)` over the listener, the connections, the viewers' datagram
//! sockets and the daemon's questions. No error ends it but its handle's word.

use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nix::errno::Errno;

use crate::access::throttle::{STREAMS, Throttle};
use crate::rtsp::feed::{Feed, Wake};
use crate::rtsp::message;
use crate::rtsp::rtp;
use crate::rtsp::server::conn::{Conn, Wait};
use crate::rtsp::server::local::{self, Asker};
use crate::rtsp::server::password::Password;
use crate::rtsp::server::session::{Session, Track};
use crate::rtsp::snapshots::Snapshots;
use crate::rtsp::sound::SoundForm;
use crate::rtsp::speaker::Speaker;

/// The longest sleep, and how often the password's file is checked.
pub(super) const IDLE: Duration = Duration::from_secs(1);
/// How long it rests after an error that would come again at once.
pub(super) const REST: Duration = Duration::from_millis(100);

/// What the thread is made of.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) listener: TcpListener,
    pub(super) local: Option<UnixListener>,
    pub(super) wake: Arc<Wake>,
    pub(super) stop: Arc<AtomicBool>,
    pub(super) feeds: Vec<Arc<Feed>>,
    pub(super) sound: Option<(Arc<Feed>, SoundForm)>,
    pub(super) snapshots: Option<Arc<Snapshots>>,
    pub(super) speaker: Option<Arc<Speaker>>,
    pub(super) password: Option<Password>,
    pub(super) secret: [u8; 32],
    pub(super) started: Instant,
    pub(super) most_viewers: usize,
}

/// The thread's state.
#[derive(Debug)]
pub(super) struct PollLoop {
    pub(super) listener: TcpListener,
    pub(super) local: Option<UnixListener>,
    pub(super) wake: Arc<Wake>,
    stop: Arc<AtomicBool>,
    pub(super) feeds: Vec<Arc<Feed>>,
    /// The microphone, for all streams.
    pub(super) sound: Option<(Arc<Feed>, SoundForm)>,
    pub(super) snapshots: Option<Arc<Snapshots>>,
    pub(super) speaker: Option<Arc<Speaker>>,
    pub(super) password: Option<Password>,
    password_looked: Instant,
    pub(super) secret: [u8; 32],
    pub(super) numbers_made: u64,
    pub(super) started: Instant,
    pub(super) most_viewers: usize,
    pub(super) conns: Vec<Conn>,
    pub(super) next_conn: u64,
    pub(super) sessions: Vec<Session>,
    pub(super) askers: Vec<Asker>,
    pub(super) throttle: Throttle,
    pub(super) refused: u64,
    pub(super) wrong_logins: u64,
    pub(super) rests_until: Option<Instant>,
    /// The camera is switched off: no picture and no sound leave.
    pub(super) off: bool,
}

impl PollLoop {
    pub(super) fn new(parts: Parts) -> PollLoop {
        PollLoop {
            listener: parts.listener,
            local: parts.local,
            wake: parts.wake,
            stop: parts.stop,
            feeds: parts.feeds,
            sound: parts.sound,
            snapshots: parts.snapshots,
            speaker: parts.speaker,
            password: parts.password,
            password_looked: parts.started,
            secret: parts.secret,
            numbers_made: 0,
            started: parts.started,
            most_viewers: parts.most_viewers,
            conns: Vec::new(),
            next_conn: 0,
            sessions: Vec::new(),
            askers: Vec::new(),
            throttle: Throttle::new(STREAMS),
            refused: 0,
            wrong_logins: 0,
            rests_until: None,
            off: false,
        }
    }

    pub(super) fn run(mut self) {
        // A panic here would be a bug of ours; it may cost the viewers, not the server.
        while catch_unwind(AssertUnwindSafe(|| self.rounds())).is_err() {
            log::error!("the RTSP server panicked: its viewers were dropped, and it continues");
            self.conns.clear();
            self.sessions.clear();
            self.askers.clear();
        }
    }

    fn rounds(&mut self) {
        while !self.stop.load(Ordering::Acquire) {
            let now = Instant::now();
            self.look_after(now);
            self.pump(now);
            self.sweep(now);
            let ready = match self.wait(now) {
                Ok(ready) => ready,
                Err(Errno::EINTR) => continue,
                Err(error) => {
                    log::warn!("poll: {error}");
                    std::thread::sleep(REST);
                    continue;
                }
            };
            let now = Instant::now();
            for owner in ready {
                self.handle(owner, now);
            }
        }
        self.dismiss(|_| true, "the camera's server is stopping");
        self.pump(Instant::now());
    }

    /// What is due without anybody saying anything.
    fn look_after(&mut self, now: Instant) {
        if self.rests_until.is_some_and(|until| until <= now) {
            self.rests_until = None;
        }
        if now.saturating_duration_since(self.password_looked) >= IDLE {
            self.password_looked = now;
            if self.password.as_mut().is_some_and(Password::changed) {
                log::info!("the streams' password changed: disconnecting all viewers");
                self.dismiss(|_| true, "the password changed");
                for conn in self.conns.iter_mut().filter(|conn| conn.authorised) {
                    conn.authorised = false;
                    conn.ending = true;
                }
            }
        }
        let epochs: Vec<u64> = self.feeds.iter().map(|feed| feed.state().epoch).collect();
        self.dismiss(
            |session| epochs.get(session.stream) != Some(&session.epoch),
            "the camera's codec changed: connect again",
        );
        if let Some(speaker) = &self.speaker {
            speaker.release(|id| self.sessions.iter().any(|session| session.id == id));
        }
        self.answer_waiting(now);
    }

    /// Sends some viewers away: with a goodbye, and their connections closed behind it.
    fn dismiss(&mut self, which: impl Fn(&Session) -> bool, reason: &str) {
        let (leaving, staying) = std::mem::take(&mut self.sessions).into_iter().partition(which);
        self.sessions = staying;
        let leaving: Vec<Session> = leaving;
        for mut session in leaving {
            let clock = self.feeds.get(session.stream).map_or(0, |feed| feed.now());
            let mut conn = session.conn.and_then(|id| self.conns.iter_mut().find(|c| c.id == id));
            if let Some(conn) = &mut conn {
                conn.ending = true;
            }
            let goodbye = |report: &rtp::Report| rtp::goodbye(report, reason);
            session.send_reports(clock, conn, goodbye, |_| true);
        }
    }

    /// Switched off: everybody is sent away.
    pub(super) fn switch(&mut self, off: bool) {
        if off && !std::mem::replace(&mut self.off, off) {
            log::info!("the camera is off: no pictures are sent");
            self.dismiss(|_| true, message::OFF);
            self.askers.iter_mut().for_each(Asker::darken);
        }
        self.off = off;
    }

    /// Looks again at requests that wait, where what they wait for is there or their time is over.
    fn answer_waiting(&mut self, now: Instant) {
        let mut conns = std::mem::take(&mut self.conns);
        for conn in &mut conns {
            let over = match conn.waits {
                None => continue,
                Some((_, until)) if until <= now => true,
                Some((Wait::Picture(stream), _)) => {
                    self.feeds.get(stream).is_some_and(|feed| feed.state().params.is_some())
                }
                Some((Wait::Penalty, _)) => false,
            };
            if over {
                conn.waits = None;
                self.serve(conn, now);
            }
        }
        self.conns = conns;
    }

    /// Gives everybody what there is for them.
    fn pump(&mut self, now: Instant) {
        let sound = self.sound.as_ref().map(|(feed, _)| feed.as_ref());
        for session in &mut self.sessions {
            let Some(feed) = self.feeds.get(session.stream) else { continue };
            let mut conn = session.conn.and_then(|id| self.conns.iter_mut().find(|c| c.id == id));
            // Answers that wait go first.
            if conn.as_ref().is_none_or(|conn| conn.backlog() == 0) {
                let due = |track: &mut Track| track.takes_report(now);
                let clock = feed.now();
                session.send_reports(clock, conn.as_deref_mut(), rtp::sender_report, due);
            }
            match (session.is_tcp(), conn) {
                (true, Some(conn)) => session.pump_tcp(conn, feed, sound, now),
                (true, None) => {}
                (false, _) => session.pump_udp(feed, sound, now),
            }
        }
        for conn in self.conns.iter_mut().filter(|conn| conn.backlog() > 0 || conn.ending) {
            conn.flush();
        }
        let parts = local::Parts {
            feeds: &self.feeds,
            sound: self.sound.as_ref(),
            snapshots: self.snapshots.as_deref(),
            speaker: self.speaker.as_deref(),
            off: self.off,
        };
        for asker in &mut self.askers {
            asker.pump(&parts, now);
        }
    }

    /// Takes out what is over.
    fn sweep(&mut self, now: Instant) {
        for conn in &mut self.conns {
            let has_viewer = self.sessions.iter().any(|session| session.conn == Some(conn.id));
            if conn.overdue(has_viewer, now) {
                conn.closed = true;
            }
        }
        let conns = &mut self.conns;
        self.sessions.retain_mut(|session| {
            let conn = session.conn.and_then(|id| conns.iter_mut().find(|conn| conn.id == id));
            let Some(conn) = conn.filter(|conn| !conn.closed) else {
                if session.is_tcp() {
                    log::info!("{}: gone", session.peer);
                    return false;
                }
                if session.conn.take().is_some() {
                    session.seen = now;
                }
                return !session.expired(now);
            };
            if session.expired(now) {
                log::info!("{}: no answer for a long time", session.peer);
                conn.closed = true;
                return false;
            }
            true
        });
        self.conns.retain(|conn| !conn.closed);
        self.askers.retain(|asker| {
            !asker.closed && asker.deadline().is_none_or(|deadline| deadline > now)
        });
    }
}
