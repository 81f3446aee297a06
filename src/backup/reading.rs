//! One pass over the chip: every partition hashed, judged, and its blocks'
//! CRC32s kept, so that a second pass can be compared with it. What cannot be
//! read is a gap, named to 512 bytes.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use crc32fast::Hasher;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{BackupError, Digest, Progress};
use crate::chip::{Chip, ChipError, Partition, Role, WINDOW};
use crate::image::content::{Content, ContentCheck};

/// The smallest piece tried where reads fail, in bytes.
const SECTOR: usize = 512;
/// How often a failing read is tried.
const TRIES: u32 = 3;
/// Stack of the thread that reads ahead, in bytes: its buffers are on the heap.
const READER_STACK: usize = 64 << 10;

/// Bytes that could not be read; they stand as 0xFF in what is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// Bytes from the partition's start.
    pub offset: u32,
    /// Bytes.
    pub length: u32,
}

/// One partition, read once.
#[derive(Clone, Debug)]
pub struct PartReading {
    /// The partition's number.
    pub index: u32,
    /// SHA-256 of its content.
    pub sha256: Digest,
    /// CRC32 of its content.
    pub crc32: u32,
    /// CRC32 of each cell: an erase block, or 64 KiB where that is less.
    pub cells: Vec<u32>,
    /// What could not be read.
    pub gaps: Vec<Gap>,
    /// What it holds, and what is wrong with it.
    pub content: Content,
}

/// The whole chip, read once.
#[derive(Clone, Debug)]
pub struct Reading {
    /// The partitions, in the order in which they make up the chip.
    pub parts: Vec<PartReading>,
    /// SHA-256 of all of them, one after the other.
    pub sha256: Digest,
}

impl Reading {
    /// The reading of a partition.
    pub fn of(&self, part: &Partition) -> Option<&PartReading> {
        self.parts.iter().find(|p| p.index == part.index)
    }

    /// Whether something could not be read.
    pub fn has_gaps(&self) -> bool {
        self.parts.iter().any(|p| !p.gaps.is_empty())
    }
}

/// Bytes of a cell: what one CRC32 stands for.
pub fn cell_size(part: &Partition) -> u32 {
    if part.erase_size == 0 { WINDOW } else { part.erase_size.min(WINDOW) }
}

/// The CRC32 of an erased cell.
pub fn erased_crc(length: u32) -> u32 {
    let mut hasher = Hasher::new();
    let blank = [0xFF; 1024];
    let mut left = length as usize;
    while left > 0 {
        let now = left.min(blank.len());
        hasher.update(&blank[..now]);
        left -= now;
    }
    hasher.finalize()
}

/// The partitions of a chip in the order in which they are read and make up
/// `chip.bin`; overlapping aliases are left out where the rest covers the chip.
pub fn in_order(chip: &dyn Chip) -> Vec<&Partition> {
    let covering = chip.map().covering();
    if covering.is_empty() { chip.map().partitions.iter().collect() } else { covering }
}

/// Reads the whole chip.
///
/// # Errors
/// Only for what is no unreadable place: those become gaps.
pub fn read_chip(chip: &dyn Chip, progress: &dyn Progress) -> Result<Reading, BackupError> {
    let parts = in_order(chip);
    let total = parts.iter().map(|p| u64::from(p.size)).sum();
    let mut whole = Sha256::new();
    let mut done = 0;
    let mut readings = Vec::with_capacity(parts.len());
    std::thread::scope(|threads| {
        // The next window is read while this one is hashed.
        let (out, windows_read) = sync_channel(2);
        let (give_back, spare) = sync_channel(4);
        let wanted = parts.clone();
        std::thread::Builder::new()
            .name("read".to_owned())
            .stack_size(READER_STACK)
            .spawn_scoped(threads, move || read_ahead(chip, &wanted, &out, &spare))
            .map_err(BackupError::Thread)?;
        for part in &parts {
            let mut reader = PartReader::new(part);
            for _ in windows(part) {
                let (window, gaps) =
                    windows_read.recv().map_err(|_| BackupError::Interrupted)??;
                whole.update(&window);
                reader.take(&window, gaps);
                done += window.len() as u64;
                progress.at("reading the chip", done, total);
                // The reader may have ended already.
                let _ = give_back.try_send(window);
            }
            readings.push(reader.finish());
        }
        Ok(Reading { parts: readings, sha256: whole.finalize().into() })
    })
}

type Window = Result<(Vec<u8>, Vec<Gap>), ChipError>;

