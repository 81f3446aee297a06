//! WAV files (RIFF): plain samples in, one channel of 16 kHz out; and the head of a sound without an
//! end. Format by Microsoft's and IBM's "Multimedia Programming Interface and Data Specifications
//! 1.0" (1991). Pure.

use thiserror::Error;

/// Samples in a second, of what is read.
pub const RATE: u32 = 16_000;
/// Bytes before the data that are looked through for the format.
const LONGEST_HEAD: usize = 4096;
/// Rates that are taken, in samples per second.
const RATES: std::ops::RangeInclusive<u32> = 4_000..=96_000;

/// Why a file is no sound that can be played.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum WavError {
    /// It does not begin as a WAV file does.
    #[error("it is not a WAV file")]
    NotWav,
    /// Its format or its data are missing.
    #[error("its header has no format, or no data follows within {LONGEST_HEAD} bytes")]
    Head,
    /// Compressed, or with another kind of samples.
    #[error(
        "its samples have the format {kind} with {bits} bits; only 8 or 16 bit PCM can be \
        played"
    )]
    Kind {
        /// The format's number.
        kind: u16,
        /// Bits of a sample.
        bits: u16,
    },
    /// More channels, or another rate.
    #[error(
        "it has {channels} channels at {rate} Hz; only 1 or 2 at 4,000 to 96,000 Hz can be \
        played"
    )]
    Shape {
        /// Channels.
        channels: u16,
        /// Samples in a second.
        rate: u32,
    },
    /// It is longer than can be played.
    #[error("it is longer than {0} s")]
    Long(usize),
}

/// What a WAV file's head says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shape {
    channels: usize,
    wide: bool,
    rate: u32,
}

/// Reads a WAV file piece by piece: so a long one is never in memory whole.
#[derive(Debug, Default)]
pub struct Reader {
    head: Vec<u8>,
    shape: Option<Shape>,
    /// Bytes of data that are left by the file's own account.
    left: u64,
    /// Bytes of a sample that is not whole yet.
    rest: Vec<u8>,
    /// Samples of the file's rate that are summed up for the next one: sum, count.
    sum: (i64, i64),
    /// The last sample of the file's rate, and where the next one of 16 kHz is, in 1/[`RATE`] of
    /// the file's.
    last: Option<i16>,
    phase: u64,
    out: Vec<i16>,
}

impl Reader {
    /// Takes the next bytes of the file.
    ///
    /// # Errors
    /// [`WavError`]; [`WavError::Long`] where it has more than `seconds`.
    pub fn take(&mut self, bytes: &[u8], seconds: usize) -> Result<(), WavError> {
        if self.shape.is_some() {
            self.data(bytes);
        } else {
            self.head.extend_from_slice(bytes);
            if let Some((shape, start, length)) = head(&self.head)? {
                self.shape = Some(shape);
                self.left = length;
                let head = std::mem::take(&mut self.head);
                self.data(head.get(start..).unwrap_or_default());
            } else if self.head.len() > LONGEST_HEAD {
                return Err(WavError::Head);
            }
        }
        if self.out.len() > seconds * RATE as usize {
            return Err(WavError::Long(seconds));
        }
        Ok(())
    }

    /// The samples at 16 kHz, of all that came.
    ///
    /// # Errors
    /// [`WavError::Head`] where the data did not begin.
    pub fn end(self) -> Result<Vec<i16>, WavError> {
        if self.shape.is_none() { Err(WavError::Head) } else { Ok(self.out) }
    }

    fn data(&mut self, bytes: &[u8]) {
        let Some(shape) = self.shape else { return };
        let count = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
        self.left -= count as u64;
        let mut rest = std::mem::take(&mut self.rest);
        rest.extend_from_slice(bytes.get(..count).unwrap_or_default());
        let size = shape.channels * if shape.wide { 2 } else { 1 };
        let mut chunks = rest.chunks_exact(size);
        for chunk in &mut chunks {
            let sum: i32 = if shape.wide {
                chunk
                    .as_chunks::<2>()
                    .0
                    .iter()
                    .map(|pair| i32::from(i16::from_le_bytes(*pair)))
                    .sum()
            } else {
                chunk.iter().map(|byte| (i32::from(*byte) - 128) << 8).sum()
            };
            self.sample((sum / i32::try_from(shape.channels).unwrap_or(1)) as i16, shape.rate);
        }
        self.rest = chunks.remainder().to_vec();
    }

