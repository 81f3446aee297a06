//! Datagrams of the frame transport and the header of a frame's file. Numbers are little-endian
//! `u32`. Source: the vendor's libshbf 0.2 (ipc019, firmware 3.5.1_0052), as observed. Pure.

use std::path::Path;

use super::error::FrameError;

/// Bytes of a memory page: frame files are whole pages long.
pub const PAGE: u32 = 4096;
/// Bytes of a frame file's own header.
pub const PAGE_HEADER: usize = 64;
/// The largest frame file, in bytes. A snapshot's is the vendor's largest, with 823,296.
pub const LARGEST_MAP: u32 = 1024 * 1024;
/// The longest datagram that is understood, texts excepted, which are cut.
pub const LONGEST: usize = 2048;

const TEXT: u32 = 0;
const DESCRIPTOR: u32 = 1;
const FRAME: u32 = 2;
/// Bytes of the three numbers before a descriptor's path.
const BEFORE_PATH: u32 = 12;

/// One datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Datagram<'a> {
    /// Bytes whose meaning is the endpoint's business.
    Text(&'a [u8]),
    /// The broadcaster describes itself; the first datagram of a connection.
    Descriptor {
        /// How it makes its files: 1 or 2.
        backend: u32,
        /// Its folder.
        path: &'a [u8],
    },
    /// A frame, whose file comes with the datagram.
    Frame {
        /// Counts the frames of this connection from 1, dropped ones too.
        sequence: u32,
        /// Bytes of the file that belong to the frame; whole pages.
        map_length: u32,
    },
}

/// The `u32` at `at`.
pub(super) fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.first_chunk().map(|four| u32::from_le_bytes(*four))
}

/// Understands one datagram.
///
/// # Errors
/// [`FrameError`], for anything that is not exactly as known.
pub fn datagram(bytes: &[u8]) -> Result<Datagram<'_>, FrameError> {
    let short = || FrameError::Short(bytes.len());
    match word(bytes, 0).ok_or_else(short)? {
        TEXT => Ok(Datagram::Text(bytes.get(4..).unwrap_or_default())),
        DESCRIPTOR => {
            let (Some(length), Some(backend), Some(path_length)) =
                (word(bytes, 4), word(bytes, 8), word(bytes, 12))
            else {
                return Err(short());
            };
            let contradiction =
                || FrameError::Lengths { length, path: path_length, had: bytes.len() };
            if bytes.len() > LONGEST {
                return Err(FrameError::Long(LONGEST));
            }
            if path_length.checked_add(BEFORE_PATH) != Some(length) {
                return Err(contradiction());
            }
            // Backend 2 appends a counter that the length leaves out.
            let counter = match backend {
                1 => 0,
                2 => 4,
                other => return Err(FrameError::Backend(other)),
            };
            let end = 4 + length as usize;
            let path = bytes.get(16..end).ok_or_else(contradiction)?;
            if bytes.len() != end + counter {
                return Err(contradiction());
            }
            Ok(Datagram::Descriptor { backend, path })
        }
        FRAME => match (word(bytes, 4), word(bytes, 8)) {
            (Some(sequence), Some(map_length)) if bytes.len() == 12 => {
                if map_length == 0 || map_length % PAGE != 0 || map_length > LARGEST_MAP {
                    return Err(FrameError::MapLength(map_length));
                }
                Ok(Datagram::Frame { sequence, map_length })
            }
            _ => Err(FrameError::FrameLength(bytes.len())),
        },
        other => Err(FrameError::Type(other)),
    }
}

/// Checks that a broadcaster's own folder is the one that was connected to. In a folder that
/// imitates a camera on a PC, it names the path as the camera has it: below `/run`.
///
/// # Errors
/// [`FrameError::Path`].
pub fn check_path(path: &[u8], connected: &Path) -> Result<(), FrameError> {
    let text = String::from_utf8_lossy(path);
    let named = Path::new(text.as_ref());
    let below_run = named.starts_with("/run") || named.starts_with("/var/run");
    if named == connected || (below_run && named.file_name() == connected.file_name()) {
        return Ok(());
    }
    Err(FrameError::Path(text.chars().take(100).collect()))
}

