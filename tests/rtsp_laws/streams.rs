//! Streams made by hand, and what the assembler makes of them.

use std::sync::Arc;

use mi360d::rtsp::assemble::{Assembler, Losses};
use mi360d::rtsp::bits::BitWriter;
use mi360d::rtsp::frame::Frame;

/// An H.264 sequence parameter set: 640x360 at 20 in a second, frame_num of 4 bits.
pub fn sps264() -> Vec<u8> {
    let mut bits = BitWriter::new();
    for byte in [77, 0, 30] {
        bits.byte(byte);
    }
    for value in [0, 0, 2, 1] {
        bits.ue(value);
    }
    bits.bit(false);
    bits.ue(39);
    bits.ue(22);
    bits.put(2, 0b11);
    bits.bit(true); // cropped
    for value in [0, 0, 0, 4] {
        bits.ue(value);
    }
    bits.bit(true);
    bits.put(4, 0);
    bits.bit(true);
    bits.put(32, 1000);
    bits.put(32, 40_000);
    [vec![0x67], bits.finish()].concat()
}

pub fn pps264() -> Vec<u8> {
    let mut bits = BitWriter::new();
    bits.ue(0);
    bits.ue(0);
    bits.put(8, 0);
    [vec![0x68], bits.finish()].concat()
}

/// A slice of picture `number` (0 is a key frame) with so many bytes behind its header.
pub fn slice264(number: u32, first: bool, length: usize) -> Vec<u8> {
    let mut bits = BitWriter::new();
    bits.ue(u32::from(!first) * 40);
    bits.ue(if number == 0 { 7 } else { 5 });
    bits.ue(0);
    bits.put(4, number % 16);
    bits.put(8, number);
    let mut unit = vec![if number == 0 { 0x65 } else { 0x41 }];
    unit.extend(bits.finish());
    unit.extend((0..length).map(|at| (at % 251 + 4) as u8));
    unit
}

/// An H.265 stream's sets, as x265 writes them for 640x360.
pub const SETS265: [&[u8]; 3] = [
    &[
        0x40, 1, 0x0c, 1, 0xff, 0xff, 1, 0x60, 0, 0, 3, 0, 0x90, 0, 0, 3, 0, 0, 3, 0, 0x3f, 0x95,
        0x98, 9,
    ],
    &[
        0x42, 1, 1, 1, 0x60, 0, 0, 3, 0, 0x90, 0, 0, 3, 0, 0, 3, 0, 0x3f, 0xa0, 5, 2, 1, 0x69,
        0x65, 0x95, 0x9a, 0x49, 0x32, 0xbc, 5, 0xa0, 0x20, 0, 0, 3, 0, 0x20, 0, 0, 3, 2, 0x81,
    ],
    &[0x44, 1, 0xc1, 0x72, 0xb4, 0x62, 0x40],
];

pub fn code(out: &mut Vec<u8>, unit: &[u8]) {
    out.extend_from_slice(&[0, 0, 0, 1]);
    out.extend_from_slice(unit);
}

/// One picture of an H.264 stream as it is written: two slices, sets before a key frame.
pub fn picture264(number: u32, length: usize) -> Vec<u8> {
    let mut out = Vec::new();
    if number == 0 {
        code(&mut out, &sps264());
        code(&mut out, &pps264());
    }
    code(&mut out, &slice264(number, true, length));
    code(&mut out, &slice264(number, false, length / 2));
    out
}

/// What an assembler made of these pieces: the pictures' units, and whether each is a key frame.
pub type Shown = Vec<(bool, Vec<Vec<u8>>)>;

pub fn assemble(pieces: &[&[u8]], cut_behind: Option<usize>) -> (Shown, Losses) {
    let mut assembler = Assembler::new();
    let mut shown = Shown::new();
    let mut sink = |picture: &mi360d::rtsp::assemble::Picture<'_>| {
        shown.push((picture.key, picture.units().map(<[u8]>::to_vec).collect()));
    };
    for (index, piece) in pieces.iter().enumerate() {
        assembler.feed(piece, index as u64, &mut sink);
        if cut_behind == Some(index) {
            assembler.cut();
        }
    }
    assembler.end(&mut sink);
    let losses = assembler.losses();
    (shown, losses)
}

pub fn units264(number: u32, length: usize) -> Vec<Vec<u8>> {
    vec![slice264(number, true, length), slice264(number, false, length / 2)]
}

pub fn frames(lengths: &[(u32, usize)]) -> Vec<Arc<Frame>> {
    let mut assembler = Assembler::new();
    let mut out = Vec::new();
    let mut sink = |picture: &mi360d::rtsp::assemble::Picture<'_>| {
        out.push(Arc::new(Frame::new(picture, out.len() as u64 * 50_000)));
    };
    for (number, length) in lengths {
        assembler.feed(&picture264(*number, *length), 0, &mut sink);
    }
    assembler.end(&mut sink);
    out
}
