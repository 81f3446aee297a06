//! New content of a partition: a part of a file or of memory, and 0xFF up to
//! the partition's end. Never held as a whole, unless it is small.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::card::CardError;
use crate::card::file::open_past_cache;

/// What a partition is to contain.
pub trait NewContent: Send + Sync {
    /// Fills `buf` from `offset` on, counted from the partition's start; what
    /// is beyond the content is 0xFF.
    ///
    /// # Errors
    /// [`CardError`] where it cannot be read.
    fn read(&self, offset: u32, buf: &mut [u8]) -> Result<(), CardError>;
}

/// A range of a file.
#[derive(Debug)]
pub struct FilePart {
    file: File,
    path: PathBuf,
    start: u64,
    length: u64,
}

impl FilePart {
    /// `length` bytes of a file from `start` on, read past the cache.
    ///
    /// # Errors
    /// [`CardError`] where the file cannot be opened.
    pub fn open(path: &Path, start: u64, length: u64) -> Result<FilePart, CardError> {
        Ok(FilePart { file: open_past_cache(path)?, path: path.to_owned(), start, length })
    }
}

impl NewContent for FilePart {
    fn read(&self, offset: u32, buf: &mut [u8]) -> Result<(), CardError> {
        let there = self.length.saturating_sub(u64::from(offset)).min(buf.len() as u64) as usize;
        let (content, rest) = buf.split_at_mut(there);
        rest.fill(0xFF);
        self.file
            .read_exact_at(content, self.start + u64::from(offset))
            .map_err(|e| CardError::new("cannot read", &self.path, e))
    }
}

/// Bytes in memory: the settings that go through CONFIG.
#[derive(Debug)]
pub struct Bytes(pub Vec<u8>);

impl NewContent for Bytes {
    fn read(&self, offset: u32, buf: &mut [u8]) -> Result<(), CardError> {
        let from = self.0.get(offset as usize..).unwrap_or_default();
        let there = from.len().min(buf.len());
        buf[..there].copy_from_slice(&from[..there]);
        buf[there..].fill(0xFF);
        Ok(())
    }
}

/// An error that stands for content which is not what it was.
pub(super) fn changed(name: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the new content of {name} has changed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_beyond_the_content_is_erased_flash() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("image");
        std::fs::write(&path, [1, 2, 3, 4, 5, 6]).unwrap();
        let part = FilePart::open(&path, 2, 3).unwrap();
        for content in [&part as &dyn NewContent, &Bytes(vec![3, 4, 5])] {
            let mut buf = [0; 4];
            content.read(0, &mut buf).unwrap();
            assert_eq!(buf, [3, 4, 5, 0xFF]);
            content.read(2, &mut buf).unwrap();
            assert_eq!(buf, [5, 0xFF, 0xFF, 0xFF]);
            content.read(9, &mut buf).unwrap();
            assert_eq!(buf, [0xFF; 4]);
        }
    }
}