/// Reads all windows in order; ends early where nobody wants them any more.
fn read_ahead(
    chip: &dyn Chip,
    parts: &[&Partition],
    out: &SyncSender<Window>,
    spare: &Receiver<Vec<u8>>,
) {
    for part in parts {
        for offset in windows(part) {
            let mut window = spare.try_recv().unwrap_or_default();
            window.resize(window_length(part, offset), 0);
            let read = read_window(chip, part, offset, &mut window);
            let failed = read.is_err();
            if out.send(read.map(|gaps| (window, gaps))).is_err() || failed {
                return;
            }
        }
    }
}

/// Where each window of a partition starts.
pub fn windows(part: &Partition) -> impl Iterator<Item = u32> + use<> {
    (0..part.size).step_by(WINDOW as usize)
}

/// How long the window at `offset` is; only the last may be shorter.
pub fn window_length(part: &Partition, offset: u32) -> usize {
    (part.size - offset).min(WINDOW) as usize
}

/// Hashes and judges one partition, window by window.
pub struct PartReader {
    index: u32,
    cell: usize,
    sha256: Sha256,
    crc32: Hasher,
    cells: Vec<u32>,
    gaps: Vec<Gap>,
    check: ContentCheck,
}

impl PartReader {
    /// Starts with a partition's first window.
    pub fn new(part: &Partition) -> PartReader {
        PartReader::with_check(part, ContentCheck::new(part.role, part.size))
    }

    /// The same without a judgement, for a second reading.
    pub fn hashing_only(part: &Partition) -> PartReader {
        PartReader::with_check(part, ContentCheck::new(Role::Other, part.size))
    }

    fn with_check(part: &Partition, check: ContentCheck) -> PartReader {
        PartReader {
            index: part.index,
            cell: cell_size(part) as usize,
            sha256: Sha256::new(),
            crc32: Hasher::new(),
            cells: Vec::with_capacity((part.size / cell_size(part)) as usize),
            gaps: Vec::new(),
            check,
        }
    }

    /// Takes the next window, and what of it could not be read.
    pub fn take(&mut self, window: &[u8], gaps: Vec<Gap>) {
        self.sha256.update(window);
        for cell in window.chunks(self.cell) {
            let mut hasher = Hasher::new();
            hasher.update(cell);
            self.cells.push(hasher.clone().finalize());
            self.crc32.combine(&hasher);
        }
        for gap in gaps {
            match self.gaps.last_mut() {
                Some(last) if last.offset + last.length == gap.offset => last.length += gap.length,
                _ => self.gaps.push(gap),
            }
        }
        self.check.feed(window);
    }

    /// Ends with the last window.
    pub fn finish(self) -> PartReading {
        PartReading {
            index: self.index,
            sha256: self.sha256.finalize().into(),
            crc32: self.crc32.finalize(),
            cells: self.cells,
            gaps: self.gaps,
            content: self.check.finish(),
        }
    }
}

/// Reads a window; what cannot be read, after some tries, is halved down to
/// 512 bytes, filled with 0xFF, and named.
///
/// # Errors
/// Whatever is no failing read.
pub fn read_window(
    chip: &dyn Chip,
    part: &Partition,
    offset: u32,
    buf: &mut [u8],
) -> Result<Vec<Gap>, ChipError> {
    let mut failure = None;
    for _ in 0..TRIES {
        match chip.read(part, offset, buf) {
            Ok(()) => return Ok(Vec::new()),
            Err(e @ ChipError::Read { .. }) => failure = Some(e),
            Err(e) => return Err(e),
        }
    }
    if buf.len() <= SECTOR {
        if let Some(e) = failure {
            log::warn!("{e}: a gap of {} bytes", buf.len());
        }
        buf.fill(0xFF);
        return Ok(vec![Gap { offset, length: buf.len() as u32 }]);
    }
    let half = (buf.len() / 2).next_multiple_of(SECTOR);
    let (left, right) = buf.split_at_mut(half);
    let mut gaps = read_window(chip, part, offset, left)?;
    gaps.extend(read_window(chip, part, offset + half as u32, right)?);
    Ok(gaps)
}

/// Reads a whole small partition until two readings in a row agree.
///
/// # Errors
/// [`BackupError::Chip`] where it cannot be read, [`BackupError::Unsettled`]
/// where no two readings agree.
pub fn read_settled(chip: &dyn Chip, part: &Partition) -> Result<Vec<u8>, BackupError> {
    let mut last = vec![0; part.size as usize];
    let mut next = vec![0; part.size as usize];
    chip.read(part, 0, &mut last)?;
    for _ in 0..4 {
        chip.read(part, 0, &mut next)?;
        if last == next {
            return Ok(last);
        }
        log::warn!("two readings of {} differ: reading again", part.name);
        std::mem::swap(&mut last, &mut next);
    }
    Err(BackupError::Unsettled { partition: part.name.clone() })
}

/// Whether a partition may change by itself while Linux runs.
pub fn is_live(part: &Partition) -> bool {
    part.role == Role::Data
}
