//! The microphone's sound, from what the firmware sends to what clients play: A-law at 16 kHz
//! becomes G.711 at 8 kHz, which every client knows, or linear samples at 16 kHz. G.711 by ITU-T
//! G.711 (A-law); RTP by RFC 3551, sections 4.5.11 and 4.5.14. Pure.

use serde::Serialize;

/// Samples of the filter's memory: its length and one, so that pairs of samples fit.
const TAPS: usize = 59;
/// The half-band low-pass, one side of its odd coefficients, in 1/32768; the middle one is a half
/// and the even ones are 0. A Kaiser window (beta 6.5): flat within 0.01 dB up to 3.4 kHz, 67 dB
/// down from 4.6 kHz on, at 16 kHz.
const HALF: [i32; 15] =
    [10395, -3367, 1908, -1249, 863, -608, 427, -296, 200, -130, 80, -47, 24, -11, 3];
/// Samples in a second, of the firmware's sound on an ipc019.
const RATE: u32 = 16_000;
/// Bytes from which the form of the sound is recognized: one second.
const JUDGED: usize = 16_000;
/// Bytes of one piece at most: half a second.
const LARGEST: usize = 8_192;

/// What clients get.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SoundForm {
    /// G.711 A-law, 8,000 samples in a second (`PCMA`).
    #[default]
    G711,
    /// 16 bit linear, 16,000 samples in a second (`L16`).
    L16,
}

impl SoundForm {
    /// From a word of the command line.
    pub fn from_word(word: &str) -> Option<SoundForm> {
        match word {
            "g711" => Some(SoundForm::G711),
            "l16" => Some(SoundForm::L16),
            _ => None,
        }
    }

    /// Samples in a second, which is the RTP clock.
    pub fn rate(self) -> u32 {
        match self {
            SoundForm::G711 => RATE / 2,
            SoundForm::L16 => RATE,
        }
    }

    /// The RTP payload type: PCMA's own, or a dynamic one.
    pub fn payload_type(self) -> u8 {
        match self {
            SoundForm::G711 => 8,
            SoundForm::L16 => 97,
        }
    }

    /// As the SDP names it.
    pub fn name(self) -> &'static str {
        match self {
            SoundForm::G711 => "PCMA/8000",
            SoundForm::L16 => "L16/16000/1",
        }
    }
}

impl SoundForm {
    /// The samples of payloads in this form.
    pub fn samples<'a>(self, payloads: impl Iterator<Item = &'a [u8]>) -> Vec<i16> {
        match self {
            SoundForm::G711 => payloads.flatten().map(|byte| decode(*byte)).collect(),
            SoundForm::L16 => {
                let pairs = payloads.flat_map(|payload| payload.as_chunks::<2>().0);
                pairs.map(|pair| i16::from_be_bytes(*pair)).collect()
            }
        }
    }
}

/// How the firmware's bytes are coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coding {
    /// A-law, 16 kHz.
    ALaw,
    /// 16 bit little-endian, 8 kHz: as many bytes in a second.
    Pcm,
}

/// One sample of A-law as 16 bit linear.
pub fn decode(byte: u8) -> i16 {
    let byte = byte ^ 0x55;
    let mantissa = i16::from(byte & 15) << 4;
    let value = match i16::from(byte >> 4 & 7) {
        0 => mantissa + 8,
        segment => (mantissa + 0x108) << (segment - 1),
    };
    if byte & 0x80 == 0 { -value } else { value }
}

/// One 16 bit sample as A-law.
pub fn encode(sample: i16) -> u8 {
    let (sign, magnitude) = if sample >= 0 { (0x80, sample) } else { (0, -1 - sample) };
    let magnitude = magnitude.cast_unsigned() >> 4;
    let code = if magnitude < 32 {
        magnitude
    } else {
        let segment = magnitude.ilog2() - 3;
        (segment as u16) << 4 | (magnitude >> (segment - 1) & 15)
    };
    // At most 7 segments of 16 steps.
    (code as u8 | sign) ^ 0x55
}

/// Halves the rate of 16 kHz samples, behind a low-pass.
#[derive(Clone, Debug)]
struct Halver {
    /// The last samples, the oldest first.
    past: Vec<i16>,
}

impl Halver {
    fn new() -> Halver {
        Halver { past: vec![0; TAPS - 1] }
    }

    fn halve(&mut self, samples: &[i16], out: &mut impl FnMut(i16)) {
        self.past.extend_from_slice(samples);
        let mut at = 0;
        // Of a known length, so that no index is checked.
        while let Some(window) = self.past.get(at..).and_then(<[i16]>::first_chunk::<TAPS>) {
            let middle = TAPS / 2;
            let mut sum = i32::from(window[middle]) << 14;
            for (step, factor) in HALF.iter().enumerate() {
                let off = 2 * step + 1;
                let pair = i32::from(window[middle - off]) + i32::from(window[middle + off]);
                sum += pair * factor;
            }
            let rounded = (sum + (1 << 14)) >> 15;
            out(rounded.clamp(i32::from(i16::MIN), i32::from(i16::MAX)) as i16);
            at += 2;
        }
        self.past.drain(..at.min(self.past.len()));
    }
}

