//! What each request does (RFC 2326, section 10). Answers are made here; bytes move elsewhere.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use crate::access::Source;
use crate::rtsp::auth::{Verdict, hex};
use crate::rtsp::message::{Answer, Request, Status};
use crate::rtsp::sdp;
use crate::rtsp::server::conn::{Conn, Wait};
use crate::rtsp::server::poll_loop::PollLoop;
use crate::rtsp::server::session::{self, Arrival, Carrier, Session, TIMEOUT};
use crate::rtsp::transport::{self, Transport};

/// How long a DESCRIBE waits for a stream's first picture: less than clients wait for an answer.
const FOR_PICTURE: Duration = Duration::from_secs(4);
/// How long an answer is held back for wrong passwords at most.
const PENALTY: Duration = Duration::from_secs(60);
const METHODS: &str =
    "OPTIONS, DESCRIBE, SETUP, PLAY, PAUSE, GET_PARAMETER, SET_PARAMETER, TEARDOWN";

/// Microseconds for which a viewer that comes may still begin at the last key frame: who has to
/// connect anew because the codec changed has its picture at once. Older pictures would only keep
/// it behind for as long as it watches.
const FRESH: u64 = 500_000;

/// What becomes of a request.
#[derive(Debug)]
pub(super) enum Outcome {
    /// It is answered.
    Answer(Answer),
    /// It is looked at again when this is over.
    Wait(Wait, Instant),
}

fn answer(request: &Request<'_>, status: Status) -> Answer {
    Answer::new(status, request.sequence())
}

fn done(request: &Request<'_>, status: Status) -> Outcome {
    Outcome::Answer(answer(request, status))
}

impl PollLoop {
    /// Does what a request asks. `waited` says since when it has been waiting.
    pub(super) fn request(
        &mut self,
        conn: &mut Conn,
        request: &Request<'_>,
        waited: Option<Instant>,
        now: Instant,
    ) -> Outcome {
        if let Some(refusal) = self.login(conn, request, waited, now) {
            return refusal;
        }
        if let Some(option) = request.header("Require").or(request.header("Proxy-Require")) {
            let unsupported = answer(request, Status::OptionUnknown);
            return Outcome::Answer(unsupported.line("Unsupported", option));
        }
        if request.sequence().is_none() {
            return done(request, Status::BadRequest);
        }
        if let Some(session) = self.session_of(conn, request) {
            session.seen = now;
        }
        match request.method {
            "OPTIONS" => Outcome::Answer(answer(request, Status::Ok).line("Public", METHODS)),
            "DESCRIBE" => self.describe(conn, request, waited, now),
            "SETUP" => self.setup(conn, request, now),
            "PLAY" => self.play(conn, request, now),
            "PAUSE" => self.pause(conn, request),
            "TEARDOWN" => self.teardown(conn, request),
            "GET_PARAMETER" | "SET_PARAMETER" => self.keep_alive(conn, request),
            _ => Outcome::Answer(answer(request, Status::NotImplemented).line("Public", METHODS)),
        }
    }

    /// None where the request may go on.
    fn login(
        &mut self,
        conn: &mut Conn,
        request: &Request<'_>,
        waited: Option<Instant>,
        now: Instant,
    ) -> Option<Outcome> {
        let password = self.password.as_ref()?;
        if conn.authorised {
            return None;
        }
        let given = request.header("Authorization");
        let from = Source::address(conn.peer);
        let seconds = now.saturating_duration_since(self.started).as_secs();
        // Some: it was judged, and its wait is over.
        let verdict = if let Some(verdict) = conn.judged.take() {
            verdict
        } else {
            let turn = self.throttle.turn(from, now);
            if given.is_some() && !turn.is_zero() {
                let patient =
                    waited.is_none_or(|since| now.saturating_duration_since(since) < PENALTY);
                return Some(if patient {
                    Outcome::Wait(Wait::Penalty, now + turn)
                } else {
                    // It waited its minute, and others were before it: not even looked at.
                    Outcome::Answer(answer(request, Status::Unauthorized))
                });
            }
            let verdict = password.login.judge(given, request.method, seconds);
            if verdict == Verdict::Wrong {
                self.wrong_logins += 1;
                log::warn!("{}: a wrong password", conn.peer);
                // Only this answer waits: a right login from the same address passes it.
                if let Some(wait) = self.throttle.wrong(from, now) {
                    conn.judged = Some(verdict);
                    return Some(Outcome::Wait(Wait::Penalty, now + wait));
                }
            }
            verdict
        };
        if verdict == Verdict::Good {
            conn.authorised = true;
            self.throttle.right(from);
            return None;
        }
        let mut refusal = answer(request, Status::Unauthorized);
        for challenge in password.login.challenges(seconds, verdict == Verdict::Stale) {
            refusal = refusal.line("WWW-Authenticate", &challenge);
        }
        Some(Outcome::Answer(refusal))
    }