/// The whole pages that a payload of `size` bytes takes with its header; none if that is too much.
pub fn map_length(size: u32) -> Option<u32> {
    let whole = size.checked_add(PAGE_HEADER as u32)?.checked_next_multiple_of(PAGE)?;
    (whole <= LARGEST_MAP).then_some(whole)
}

/// Bytes of the payload, from the frame file's header. `file` is the file's length, `announced`
/// that of the datagram.
///
/// # Errors
/// [`FrameError`], where the three contradict each other.
pub fn payload_size(
    header: &[u8; PAGE_HEADER],
    file: u64,
    announced: u32,
) -> Result<u32, FrameError> {
    if file < u64::from(announced) {
        return Err(FrameError::FileLength { file, map: announced });
    }
    // Word 0 is the broadcaster's business and may change while it is read; word 1 counts.
    let size = word(header, 8).unwrap_or(0);
    let map = word(header, 12).unwrap_or(0);
    if map != announced {
        return Err(FrameError::HeaderMap { header: map, datagram: announced });
    }
    if map_length(size) != Some(map) {
        return Err(FrameError::Size { size, map });
    }
    Ok(size)
}

/// The first datagram, as a broadcaster in this folder sends it.
pub fn descriptor(path: &[u8], files_made: u32) -> Vec<u8> {
    let length = path.len() as u32;
    let mut out = Vec::with_capacity(20 + path.len());
    for number in [DESCRIPTOR, BEFORE_PATH + length, 2, length] {
        out.extend_from_slice(&number.to_le_bytes());
    }
    out.extend_from_slice(path);
    out.extend_from_slice(&files_made.to_le_bytes());
    out
}

/// A frame's datagram.
pub fn frame(sequence: u32, map_length: u32) -> [u8; 12] {
    let mut out = [0; 12];
    for (place, number) in out.chunks_mut(4).zip([FRAME, sequence, map_length]) {
        place.copy_from_slice(&number.to_le_bytes());
    }
    out
}

/// The first bytes of a text's datagram.
pub const TEXT_HEAD: [u8; 4] = TEXT.to_le_bytes();

