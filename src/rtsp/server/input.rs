//! Splits a connection's input into whole requests, and the packets between them.

use std::time::Instant;

use crate::rtsp::message::{self, Item, RtspResponse};
use crate::rtsp::server::conn::Conn;
use crate::rtsp::server::outcome::Outcome;
use crate::rtsp::server::poll_loop::PollLoop;
use crate::rtsp::server::session::Session;

/// Bytes of a packet of speech; a longer one is dropped as it comes.
const LONGEST_SPEECH: usize = 2048;

impl PollLoop {
    /// Does all that is complete in a connection's input.
    pub(super) fn serve(&mut self, conn: &mut Conn, now: Instant) {
        while conn.wants_input() && !conn.input.is_empty() {
            let input = std::mem::take(&mut conn.input);
            let (used, more) = match message::item(&input) {
                Item::More => {
                    conn.input = input;
                    return;
                }
                Item::Skip(count) => (count, 0),
                Item::Interleaved { channel, length } => {
                    let mine = |session: &&mut Session| session.conn == Some(conn.id);
                    let session = self.sessions.iter_mut().find(mine);
                    let speaks = session.as_ref().is_some_and(|session| {
                        session.tracks.iter().any(|track| track.speaks_on() == Some(channel))
                    });
                    let whole = input.get(4..4 + length);
                    if speaks && length <= LONGEST_SPEECH && whole.is_none() {
                        conn.input = input;
                        return;
                    }
                    if let Some(session) = session {
                        session.seen = now;
                        for (speaker, packet) in self.speaker.iter().zip(whole.filter(|_| speaks)) {
                            speaker.hear(&session.id, packet, now);
                        }
                    }
                    (4, length as u64)
                }
                Item::Request(request, length) => {
                    conn.heard = now;
                    match self.request(conn, &request, conn.waited, now) {
                        Outcome::Answer(answer) => {
                            conn.waited = None;
                            self.say(conn, answer);
                            (length, request.body)
                        }
                        Outcome::Wait(what, until) => {
                            conn.waited.get_or_insert(now);
                            conn.waits = Some((what, until));
                            conn.input = input;
                            return;
                        }
                    }
                }
                Item::Bad(fault) => {
                    log::debug!("{}: {fault:?}", conn.peer);
                    self.say(
                        conn,
                        RtspResponse::new(fault.status(), None).line("Connection", "close"),
                    );
                    conn.ending = true;
                    return;
                }
            };
            conn.input = input;
            conn.consume(used, more, now);
        }
    }

    /// Puts an answer on its way, behind the packet that is half out.
    fn say(&mut self, conn: &mut Conn, answer: RtspResponse) {
        let mine = |session: &&mut Session| session.conn == Some(conn.id);
        if let Some(session) = self.sessions.iter_mut().find(mine) {
            session.settle(conn);
        }
        conn.queue(&answer.into_bytes());
        conn.flush();
    }
}
