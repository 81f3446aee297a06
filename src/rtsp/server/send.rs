//! A viewer's frames into its socket, as far as they go. Nothing is copied for TCP: the kernel
//! takes headers and pieces of the shared frame from where they are. Only sound, which is small, is
//! copied behind the connection's own bytes, so that it is sent with the next picture.

use std::io::{self, IoSlice, Write};
use std::time::{Duration, Instant};

use crate::base::is_later;
use crate::rtsp::feed::Feed;
use crate::rtsp::frame::{Frame, Packet};
use crate::rtsp::rtp::{self, HEADER};
use crate::rtsp::server::conn::Conn;
use crate::rtsp::server::session::{Carrier, Sending, Track};
use crate::sys;

/// Packets given to the kernel at once.
const BATCH: usize = 64;
/// Bytes of sound that may wait in a connection: a second.
const QUEUED: usize = 32 * 1024;
/// Bytes that one viewer gets before the others have their turn.
const TURN: usize = 512 * 1024;
/// Datagrams sent without a pause, and the pause: 90 Mbit/s, which a home's WiFi just takes.
const BURST: usize = 32;
const PAUSE: Duration = Duration::from_millis(4);
/// Bytes of an interleaved frame's head (RFC 2326, 10.12).
const FRAME_HEAD: usize = 4;

/// What is before a packet's piece: the interleaved frame's head, RTP's header, bytes of its own.
type Head = [u8; FRAME_HEAD + HEADER + 3];

/// Bytes of a packet's [`Head`].
fn head_length(packet: &Packet) -> usize {
    FRAME_HEAD + HEADER + packet.prefix().len()
}

impl Track {
    /// The bytes before the piece of packet `index` of a frame whose first packet has the number
    /// `self.sequence`; `time` is the frame's. Made for each packet and viewer, so it is written at
    /// once and not put together.
    fn head(&self, packet: &Packet, index: usize, time: u32, channel: u8) -> Head {
        let sequence = self.sequence.wrapping_add(index as u16);
        let [high, low] = ((HEADER + packet.length()) as u16).to_be_bytes();
        let [r0, r1, r2, r3, r4, r5, r6, r7, r8, r9, r10, r11] =
            rtp::header(self.payload_type(), packet.marker, sequence, time, self.ssrc);
        let [p0, p1, p2] = packet.prefix;
        [b'$', channel, high, low, r0, r1, r2, r3, r4, r5, r6, r7, r8, r9, r10, r11, p0, p1, p2]
    }

    /// The heads of packets `first` to `last` of a frame.
    fn heads(&self, frame: &Frame, first: usize, last: usize, channel: u8) -> Vec<Head> {
        let time = self.timestamp(frame.time);
        let packets = frame.packets().iter().enumerate().take(last).skip(first);
        packets.map(|(index, packet)| self.head(packet, index, time, channel)).collect()
    }

    /// The next frame, if there is one and the viewer plays.
    pub(super) fn fetch(&mut self, feed: &Feed) -> bool {
        if self.sending.is_some() {
            return true;
        }
        let Some(place) = &mut self.place else { return false };
        let Some(next) = feed.state().ring.next(place) else { return false };
        self.lost += next.lost;
        self.sending = Some(Sending { frame: next.frame, index: 0, skip: 0 });
        true
    }

    /// Packets up to `index` are out.
    fn advance(&mut self, index: usize, skip: usize) {
        let Some(sending) = &mut self.sending else { return };
        let packets = sending.frame.packets();
        let done = packets.get(sending.index..index.min(packets.len())).unwrap_or_default();
        let octets: usize = done.iter().map(Packet::length).sum();
        self.packets = self.packets.wrapping_add(done.len() as u32);
        self.octets = self.octets.wrapping_add(octets as u32);
        self.bytes += (octets + done.len() * HEADER) as u64;
        sending.index = index;
        sending.skip = skip;
        if index >= packets.len() {
            self.sequence = self.sequence.wrapping_add(packets.len() as u16);
            self.pictures += 1;
            self.sending = None;
        }
    }

    /// Moves the rest of a packet that is half out to the connection's own bytes, so that an answer
    /// can follow it.
    pub(super) fn settle(&mut self, conn: &mut Conn) {
        let (Carrier::Tcp { rtp, .. }, Some(sending)) = (&self.carrier, &self.sending) else {
            return;
        };
        if sending.skip == 0 {
            return;
        }
        let (index, skip, channel) = (sending.index, sending.skip, *rtp);
        if let Some(packet) = sending.frame.packets().get(index) {
            let head = self.head(packet, index, self.timestamp(sending.frame.time), channel);
            let head = head.get(..head_length(packet)).unwrap_or_default();
            let whole = [head, sending.frame.piece(packet)].concat();
            conn.queue(whole.get(skip..).unwrap_or_default());
        }
        self.advance(index + 1, 0);
    }

