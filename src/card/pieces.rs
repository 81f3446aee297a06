//! Piecewise reader: a file of the card that is open only while a piece of it is read.
//!
//! A client that pauses a download keeps its reader, and would keep the file open: then the firmware
//! cannot unmount the card to format or eject it.

use std::io::{self, Read};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use super::file::open_file;

/// Bytes that are read at once, and kept until they are taken.
const PIECE: u64 = 32 * 1024;

/// Part of a file; see the module.
pub struct Pieces {
    path: PathBuf,
    at: u64,
    end: u64,
    piece: Vec<u8>,
    taken: usize,
}

impl Pieces {
    /// The bytes from `from` up to `end`.
    pub fn new(path: PathBuf, from: u64, end: u64) -> Pieces {
        Pieces { path, at: from, end, piece: Vec::new(), taken: 0 }
    }
}

/// Fills `buf` from a file that is closed again after it.
///
/// # Errors
/// The card is wanted by the firmware, the file is gone or shorter, or the card is damaged.
pub fn read_at(path: &Path, offset: u64, buf: &mut [u8]) -> io::Result<()> {
    open_file(path).map_err(io::Error::other)?.read_exact_at(buf, offset)
}

impl Read for Pieces {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.taken == self.piece.len() && self.at < self.end {
            let count = PIECE.min(self.end - self.at);
            // At most PIECE.
            self.piece.resize(count as usize, 0);
            self.taken = self.piece.len();
            read_at(&self.path, self.at, &mut self.piece)?;
            (self.at, self.taken) = (self.at + count, 0);
        }
        let count = self.piece.get(self.taken..).unwrap_or_default().read(buf)?;
        self.taken += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_bytes_come_and_the_file_is_closed_between_two_reads() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("chip.bin");
        let bytes: Vec<u8> = (0..100_000u32).map(|at| (at / 7) as u8).collect();
        std::fs::write(&path, &bytes).unwrap();
        let is_open = || {
            let fds = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
            fds.filter_map(|fd| std::fs::read_link(fd.path()).ok()).any(|target| target == path)
        };
        let mut pieces = Pieces::new(path.clone(), 10, 99_999);
        let mut first = [0; 100];
        pieces.read_exact(&mut first).unwrap();
        assert!(!is_open());
        let mut rest = Vec::new();
        pieces.read_to_end(&mut rest).unwrap();
        assert!([&first[..], &rest].concat() == bytes[10..99_999]);
        // One that became shorter breaks off: what was promised cannot be sent.
        std::fs::write(&path, &bytes[..50_000]).unwrap();
        let short = Pieces::new(path, 0, 100_000).read_to_end(&mut Vec::new());
        assert_eq!(short.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}
