//! Source of an inspection: a file, a partition of the chip, or bytes in memory. It is read in
//! windows, never as a whole.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use crate::chip::{Chip, Partition};

/// Bytes that can be read anywhere, and whose number is known.
pub trait Source {
    /// How many bytes there are.
    fn len(&self) -> u64;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Fills all of `buf` from `offset` on; an error where that reaches beyond
    /// the end.
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()>;
}

impl Source for &[u8] {
    fn len(&self) -> u64 {
        <[u8]>::len(self) as u64
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let start = usize::try_from(offset).ok();
        let bytes = start.and_then(|start| self.get(start..start.checked_add(buf.len())?));
        buf.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

impl Source for Vec<u8> {
    fn len(&self) -> u64 {
        Source::len(&self.as_slice())
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        Source::read_at(&self.as_slice(), offset, buf)
    }
}

impl Source for File {
    /// The length as the file system has it; a file whose length cannot be
    /// had counts as empty.
    fn len(&self) -> u64 {
        self.metadata().map_or(0, |meta| meta.len())
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.read_exact_at(buf, offset)
    }
}

/// A partition of the chip, to be read like a file.
pub struct OnChip<'a> {
    /// The chip.
    pub chip: &'a dyn Chip,
    /// The partition.
    pub part: &'a Partition,
}

impl Source for OnChip<'_> {
    fn len(&self) -> u64 {
        self.part.size.into()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let offset = u32::try_from(offset).map_err(io::Error::other)?;
        self.chip.read(self.part, offset, buf).map_err(io::Error::other)
    }
}

/// The largest file that is read, in bytes: no dump of a flash chip is larger.
const LARGEST: u64 = 1 << 30;

/// A file, as long as it was when it was opened: one that grows meanwhile ends there.
#[derive(Debug)]
pub struct OpenFile {
    file: File,
    len: u64,
}

impl OpenFile {
    /// Opens a file. A FIFO, a device or a folder is refused, and waited for by nobody.
    ///
    /// # Errors
    /// Where it cannot be opened, is no file, or is larger than 1 GiB.
    pub fn open(path: &Path) -> io::Result<OpenFile> {
        // Without this a FIFO would be waited for until somebody writes into it.
        OpenFile::of(OpenOptions::new().read(true).custom_flags(nonblocking()).open(path)?)
    }

    /// A file that was opened without waiting.
    ///
    /// # Errors
    /// As [`OpenFile::open`].
    pub fn of(file: File) -> io::Result<OpenFile> {
        let meta = file.metadata()?;
        if !meta.is_file() {
            return Err(io::Error::other("it is not a file"));
        }
        if meta.len() > LARGEST {
            let gib = meta.len() >> 30;
            return Err(io::Error::other(format!(
                "it has {gib} GiB, which is too large for firmware"
            )));
        }
        Ok(OpenFile { file, len: meta.len() })
    }
}

/// The flag for opening without waiting.
pub fn nonblocking() -> i32 {
    nix::fcntl::OFlag::O_NONBLOCK.bits()
}

impl Source for OpenFile {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(buf, offset)
    }
}

/// What can be had of `size` bytes from `offset` on: fewer at the end, none
/// beyond it.
pub fn peek(source: &dyn Source, offset: u64, size: usize) -> io::Result<Vec<u8>> {
    let there = source.len().saturating_sub(offset).min(size as u64) as usize;
    let mut bytes = vec![0; there];
    if there > 0 {
        source.read_at(offset, &mut bytes)?;
    }
    Ok(bytes)
}
