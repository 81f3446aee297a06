//! A file that was sent as text: before each line feed a carriage return was
//! put, or lost. The first can be undone.

use std::io;

use crate::chip::WINDOW;
use crate::image::source::{Source, peek};

/// Bytes of the result between two known places.
const STEP: u64 = WINDOW as u64;

/// What some bytes of a whole file tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ends {
    /// Line feeds.
    pub feeds: u64,
    /// Those with a carriage return before them.
    pub pairs: u64,
    /// Zeros.
    pub zeros: u64,
    /// Bytes from 0x80 on.
    pub high: u64,
    /// What UTF-8 has for a character that is none: EF BF BD.
    pub replaced: u64,
}

/// Counts them.
///
/// # Errors
/// Where the file cannot be read.
pub fn count(source: &dyn Source) -> io::Result<Ends> {
    let mut ends = Ends::default();
    let mut before = 0u32;
    let mut at = 0;
    while at < source.len() {
        let bytes = peek(source, at, WINDOW as usize)?;
        for &byte in &bytes {
            ends.feeds += u64::from(byte == b'\n');
            ends.pairs += u64::from(byte == b'\n' && before as u8 == b'\r');
            ends.zeros += u64::from(byte == 0);
            ends.high += u64::from(byte >= 0x80);
            before = before << 8 | u32::from(byte);
            ends.replaced += u64::from(before & 0xFF_FFFF == 0xEF_BFBD);
        }
        at += bytes.len() as u64;
    }
    Ok(ends)
}

/// The file with one carriage return less before each line feed.
pub(super) struct LineFeeds<'a> {
    source: &'a dyn Source,
    /// Where in the file each [`STEP`] of the result begins.
    places: Vec<u64>,
    len: u64,
}

impl<'a> LineFeeds<'a> {
    pub(super) fn new(source: &'a dyn Source) -> io::Result<LineFeeds<'a>> {
        let mut out = LineFeeds { source, places: vec![0], len: 0 };
        let mut at = 0;
        while at < source.len() {
            let bytes = peek(source, at, WINDOW as usize + 1)?;
            let now = bytes.len().min(WINDOW as usize);
            for i in 0..now {
                if bytes[i] == b'\r' && bytes.get(i + 1) == Some(&b'\n') {
                    continue;
                }
                out.len += 1;
                if out.len.is_multiple_of(STEP) {
                    out.places.push(at + i as u64 + 1);
                }
            }
            at += now as u64;
        }
        Ok(out)
    }
}

impl Source for LineFeeds<'_> {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        if offset.checked_add(buf.len() as u64).is_none_or(|end| end > self.len) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut at =
            *self.places.get((offset / STEP) as usize).ok_or(io::ErrorKind::UnexpectedEof)?;
        let mut skip = offset % STEP;
        let mut done = 0;
        while done < buf.len() {
            let bytes = peek(self.source, at, 0x2000 + 1)?;
            let now = bytes.len().min(0x2000);
            for i in 0..now {
                if bytes[i] == b'\r' && bytes.get(i + 1) == Some(&b'\n') {
                    continue;
                }
                if skip > 0 {
                    skip -= 1;
                } else if done < buf.len() {
                    buf[done] = bytes[i];
                    done += 1;
                }
            }
            if now == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            at += now as u64;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_as_text_comes_back() {
        let bytes: Vec<u8> =
            (0..200_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 9) as u8).collect();
        let mut sent = Vec::new();
        for &byte in &bytes {
            if byte == b'\n' {
                sent.push(b'\r');
            }
            sent.push(byte);
        }
        let back = LineFeeds::new(&sent).unwrap();
        assert_eq!(back.len(), bytes.len() as u64);
        for start in [0, 1, 65_530, 65_536, 131_000, 199_000] {
            let mut piece = vec![0; 1000];
            back.read_at(start, &mut piece).unwrap();
            assert!(piece == bytes[start as usize..start as usize + 1000], "{start}");
        }
        let ends = count(&sent).unwrap();
        assert_eq!(ends.feeds, ends.pairs);
    }
}
