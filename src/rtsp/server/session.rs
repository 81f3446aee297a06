//! One viewer: its place among the frames, its RTP numbers, its RTCP reports.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::rtsp::frame::Frame;
use crate::rtsp::ring::Place;
use crate::rtsp::rtp::{self, Report};

/// A viewer of whom nothing is heard for so long is gone.
pub(super) const TIMEOUT: Duration = Duration::from_secs(60);
/// The same where its RTSP connection is closed already.
const ORPHAN: Duration = Duration::from_secs(20);
/// From one sender report to the next.
const REPORTS: Duration = Duration::from_secs(5);

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

/// One viewer.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) id: String,
    /// Which stream, and which of its codecs was told.
    pub(super) stream: usize,
    pub(super) epoch: u64,
    pub(super) carrier: Carrier,
    /// The connection it came by; a datagram viewer may outlive it.
    pub(super) conn: Option<u64>,
    pub(super) peer: IpAddr,
    /// The address that its track was set up by.
    pub(super) url: String,
    pub(super) place: Option<Place>,
    pub(super) sending: Option<Sending>,
    /// Its socket takes nothing more just now.
    pub(super) blocked: bool,
    /// Datagrams rest until then, so that a key frame does not flood the client's buffers.
    pub(super) paced: Option<Instant>,
    pub(super) since: Instant,
    /// When something was last heard of it.
    pub(super) seen: Instant,
    /// Nobody listens at its ports.
    pub(super) refused: bool,
    pub(super) ssrc: u32,
    pub(super) sequence: u16,
    offset: u32,
    report_due: Option<Instant>,
    /// Microseconds since 1970 at the clock's zero, as they were believed when it began: the wall
    /// clock may jump, this does not.
    wall_zero: u64,
    pub(super) packets: u32,
    pub(super) octets: u32,
    pub(super) pictures: u64,
    pub(super) bytes: u64,
    pub(super) lost: u64,
}

/// What a new viewer is made of.
#[derive(Debug)]
pub(super) struct Arrival {
    pub(super) id: String,
    pub(super) stream: usize,
    pub(super) epoch: u64,
    pub(super) carrier: Carrier,
    pub(super) conn: u64,
    pub(super) peer: IpAddr,
    pub(super) url: String,
    /// Random.
    pub(super) numbers: [u8; 12],
    pub(super) now: Instant,
    /// The stream's clock, microseconds.
    pub(super) clock: u64,
}

impl Session {
    pub(super) fn new(arrival: Arrival) -> Session {
        let (words, _) = arrival.numbers.as_chunks::<4>();
        let word = |index: usize| u32::from_be_bytes(words.get(index).copied().unwrap_or_default());
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros();
        Session {
            id: arrival.id,
            stream: arrival.stream,
            epoch: arrival.epoch,
            carrier: arrival.carrier,
            conn: Some(arrival.conn),
            peer: arrival.peer,
            url: arrival.url,
            place: None,
            sending: None,
            blocked: false,
            paced: None,
            since: arrival.now,
            seen: arrival.now,
            refused: false,
            ssrc: word(0),
            sequence: word(1) as u16,
            offset: word(2),
            report_due: None,
            wall_zero: u64::try_from(wall).unwrap_or(0).saturating_sub(arrival.clock),
            packets: 0,
            octets: 0,
            pictures: 0,
            bytes: 0,
            lost: 0,
        }
    }

    pub(super) fn is_tcp(&self) -> bool {
        matches!(self.carrier, Carrier::Tcp { .. })
    }

    /// The RTP timestamp of an instant of the stream's clock.
    pub(super) fn timestamp(&self, micros: u64) -> u32 {
        rtp::ticks(micros).wrapping_add(self.offset)
    }

    pub(super) fn report(&self, clock: u64) -> Report {
        Report {
            ssrc: self.ssrc,
            wall_micros: self.wall_zero.saturating_add(clock),
            timestamp: self.timestamp(clock),
            packets: self.packets,
            octets: self.octets,
        }
    }

    /// Takes in what came at a datagram socket: it is from the client's address, for the socket is
    /// connected to it. What it says is of no interest, that it says something is.
    pub(super) fn hear(&mut self, rtcp_socket: bool, now: Instant) {
        let Carrier::Udp { rtp, rtcp } = &self.carrier else { return };
        let socket = if rtcp_socket { rtcp } else { rtp };
        let mut datagram = [0; 2048];
        for _ in 0..8 {
            match socket.recv(&mut datagram) {
                Ok(_) => self.seen = now,
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
                    self.refused |= !rtcp_socket;
                }
                Err(_) => return,
            }
        }
    }

    /// Whether a report is due, and then when the next one is.
    pub(super) fn takes_report(&mut self, now: Instant) -> bool {
        let due = self.packets > 0 && self.report_due.is_none_or(|due| due <= now);
        if due {
            self.report_due = Some(now + REPORTS);
        }
        due
    }

    /// When it has to be looked at again, whatever its socket says.
    pub(super) fn deadline(&self) -> Instant {
        let patience = if self.conn.is_some() { TIMEOUT } else { ORPHAN };
        let mut until = self.seen + patience;
        for due in [self.report_due.filter(|_| self.place.is_some()), self.paced] {
            until = until.min(due.unwrap_or(until));
        }
        until
    }

    pub(super) fn expired(&self, now: Instant) -> bool {
        let patience = if self.conn.is_some() { TIMEOUT } else { ORPHAN };
        now.saturating_duration_since(self.seen) >= patience
            || (self.refused && self.conn.is_none())
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
