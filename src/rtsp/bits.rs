//! Bits of a parameter set or a slice header: emulation prevention taken out on the way, unsigned
//! and signed exp-Golomb codes. Pure; reading past the end gives `None`, never a panic.

/// Reads bits, most significant first, from a NAL unit's payload (the bytes behind its header).
#[derive(Clone, Debug)]
pub struct Bits<'a> {
    bytes: &'a [u8],
    /// The next byte.
    at: usize,
    /// Zero bytes just before it, to find the `03` of `00 00 03`.
    zeros: u8,
    /// The byte being read, and how many of its bits are left.
    current: u8,
    left: u8,
}

impl<'a> Bits<'a> {
    /// From the first byte behind the NAL unit's header.
    pub fn new(payload: &'a [u8]) -> Bits<'a> {
        Bits { bytes: payload, at: 0, zeros: 0, current: 0, left: 0 }
    }

    fn next_byte(&mut self) -> Option<u8> {
        let mut byte = *self.bytes.get(self.at)?;
        if self.zeros >= 2 && byte == 3 {
            // H.264 7.4.1.1, H.265 7.4.2.1: emulation_prevention_three_byte.
            self.at += 1;
            self.zeros = 0;
            byte = *self.bytes.get(self.at)?;
        }
        self.at += 1;
        self.zeros = if byte == 0 { self.zeros.saturating_add(1) } else { 0 };
        Some(byte)
    }

    /// One bit.
    pub fn bit(&mut self) -> Option<bool> {
        if self.left == 0 {
            self.current = self.next_byte()?;
            self.left = 8;
        }
        self.left -= 1;
        Some(self.current >> self.left & 1 == 1)
    }

    /// `count` bits as a number; at most 32.
    pub fn take(&mut self, count: u32) -> Option<u32> {
        let mut value = 0u32;
        for _ in 0..count.min(32) {
            value = value << 1 | u32::from(self.bit()?);
        }
        Some(value)
    }

    /// Passes over `count` bits.
    pub fn skip(&mut self, count: u32) -> Option<()> {
        for _ in 0..count {
            self.bit()?;
        }
        Some(())
    }

    /// An unsigned exp-Golomb code, ue(v).
    pub fn ue(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while !self.bit()? {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        let rest = self.take(zeros)?;
        Some((1u32 << zeros) - 1 + rest)
    }

    /// A signed exp-Golomb code, se(v).
    pub fn se(&mut self) -> Option<i32> {
        let code = self.ue()?;
        let half = i32::try_from(code.div_ceil(2)).ok()?;
        Some(if code % 2 == 1 { half } else { -half })
    }
}

/// Writes bits: the made-up scene's parameter sets, and the tests'.
#[derive(Clone, Debug, Default)]
pub struct BitWriter {
    bytes: Vec<u8>,
    current: u8,
    filled: u8,
}

impl BitWriter {
    /// Nothing written yet.
    pub fn new() -> BitWriter {
        BitWriter::default()
    }

    /// One bit.
    pub fn bit(&mut self, bit: bool) {
        self.current = self.current << 1 | u8::from(bit);
        self.filled += 1;
        if self.filled == 8 {
            self.bytes.push(self.current);
            self.current = 0;
            self.filled = 0;
        }
    }

    /// The low `count` bits of `value`.
    pub fn put(&mut self, count: u32, value: u32) {
        for index in (0..count.min(32)).rev() {
            self.bit(value >> index & 1 == 1);
        }
    }

    /// ue(v); for numbers below 2^31.
    pub fn ue(&mut self, value: u32) {
        let code = value.saturating_add(1);
        let length = 32 - code.leading_zeros();
        self.put(length - 1, 0);
        self.put(length, code);
    }

    /// Zero bits up to a whole byte, as I_PCM wants them.
    pub fn align(&mut self) {
        while self.filled != 0 {
            self.bit(false);
        }
    }

    /// Eight bits; quick where [`BitWriter::align`] has been.
    pub fn byte(&mut self, byte: u8) {
        if self.filled == 0 {
            self.bytes.push(byte);
        } else {
            self.put(8, u32::from(byte));
        }
    }

    /// The stop bit, zeros up to a whole byte, and emulation prevention put in: what is behind
    /// a NAL unit's header.
    pub fn finish(mut self) -> Vec<u8> {
        self.bit(true);
        self.align();
        let mut escaped = Vec::with_capacity(self.bytes.len() + 16);
        let mut zeros = 0;
        for byte in self.bytes {
            if zeros >= 2 && byte <= 3 {
                escaped.push(3);
                zeros = 0;
            }
            zeros = if byte == 0 { zeros + 1 } else { 0 };
            escaped.push(byte);
        }
        escaped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back() {
        let mut writer = BitWriter::new();
        for value in [0, 1, 2, 3, 7, 8, 255, 65_535, 1 << 30] {
            writer.ue(value);
        }
        writer.put(24, 0);
        writer.put(24, 0);
        writer.put(8, 1);
        let bytes = writer.finish();
        assert!(!bytes.windows(3).any(|w| w[0] == 0 && w[1] == 0 && w[2] < 3), "{bytes:?}");
        let mut bits = Bits::new(&bytes);
        for value in [0, 1, 2, 3, 7, 8, 255, 65_535, 1 << 30] {
            assert_eq!(bits.ue(), Some(value));
        }
        assert_eq!(bits.take(32), Some(0));
        assert_eq!(bits.take(16), Some(0));
        assert_eq!(bits.take(8), Some(1));
        assert_eq!(bits.bit(), Some(true), "the stop bit");
    }

    #[test]
    fn signed_codes_go_to_and_fro() {
        let mut writer = BitWriter::new();
        for code in 0..5 {
            writer.ue(code);
        }
        let bytes = writer.finish();
        let mut bits = Bits::new(&bytes);
        let values: Vec<i32> = std::iter::from_fn(|| bits.se()).take(5).collect();
        assert_eq!(values, [0, 1, -1, 2, -2]);
    }

    #[test]
    fn the_end_is_none() {
        assert_eq!(Bits::new(&[]).bit(), None);
        assert_eq!(Bits::new(&[0, 0, 0, 0]).ue(), None);
        assert_eq!(Bits::new(&[0; 64]).ue(), None, "no code is that long");
    }
}
