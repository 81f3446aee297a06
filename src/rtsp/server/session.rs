//! One viewer: its tracks, their places among the frames, their RTP numbers and RTCP reports.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::rtsp::feed::Feed;
use crate::rtsp::frame::Frame;
use crate::rtsp::ring::RingCursor;
use crate::rtsp::rtp::{self, Report};
use crate::rtsp::server::conn::Conn;
use crate::rtsp::sound::SoundForm;

/// A viewer of whom nothing is heard for so long is gone.
pub(super) const TIMEOUT: Duration = Duration::from_secs(60);
/// The same where its RTSP connection is closed already.
const ORPHAN: Duration = Duration::from_secs(20);
/// From one sender report to the next.
const REPORTS: Duration = Duration::from_secs(5);

/// How long sound waits for a picture to go out with: more than one picture lasts.
pub(super) const FOR_PICTURE: Duration = Duration::from_millis(70);

/// How a viewer's packets travel.
#[derive(Debug)]
pub(super) enum Carrier {
    /// In the RTSP connection.
    Tcp { rtp: u8, rtcp: u8 },
    /// In datagrams.
    Udp { rtp: UdpSocket, rtcp: UdpSocket },
}

/// A frame on its way out.
#[derive(Debug)]
pub(super) struct Sending {
    pub(super) frame: Arc<Frame>,
    /// The next packet, and how many of its bytes are out (TCP only).
    pub(super) index: usize,
    pub(super) skip: usize,
}

/// What a track carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Media {
    /// Pictures.
    Video,
    /// Sound, in this form.
    Sound(SoundForm),
    /// What the client says: it sends, and gets nothing.
    Speech,
}

impl Media {
    fn payload_type(self) -> u8 {
        match self {
            Media::Video => rtp::PAYLOAD_TYPE,
            Media::Sound(form) => form.payload_type(),
            Media::Speech => 0,
        }
    }

    fn rate(self) -> u32 {
        match self {
            Media::Video => rtp::VIDEO_RATE,
            Media::Sound(form) => form.rate(),
            Media::Speech => 8_000,
        }
    }
}

/// One track on its way to one viewer: its place among the frames, its RTP numbers.
#[derive(Debug)]
pub(super) struct Track {
    pub(super) media: Media,
    pub(super) carrier: Carrier,
    /// The address that it was set up by.
    pub(super) url: String,
    pub(super) place: Option<RingCursor>,
    pub(super) sending: Option<Sending>,
    /// Its socket takes nothing more just now.
    pub(super) blocked: bool,
    /// Datagrams rest until then, so that a key frame does not flood the client's buffers.
    pub(super) paced: Option<Instant>,
    pub(super) ssrc: u32,
    pub(super) sequence: u16,
    offset: u32,
    report_due: Option<Instant>,
    pub(super) packets: u32,
    pub(super) octets: u32,
    pub(super) pictures: u64,
    pub(super) bytes: u64,
    pub(super) lost: u64,
    /// Nobody listens at its ports.
    pub(super) refused: bool,
}

impl Track {
    /// Numbers are random.
    pub(super) fn new(media: Media, carrier: Carrier, url: String, numbers: [u8; 12]) -> Track {
        let (words, _) = numbers.as_chunks::<4>();
        let word = |index: usize| u32::from_be_bytes(words.get(index).copied().unwrap_or_default());
        Track {
            media,
            carrier,
            url,
            place: None,
            sending: None,
            blocked: false,
            paced: None,
            ssrc: word(0),
            sequence: word(1) as u16,
            offset: word(2),
            report_due: None,
            packets: 0,
            octets: 0,
            pictures: 0,
            bytes: 0,
            lost: 0,
            refused: false,
        }
    }

    pub(super) fn is_tcp(&self) -> bool {
        matches!(self.carrier, Carrier::Tcp { .. })
    }

    pub(super) fn is_sound(&self) -> bool {
        matches!(self.media, Media::Sound(_))
    }

    pub(super) fn is_speech(&self) -> bool {
        self.media == Media::Speech
    }

    /// The channel on which its client speaks.
    pub(super) fn speaks_on(&self) -> Option<u8> {
        match self.carrier {
            Carrier::Tcp { rtp, .. } if self.is_speech() => Some(rtp),
            _ => None,
        }
    }

    pub(super) fn payload_type(&self) -> u8 {
        self.media.payload_type()
    }

