//! Looks for FLSH headers anywhere in a stream: a brick's dump may be
//! shifted or cut, and the identity may still be in it. Only places are found
//! here; what is there is for the caller to read again and judge.

use super::build::VERSION;
use super::{HEADER, is_header};
use crate::formats::is_filled;

/// A search through a stream, fed piece by piece in order.
#[derive(Clone, Debug, Default)]
pub struct Scan {
    fed: u64,
    tail: Vec<u8>,
    found: Vec<u64>,
}

impl Scan {
    /// A search from offset 0.
    pub fn new() -> Self {
        Scan::default()
    }

    /// Takes the next bytes of the stream.
    pub fn feed(&mut self, bytes: &[u8]) {
        // A header may lie across the border: the last few bytes are checked again.
        let mut seam = std::mem::take(&mut self.tail);
        let seam_from = self.fed - seam.len() as u64;
        let old = seam.len();
        seam.extend_from_slice(&bytes[..bytes.len().min(HEADER - 1)]);
        self.look(seam_from, &seam, old);
        self.look(self.fed, bytes, bytes.len());
        let all = if bytes.len() >= HEADER - 1 { bytes } else { &seam };
        self.tail = all[all.len() - all.len().min(HEADER - 1)..].to_vec();
        self.fed += bytes.len() as u64;
    }

    /// Remembers headers that begin in the first `starts` of `bytes`.
    fn look(&mut self, from: u64, bytes: &[u8], starts: usize) {
        if is_filled(bytes, 0xFF) {
            return;
        }
        // A plain loop over one byte of the header: this sees every byte of a chip.
        let end = starts.min(bytes.len().saturating_sub(HEADER - 1));
        let mut at = 0;
        while at < end {
            if bytes[at + 9] == VERSION && is_header(&bytes[at..]) {
                self.found.push(from + at as u64);
            }
            at += 1;
        }
    }

    /// Where headers were found, in bytes from the start of the stream: all of
    /// them that were not taken.
    pub fn found(&self) -> &[u64] {
        &self.found
    }

    /// Takes them, so that a stream full of headers fills no memory.
    pub fn take(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.found)
    }
}
