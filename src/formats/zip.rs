//! Zip archives: the list of their files, and one file after the other, unpacked
//! through a window of 32 KiB. Format: APPNOTE.TXT 4.3 and 4.4; stored and deflated
//! files, no encryption, no 64-bit parts. Names are given unchanged: code
//! that makes paths of them must check them first.

use std::io;

use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::TINFL_FLAG_HAS_MORE_INPUT;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};
use thiserror::Error;

use super::{crc32, le16, le32};

/// Files of an archive at most.
const MOST_FILES: u16 = 1024;
/// Bytes of its list at most.
const LONGEST_LIST: u32 = 0x4_0000;
/// Bytes of the list's end record, and of the comment behind it.
const END: usize = 22;
const LONGEST_COMMENT: u64 = 0xFFFF;
/// Deflate looks back so far.
const WINDOW: usize = 0x8000;
const STORED: u16 = 0;
const DEFLATED: u16 = 8;

/// Fills a buffer from an offset of the archive on.
pub type ReadAt<'a> = &'a dyn Fn(u64, &mut [u8]) -> io::Result<()>;

/// Why an archive or a file in it cannot be read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ZipError {
    /// The archive's file.
    #[error("the archive cannot be read")]
    Read(#[source] io::Error),
    /// The receiver of the bytes.
    #[error(transparent)]
    Sink(io::Error),
    /// It is not a zip archive.
    #[error("it is not a zip archive, or it is cut off")]
    NoZip,
    /// Its list means nothing.
    #[error("the archive's list of files is damaged: {0}")]
    List(&'static str),
    /// A file is packed in a way that is not known here.
    #[error("{name} is compressed in an unknown way")]
    Packing {
        /// Its name.
        name: String,
    },
    /// A file is not what the list says.
    #[error("{name} is damaged in the archive")]
    Damaged {
        /// Its name.
        name: String,
    },
}

/// One file of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name, unchanged.
    pub name: String,
    /// Bytes, unpacked.
    pub size: u32,
    packed: u32,
    crc: u32,
    method: u16,
    at: u32,
}

/// The files of an archive of `length` bytes; folders are left out.
///
/// # Errors
/// [`ZipError`].
pub fn list(read: ReadAt<'_>, length: u64) -> Result<Vec<Entry>, ZipError> {
    let tail = length.min(END as u64 + LONGEST_COMMENT);
    let mut bytes = vec![0; tail as usize];
    read(length - tail, &mut bytes).map_err(ZipError::Read)?;
    let ends_here = |at: &usize| {
        bytes[*at..].starts_with(b"PK\x05\x06")
            && le16(&bytes, at + 20).is_some_and(|n| at + END + usize::from(n) == bytes.len())
    };
    let last = bytes.len().checked_sub(END).ok_or(ZipError::NoZip)?;
    let at = (0..=last).rev().find(ends_here).ok_or(ZipError::NoZip)?;
    let end = &bytes[at..];
    let (Some(count), Some(size), Some(start)) = (le16(end, 10), le32(end, 12), le32(end, 16))
    else {
        return Err(ZipError::NoZip);
    };
    if count > MOST_FILES || size > LONGEST_LIST {
        return Err(ZipError::List("it is too long"));
    }
    if u64::from(start) + u64::from(size) > length - tail + at as u64 {
        return Err(ZipError::List("it is outside"));
    }
    let mut list = vec![0; size as usize];
    read(start.into(), &mut list).map_err(ZipError::Read)?;
    parse(&list, count)
}

fn parse(list: &[u8], count: u16) -> Result<Vec<Entry>, ZipError> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut rest = list;
    for _ in 0..count {
        let (entry, length) = one(rest).ok_or(ZipError::List("it is cut off"))?;
        rest = rest.get(length..).ok_or(ZipError::List("it is cut off"))?;
        if entry.name.ends_with('/') {
            continue;
        }
        if entries.iter().any(|known| known.name == entry.name) {
            return Err(ZipError::List("it lists a name twice"));
        }
        entries.push(entry);
    }
    Ok(entries)
}