/// The header of a frame's file.
pub fn page_header(tick: u32, size: u32, map_length: u32) -> [u8; PAGE_HEADER] {
    let mut out = [0; PAGE_HEADER];
    for (place, number) in out.chunks_mut(4).zip([u32::MAX, tick, size, map_length]) {
        place.copy_from_slice(&number.to_le_bytes());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The descriptor of a real MJSXJ09CM, from a public strace log.
    const REAL: [u8; 41] =
        *b"\x01\0\0\0\x21\0\0\0\x02\0\0\0\x15\0\0\0/run/video_mainstream\xf0\x74\xaf\0";

    fn with(bytes: &[u8], at: usize, value: u32) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
        bytes
    }

    #[test]
    fn a_real_camera_s_datagrams_are_understood_and_written_alike() {
        let path = b"/run/video_mainstream";
        assert_eq!(datagram(&REAL), Ok(Datagram::Descriptor { backend: 2, path }));
        assert_eq!(descriptor(path, 0x00af_74f0), REAL);
        let real = [2, 0, 0, 0, 1, 0, 0, 0, 0, 0x30, 0, 0];
        assert_eq!(datagram(&real), Ok(Datagram::Frame { sequence: 1, map_length: 0x3000 }));
        assert_eq!(frame(1, 0x3000), real);
        assert_eq!(datagram(b"\0\0\0\0REQ_IDR"), Ok(Datagram::Text(b"REQ_IDR")));
        assert_eq!(datagram(&TEXT_HEAD), Ok(Datagram::Text(b"")));
    }

    #[test]
    fn each_field_out_of_its_range_is_a_fault_of_its_own() {
        let lengths = |length, path, had| Err(FrameError::Lengths { length, path, had });
        let frame_of = |map| frame(1, map).to_vec();
        for (bytes, expected) in [
            (vec![], Err(FrameError::Short(0))),
            (vec![2, 0, 0], Err(FrameError::Short(3))),
            (with(&REAL, 0, 3), Err(FrameError::Type(3))),
            (with(&REAL, 0, u32::MAX), Err(FrameError::Type(u32::MAX))),
            (REAL[..12].to_vec(), Err(FrameError::Short(12))),
            (REAL[..40].to_vec(), lengths(33, 21, 40)),
            (REAL[..37].to_vec(), lengths(33, 21, 37)),
            (REAL[..20].to_vec(), lengths(33, 21, 20)),
            ([&REAL[..], &[0]].concat(), lengths(33, 21, 42)),
            (with(&REAL, 4, 32), lengths(32, 21, 41)),
            (with(&REAL, 4, u32::MAX), lengths(u32::MAX, 21, 41)),
            (with(&REAL, 12, u32::MAX), lengths(33, u32::MAX, 41)),
            (with(&REAL, 8, 0), Err(FrameError::Backend(0))),
            (with(&REAL, 8, 3), Err(FrameError::Backend(3))),
            (with(&REAL, 8, 1), lengths(33, 21, 41)),
            (descriptor(&[b'x'; 2100], 0), Err(FrameError::Long(LONGEST))),
            (frame_of(0), Err(FrameError::MapLength(0))),
            (frame_of(4095), Err(FrameError::MapLength(4095))),
            (frame_of(LARGEST_MAP + PAGE), Err(FrameError::MapLength(LARGEST_MAP + PAGE))),
            (frame_of(0xffff_f000), Err(FrameError::MapLength(0xffff_f000))),
            (frame(1, PAGE)[..8].to_vec(), Err(FrameError::FrameLength(8))),
            ([&frame(1, PAGE)[..], &[0]].concat(), Err(FrameError::FrameLength(13))),
        ] {
            assert_eq!(datagram(&bytes), expected, "{bytes:?}");
        }
    }

    #[test]
    fn the_folder_must_be_the_one_that_was_connected_to() {
        let here = Path::new("/tmp/camera/run/audio_in");
        for (named, fits) in [
            ("/tmp/camera/run/audio_in", true),
            ("/run/audio_in", true),
            ("/var/run/audio_in", true),
            ("/run/video_mainstream", false),
            ("/tmp/audio_in", false),
            ("", false),
        ] {
            assert_eq!(check_path(named.as_bytes(), here).is_ok(), fits, "{named}");
        }
    }

    #[test]
    fn a_file_s_header_must_agree_with_the_file_and_the_datagram() {
        let good = page_header(7, 3000, PAGE);
        assert_eq!(payload_size(&good, 262_144, PAGE), Ok(3000));
        let size = |size, map| Err(FrameError::Size { size, map });
        for (size_word, map_word, file, announced, expected) in [
            (3000, PAGE, 4095, PAGE, Err(FrameError::FileLength { file: 4095, map: PAGE })),
            (3000, PAGE, 0, PAGE, Err(FrameError::FileLength { file: 0, map: PAGE })),
            (3000, 8192, 9000, PAGE, Err(FrameError::HeaderMap { header: 8192, datagram: PAGE })),
            (4032, PAGE, 9000, PAGE, Ok(4032)),
            (4033, PAGE, 9000, PAGE, size(4033, PAGE)),
            (4032, 8192, 9000, 8192, size(4032, 8192)),
            (u32::MAX, PAGE, 9000, PAGE, size(u32::MAX, PAGE)),
            (0, PAGE, 9000, PAGE, Ok(0)),
        ] {
            let header = page_header(0, size_word, map_word);
            let got = payload_size(&header, file, announced);
            assert_eq!(got, expected, "{size_word} {map_word} {file} {announced}");
        }
    }
}
