//! New connections: viewers, and the daemon with its questions. When all places are taken, a
//! connection without a viewer is dropped.

use std::time::Instant;

use nix::sys::socket::{setsockopt, sockopt};

use crate::base::{ACCEPTS, Accepted, accept};
use crate::rtsp::server::conn::Conn;
use crate::rtsp::server::local::Asker;
use crate::rtsp::server::poll_loop::{PollLoop, REST};

/// RTSP connections at once.
const MOST_CONNS: usize = 64;
/// The daemon's questions at once.
const MOST_ASKERS: usize = 8;
/// Bytes the kernel keeps for a viewer that reads slowly; it takes twice that. A key frame.
const KERNEL_BUFFER: usize = 128 * 1024;

impl PollLoop {
    pub(super) fn accept(&mut self, now: Instant) {
        for _ in 0..ACCEPTS {
            let (stream, peer) = match accept(&self.listener) {
                Accepted::New(stream, peer) => (stream, peer),
                Accepted::Nobody => return,
                Accepted::Lost => continue,
                Accepted::Full(error) | Accepted::Failed(error) => {
                    log::warn!("accept: {error}");
                    self.drop_oldest();
                    self.rests_until = Some(now + REST);
                    return;
                }
            };
            let _ = stream.set_nodelay(true);
            let _ = setsockopt(&stream, sockopt::SndBuf, &KERNEL_BUFFER);
            if self.conns.len() >= MOST_CONNS {
                self.drop_oldest();
            }
            self.next_conn += 1;
            if stream.set_nonblocking(true).is_ok() {
                self.conns.extend(Conn::new(self.next_conn, stream, peer, now));
            }
        }
    }

    /// The session that has waited longest without a viewer is the least likely to get one.
    fn drop_oldest(&mut self) {
        let sessions = &self.sessions;
        let without = self
            .conns
            .iter()
            .enumerate()
            .filter(|(_, conn)| !sessions.iter().any(|session| session.conn == Some(conn.id)));
        if let Some((index, _)) = without.min_by_key(|(_, conn)| (conn.authorised, conn.heard)) {
            self.conns.swap_remove(index);
        }
    }

    pub(super) fn accept_local(&mut self, now: Instant) {
        let Some(local) = &self.local else { return };
        for _ in 0..ACCEPTS {
            let Ok((stream, _)) = local.accept() else { return };
            if self.askers.len() < MOST_ASKERS {
                self.askers.extend(Asker::new(stream, now));
            }
        }
    }
}
