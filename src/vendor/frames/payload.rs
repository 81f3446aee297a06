//! Content of a frame's file: a header of 32 bytes, then a picture, sound or a JPEG file. Written
//! by the vendor's fetch_av (ipc019, firmware 3.5.1_0052). Pure.
//!
//! The header's codec and key flag are not read: on a camera whose encoder was switched to H.264
//! they keep their H.265 values. Both are in the NAL units.

use super::error::FrameError;
use super::wire::word;

/// Bytes of each of the headers.
pub const HEADER: usize = 0x20;

/// One payload, without its header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payload<'a> {
    /// Counts the encoder's frames from 1, also while nobody reads. 0 for a JPEG.
    pub number: u32,
    /// The encoder's time in microseconds; pictures and sound share one clock.
    pub micros: u64,
    /// The picture, the sound or the JPEG file. A JPEG without bytes is a snapshot that failed.
    pub data: &'a [u8],
}

fn long(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..at + 8)?.first_chunk().map(|eight| u64::from_le_bytes(*eight))
}

fn parse(
    bytes: &[u8],
    number_at: Option<usize>,
    time_at: usize,
    length_at: usize,
) -> Result<Payload<'_>, FrameError> {
    let short = || FrameError::PayloadShort(bytes.len());
    let data = bytes.get(HEADER..).ok_or_else(short)?;
    let says = word(bytes, length_at).ok_or_else(short)?;
    if says as usize != data.len() {
        return Err(FrameError::PayloadLength { says, had: data.len() });
    }
    Ok(Payload {
        number: number_at.and_then(|at| word(bytes, at)).unwrap_or(0),
        micros: long(bytes, time_at).ok_or_else(short)?,
        data,
    })
}

/// One access unit in Annex B. A key frame contains its parameter sets.
///
/// # Errors
/// [`FrameError`], where the lengths contradict each other or there is no start code.
pub fn picture(bytes: &[u8]) -> Result<Payload<'_>, FrameError> {
    let picture = parse(bytes, Some(0x04), 0x08, 0x10)?;
    match picture.data {
        [0, 0, 1, ..] | [0, 0, 0, 1, ..] => Ok(picture),
        _ => Err(FrameError::StartCode),
    }
}

/// One piece of sound; on an ipc019 640 bytes of A-law, which are 40 ms at 16 kHz.
///
/// # Errors
/// [`FrameError`], where the lengths contradict each other.
pub fn sound(bytes: &[u8]) -> Result<Payload<'_>, FrameError> {
    parse(bytes, Some(0x00), 0x10, 0x18)
}

/// A snapshot, or none where the encoder failed.
///
/// # Errors
/// [`FrameError`], where the lengths contradict each other or it is no JPEG file.
pub fn jpeg(bytes: &[u8]) -> Result<Payload<'_>, FrameError> {
    let jpeg = parse(bytes, None, 0x08, 0x10)?;
    match jpeg.data {
        [] | [0xff, 0xd8, ..] => Ok(jpeg),
        _ => Err(FrameError::NoJpeg),
    }
}

/// Where a picture's payload begins in a frame's file, if its header and its start code are found:
/// for a layout that is unknown, to be reported only.
pub fn found_elsewhere(file: &[u8]) -> Option<usize> {
    (0..1024usize.min(file.len())).step_by(4).find(|at| {
        let length = word(file, at + 0x10).unwrap_or(0) as usize;
        let data = file.get(at + HEADER..).unwrap_or_default();
        let begins = matches!(data, [0, 0, 1, ..] | [0, 0, 0, 1, ..]);
        begins && length > 4 && length <= data.len()
    })
}

/// The header of a picture, as fetch_av writes it: the codec is a constant 1 there.
pub fn picture_header(number: u32, micros: u64, length: u32, key: bool) -> [u8; HEADER] {
    let mut out = [0; HEADER];
    put(&mut out, 0x00, &1u32.to_le_bytes());
    put(&mut out, 0x04, &number.to_le_bytes());
    put(&mut out, 0x08, &micros.to_le_bytes());
    put(&mut out, 0x10, &length.to_le_bytes());
    put(&mut out, 0x14, &u32::from(key).to_le_bytes());
    out
}

