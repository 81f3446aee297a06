//! RTP headers and RTCP reports (RFC 3550). Pure.

/// The payload type of pictures: the first dynamic one.
pub const PAYLOAD_TYPE: u8 = 96;
/// Bytes of an RTP header.
pub const HEADER: usize = 12;
/// Seconds from 1900 to 1970, as NTP counts.
const NTP_1970: u64 = 2_208_988_800;

/// An RTP header.
pub fn header(kind: u8, marker: bool, sequence: u16, timestamp: u32, ssrc: u32) -> [u8; HEADER] {
    let [s0, s1] = sequence.to_be_bytes();
    let [t0, t1, t2, t3] = timestamp.to_be_bytes();
    let [r0, r1, r2, r3] = ssrc.to_be_bytes();
    let second = kind | if marker { 0x80 } else { 0 };
    [0x80, second, s0, s1, t0, t1, t2, t3, r0, r1, r2, r3]
}

/// Ticks in a second of pictures' RTP clock.
pub const VIDEO_RATE: u32 = 90_000;

/// Microseconds as ticks of the 90 kHz clock, which runs over.
pub fn ticks(micros: u64) -> u32 {
    ticks_of(VIDEO_RATE, micros)
}

/// Microseconds as ticks of a clock of so many in a second, rounded; it runs over.
pub fn ticks_of(rate: u32, micros: u64) -> u32 {
    ((u128::from(micros) * u128::from(rate) + 500_000) / 1_000_000) as u32
}

/// What a sender report says.
#[derive(Clone, Copy, Debug)]
pub struct Report {
    /// The stream's source.
    pub ssrc: u32,
    /// Now, in microseconds since 1970, by a clock that never jumps.
    pub wall_micros: u64,
    /// The same instant as an RTP timestamp.
    pub timestamp: u32,
    /// Packets sent.
    pub packets: u32,
    /// Bytes of payload sent.
    pub octets: u32,
}

/// A sender report, with the description that RFC 3550 also wants.
pub fn sender_report(report: &Report) -> Vec<u8> {
    let mut out = Vec::with_capacity(48);
    let seconds = report.wall_micros / 1_000_000 + NTP_1970;
    let fraction = ((report.wall_micros % 1_000_000) << 32) / 1_000_000;
    out.extend_from_slice(&[0x80, 200, 0, 6]);
    for word in [
        report.ssrc,
        seconds as u32,
        fraction as u32,
        report.timestamp,
        report.packets,
        report.octets,
    ] {
        out.extend_from_slice(&word.to_be_bytes());
    }
    describe(&mut out, report.ssrc);
    out
}

/// The stream ends: a report, and a goodbye with its reason.
pub fn goodbye(report: &Report, reason: &str) -> Vec<u8> {
    let mut out = sender_report(report);
    let reason = reason.as_bytes().get(..reason.len().min(60)).unwrap_or_default();
    let words = 1 + (1 + reason.len()).div_ceil(4);
    out.extend_from_slice(&[0x81, 203, 0, words as u8]);
    out.extend_from_slice(&report.ssrc.to_be_bytes());
    out.push(reason.len() as u8);
    out.extend_from_slice(reason);
    out.resize(out.len().next_multiple_of(4), 0);
    out
}

/// SDES with a name that tells nothing of the camera.
fn describe(out: &mut Vec<u8>, ssrc: u32) {
    const NAME: &[u8] = b"mi360d";
    out.extend_from_slice(&[0x81, 202, 0, 4]);
    out.extend_from_slice(&ssrc.to_be_bytes());
    out.extend_from_slice(&[1, NAME.len() as u8]);
    out.extend_from_slice(NAME);
    out.extend_from_slice(&[0; 4]); // the list's end, up to a whole word
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole_words(mut bytes: &[u8]) -> Vec<u8> {
        let mut kinds = Vec::new();
        while let [_, kind, high, low, ..] = bytes {
            kinds.push(*kind);
            let length = 4 * (1 + usize::from(u16::from_be_bytes([*high, *low])));
            assert!(length <= bytes.len(), "{length} of {}", bytes.len());
            bytes = &bytes[length..];
        }
        assert!(bytes.is_empty());
        kinds
    }

    #[test]
    fn reports_are_whole_packets() {
        let report =
            Report { ssrc: 7, wall_micros: 1_500_000, timestamp: 3, packets: 4, octets: 5 };
        let bytes = sender_report(&report);
        assert_eq!(whole_words(&bytes), [200, 202]);
        assert_eq!(bytes[8..12], (NTP_1970 as u32 + 1).to_be_bytes());
        assert_eq!(bytes[12..16], 0x8000_0000u32.to_be_bytes(), "half a second");
        for reason in ["", "x", "the camera sends H.265 now"] {
            assert_eq!(whole_words(&goodbye(&report, reason)), [200, 202, 203]);
        }
    }

    #[test]
    fn ticks_run_over_and_do_not_jump() {
        assert_eq!(ticks(1_000_000), 90_000);
        let day = 86_400_000_000;
        assert_eq!(ticks(day + 50_000).wrapping_sub(ticks(day)), 4_500);
        assert_eq!(ticks(u64::MAX).wrapping_sub(ticks(u64::MAX - 100)), 9);
        // Pieces of 40 ms have 320 ticks each, wherever they begin.
        for index in 0..1_000 {
            let begins = 7 + index * 40_000;
            assert_eq!(ticks_of(8_000, begins + 40_000) - ticks_of(8_000, begins), 320);
        }
    }
}
