//! A made-up scene as a real H.264 stream, for `demo` and wherever there is no camera: a sky, a
//! sun that crosses it, and a clock. Nothing is compressed: macroblocks that changed are sent as
//! they are (I_PCM), the others are skipped. ITU-T H.264, sections 7.3.2.1, 7.3.2.2, 7.3.3, 7.3.5;
//! Constrained Baseline. Pure.

use super::bits::BitWriter;
use super::jpeg;

/// Macroblocks in a row, and rows.
const ACROSS: usize = 20;
const DOWN: usize = 12;
const WIDTH: usize = ACROSS * 16;
const HEIGHT: usize = DOWN * 16;
/// Pictures from one key frame to the next.
const GROUP: u32 = 20;
/// Side of the sun.
const SUN: usize = 40;
/// Size of a digit's dot.
const DOT: usize = 6;

/// 3 by 5 dots for each of `0123456789:`, the top row's in the high bits.
const DIGITS: [u16; 11] = [
    0o75557, 0o26227, 0o71747, 0o71717, 0o55711, 0o74717, 0o74757, 0o71111, 0o75757, 0o75717,
    0o02020,
];

type Block = [u8; 384];

/// See the module.
#[derive(Debug, Default)]
pub struct Scene {
    number: u32,
    /// Pictures since the last key frame; 0 for a key frame.
    in_group: u32,
    groups: u32,
    shown: Vec<Block>,
}

impl Scene {
    /// Pictures in a second.
    pub const RATE: u32 = 10;

    /// Before its first picture.
    pub fn new() -> Scene {
        Scene::default()
    }

    /// The next picture as Annex-B, with parameter sets where it is a key frame.
    pub fn next_picture(&mut self) -> Vec<u8> {
        let blocks = draw(self.number);
        let in_group = self.in_group;
        let mut out = Vec::new();
        if in_group == 0 {
            unit(&mut out, 0x67, sequence_set());
            unit(&mut out, 0x68, picture_set());
            unit(&mut out, 0x65, key_slice(&blocks, self.groups));
            self.groups = self.groups.wrapping_add(1);
        } else {
            unit(&mut out, 0x41, changed_slice(&self.shown, &blocks, in_group));
        }
        self.shown = blocks;
        self.number = self.number.wrapping_add(1);
        self.in_group = (in_group + 1) % GROUP;
        out
    }

    /// Whether the next picture will be a key frame.
    pub fn next_is_key(&self) -> bool {
        self.in_group == 0
    }

    /// Makes the next picture a key frame.
    pub fn restart(&mut self) {
        self.in_group = 0;
    }

    /// The newest picture as a JPEG file.
    pub fn jpeg(&self) -> Vec<u8> {
        let (sun_x, time) = moment(self.number.saturating_sub(1));
        jpeg::encode(WIDTH as u16, HEIGHT as u16, |x, y| colour(x, y, sun_x, &time))
    }
}

fn unit(out: &mut Vec<u8>, header: u8, bits: BitWriter) {
    out.extend_from_slice(&[0, 0, 0, 1, header]);
    out.extend_from_slice(&bits.finish());
}

fn sequence_set() -> BitWriter {
    let mut bits = BitWriter::new();
    bits.byte(66); // Baseline
    bits.byte(0xc0); // constrained
    bits.byte(30); // level 3.0
    bits.ue(0);
    bits.ue(4); // frame_num has 8 bits
    bits.ue(2); // shown in the order of coming
    bits.ue(1); // one reference
    bits.bit(false);
    bits.ue(ACROSS as u32 - 1);
    bits.ue(DOWN as u32 - 1);
    bits.bit(true); // frames only
    bits.bit(true);
    bits.bit(false); // nothing cropped
    bits.bit(true); // VUI
    for _ in 0..4 {
        bits.bit(false);
    }
    bits.bit(true); // timing
    bits.put(32, 1);
    bits.put(32, 2 * Scene::RATE);
    bits.bit(true);
    for _ in 0..3 {
        bits.bit(false);
    }
    bits.bit(true); // restrictions: nothing is reordered
    bits.bit(true);
    for value in [0, 0, 16, 16, 0, 1] {
        bits.ue(value);
    }
    bits
}

fn picture_set() -> BitWriter {
    let mut bits = BitWriter::new();
    bits.ue(0);
    bits.ue(0);
    bits.bit(false); // CAVLC
    bits.bit(false);
    bits.ue(0);
    bits.ue(0);
    bits.ue(0);
    bits.bit(false);
    bits.put(2, 0);
    for _ in 0..3 {
        bits.ue(0);
    }
    bits.bit(true); // slices tell of the deblocking filter
    bits.bit(false);
    bits.bit(false);
    bits
}