/// The header of a piece of sound.
pub fn sound_header(number: u32, micros: u64, length: u32) -> [u8; HEADER] {
    let mut out = [0; HEADER];
    put(&mut out, 0x00, &number.to_le_bytes());
    put(&mut out, 0x10, &micros.to_le_bytes());
    put(&mut out, 0x18, &length.to_le_bytes());
    out
}

/// The header of a snapshot.
pub fn jpeg_header(micros: u64, length: u32) -> [u8; HEADER] {
    let mut out = [0; HEADER];
    put(&mut out, 0x00, &2u32.to_le_bytes());
    put(&mut out, 0x08, &micros.to_le_bytes());
    put(&mut out, 0x10, &length.to_le_bytes());
    out
}

fn put(out: &mut [u8; HEADER], at: usize, bytes: &[u8]) {
    if let Some(place) = out.get_mut(at..at + bytes.len()) {
        place.copy_from_slice(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Parse = fn(&[u8]) -> Result<Payload<'_>, FrameError>;

    #[test]
    fn what_is_written_is_read_back() {
        let unit = [0, 0, 0, 1, 0x40, 1, 2];
        let bytes = [&picture_header(9, 1 << 40, 7, true)[..], &unit].concat();
        let expected = Payload { number: 9, micros: 1 << 40, data: &unit };
        assert_eq!(picture(&bytes), Ok(expected));
        let bytes = [&sound_header(9, 1 << 40, 7)[..], &unit].concat();
        assert_eq!(sound(&bytes), Ok(expected));
        let file = [0xff, 0xd8, 0xff, 0xe0];
        let bytes = [&jpeg_header(1 << 40, 4)[..], &file].concat();
        assert_eq!(jpeg(&bytes), Ok(Payload { number: 0, micros: 1 << 40, data: &file }));
        assert_eq!(jpeg(&jpeg_header(3, 0)).unwrap().data, b"", "one that failed");
    }

    #[test]
    fn lengths_that_contradict_each_other_are_faults() {
        let kinds: [(Parse, usize); 3] = [(picture, 0x10), (sound, 0x18), (jpeg, 0x10)];
        for (parse, at) in kinds {
            for length in [0, 4, HEADER - 1] {
                assert_eq!(parse(&vec![0; length]), Err(FrameError::PayloadShort(length)));
            }
            for says in [0u32, 6, 8, u32::MAX] {
                let mut bytes = vec![0; HEADER + 7];
                bytes[at..at + 4].copy_from_slice(&says.to_le_bytes());
                assert_eq!(parse(&bytes), Err(FrameError::PayloadLength { says, had: 7 }));
            }
        }
    }

    #[test]
    fn a_picture_begins_with_a_start_code_and_a_snapshot_is_a_jpeg() {
        let of = |head: [u8; HEADER], data: &[u8]| [&head[..], data].concat();
        for (data, good) in [
            (&b"\0\0\x01\x65"[..], true),
            (b"\0\0\0\x01", true),
            (b"\0\0\0\0\x01", false),
            (b"\x01\x02\x03\x04", false),
            (b"", false),
        ] {
            let bytes = of(picture_header(1, 1, data.len() as u32, false), data);
            assert_eq!(picture(&bytes).is_ok(), good, "{data:?}");
        }
        assert_eq!(jpeg(&of(jpeg_header(1, 3), b"GIF")), Err(FrameError::NoJpeg));
        let unit = b"\0\0\0\x01\x40\x01";
        let shifted = [&[0; 96][..], &of(picture_header(1, 1, 6, true), unit)].concat();
        assert_eq!(found_elsewhere(&shifted), Some(96));
        assert_eq!(found_elsewhere(&[7; 200]), None);
    }
}