/// Doubles the rate of 8 kHz samples by the same low-pass: each sample stays, and one comes between
/// it and the next.
#[derive(Clone, Debug)]
pub struct Doubler {
    /// The last samples, the oldest first.
    past: Vec<i16>,
}

impl Default for Doubler {
    fn default() -> Doubler {
        Doubler { past: vec![0; 2 * HALF.len() - 1] }
    }
}

impl Doubler {
    /// Two samples go to `out` for each one; they come [`HALF`]'s length later.
    pub fn double(&mut self, samples: &[i16], out: &mut impl FnMut(i16)) {
        self.past.extend_from_slice(samples);
        let mut at = 0;
        while let Some(window) = self.past.get(at..at + 2 * HALF.len()) {
            let middle = HALF.len() - 1;
            let mut sum = 0;
            for (step, factor) in HALF.iter().enumerate() {
                sum += (i32::from(window[middle - step]) + i32::from(window[middle + 1 + step]))
                    * factor;
            }
            out(window[middle]);
            let rounded = (sum + (1 << 13)) >> 14;
            out(rounded.clamp(i32::from(i16::MIN), i32::from(i16::MAX)) as i16);
            at += 1;
        }
        self.past.drain(..at.min(self.past.len()));
    }
}

/// Sound in, sound out. See the module.
#[derive(Clone, Debug)]
pub struct Transcoder {
    form: SoundForm,
    coding: Option<Coding>,
    /// Of the bytes judged so far: all, and the second ones of a pair that PCM would have at rest.
    judged: (usize, usize),
    halver: Halver,
    samples: Vec<i16>,
}

impl Transcoder {
    /// Into this form.
    pub fn new(form: SoundForm) -> Transcoder {
        Transcoder {
            form,
            coding: None,
            judged: (0, 0),
            halver: Halver::new(),
            samples: Vec::new(),
        }
    }

    /// Takes one piece and gives it as the payload of one RTP packet; none while it is not known
    /// how the bytes are coded. A-law of 16 kHz and PCM of 8 kHz have equally many bytes in a
    /// second, so the first second decides: in PCM every second byte is near 0.
    pub fn piece(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        let bytes = bytes.get(..bytes.len().min(LARGEST)).unwrap_or_default();
        if self.coding.is_none() {
            let high = bytes.iter().skip(1).step_by(2);
            self.judged.0 += bytes.len() / 2;
            self.judged.1 += high.filter(|byte| matches!(byte, 0..=3 | 0xfc..=0xff)).count();
            if 2 * self.judged.0 >= JUDGED {
                let pcm = self.judged.1 * 10 > self.judged.0 * 9;
                self.coding = Some(if pcm { Coding::Pcm } else { Coding::ALaw });
            }
        }
        let coding = self.coding?;
        self.samples.clear();
        match coding {
            Coding::ALaw => self.samples.extend(bytes.iter().map(|byte| decode(*byte))),
            Coding::Pcm => {
                let (pairs, _) = bytes.as_chunks::<2>();
                self.samples.extend(pairs.iter().map(|pair| i16::from_le_bytes(*pair)));
            }
        }
        let mut out = Vec::with_capacity(2 * self.samples.len());
        match (coding, self.form) {
            (Coding::ALaw, SoundForm::G711) => {
                self.halver.halve(&self.samples, &mut |sample| out.push(encode(sample)));
            }
            (Coding::Pcm, SoundForm::G711) => out.extend(self.samples.iter().map(|s| encode(*s))),
            (Coding::ALaw, SoundForm::L16) => {
                out.extend(self.samples.iter().flat_map(|sample| sample.to_be_bytes()));
            }
            // Twice each: the rate that was announced.
            (Coding::Pcm, SoundForm::L16) => {
                for sample in &self.samples {
                    out.extend_from_slice(&sample.to_be_bytes());
                    out.extend_from_slice(&sample.to_be_bytes());
                }
            }
        }
        Some(out)
    }

    /// How long a piece of so many bytes of the firmware's lasts, in microseconds.
    pub fn duration(bytes: usize) -> u64 {
        bytes.min(LARGEST) as u64 * 1_000_000 / u64::from(RATE)
    }
}

/// Times of the sound: as many samples as there were, one piece exactly behind the other, and in
/// step with the pictures. All in microseconds of the server's clock.
#[derive(Clone, Debug, Default)]
pub struct Pace {
    next: Option<u64>,
}

impl Pace {
    /// So far from where it should be, and the sound jumps there: something is missing.
    const JUMP: i64 = 100_000;
    /// So far, and it is moved a little with each piece.
    const USUAL: i64 = 8_000;
    const STEP: i64 = 40;

    /// The time of a piece that lasts so long, and that was taken at `time`.
    pub fn piece(&mut self, time: u64, duration: u64) -> u64 {
        let begins = match self.next {
            None => time,
            Some(next) => {
                let off = time.cast_signed().wrapping_sub(next.cast_signed());
                if off.saturating_abs() > Self::JUMP {
                    time
                } else if off.saturating_abs() > Self::USUAL {
                    next.saturating_add_signed(off.clamp(-Self::STEP, Self::STEP))
                } else {
                    next
                }
            }
        };
        self.next = Some(begins + duration);
        begins
    }
}

