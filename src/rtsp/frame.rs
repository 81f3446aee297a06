//! One picture as all viewers share it: its bytes once, and its cut into RTP packets, worked out
//! once. Packets after RFC 6184 (H.264, packetization-mode 1) and RFC 7798 (H.265): single units,
//! aggregation for the parameter sets before a key frame, fragmentation for what is larger than a
//! packet. Pure.

use std::ops::Range;
use std::sync::Arc;

use super::assemble::Picture;
use super::params::{Codec, Params};

/// Bytes of RTP payload in a packet: with RTP, UDP and IPv6 under the 1500 of Ethernet, with room
/// for a tunnel.
pub const PAYLOAD: usize = 1400;

const STAP_A: u8 = 24;
const FU_A: u8 = 28;
const AP_265: u8 = 48;
const FU_265: u8 = 49;

/// One RTP packet's payload: a few bytes of its own, and a piece of the frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet {
    /// With its rest, which is no part of the packet.
    pub(super) prefix: [u8; 3],
    prefix_length: u8,
    start: u32,
    length: u32,
    /// The picture's last.
    pub marker: bool,
}

impl Packet {
    /// What is before the piece.
    pub fn prefix(&self) -> &[u8] {
        self.prefix.get(..usize::from(self.prefix_length)).unwrap_or_default()
    }

    /// Bytes of payload.
    pub fn length(&self) -> usize {
        usize::from(self.prefix_length) + self.length as usize
    }
}

/// See the module.
#[derive(Debug)]
pub struct Frame {
    /// A viewer can begin here.
    pub key: bool,
    /// When it is shown, in microseconds of the stream's clock; grows.
    pub time: u64,
    /// When it came, the same clock, as it was.
    pub arrived: u64,
    /// The parameter sets it needs; none where it is sound.
    pub params: Option<Arc<Params>>,
    /// For a key frame the parameter sets as one packet, then the units.
    bytes: Box<[u8]>,
    units: Box<[Range<u32>]>,
    packets: Box<[Packet]>,
}

impl Frame {
    /// Copies a picture out of the reader's buffer: the only copy there is of it.
    pub fn new(picture: &Picture<'_>, time: u64) -> Frame {
        let sets = if picture.key { aggregate(picture.params) } else { Vec::new() };
        let length = picture.units().map(<[u8]>::len).sum::<usize>()
            + sets.iter().map(Vec::len).sum::<usize>();
        let mut bytes = Vec::with_capacity(length);
        let mut packets = Vec::with_capacity(length / PAYLOAD + 4);
        for packet in &sets {
            packets.push(Packet {
                prefix: [0; 3],
                prefix_length: 0,
                start: bytes.len() as u32,
                length: packet.len() as u32,
                marker: false,
            });
            bytes.extend_from_slice(packet);
        }
        let mut units = Vec::with_capacity(4);
        for unit in picture.units() {
            let start = bytes.len() as u32;
            bytes.extend_from_slice(unit);
            units.push(start..bytes.len() as u32);
            split(picture.params.codec, unit, start, &mut packets);
        }
        if let Some(last) = packets.last_mut() {
            last.marker = true;
        }
        Frame {
            key: picture.key,
            time,
            arrived: picture.arrived,
            params: Some(Arc::clone(picture.params)),
            bytes: bytes.into_boxed_slice(),
            units: units.into_boxed_slice(),
            packets: packets.into_boxed_slice(),
        }
    }

    /// One piece of sound, which is the payload of packets; whole samples of up to two bytes.
    pub fn sound(bytes: Vec<u8>, time: u64, arrived: u64) -> Frame {
        let mut packets = Vec::with_capacity(1);
        for start in (0..bytes.len()).step_by(PAYLOAD) {
            packets.push(Packet {
                prefix: [0; 3],
                prefix_length: 0,
                start: start as u32,
                length: PAYLOAD.min(bytes.len() - start) as u32,
                marker: false,
            });
        }
        Frame {
            key: true,
            time,
            arrived,
            params: None,
            bytes: bytes.into_boxed_slice(),
            units: Box::default(),
            packets: packets.into_boxed_slice(),
        }
    }