    /// The RTP timestamp of an instant of the server's clock.
    pub(super) fn timestamp(&self, micros: u64) -> u32 {
        rtp::ticks_of(self.media.rate(), micros).wrapping_add(self.offset)
    }

    /// Takes in what came at a datagram socket: it is from the client's address, for the socket is
    /// connected to it. True if anything did. Speech goes to `sink`; of all else only that it came
    /// is of interest.
    pub(super) fn hear(&mut self, rtcp_socket: bool, sink: &mut dyn FnMut(&[u8])) -> bool {
        let speech = self.is_speech() && !rtcp_socket;
        let Carrier::Udp { rtp, rtcp } = &self.carrier else { return false };
        let socket = if rtcp_socket { rtcp } else { rtp };
        let mut datagram = [0; 2048];
        let mut heard = false;
        for _ in 0..8 {
            match socket.recv(&mut datagram) {
                Ok(length) => {
                    heard = true;
                    if speech {
                        sink(datagram.get(..length).unwrap_or_default());
                    }
                }
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
                    self.refused |= !rtcp_socket;
                }
                Err(_) => break,
            }
        }
        heard
    }

    /// Whether the frame that is next has waited long enough for a picture. `clock` is the
    /// server's.
    fn is_late(&self, clock: u64) -> bool {
        let arrived = self.sending.as_ref().map(|sending| sending.frame.arrived);
        let waited = arrived.map(|at| Duration::from_micros(clock.saturating_sub(at)));
        waited.is_some_and(|waited| waited >= FOR_PICTURE)
    }

    /// Whether a report is due, and then when the next one is.
    pub(super) fn takes_report(&mut self, now: Instant) -> bool {
        let due = self.place.is_some()
            && self.packets > 0
            && self.report_due.is_none_or(|due| due <= now);
        if due {
            self.report_due = Some(now + REPORTS);
        }
        due
    }

    /// What it says of itself at an instant of the server's clock; `wall_zero` is in microseconds
    /// since 1970.
    pub(super) fn report(&self, wall_zero: u64, clock: u64) -> Report {
        Report {
            ssrc: self.ssrc,
            wall_micros: wall_zero.saturating_add(clock),
            timestamp: self.timestamp(clock),
            packets: self.packets,
            octets: self.octets,
        }
    }
}

/// One viewer.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) id: String,
    /// Which stream, and which of its codecs was announced.
    pub(super) stream: usize,
    pub(super) epoch: u64,
    /// Pictures, sound, or both.
    pub(super) tracks: Vec<Track>,
    /// The connection it came by; a datagram viewer may outlive it.
    pub(super) conn: Option<u64>,
    pub(super) peer: IpAddr,
    pub(super) since: Instant,
    /// When something was last heard of it.
    pub(super) seen: Instant,
    /// Microseconds since 1970 at the clock's zero, as they were believed when it began: the wall
    /// clock may jump, this does not. One for all tracks, which keeps them in step.
    pub(super) wall_zero: u64,
}

/// What a new viewer is made of.
#[derive(Debug)]
pub(super) struct Arrival {
    pub(super) id: String,
    pub(super) stream: usize,
    pub(super) epoch: u64,
    pub(super) conn: u64,
    pub(super) peer: IpAddr,
    pub(super) now: Instant,
    /// The server's clock, microseconds.
    pub(super) clock: u64,
}

impl Session {
    pub(super) fn new(arrival: Arrival) -> Session {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros();
        Session {
            id: arrival.id,
            stream: arrival.stream,
            epoch: arrival.epoch,
            tracks: Vec::with_capacity(2),
            conn: Some(arrival.conn),
            peer: arrival.peer,
            since: arrival.now,
            seen: arrival.now,
            wall_zero: u64::try_from(wall).unwrap_or(0).saturating_sub(arrival.clock),
        }
    }

    /// Whether it lives in its connection.
    pub(super) fn is_tcp(&self) -> bool {
        self.tracks.iter().any(Track::is_tcp)
    }

    pub(super) fn is_playing(&self) -> bool {
        self.tracks.iter().any(|track| track.place.is_some())
    }

    /// When it has to be checked again, whatever its sockets say.
    pub(super) fn deadline(&self) -> Instant {
        let patience = if self.conn.is_some() { TIMEOUT } else { ORPHAN };
        let mut until = self.seen + patience;
        for track in &self.tracks {
            for due in [track.report_due.filter(|_| track.place.is_some()), track.paced] {
                until = until.min(due.unwrap_or(until));
            }
        }
        until
    }