/// The first entry of a list, and its length there.
fn one(list: &[u8]) -> Option<(Entry, usize)> {
    if !list.starts_with(b"PK\x01\x02") {
        return None;
    }
    let long = |at| le16(list, at).map(usize::from);
    let (name, extra, comment) = (long(28)?, long(30)?, long(32)?);
    let encrypted = le16(list, 8)? & 1 != 0;
    let entry = Entry {
        name: String::from_utf8(list.get(46..46 + name)?.to_vec()).ok()?,
        size: le32(list, 24)?,
        packed: le32(list, 20)?,
        crc: le32(list, 16)?,
        method: if encrypted { u16::MAX } else { le16(list, 10)? },
        at: le32(list, 42)?,
    };
    Some((entry, 46 + name + extra + comment))
}

/// Unpacks a file: its bytes go to `sink`, piece by piece. What went there counts
/// only if this ends well.
///
/// # Errors
/// [`ZipError`].
pub fn unpack(
    read: ReadAt<'_>,
    entry: &Entry,
    sink: &mut dyn FnMut(&[u8]) -> io::Result<()>,
) -> Result<(), ZipError> {
    let damaged = || ZipError::Damaged { name: entry.name.clone() };
    let mut head = [0; 30];
    read(entry.at.into(), &mut head).map_err(ZipError::Read)?;
    let skipped = match (head.starts_with(b"PK\x03\x04"), le16(&head, 26), le16(&head, 28)) {
        (true, Some(name), Some(extra)) => 30 + u64::from(name) + u64::from(extra),
        _ => return Err(damaged()),
    };
    let mut packed = Packed { read, at: u64::from(entry.at) + skipped, left: entry.packed };
    let mut hasher = crc32::Hasher::new();
    let mut left = entry.size;
    let mut take = |bytes: &[u8]| {
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        left = left.checked_sub(length).ok_or_else(damaged)?;
        hasher.update(bytes);
        sink(bytes).map_err(ZipError::Sink)
    };
    match entry.method {
        STORED => {
            let mut buffer = vec![0; WINDOW];
            while packed.left > 0 {
                let got = packed.next(&mut buffer)?;
                take(&buffer[..got])?;
            }
        }
        DEFLATED => inflate(&mut packed, &mut take, &damaged)?,
        _ => return Err(ZipError::Packing { name: entry.name.clone() }),
    }
    if left == 0 && hasher.finalize() == entry.crc { Ok(()) } else { Err(damaged()) }
}

/// The packed bytes of one file.
struct Packed<'a> {
    read: ReadAt<'a>,
    at: u64,
    left: u32,
}

impl Packed<'_> {
    fn next(&mut self, buffer: &mut [u8]) -> Result<usize, ZipError> {
        let wanted = buffer.len().min(self.left as usize);
        (self.read)(self.at, &mut buffer[..wanted]).map_err(ZipError::Read)?;
        self.at += wanted as u64;
        self.left -= wanted as u32;
        Ok(wanted)
    }
}

fn inflate(
    packed: &mut Packed<'_>,
    take: &mut dyn FnMut(&[u8]) -> Result<(), ZipError>,
    damaged: &dyn Fn() -> ZipError,
) -> Result<(), ZipError> {
    let mut state = Box::<DecompressorOxide>::default();
    let (mut window, mut input) = (vec![0; WINDOW], vec![0; 0x2000]);
    let (mut from, mut to, mut at) = (0, 0, 0);
    loop {
        if from == to && packed.left > 0 {
            (from, to) = (0, packed.next(&mut input)?);
        }
        let flags = if packed.left > 0 { TINFL_FLAG_HAS_MORE_INPUT } else { 0 };
        let (status, used, made) = decompress(&mut state, &input[from..to], &mut window, at, flags);
        from += used;
        take(&window[at..at + made])?;
        at = (at + made) % WINDOW;
        match status {
            TINFLStatus::Done => return Ok(()),
            TINFLStatus::HasMoreOutput => {}
            TINFLStatus::NeedsMoreInput if packed.left > 0 => {}
            _ => return Err(damaged()),
        }
    }
}