    /// Moves whole frames to the connection's own bytes, which the next picture takes with it:
    /// sound is small, and a system call of its own for each piece would cost more than the copy.
    /// Only while no packet of another track is half out.
    pub(super) fn queue_tcp(&mut self, conn: &mut Conn, feed: &Feed) {
        let Carrier::Tcp { rtp: channel, .. } = self.carrier else { return };
        while conn.backlog() < QUEUED && self.fetch(feed) {
            let Some(sending) = &self.sending else { return };
            let frame = std::sync::Arc::clone(&sending.frame);
            let time = self.timestamp(frame.time);
            for (index, packet) in frame.packets().iter().enumerate().skip(sending.index) {
                let head = self.head(packet, index, time, channel);
                conn.queue(head.get(..head_length(packet)).unwrap_or_default());
                conn.queue(frame.piece(packet));
            }
            self.advance(frame.packets().len(), 0);
        }
    }

    /// Sends the connection's own bytes and frames behind them, until it is full or there are none.
    /// True if anything went.
    pub(super) fn pump_tcp(&mut self, conn: &mut Conn, feed: &Feed) -> bool {
        let Carrier::Tcp { rtp: channel, .. } = self.carrier else { return false };
        let mut turn = TURN;
        self.blocked = false;
        while !conn.closed && turn > 0 && self.fetch(feed) {
            let Some(sending) = &self.sending else { break };
            let frame = std::sync::Arc::clone(&sending.frame);
            // Where bytes wait before it, no packet is half out.
            let (first, skip) = (sending.index, sending.skip);
            let last = frame.packets().len().min(first + BATCH);
            let packets = frame.packets().get(first..last).unwrap_or_default();
            let heads = self.heads(&frame, first, last, channel);
            let mut slices = Vec::with_capacity(1 + 2 * heads.len());
            slices.push(IoSlice::new(conn.waiting()));
            for (head, packet) in heads.iter().zip(packets) {
                slices.push(IoSlice::new(head.get(..head_length(packet)).unwrap_or_default()));
                slices.push(IoSlice::new(frame.piece(packet)));
            }
            let mut rest = slices.as_mut_slice();
            IoSlice::advance_slices(&mut rest, skip);
            match (&conn.stream).write_vectored(rest) {
                Ok(0) => conn.closed = true,
                Ok(count) => {
                    turn = turn.saturating_sub(count);
                    let mut out = count - conn.took(count) + skip;
                    let mut index = first;
                    for packet in packets {
                        let length = FRAME_HEAD + HEADER + packet.length();
                        if out < length {
                            break;
                        }
                        out -= length;
                        index += 1;
                    }
                    self.advance(index, out);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if is_later(&error) => {
                    self.blocked = true;
                    break;
                }
                Err(_) => conn.closed = true,
            }
        }
        turn < TURN
    }

    /// Sends frames as datagrams until the socket is full, a pause is due, or there are none.
    pub(super) fn pump_udp(&mut self, feed: &Feed, now: Instant) {
        if self.paced.is_some_and(|until| until > now) {
            return;
        }
        self.paced = None;
        self.blocked = false;
        let mut burst = 0;
        while self.fetch(feed) {
            if burst >= BURST {
                self.paced = Some(now + PAUSE);
                return;
            }
            let (Some(sending), Carrier::Udp { rtp, .. }) = (&self.sending, &self.carrier) else {
                return;
            };
            let frame = std::sync::Arc::clone(&sending.frame);
            let first = sending.index;
            let last = frame.packets().len().min(first + BURST - burst);
            let heads = self.heads(&frame, first, last, 0);
            let packets = frame.packets().iter().skip(first);
            let datagrams: Vec<[IoSlice<'_>; 2]> = heads
                .iter()
                .zip(packets)
                .map(|(head, packet)| {
                    // A datagram has no head of an interleaved frame.
                    let head = head.get(FRAME_HEAD..head_length(packet)).unwrap_or_default();
                    [IoSlice::new(head), IoSlice::new(frame.piece(packet))]
                })
                .collect();
            let sent = match sys::datagrams::send_all(rtp, &datagrams) {
                Ok(count) => count.max(1),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if is_later(&error) => {
                    self.blocked = true;
                    return;
                }
                Err(error) => {
                    // A network that is away for a moment loses datagrams, as networks do.
                    self.refused |= error.kind() == io::ErrorKind::ConnectionRefused;
                    1
                }
            };
            burst += sent;
            self.advance(first + sent, 0);
        }
    }
}