    pub(super) fn expired(&self, now: Instant) -> bool {
        let patience = if self.conn.is_some() { TIMEOUT } else { ORPHAN };
        // Where nobody listens at any port: a client may leave the sound alone.
        let mut played = self.tracks.iter().filter(|track| !track.is_speech());
        let refused = played.all(|track| track.refused);
        now.saturating_duration_since(self.seen) >= patience || (refused && self.conn.is_none())
    }

    /// Moves what is half out of any track to the connection's own bytes.
    pub(super) fn settle(&mut self, conn: &mut Conn) {
        for track in &mut self.tracks {
            track.settle(conn);
        }
    }

    /// Sends an RTCP packet of each track, made by `make`.
    pub(super) fn send_reports(
        &mut self,
        clock: u64,
        mut conn: Option<&mut Conn>,
        make: impl Fn(&Report) -> Vec<u8>,
        due: impl Fn(&mut Track) -> bool,
    ) {
        for index in 0..self.tracks.len() {
            let Some(track) = self.tracks.get_mut(index) else { continue };
            if !due(track) {
                continue;
            }
            let bytes = make(&track.report(self.wall_zero, clock));
            match &track.carrier {
                Carrier::Udp { rtcp, .. } => {
                    let _ = rtcp.send(&bytes);
                }
                Carrier::Tcp { rtcp, .. } => {
                    let channel = *rtcp;
                    let Some(conn) = conn.as_deref_mut() else { continue };
                    // What is half out of any track comes first.
                    self.settle(conn);
                    let [high, low] = (bytes.len() as u16).to_be_bytes();
                    conn.queue(&[b'$', channel, high, low]);
                    conn.queue(&bytes);
                }
            }
        }
    }

    /// Sends frames of all tracks into the RTSP connection, as far as they go: sound first, with
    /// the pictures behind it in the same system call. Sound waits a moment for a picture.
    pub(super) fn pump_tcp(
        &mut self,
        conn: &mut Conn,
        video: &Feed,
        sound: Option<&Feed>,
        now: Instant,
    ) {
        let (mut sounds, mut pictures): (Vec<&mut Track>, Vec<&mut Track>) =
            self.tracks.iter_mut().partition(|track| track.is_sound());
        for (track, feed) in sounds.iter_mut().zip(sound) {
            let picture = pictures.iter_mut().any(|picture| picture.fetch(video));
            if track.fetch(feed) && (picture || track.is_late(feed.now())) {
                // Nothing may come between the bytes of a packet that is half out.
                pictures.iter_mut().for_each(|picture| picture.settle(conn));
                track.queue_tcp(conn, feed);
            }
        }
        let mut sent = false;
        for track in pictures {
            sent |= track.pump_tcp(conn, video);
        }
        // Where no picture took it along. A packet that is half out has nothing waiting before it.
        let waited = conn.backlog();
        conn.flush();
        if sent || conn.backlog() < waited {
            self.seen = now;
        }
    }

    /// Sends frames of all tracks as datagrams, as far as they go.
    pub(super) fn pump_udp(&mut self, video: &Feed, sound: Option<&Feed>, now: Instant) {
        for track in &mut self.tracks {
            let Some(feed) = (if track.is_sound() { sound } else { Some(video) }) else { continue };
            track.pump_udp(feed, now);
        }
    }
}

/// Two sockets next to each other, the even one for RTP, from our address to the client's.
pub(super) fn udp_pair(
    local: IpAddr,
    peer: IpAddr,
    ports: (u16, u16),
) -> std::io::Result<(UdpSocket, UdpSocket)> {
    let mut last = None;
    for _ in 0..16 {
        let first = UdpSocket::bind(SocketAddr::new(local, 0))?;
        let port = first.local_addr()?.port();
        if port % 2 == 1 || port == u16::MAX {
            // Another try gives another port; this one is closed only after that.
            last = Some(first);
            continue;
        }
        let Ok(second) = UdpSocket::bind(SocketAddr::new(local, port + 1)) else {
            last = Some(first);
            continue;
        };
        first.connect(SocketAddr::new(peer, ports.0))?;
        second.connect(SocketAddr::new(peer, ports.1))?;
        first.set_nonblocking(true)?;
        second.set_nonblocking(true)?;
        return Ok((first, second));
    }
    drop(last);
    Err(std::io::ErrorKind::AddrInUse.into())
}