fn slice_header(slice_type: u32, frame_num: u32, idr: Option<u32>) -> BitWriter {
    let mut bits = BitWriter::new();
    bits.ue(0);
    bits.ue(slice_type);
    bits.ue(0);
    bits.put(8, frame_num);
    if let Some(id) = idr {
        bits.ue(id % 2);
        bits.put(2, 0);
    } else {
        bits.put(3, 0); // one reference, as it is; no marking
    }
    bits.ue(0); // quantiser
    bits.ue(1); // no deblocking
    bits
}

fn key_slice(blocks: &[Block], group: u32) -> BitWriter {
    let mut bits = slice_header(7, 0, Some(group));
    for block in blocks {
        bits.ue(25); // I_PCM in an I slice
        pcm(&mut bits, block);
    }
    bits
}

fn changed_slice(before: &[Block], blocks: &[Block], frame_num: u32) -> BitWriter {
    let mut bits = slice_header(5, frame_num, None);
    let mut skipped = 0;
    for (old, new) in before.iter().zip(blocks) {
        if old == new {
            skipped += 1;
            continue;
        }
        bits.ue(skipped);
        skipped = 0;
        bits.ue(30); // I_PCM in a P slice
        pcm(&mut bits, new);
    }
    if skipped > 0 {
        bits.ue(skipped);
    }
    bits
}

fn pcm(bits: &mut BitWriter, block: &Block) {
    bits.align();
    for byte in block {
        bits.byte(*byte);
    }
}

/// Where the sun is and what the clock shows.
fn moment(number: u32) -> (usize, [usize; 5]) {
    let sun_x = number as usize * 2 % (WIDTH + SUN);
    let second = (number / Scene::RATE) as usize;
    (sun_x, [second / 600 % 6, second / 60 % 10, 10, second / 10 % 6, second % 10])
}

/// The picture of this number.
fn draw(number: u32) -> Vec<Block> {
    let mut blocks = vec![[0; 384]; ACROSS * DOWN];
    let (sun_x, time) = moment(number);
    for (index, block) in blocks.iter_mut().enumerate() {
        let (left, top) = (index % ACROSS * 16, index / ACROSS * 16);
        for (at, byte) in block.iter_mut().enumerate() {
            // Luma first, then both colours at half the size.
            let (plane, x, y) = match at {
                0..256 => (0, left + at % 16, top + at / 16),
                256..320 => (1, left + at % 8 * 2, top + (at - 256) / 8 * 2),
                _ => (2, left + at % 8 * 2, top + (at - 320) / 8 * 2),
            };
            *byte = colour(x, y, sun_x, &time)[plane];
        }
    }
    blocks
}

/// Y, Cb, Cr of one dot; never 0, which I_PCM cannot contain.
fn colour(x: usize, y: usize, sun_x: usize, time: &[usize]) -> [u8; 3] {
    let (digit_x, digit_y) = ((x / DOT).wrapping_sub(17), (y / DOT).wrapping_sub(24));
    if let (Some(digit), 0..5, 0..3) = (time.get(digit_x / 4), digit_y, digit_x % 4) {
        let dots = DIGITS.get(*digit).copied().unwrap_or(0);
        if dots >> (3 * (4 - digit_y) + 2 - digit_x % 4) & 1 == 1 {
            return [235, 128, 128];
        }
    }
    let (dx, dy) = ((x + SUN / 2).abs_diff(sun_x + SUN / 2), y.abs_diff(48));
    if x + SUN >= sun_x && dx * dx + dy * dy < SUN * SUN / 4 {
        return [210, 40, 160];
    }
    let hills = HEIGHT - 56 + (x / 8 * 7 % 23) / 2;
    if y > hills {
        return [60 + (y - hills) as u8 / 4, 110, 110];
    }
    [100 + (y / 2) as u8, 150, 110]
}

#[cfg(test)]
mod tests {
    use super::super::assemble::Assembler;
    use super::*;

    #[test]
    fn the_scene_is_a_stream_without_a_gap() {
        let mut scene = Scene::new();
        let mut assembler = Assembler::new();
        let mut keys = Vec::new();
        let mut largest = 0;
        for number in 0..65 {
            let picture = scene.next_picture();
            largest = largest.max(picture.len());
            assembler.feed(&picture, number, &mut |picture| {
                let size = picture.params.size;
                assert_eq!((size.width as usize, size.height as usize), (WIDTH, HEIGHT));
                let rate = picture.params.rate.unwrap().per_second();
                assert!((rate - f64::from(Scene::RATE)).abs() < 1e-9, "{rate}");
                keys.push(picture.key);
            });
        }
        assembler.end(&mut |picture| keys.push(picture.key));
        assert_eq!(keys.len(), 65);
        assert!(keys.iter().enumerate().all(|(at, key)| *key == (at % 20 == 0)), "{keys:?}");
        assert_eq!(assembler.losses().breaks, 0);
        assert!((64 << 10..128 << 10).contains(&largest), "{largest}");
    }
}