    /// Its packets, in order.
    pub fn packets(&self) -> &[Packet] {
        &self.packets
    }

    /// The piece of the frame that a packet carries.
    pub fn piece(&self, packet: &Packet) -> &[u8] {
        let start = packet.start as usize;
        self.bytes.get(start..start + packet.length as usize).unwrap_or_default()
    }

    /// Its units, without the parameter sets.
    pub fn units(&self) -> impl Iterator<Item = &[u8]> {
        self.units.iter().map(|range| {
            self.bytes.get(range.start as usize..range.end as usize).unwrap_or_default()
        })
    }

    /// What it takes of memory, near enough.
    pub fn held(&self) -> usize {
        self.bytes.len() + self.packets.len() * size_of::<Packet>() + size_of::<Frame>() + 64
    }

    /// As an Annex-B stream of its own: parameter sets, then the picture.
    pub fn annex_b(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.bytes.len() + 256);
        let sets = self.params.iter().flat_map(|params| params.units());
        for unit in sets.chain(self.units()) {
            out.extend_from_slice(&[0, 0, 0, 1]);
            out.extend_from_slice(unit);
        }
        out
    }
}

/// The parameter sets as few packets: one, where they fit.
fn aggregate(params: &Params) -> Vec<Vec<u8>> {
    let whole: usize = params.units().map(|unit| unit.len() + 2).sum::<usize>() + 2;
    if whole > PAYLOAD {
        return params.units().map(<[u8]>::to_vec).collect();
    }
    let mut packet = Vec::with_capacity(whole);
    match params.codec {
        Codec::H264 => {
            // The NRI of an aggregate is the highest of its units (RFC 6184, 5.7).
            let nri = params.units().filter_map(|u| u.first()).map(|h| h & 0x60).max();
            packet.push(STAP_A | nri.unwrap_or(0x60));
        }
        // Layer 0, temporal id 1, as all parameter sets have it (RFC 7798, 4.4.2).
        Codec::H265 => packet.extend_from_slice(&[AP_265 << 1, 1]),
    }
    for unit in params.units() {
        packet.extend_from_slice(&(unit.len() as u16).to_be_bytes());
        packet.extend_from_slice(unit);
    }
    vec![packet]
}

/// One unit, which is at `start`, as packets.
fn split(codec: Codec, unit: &[u8], start: u32, packets: &mut Vec<Packet>) {
    let whole = Packet {
        prefix: [0; 3],
        prefix_length: 0,
        start,
        length: unit.len() as u32,
        marker: false,
    };
    let (prefix, header, fragment_header) = match (codec, unit) {
        _ if unit.len() <= PAYLOAD => return packets.push(whole),
        (Codec::H264, [first, ..]) => (2, 1, [first & 0xe0 | FU_A, 0, first & 0x1f]),
        (Codec::H265, [first, second, ..]) => {
            (3, 2, [first & 0x81 | FU_265 << 1, *second, first >> 1 & 0x3f])
        }
        _ => return,
    };
    let room = PAYLOAD - prefix;
    let mut at = header;
    while at < unit.len() {
        let length = room.min(unit.len() - at);
        let first = if at == header { 0x80 } else { 0 };
        let last = if at + length == unit.len() { 0x40 } else { 0 };
        let [indicator, second, kind] = fragment_header;
        let flags = first | last | kind;
        let prefix_bytes = match codec {
            Codec::H264 => [indicator, flags, 0],
            Codec::H265 => [indicator, second, flags],
        };
        packets.push(Packet {
            prefix: prefix_bytes,
            prefix_length: prefix as u8,
            start: start + at as u32,
            length: length as u32,
            marker: false,
        });
        at += length;
    }
}
