//! New connections to the gate. When too many are unfinished, one of them is dropped.

use std::time::Instant;

use crate::base::{ACCEPTS, Accepted, accept};
use crate::web::gate::conn::{Conn, Phase};
use crate::web::gate::poll_loop::{PAUSE, PollLoop};
use crate::web::gate::shared::count;
use crate::web::gate::table;

impl PollLoop {
    pub(super) fn accept(&mut self, now: Instant) {
        for _ in 0..ACCEPTS {
            let (stream, peer) = match accept(&self.listener) {
                Accepted::New(stream, peer) => (stream, peer),
                Accepted::Nobody => return,
                Accepted::Lost => continue,
                Accepted::Full(_) if self.drop_oldest_idle(now) => continue,
                Accepted::Full(error) | Accepted::Failed(error) => {
                    log::warn!("accept: {error}; a pause of {} ms", PAUSE.as_millis());
                    self.rests_until = Some(now + PAUSE);
                    return;
                }
            };
            count(&self.shared.accepted);
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
