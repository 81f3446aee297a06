//! Sound as FLAC (RFC 9639), which browsers play next to a picture in MP4, where G.711 and plain
//! samples may not be. Samples stay as they are (verbatim subframes): mono, 16 bit. Pure.

/// Samples of one frame at most.
const MOST: usize = 4096;

/// The stream's own block, as `dfLa` contains it: the last one, of the type STREAMINFO.
pub fn stream_info(rate: u32) -> Vec<u8> {
    let mut out = vec![0x80, 0, 0, 34];
    out.extend_from_slice(&16u16.to_be_bytes());
    out.extend_from_slice(&(MOST as u16).to_be_bytes());
    // Sizes of frames: unknown.
    out.extend_from_slice(&[0; 6]);
    // 20 bits of the rate, 3 of channels - 1, 5 of bits - 1, 36 of all samples: unknown.
    let bits = u64::from(rate) << 44 | 15 << 36;
    out.extend_from_slice(&bits.to_be_bytes());
    out.extend_from_slice(&[0; 16]);
    out
}

/// One frame of these samples; `first` is the number of its first one in the stream. It repeats the
/// rate: GStreamer, and so WebKit on Linux, takes no frame that leaves that to the stream's block.
pub fn frame(samples: &[i16], first: u64, rate: u32) -> Vec<u8> {
    let samples = samples.get(..samples.len().min(MOST)).unwrap_or_default();
    let mut out = Vec::with_capacity(2 * samples.len() + 20);
    // Blocks of different lengths; the length in 16 bits; 8 or 16 kHz; mono, 16 bit.
    out.extend_from_slice(&[0xff, 0xf9, if rate == 8000 { 0x74 } else { 0x75 }, 0x08]);
    put_number(&mut out, first & 0xf_ffff_ffff);
    out.extend_from_slice(&(samples.len().saturating_sub(1) as u16).to_be_bytes());
    out.push(crc8(&out));
    out.push(0x02);
    for sample in samples {
        out.extend_from_slice(&sample.to_be_bytes());
    }
    let crc = crc16(&out);
    out.extend_from_slice(&crc.to_be_bytes());
    out
}

/// A number of up to 36 bits as UTF-8 would code it.
fn put_number(out: &mut Vec<u8>, number: u64) {
    if number < 0x80 {
        return out.push(number as u8);
    }
    // So many bytes follow; the first one has room for 6 - more bits, none of them with six.
    let more = (1..=6u32).find(|more| number >> (5 * more + 6) == 0).unwrap_or(6);
    let lead = 0xff00u32 >> (more + 1);
    out.push(((number >> (6 * more)) as u32 | (lead & 0xff)) as u8);
    for index in (0..more).rev() {
        out.push((number >> (6 * index)) as u8 & 0x3f | 0x80);
    }
}

fn crc8(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ byte, |crc: u8, _| crc << 1 ^ if crc & 0x80 == 0 { 0 } else { 0x07 })
    })
}

fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc: u16, byte| {
        let crc = crc ^ u16::from(*byte) << 8;
        (0..8).fold(crc, |crc: u16, _| crc << 1 ^ if crc & 0x8000 == 0 { 0 } else { 0x8005 })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_coded_as_utf_8_codes_them() {
        for letter in ['a', '\u{7f}', '\u{80}', '\u{7ff}', '\u{800}', '\u{ffff}', '\u{10000}'] {
            let mut out = Vec::new();
            put_number(&mut out, u64::from(u32::from(letter)));
            assert_eq!(out, letter.to_string().as_bytes(), "{letter:?}");
        }
        let mut out = Vec::new();
        put_number(&mut out, 0xf_ffff_ffff);
        assert_eq!(out, [0xfe, 0xbf, 0xbf, 0xbf, 0xbf, 0xbf, 0xbf]);
        out.clear();
        put_number(&mut out, 0x7fff_ffff);
        assert_eq!(out, [0xfd, 0xbf, 0xbf, 0xbf, 0xbf, 0xbf]);
    }

    #[test]
    fn the_checks_are_those_of_the_standard() {
        // The catalogue's check values: CRC-8/SMBUS and CRC-16/UMTS of "123456789".
        assert_eq!(crc8(b"123456789"), 0xf4);
        assert_eq!(crc16(b"123456789"), 0xfee8);
        let frame = frame(&[1, -1, i16::MIN], 5, 16_000);
        assert_eq!(frame.len(), 4 + 1 + 2 + 1 + 1 + 6 + 2);
        assert_eq!(crc16(&frame), 0, "a frame with its check leaves nothing");
        assert_eq!(stream_info(16_000).len(), 38);
        // Its own rate: 4 is 8 kHz, 5 is 16 kHz (RFC 9639, 9.1.2).
        assert_eq!(frame[2], 0x75);
        assert_eq!(super::frame(&[0], 0, 8000)[2], 0x74);
    }
}