    /// One sample of the file's rate. Lower rates are drawn as lines from sample to sample; of higher
    /// ones the mean of all that fall on one of 16 kHz counts.
    fn sample(&mut self, sample: i16, rate: u32) {
        let (step, whole) = (u64::from(rate), u64::from(RATE));
        if step >= whole {
            self.sum = (self.sum.0 + i64::from(sample), self.sum.1 + 1);
            self.phase += whole;
            if self.phase >= step {
                self.phase -= step;
                self.out.push((self.sum.0 / self.sum.1) as i16);
                self.sum = (0, 0);
            }
            return;
        }
        let Some(last) = self.last.replace(sample) else { return };
        while self.phase < whole {
            let (from, to) = (i64::from(last), i64::from(sample));
            let value = from + (to - from) * self.phase.cast_signed() / whole.cast_signed();
            self.out.push(value as i16);
            self.phase += step;
        }
        self.phase -= whole;
    }
}

/// What the head says, where the data begin and how long they are; none while it is not whole.
fn head(bytes: &[u8]) -> Result<Option<(Shape, usize, u64)>, WavError> {
    let begins = |at: usize, name: &[u8; 4]| bytes.get(at..at + 4).is_none_or(|b| b == name);
    if !begins(0, b"RIFF") || !begins(8, b"WAVE") {
        return Err(WavError::NotWav);
    }
    let mut at = 12;
    let mut shape = None;
    while let (Some(name), Some(length)) = (bytes.get(at..at + 4), super::le32(bytes, at + 4)) {
        let start = at + 8;
        match name {
            b"fmt " => {
                let Some(rate) = super::le32(bytes, start + 4) else { return Ok(None) };
                let field = |at: usize| super::le16(bytes, start + at);
                let (Some(kind), Some(channels), Some(bits)) = (field(0), field(2), field(14))
                else {
                    return Ok(None);
                };
                shape = Some(shaped(kind, channels, bits, rate)?);
            }
            b"data" => {
                let Some(shape) = shape else { return Err(WavError::Head) };
                // Of a file that was written without an end: all that comes.
                let length = if matches!(length, 0 | u32::MAX) { u64::MAX } else { length.into() };
                return Ok(Some((shape, start, length)));
            }
            _ => {}
        }
        // Blocks have even lengths.
        let next = start as u64 + u64::from(length) + u64::from(length & 1);
        match usize::try_from(next) {
            Ok(next) if next <= LONGEST_HEAD => at = next,
            _ => return Err(WavError::Head),
        }
    }
    Ok(None)
}

/// 1 is PCM; 0xfffe has its kind elsewhere, and is PCM with 8 or 16 bits.
fn shaped(kind: u16, channels: u16, bits: u16, rate: u32) -> Result<Shape, WavError> {
    if !matches!((kind, bits), (1 | 0xfffe, 8 | 16)) {
        return Err(WavError::Kind { kind, bits });
    }
    if !matches!(channels, 1 | 2) || !RATES.contains(&rate) {
        return Err(WavError::Shape { channels, rate });
    }
    Ok(Shape { channels: channels.into(), wide: bits == 16, rate })
}

