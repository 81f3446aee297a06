//! New connections to the gate. When too many are unfinished, one of them is dropped.

use std::io;
use std::time::Instant;

use nix::errno::Errno;

use crate::web::gate::conn::{Conn, Phase};
use crate::web::gate::poll_loop::{PAUSE, PollLoop};
use crate::web::gate::relay::is_later;
use crate::web::gate::shared::count;
use crate::web::gate::table;

/// Connections accepted in a row before the others have their turn.
const ACCEPTS: usize = 16;

impl PollLoop {
    pub(super) fn accept(&mut self, now: Instant) {
        for _ in 0..ACCEPTS {
            let (stream, address) = match self.listener.accept() {
                Ok(pair) => pair,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if is_later(&error) => return,
                Err(error) => {
                    match error.raw_os_error().map(Errno::from_raw) {
                        // That one connection is gone; the next may be fine.
                        Some(Errno::ECONNABORTED | Errno::EPROTO) => continue,
                        Some(Errno::EMFILE | Errno::ENFILE | Errno::ENOMEM | Errno::ENOBUFS)
                            if self.drop_oldest_idle(now) =>
                        {
                            continue;
                        }
                        _ => {}
                    }
                    log::warn!("accept: {error}; a pause of {} ms", PAUSE.as_millis());
                    self.rests_until = Some(now + PAUSE);
                    return;
                }
            };
            count(&self.shared.accepted);
            let peer = address.ip().to_canonical();
            if stream.set_nonblocking(true).is_err() {
                count(&self.shared.dropped);
                continue;
            }
            // Answers are small: none should wait for an acknowledgement of the one before.
            let _ = stream.set_nodelay(true);
            let (seats, rows) = self.seats();
            let limits = &self.limits;
            let victim =
                table::make_room(&seats, peer, limits.unfinished, limits.unfinished_per_address);
            if let Some(seat) = victim {
                self.drop_row(rows.get(seat), now);
                self.conns.retain(|conn| !matches!(conn.phase, Phase::Closed));
            }
            // Most requests are here already: read now, so that none is dropped unread when many
            // come at once.
            let (conns, scratch, around) = self.parts(now);
            let mut conn = Conn::new(stream, peer, around.limits, now);
            conn.step(scratch, &around);
            conns.push(conn);
            self.keep_within_limits(now);
        }
    }
}
