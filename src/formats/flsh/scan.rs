//! Looks for FLSH headers anywhere in a stream: a brick's dump may be
//! shifted or cut, and the identity may still be in it. Only places are found
//! here; what stands there is for the caller to read again and judge.

use super::{MAGIC, build};

/// The most places that are remembered: a camera has two.
const MOST: usize = 64;
/// Magic, length, CRC and the version, which is 1 in both variants.
const LOOK: usize = 10;

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
        // A header may lie across the border: the last few bytes are looked at again.
        let mut seam = std::mem::take(&mut self.tail);
        let seam_from = self.fed - seam.len() as u64;
        let old = seam.len();
        seam.extend_from_slice(&bytes[..bytes.len().min(LOOK - 1)]);
        self.look(seam_from, &seam, old);
        self.look(self.fed, bytes, bytes.len());
        let all = if bytes.len() >= LOOK - 1 { bytes } else { &seam };
        self.tail = all[all.len() - all.len().min(LOOK - 1)..].to_vec();
        self.fed += bytes.len() as u64;
    }

    /// Remembers headers that begin in the first `starts` of `bytes`.
    fn look(&mut self, from: u64, bytes: &[u8], starts: usize) {
        for (i, w) in bytes.windows(LOOK).enumerate().take(starts) {
            if w[0] == MAGIC[0] && w.starts_with(MAGIC) && w[9] == build::VERSION {
                if self.found.len() == MOST {
                    return;
                }
                self.found.push(from + i as u64);
            }
        }
    }

    /// Where headers were found, in bytes from the start of the stream: the
    /// first 64 of them.
    pub fn found(&self) -> &[u64] {
        &self.found
    }
}