    /// The viewer that a request is about: the one it names, else the connection's own.
    fn session_of(&mut self, conn: &Conn, request: &Request<'_>) -> Option<&mut Session> {
        let named = request.session();
        self.sessions.iter_mut().find(|session| match named {
            Some(id) => session.id == id && session.peer == conn.peer,
            None => session.conn == Some(conn.id),
        })
    }

    fn stream_of(&self, request: &Request<'_>) -> Option<usize> {
        let (name, track) = request.path();
        let stream = self.feeds.iter().position(|feed| feed.name == name)?;
        matches!(track, "" | sdp::TRACK).then_some(stream)
    }

    fn describe(
        &mut self,
        conn: &Conn,
        request: &Request<'_>,
        waited: Option<Instant>,
        now: Instant,
    ) -> Outcome {
        let found =
            self.stream_of(request).and_then(|stream| Some((stream, self.feeds.get(stream)?)));
        let Some((stream, feed)) = found else { return done(request, Status::NotFound) };
        let state = feed.state();
        let Some(params) = state.params.clone() else {
            let until = waited.unwrap_or(now) + FOR_PICTURE;
            if until > now {
                return Outcome::Wait(Wait::Picture(stream), until);
            }
            return Outcome::Answer(answer(request, Status::Busy).line("Retry-After", "2"));
        };
        let text = sdp::describe(&feed.name, conn.local, state.epoch + 1, &params);
        drop(state);
        let base = format!("{}/", plain(request.uri));
        let described = answer(request, Status::Ok).line("Content-Base", &base);
        Outcome::Answer(described.line("Cache-Control", "no-cache").body("application/sdp", text))
    }

    fn setup(&mut self, conn: &mut Conn, request: &Request<'_>, now: Instant) -> Outcome {
        let Some(stream) = self.stream_of(request) else { return done(request, Status::NotFound) };
        let offers = request.header("Transport").unwrap_or("");
        let Some(transport) = transport::choose(offers, 0) else {
            return done(request, Status::Transport);
        };
        // One viewer for each connection: who sets up anew, means it instead.
        let old = self.session_of(conn, request).map(|old| (old.id.clone(), old.place.is_some()));
        match old {
            None if request.session().is_some() => return done(request, Status::NoSession),
            Some((_, true)) => return done(request, Status::NotInThisState),
            Some((id, false)) => self.sessions.retain(|session| session.id != id),
            None => {}
        }
        if self.sessions.len() >= self.most_viewers {
            self.refused += 1;
            log::warn!("{}: refused, {} viewers are here", conn.peer, self.sessions.len());
            let words = format!("This camera serves {} viewers at once.\r\n", self.most_viewers);
            return Outcome::Answer(answer(request, Status::NoBandwidth).body("text/plain", words));
        }
        let (carrier, reply) = match transport {
            Transport::Interleaved { rtp, rtcp } => (
                Carrier::Tcp { rtp, rtcp },
                format!("RTP/AVP/TCP;unicast;interleaved={rtp}-{rtcp}"),
            ),
            Transport::Udp { rtp, rtcp } => {
                let pair = session::udp_pair(conn.local, conn.peer, (rtp, rtcp));
                let ours = |pair: &(std::net::UdpSocket, _)| {
                    pair.0.local_addr().map(|address: SocketAddr| address.port())
                };
                match pair.and_then(|pair| Ok((ours(&pair)?, pair))) {
                    Ok((port, (rtp_socket, rtcp_socket))) => (
                        Carrier::Udp { rtp: rtp_socket, rtcp: rtcp_socket },
                        format!(
                            "RTP/AVP;unicast;client_port={rtp}-{rtcp};server_port={port}-{}",
                            port + 1
                        ),
                    ),
                    Err(error) => {
                        log::warn!("{}: no sockets for datagrams: {error}", conn.peer);
                        return done(request, Status::Transport);
                    }
                }
            }
        };
        let numbers = self.random();
        let Some(feed) = self.feeds.get(stream) else { return done(request, Status::NotFound) };
        let arrival = Arrival {
            id: hex(numbers.get(12..20).unwrap_or_default()),
            stream,
            epoch: feed.state().epoch,
            carrier,
            conn: conn.id,
            peer: conn.peer,
            url: plain(request.uri).to_owned(),
            numbers: numbers.first_chunk().copied().unwrap_or_default(),
            now,
            clock: feed.now(),
        };
        let session = Session::new(arrival);
        let reply = format!("{reply};ssrc={:08X};mode=\"PLAY\"", session.ssrc);
        let set_up = answer(request, Status::Ok)
            .line("Session", &format!("{};timeout={}", session.id, TIMEOUT.as_secs()))
            .line("Transport", &reply);
        self.sessions.push(session);
        Outcome::Answer(set_up)
    }

