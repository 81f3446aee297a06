//! Speech of a client by RTP (ONVIF's audio backchannel): G.711 at 8 kHz, A-law or mu-law, becomes
//! the A-law at 16 kHz that the firmware's speaker plays. G.711 by ITU-T G.711; RTP by RFC 3550,
//! 5.1. Pure.

use super::sound::{self, Doubler};

/// Bytes of one packet's payload at most: 200 ms.
const LARGEST: usize = 1_600;
/// Bytes of an RTP header without extensions.
const HEADER: usize = 12;
/// RTP payload types of RFC 3551 that are taken: mu-law and A-law.
const MU_LAW: u8 = 0;
/// See [`MU_LAW`].
const A_LAW: u8 = 8;

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Speech {
    /// The newest packet's number.
    last: Option<u16>,
    doubler: Doubler,
}

impl Speech {
    /// Takes one RTP packet and gives its sound as A-law at 16 kHz. None for a packet that is late,
    /// came twice, is too long, or has another payload type.
    pub fn packet(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        let (kind, sequence, payload) = parse(bytes)?;
        let decode: fn(u8) -> i16 = match kind {
            MU_LAW => from_mu_law,
            A_LAW => sound::decode,
            _ => return None,
        };
        if payload.is_empty() || payload.len() > LARGEST {
            return None;
        }
        if let Some(last) = self.last {
            let ahead = sequence.wrapping_sub(last).cast_signed();
            // Far behind is a sender that began again.
            if (-1000..=0).contains(&ahead) {
                return None;
            }
        }
        self.last = Some(sequence);
        let samples: Vec<i16> = payload.iter().map(|byte| decode(*byte)).collect();
        let mut out = Vec::with_capacity(2 * samples.len());
        self.doubler.double(&samples, &mut |sample| out.push(sound::encode(sample)));
        Some(out)
    }
}

/// An RTP packet's payload type, number and payload.
fn parse(bytes: &[u8]) -> Option<(u8, u16, &[u8])> {
    let [flags, kind, high, low, ..] = bytes else { return None };
    if flags >> 6 != 2 {
        return None;
    }
    let mut start = HEADER + 4 * usize::from(flags & 15);
    if flags & 0x10 != 0 {
        let [_, _, high, low] = bytes.get(start..start + 4)?.first_chunk::<4>()?;
        start += 4 + 4 * usize::from(u16::from_be_bytes([*high, *low]));
    }
    let mut payload = bytes.get(start..)?;
    if flags & 0x20 != 0 {
        let padding = usize::from(*payload.last()?);
        payload = payload.get(..payload.len().checked_sub(padding)?)?;
    }
    Some((kind & 0x7f, u16::from_be_bytes([*high, *low]), payload))
}

/// One byte of mu-law as a sample of 16 bits.
fn from_mu_law(byte: u8) -> i16 {
    let byte = !byte;
    let value = ((i16::from(byte & 15) << 3) + 0x84) << (byte >> 4 & 7);
    if byte & 0x80 == 0 { value - 0x84 } else { 0x84 - value }
}

#[cfg(test)]
#[allow(clippy::cast_precision_loss)]
mod tests {
    use super::*;

    fn packet(kind: u8, sequence: u16, payload: &[u8]) -> Vec<u8> {
        let [high, low] = sequence.to_be_bytes();
        [&[0x80, kind, high, low, 0, 0, 0, 0, 1, 2, 3, 4][..], payload].concat()
    }

    #[test]
    fn mu_law_is_that_of_g_711() {
        for (byte, sample) in [(0xff, 0), (0x7f, 0), (0x80, 32_124), (0x00, -32_124), (0xf0, 120)] {
            assert_eq!(from_mu_law(byte), sample, "{byte:#x}");
        }
    }

    #[test]
    fn a_tone_at_8_khz_is_the_same_tone_at_16_khz() {
        let tone = |n: u32, rate: f64| {
            (8_000.0 * (f64::from(n) * 1_000.0 * std::f64::consts::TAU / rate).sin()) as i16
        };
        let mut speech = Speech::default();
        let bytes: Vec<u8> = (0..8_000).map(|n| sound::encode(tone(n, 8_000.0))).collect();
        let heard: Vec<i16> = bytes
            .chunks(160)
            .zip(0u16..)
            .filter_map(|(piece, n)| speech.packet(&packet(8, n, piece)))
            .flatten()
            .map(sound::decode)
            .collect();
        assert_eq!(heard.len(), 16_000);
        // Its share of all that is heard, by one bin of a Fourier transform.
        let heard = &heard[1_600..14_400];
        let (mut real, mut imaginary, mut all) = (0.0, 0.0, 0.0);
        for (n, sample) in heard.iter().enumerate() {
            let (turn, sample) = (n as f64 * std::f64::consts::TAU / 16.0, f64::from(*sample));
            real += sample * turn.cos();
            imaginary += sample * turn.sin();
            all += sample * sample;
        }
        let share = 2.0 * (real * real + imaginary * imaginary) / heard.len() as f64 / all;
        assert!(share > 0.998, "{share}");
        assert!((all / heard.len() as f64).sqrt() > 5_500.0, "as loud as before");
    }

    #[test]
    fn what_is_no_speech_is_dropped() {
        let mut speech = Speech::default();
        let silence = [0xd5; 160];
        assert!(speech.packet(&packet(8, 65_535, &silence)).is_some());
        for (bytes, taken) in [
            (packet(8, 65_535, &silence), false),
            (packet(8, 65_500, &silence), false),
            (packet(8, 0, &silence), true),
            (packet(96, 1, &silence), false),
            (packet(8, 1, &[0xd5; 1_601]), false),
            (packet(8, 1, &[]), false),
            (packet(0, 3, &[0xff; 160]), true),
            (packet(8, 30_000, &silence), true),
            (vec![], false),
            (vec![0x80; 11], false),
            (vec![0x40; 172], false),
            // Fifteen sources, an extension and padding that are not there.
            (vec![0x8f, 8, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0], false),
            (vec![0x90, 8, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255], false),
            (vec![0xa0, 8, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9], false),
        ] {
            assert_eq!(speech.packet(&bytes).is_some(), taken, "{bytes:?}");
        }
        let extended = [
            &[0xb1, 8, 0x90, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 1, 7, 7, 7, 7][..],
            &[0xd5; 80],
            &[0, 2],
        ];
        assert_eq!(speech.packet(&extended.concat()).map(|out| out.len()), Some(160));
    }
}
