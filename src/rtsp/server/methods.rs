//! Methods of RTSP (RFC 2326, section 10): the answer to each request. Bytes are moved elsewhere.

use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use crate::access::LoginSource;
use crate::base::hex;
use crate::rtsp::auth::LoginCheck;
use crate::rtsp::message::{Request, RtspResponse, Status};
use crate::rtsp::sdp;
use crate::rtsp::server::conn::{Conn, Wait};
use crate::rtsp::server::outcome::Outcome;
use crate::rtsp::server::poll_loop::PollLoop;
use crate::rtsp::server::session::{self, Arrival, Carrier, Media, Session, TIMEOUT, Track};
use crate::rtsp::transport::{self, Transport};

/// How long a DESCRIBE waits for a stream's first picture: less than clients wait for an answer.
const FOR_PICTURE: Duration = Duration::from_secs(4);
/// How long an answer is held back for wrong passwords at most.
const PENALTY: Duration = Duration::from_secs(60);
const METHODS: &str =
    "OPTIONS, DESCRIBE, SETUP, PLAY, PAUSE, GET_PARAMETER, SET_PARAMETER, TEARDOWN";

/// Microseconds for which a viewer that comes may still begin at the last key frame: one that has
/// to connect again because the codec changed gets its picture at once. Older pictures would only
/// keep it behind for as long as it watches.
const FRESH: u64 = 500_000;