    fn play(&mut self, conn: &Conn, request: &Request<'_>, now: Instant) -> Outcome {
        let feeds = self.feeds.clone();
        let Some(session) = self.session_of(conn, request) else {
            return done(request, Status::NoSession);
        };
        let Some(feed) = feeds.get(session.stream) else { return done(request, Status::NotFound) };
        if session.place.is_none() {
            let since = feed.now().saturating_sub(FRESH);
            session.place = Some(feed.state().ring.at_key(since));
            session.since = now;
            log::info!("{}: watches {}", session.peer, feed.name);
        }
        let info = format!("url={};seq={}", session.url, session.sequence);
        let playing = answer(request, Status::Ok)
            .line("Session", &session.id)
            .line("Range", "npt=now-")
            .line("RTP-Info", &info);
        Outcome::Answer(playing)
    }

    fn pause(&mut self, conn: &Conn, request: &Request<'_>) -> Outcome {
        let Some(session) = self.session_of(conn, request) else {
            return done(request, Status::NoSession);
        };
        // A frame that is half out goes on to its end.
        session.place = None;
        Outcome::Answer(answer(request, Status::Ok).line("Session", &session.id))
    }

    fn keep_alive(&mut self, conn: &Conn, request: &Request<'_>) -> Outcome {
        let found = self.session_of(conn, request).map(|session| session.id.clone());
        match found {
            Some(id) => Outcome::Answer(answer(request, Status::Ok).line("Session", &id)),
            None if request.session().is_some() => done(request, Status::NoSession),
            None => done(request, Status::Ok),
        }
    }

    fn teardown(&mut self, conn: &mut Conn, request: &Request<'_>) -> Outcome {
        let Some(session) = self.session_of(conn, request) else {
            return done(request, Status::NoSession);
        };
        let id = session.id.clone();
        if session.conn == Some(conn.id) {
            session.settle(conn);
        }
        self.sessions.retain(|session| session.id != id);
        Outcome::Answer(answer(request, Status::Ok).line("Session", &id))
    }

    /// Random bytes, made of the random secret.
    fn random(&mut self) -> [u8; 32] {
        self.numbers_made += 1;
        let mut hash = Sha256::new();
        hash.update(self.secret);
        hash.update(b"numbers");
        hash.update(self.numbers_made.to_be_bytes());
        hash.finalize().into()
    }
}

/// The address without its query and the blank at its end: what others may be told of it.
fn plain(uri: &str) -> &str {
    uri.split(['?', '#']).next().unwrap_or(uri).trim_end_matches('/')
}
