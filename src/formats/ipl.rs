//! IPL: the first loaders in BOOT. Their header has a length and a word sum,
//! so a wrong byte in them can be seen.
//!
//! Facts: docs/formats.md, BOOT: the sum is right in 7 of 7 real loaders.

use super::le32;

/// Bytes of the header: a branch, the magic, the length and the sum.
pub const HEADER: usize = 16;
/// The first word: a branch over the header, which no sum covers.
const BRANCH: &[u8; 4] = b"\x02\0\0\xEA";
/// The magic of the first loader, at 4.
pub const IPL: &[u8; 4] = b"IPL_";
/// The magic of the second one, at 4.
pub const IPL_CUST: &[u8; 4] = b"IPLC";

/// What a loader's header and sum say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IplCheck {
    /// The sum is right.
    Good,
    /// The header is not there: no magic.
    Missing,
    /// The length is impossible for the room that a loader has.
    Length(u32),
    /// The sum of the words is another one.
    Sum {
        /// What the header says.
        stored: u32,
        /// What the words add up to.
        computed: u32,
    },
}

/// A loader as it streams by: its words are added up, nothing is kept but its header.
#[derive(Clone, Debug, Default)]
pub struct Check {
    head: Vec<u8>,
    word: Vec<u8>,
    at: u64,
    sum: u32,
}

impl Check {
    /// Takes the next bytes, from the loader's first one on.
    pub fn feed(&mut self, mut bytes: &[u8]) {
        let missing = HEADER - self.head.len();
        let (head, rest) = bytes.split_at(bytes.len().min(missing));
        self.head.extend_from_slice(head);
        self.at += head.len() as u64;
        bytes = rest;
        let end = u64::from(le32(&self.head, 8).unwrap_or(0));
        let there = end.saturating_sub(self.at).min(bytes.len() as u64) as usize;
        self.at += bytes.len() as u64;
        for &byte in &bytes[..there] {
            self.word.push(byte);
            if let Some(word) = le32(&self.word, 0) {
                self.sum = self.sum.wrapping_add(word);
                self.word.clear();
            }
        }
    }

    /// The verdict about a loader with this magic in `room` bytes.
    pub fn finish(&self, magic: &[u8; 4], room: u32) -> IplCheck {
        if self.head.get(..4) != Some(BRANCH) || self.head.get(4..8) != Some(magic) {
            return IplCheck::Missing;
        }
        let length = le32(&self.head, 8).unwrap_or(0);
        let fits = (HEADER as u32..=room).contains(&length) && length.is_multiple_of(4);
        if !fits || self.at < u64::from(length) {
            return IplCheck::Length(length);
        }
        let stored = le32(&self.head, 12).unwrap_or(0);
        if stored == self.sum {
            IplCheck::Good
        } else {
            IplCheck::Sum { stored, computed: self.sum }
        }
    }
}

/// A loader with this magic and a right sum; `payload` is filled up to whole words.
pub fn build(magic: &[u8; 4], payload: &[u8]) -> Vec<u8> {
    let mut out = BRANCH.to_vec();
    out.extend_from_slice(magic);
    let length = (HEADER + payload.len().next_multiple_of(4)) as u32;
    out.extend_from_slice(&length.to_le_bytes());
    let mut words = payload.to_vec();
    words.resize(payload.len().next_multiple_of(4), 0);
    let sum =
        words.chunks_exact(4).fold(0u32, |sum, word| sum.wrapping_add(le32(word, 0).unwrap_or(0)));
    out.extend_from_slice(&sum.to_le_bytes());
    out.extend_from_slice(&words);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &[u8], step: usize) -> IplCheck {
        let mut check = Check::default();
        bytes.chunks(step).for_each(|piece| check.feed(piece));
        check.finish(IPL, 0x1_0000)
    }

    #[test]
    fn every_wrong_byte_is_seen_however_the_stream_is_cut() {
        let payload: Vec<u8> = (0..1000u32).map(|i| (i * 7) as u8).collect();
        let mut good = build(IPL, &payload);
        good.extend([0xFF; 40]); // what is behind it does not count
        for step in [1, 3, 7, 64, 5000] {
            assert_eq!(check(&good, step), IplCheck::Good, "{step}");
        }
        for at in 0..good.len() - 40 {
            let mut bad = good.clone();
            bad[at] ^= 0x10;
            assert_ne!(check(&bad, 64), IplCheck::Good, "{at}");
        }
        assert_eq!(check(&good[..500], 64), IplCheck::Length(1016));
        assert_eq!(check(&[0xFF; 100], 64), IplCheck::Missing);
    }
}