#[cfg(test)]
#[allow(clippy::cast_precision_loss)]
mod tests {
    use super::*;

    #[test]
    fn a_law_is_that_of_g_711() {
        // G.711's table 1a: decision values and outputs of a 13 bit coder, here times 8.
        for (byte, sample) in
            [(0xd5, 8), (0x55, -8), (0xaa, 32_256), (0x2a, -32_256), (0x80, 5_504)]
        {
            assert_eq!(decode(byte), sample, "{byte:#x}");
        }
        for byte in 0..=255 {
            assert_eq!(encode(decode(byte)), byte, "{byte:#x}");
        }
        let mut last = i16::MIN;
        for sample in i16::MIN..=i16::MAX {
            let back = decode(encode(sample));
            assert!(back >= last, "it grows: {sample}");
            let step = 16 + sample.unsigned_abs() / 16;
            assert!(back.abs_diff(sample) <= step, "{sample} is {back}");
            last = back;
        }
    }

    fn level(samples: &[i16]) -> f64 {
        let sum: f64 = samples.iter().map(|s| f64::from(*s) * f64::from(*s)).sum();
        (sum / samples.len() as f64).sqrt()
    }

    /// What the halver makes of a tone, against what went in, in decibels.
    fn gain(hertz: f64) -> f64 {
        let tone: Vec<i16> = (0..16_000)
            .map(|n| {
                (10_000.0 * (f64::from(n) * hertz * std::f64::consts::TAU / 16_000.0).sin()) as i16
            })
            .collect();
        let mut out = Vec::new();
        let mut halver = Halver::new();
        // In pieces of odd lengths: the result does not depend on them.
        for piece in tone.chunks(639) {
            halver.halve(piece, &mut |sample| out.push(sample));
        }
        assert_eq!(out.len(), 8_000);
        20.0 * (level(&out[100..]).max(0.1) / level(&tone)).log10()
    }

    #[test]
    fn speech_passes_and_what_would_come_back_as_another_tone_does_not() {
        for hertz in [50.0, 300.0, 1_000.0, 2_000.0, 3_000.0, 3_400.0] {
            assert!(gain(hertz).abs() < 0.05, "{hertz}: {}", gain(hertz));
        }
        for hertz in [4_600.0, 5_000.0, 6_000.0, 7_000.0, 7_900.0] {
            assert!(gain(hertz) < -60.0, "{hertz}: {}", gain(hertz));
        }
    }

    fn pieces(bytes: &[u8], form: SoundForm) -> Vec<u8> {
        let mut transcoder = Transcoder::new(form);
        bytes.chunks(640).filter_map(|piece| transcoder.piece(piece)).flatten().collect()
    }

    #[test]
    fn the_data_tells_a_law_from_pcm() {
        let silence_a = [0x55, 0xd5].repeat(16_000);
        let quiet_pcm: Vec<u8> =
            (0..16_000).flat_map(|n: i32| ((n % 200) as i16 - 100).to_le_bytes()).collect();
        let loud_a: Vec<u8> = (0..32_000u32).map(|n| (n * 37 % 251) as u8).collect();
        for (bytes, form, rate) in [
            (&silence_a, SoundForm::G711, 8_000),
            (&quiet_pcm, SoundForm::G711, 8_000),
            (&loud_a, SoundForm::G711, 8_000),
            (&silence_a, SoundForm::L16, 32_000),
            (&quiet_pcm, SoundForm::L16, 32_000),
        ] {
            // The first second but its last piece is spent on judging.
            let out = pieces(bytes, form);
            assert_eq!(out.len(), rate + rate / 25, "{form:?}");
        }
        assert!(
            pieces(&silence_a, SoundForm::L16)
                .chunks(2)
                .all(|s| [[0, 8], [255, 248]].contains(&[s[0], s[1]]))
        );
        let back = pieces(&quiet_pcm, SoundForm::G711);
        assert!(back.iter().all(|byte| decode(*byte).unsigned_abs() <= 120));
    }

    #[test]
    fn pieces_follow_one_another_without_a_gap_and_stay_in_step() {
        let mut pace = Pace::default();
        let mut noise = 1u64;
        let mut last: Option<u64> = None;
        for index in 0..10_000u64 {
            noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            // The microphone's clock is 100 ppm off, and its times jitter.
            let time = 1_000_000 + index * 40_004 + (noise >> 33) % 4_000;
            let begins = pace.piece(time, 40_000);
            assert!(begins.abs_diff(time) < 15_000, "{index}: {begins} {time}");
            if let Some(last) = last {
                assert!((begins - last).abs_diff(40_000) <= 40);
            }
            last = Some(begins);
        }
        assert_eq!(pace.piece(900_000_000_000, 40_000), 900_000_000_000, "a pause");
        assert_eq!(pace.piece(900_000_040_000, 40_000), 900_000_040_000);
    }
}