/// The head of a sound of one channel and 16 bits that has no end.
pub fn endless(rate: u32) -> Vec<u8> {
    let mut out = b"RIFF\xff\xff\xff\xffWAVEfmt \x10\0\0\0\x01\0\x01\0".to_vec();
    out.extend_from_slice(&rate.to_le_bytes());
    out.extend_from_slice(&(2 * rate).to_le_bytes());
    out.extend_from_slice(b"\x02\0\x10\0data\xff\xff\xff\xff");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(kind: u16, channels: u16, rate: u32, bits: u16, data: &[u8]) -> Vec<u8> {
        let mut out = b"RIFF\0\0\0\0WAVELIST\x03\0\0\0abc\0fmt \x10\0\0\0".to_vec();
        out.extend_from_slice(&kind.to_le_bytes());
        out.extend_from_slice(&channels.to_le_bytes());
        out.extend_from_slice(&rate.to_le_bytes());
        out.extend_from_slice(&[0; 6]);
        out.extend_from_slice(&bits.to_le_bytes());
        out.extend_from_slice(b"data");
        out.extend_from_slice(&(data.len() as u32).to_le_bytes());
        [&out[..], data, b"more"].concat()
    }

    fn read(bytes: &[u8], piece: usize) -> Result<Vec<i16>, WavError> {
        let mut reader = Reader::default();
        for piece in bytes.chunks(piece) {
            reader.take(piece, 30)?;
        }
        reader.end()
    }

    #[test]
    fn samples_of_16_khz_come_out_as_they_are_in_pieces_of_any_length() {
        let samples: Vec<i16> = (0..1_000).map(|n: i16| n.wrapping_mul(977)).collect();
        let data: Vec<u8> = samples.iter().flat_map(|s| s.to_le_bytes()).collect();
        for piece in [1, 3, 100, 10_000] {
            assert_eq!(read(&file(1, 1, RATE, 16, &data), piece).unwrap(), samples, "{piece}");
        }
        let endless = [endless(RATE), data].concat();
        assert_eq!(read(&endless, 17).unwrap(), samples);
    }

    #[test]
    fn other_shapes_become_one_channel_of_16_khz() {
        let constant = |sample: i16, n: usize| sample.to_le_bytes().repeat(n);
        for (rate, channels, bits, data, count, value) in [
            (8_000, 1, 16, constant(500, 8_000), 16_000, 500),
            (44_100, 2, 16, constant(-700, 88_200), 16_000, -700),
            (48_000, 1, 8, vec![130; 48_000], 16_000, 512),
            (11_025, 1, 16, constant(9, 11_025), 16_000, 9),
            (96_000, 1, 16, constant(i16::MIN, 96_000), 16_000, i16::MIN),
        ] {
            let got = read(&file(1, channels, rate, bits, &data), 4_096).unwrap();
            assert!(got.len().abs_diff(count) <= 2, "{rate}: {}", got.len());
            assert!(got.iter().all(|sample| *sample == value), "{rate}");
        }
        let two: Vec<u8> = [100i16, 300].iter().flat_map(|s| s.to_le_bytes()).collect();
        assert_eq!(read(&file(0xfffe, 2, RATE, 16, &two), 5).unwrap(), [200]);
    }

    #[test]
    fn what_cannot_be_played_says_why() {
        let data = [0; 64];
        for (bytes, error) in [
            (b"OggS and more".to_vec(), WavError::NotWav),
            (b"RIFF....AVI ".to_vec(), WavError::NotWav),
            (Vec::new(), WavError::Head),
            (file(1, 1, RATE, 16, &data)[..40].to_vec(), WavError::Head),
            (file(3, 1, RATE, 32, &data), WavError::Kind { kind: 3, bits: 32 }),
            (file(1, 1, RATE, 24, &data), WavError::Kind { kind: 1, bits: 24 }),
            (file(1, 0, RATE, 16, &data), WavError::Shape { channels: 0, rate: RATE }),
            (file(1, 3, RATE, 16, &data), WavError::Shape { channels: 3, rate: RATE }),
            (file(1, 1, 0, 16, &data), WavError::Shape { channels: 1, rate: 0 }),
            (file(1, 1, 4_000, 8, &vec![0; 124_001]), WavError::Long(30)),
            (b"RIFF....WAVEJUNK\xff\xff\xff\xff".to_vec(), WavError::Head),
            (b"RIFF....WAVEdata\x04\0\0\0aaaa".to_vec(), WavError::Head),
        ] {
            assert_eq!(read(&bytes, 1_000), Err(error), "{:?}", &bytes[..bytes.len().min(60)]);
        }
    }

    #[test]
    fn any_bytes_are_taken_or_refused() {
        proptest::proptest!(|(tail in proptest::collection::vec(proptest::num::u8::ANY, 0..90))| {
            let _ = read(&tail, 7);
            let _ = read(&[b"RIFF....WAVE", &tail[..]].concat(), 7);
            let _ = read(&[b"RIFF....WAVEfmt \x10\0\0\0", &tail[..]].concat(), 7);
        });
    }
}