fn answer(request: &Request<'_>, status: Status) -> RtspResponse {
    RtspResponse::new(status, request.sequence())
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
        let required = [request.header("Require"), request.header("Proxy-Require")];
        let unknown = required.into_iter().flatten().find(|option| !self.has(option));
        if let Some(option) = unknown {
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
            "DESCRIBE" | "SETUP" | "PLAY" if self.off => done(request, Status::Off),
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

    /// Whether this server has a feature that a client requires.
    fn has(&self, option: &str) -> bool {
        let speaker = self.speaker.as_ref().is_some_and(|speaker| speaker.is_there());
        option.trim().eq_ignore_ascii_case(sdp::BACKCHANNEL) && speaker
    }

    /// None where the request may continue.
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
        let from = LoginSource::address(conn.peer);
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
                    // It waited its minute, and others were before it: not even checked.
                    Outcome::Answer(answer(request, Status::Unauthorized))
                });
            }
            let verdict = password.login.judge(given, request.method, seconds);
            if verdict == LoginCheck::Wrong {
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
        if verdict == LoginCheck::Good {
            conn.authorised = true;
            self.throttle.right(from);
            return None;
        }
        let mut refusal = answer(request, Status::Unauthorized);
        for challenge in password.login.challenges(seconds, verdict == LoginCheck::Stale) {
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

    /// The stream that a request is about, and which of its tracks.
    fn stream_of(&self, request: &Request<'_>) -> Option<(usize, Media)> {
        let (name, track) = request.path();
        let stream = self.feeds.iter().position(|feed| feed.name == name)?;
        match (track, &self.sound) {
            ("" | sdp::TRACK, _) => Some((stream, Media::Video)),
            (sdp::SOUND_TRACK, Some((_, form))) => Some((stream, Media::Sound(*form))),
            (sdp::SPEECH_TRACK, _) if self.speaker.is_some() => Some((stream, Media::Speech)),
            _ => None,
        }
    }

    fn describe(
        &mut self,
        conn: &Conn,
        request: &Request<'_>,
        waited: Option<Instant>,
        now: Instant,
    ) -> Outcome {
        let found =
            self.stream_of(request).and_then(|(stream, _)| Some((stream, self.feeds.get(stream)?)));
        let Some((stream, feed)) = found else { return done(request, Status::NotFound) };
        let state = feed.state();
        let Some(params) = state.params.clone() else {
            let until = waited.unwrap_or(now) + FOR_PICTURE;
            if until > now {
                return Outcome::Wait(Wait::Picture(stream), until);
            }
            return Outcome::Answer(answer(request, Status::Busy).line("Retry-After", "2"));
        };
        let version = state.epoch + 1;
        drop(state);
        let sound = self.sound.as_ref().filter(|(feed, _)| feed.has_sound()).map(|(_, form)| *form);
        // Offered only to clients that require it: others would take it for a second sound.
        let speech = request.header("Require").is_some();
        let text = sdp::describe(&feed.name, conn.local, version, &params, sound, speech);
        let base = format!("{}/", plain(request.uri));
        let described = answer(request, Status::Ok).line("Content-Base", &base);
        Outcome::Answer(described.line("Cache-Control", "no-cache").body("application/sdp", text))
    }

    fn setup(&mut self, conn: &mut Conn, request: &Request<'_>, now: Instant) -> Outcome {
        let Some((stream, media)) = self.stream_of(request) else {
            return done(request, Status::NotFound);
        };
        let offers = request.header("Transport").unwrap_or("");
        // One viewer for each connection, with a track of each kind: a client that sets one up
        // again means it instead.
        let old = self.session_of(conn, request);
        let old = old.map(|old| (old.id.clone(), old.is_playing(), old.stream, old.tracks.len()));
        let free = old.as_ref().map_or(0, |(.., tracks)| 2 * *tracks as u8);
        let Some(transport) = transport::choose(offers, free) else {
            return done(request, Status::Transport);
        };
        let joins = match old {
            None if request.session().is_some() => return done(request, Status::NoSession),
            Some((_, true, ..)) => return done(request, Status::NotInThisState),
            // Another stream, or without naming the session: it begins again.
            Some((id, _, of, _)) if of != stream || request.session().is_none() => {
                self.sessions.retain(|session| session.id != id);
                None
            }
            Some((id, ..)) => Some(id),
            None => None,
        };
        if joins.is_none() && self.sessions.len() >= self.most_viewers {
            self.refused += 1;
            log::warn!("{}: refused, there are already {} viewers", conn.peer, self.sessions.len());
            let words = format!("This camera serves {} viewers at once.\r\n", self.most_viewers);
            return Outcome::Answer(answer(request, Status::NoBandwidth).body("text/plain", words));
        }
        let (carrier, reply) = match carry(conn, transport) {
            Ok(pair) => pair,
            Err(error) => {
                log::warn!("{}: no UDP sockets: {error}", conn.peer);
                return done(request, Status::Transport);
            }
        };
        let numbers = self.random();
        let Some(feed) = self.feeds.get(stream) else { return done(request, Status::NotFound) };
        let track = numbers.first_chunk().copied().unwrap_or_default();
        let track = Track::new(media, carrier, plain(request.uri).to_owned(), track);
        let reply = format!("{reply};ssrc={:08X};mode=\"PLAY\"", track.ssrc);
        let id = joins.unwrap_or_else(|| {
            let arrival = Arrival {
                id: hex(numbers.get(12..20).unwrap_or_default()),
                stream,
                epoch: feed.state().epoch,
                conn: conn.id,
                peer: conn.peer,
                now,
                clock: feed.now(),
            };
            let session = Session::new(arrival);
            let id = session.id.clone();
            self.sessions.push(session);
            id
        });
        if track.is_speech()
            && let Some(Err(refusal)) = self.speaker.as_ref().map(|speaker| speaker.claim(&id, now))
        {
            log::info!("{}: cannot speak: {refusal:?}", conn.peer);
            self.sessions.retain(|session| session.id != id || !session.tracks.is_empty());
            let words = "The camera's speaker is in use or not available.\r\n".to_owned();
            return Outcome::Answer(answer(request, Status::Busy).body("text/plain", words));
        }
        if let Some(session) = self.sessions.iter_mut().find(|session| session.id == id) {
            let kind = std::mem::discriminant(&track.media);
            session.tracks.retain(|old| std::mem::discriminant(&old.media) != kind);
            session.tracks.push(track);
        }
        let set_up = answer(request, Status::Ok)
            .line("Session", &format!("{id};timeout={}", TIMEOUT.as_secs()))
            .line("Transport", &reply);
        Outcome::Answer(set_up)
    }

    fn play(&mut self, conn: &Conn, request: &Request<'_>, now: Instant) -> Outcome {
        let feeds = self.feeds.clone();
        let sound = self.sound.clone();
        let Some(session) = self.session_of(conn, request) else {
            return done(request, Status::NoSession);
        };
        let Some(feed) = feeds.get(session.stream) else { return done(request, Status::NotFound) };
        if !session.is_playing() {
            session.since = now;
            log::info!("{}: watching {}", session.peer, feed.name);
        }
        let clock = feed.now();
        let (place, begins) = {
            let state = feed.state();
            let place = state.ring.at_key(clock.saturating_sub(FRESH));
            (place, state.ring.time_of(&place))
        };
        // One instant for all tracks: until the first sender reports a client keeps them in step by
        // it, and then by the reports. Where the two differ, time runs backwards.
        let instant = begins.unwrap_or(clock);
        let mut infos = Vec::new();
        for track in session.tracks.iter_mut().filter(|track| !track.is_speech()) {
            if track.place.is_none() {
                let from = sound.as_ref().filter(|_| track.is_sound()).map(|(feed, _)| feed);
                // Sound begins with the first picture, or with what comes next.
                track.place = Some(match from {
                    Some(sound) => sound.state().ring.at_time(begins.unwrap_or(u64::MAX)),
                    None => place,
                });
            }
            let time = track.timestamp(instant);
            infos.push(format!("url={};seq={};rtptime={time}", track.url, track.sequence));
        }
        let mut playing =
            answer(request, Status::Ok).line("Session", &session.id).line("Range", "npt=now-");
        if !infos.is_empty() {
            playing = playing.line("RTP-Info", &infos.join(","));
        }
        Outcome::Answer(playing)
    }

    fn pause(&mut self, conn: &Conn, request: &Request<'_>) -> Outcome {
        let Some(session) = self.session_of(conn, request) else {
            return done(request, Status::NoSession);
        };
        // A frame that is half out continues to its end.
        for track in &mut session.tracks {
            track.place = None;
        }
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

/// How a track's packets will travel, and how that is answered.
fn carry(conn: &Conn, transport: Transport) -> std::io::Result<(Carrier, String)> {
    match transport {
        Transport::Interleaved { rtp, rtcp } => Ok((
            Carrier::Tcp { rtp, rtcp },
            format!("RTP/AVP/TCP;unicast;interleaved={rtp}-{rtcp}"),
        )),
        Transport::Udp { rtp, rtcp } => {
            let sockets = session::udp_pair(conn.local, conn.peer, (rtp, rtcp))?;
            let port = sockets.0.local_addr()?.port();
            let reply =
                format!("RTP/AVP;unicast;client_port={rtp}-{rtcp};server_port={port}-{}", port + 1);
            Ok((Carrier::Udp { rtp: sockets.0, rtcp: sockets.1 }, reply))
        }
    }
}

/// The address without its query and the blank at its end: the part that others may see.
fn plain(uri: &str) -> &str {
    uri.split(['?', '#']).next().unwrap_or(uri).trim_end_matches('/')
}
