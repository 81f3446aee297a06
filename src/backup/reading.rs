//! One pass over the chip: every partition hashed, judged, and its blocks'
//! CRC32s kept, so that a second pass can be compared with it. What cannot be
//! read is a gap, named to 512 bytes.

use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use crate::error::Chain;
use crate::formats::crc32::{self, Hasher};
use crate::formats::sha256::Sha256;
use serde::{Deserialize, Serialize};

use super::{BackupError, Progress, Work};
use crate::base::Digest;
use crate::card::{MOUNT_POINT, claim};
use crate::chip::{Chip, ChipError, Partition, Role, WINDOW};
use crate::image::content::{Content, ContentCheck, Depth};

/// The smallest piece tried where reads fail, in bytes.
const SECTOR: usize = 512;
/// How often a failing read is tried.
const TRIES: u32 = 3;
/// Gaps of one partition that a manifest names one by one.
const MOST_GAPS: usize = 64;
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
    /// SHA-256 of those that make up the chip, one after the other.
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

/// The partitions of a chip in the order in which they are read: first those
/// that make up `chip.bin`, then whatever else there is. Only another name for
/// the whole chip is left out, where the others cover it.
pub fn in_order(chip: &dyn Chip) -> Vec<&Partition> {
    let mut parts = chip.map().covering();
    let placed = !parts.is_empty();
    let rest = chip.map().partitions.iter().filter(|p| p.offset.is_none());
    parts.extend(rest.filter(|p| !(placed && p.is_alias)));
    parts
}

/// Whether a partition's bytes are part of what the chip's digest is of: those
/// that have a place on the chip; all, where none has.
pub fn is_of_chip(chip: &dyn Chip, part: &Partition) -> bool {
    part.offset.is_some() || chip.map().chip_size.is_none()
}

/// Reads the whole chip; `depth` says how far the contents are judged.
///
/// # Errors
/// Only for what is no unreadable place: those become gaps.
pub fn read_chip(
    chip: &dyn Chip,
    depth: Depth,
    progress: &dyn Progress,
) -> Result<Reading, BackupError> {
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
            let mut reader = PartReader::new(part, depth);
            for _ in windows(part) {
                let (window, gaps) =
                    windows_read.recv().map_err(|_| BackupError::Interrupted)??;
                if is_of_chip(chip, part) {
                    whole.update(&window);
                }
                reader.take(&window, gaps);
                done += window.len() as u64;
                progress.at(Work::ReadChip, done, total);
                // The caller of this holds a lock on the card.
                claim::check(Path::new(MOUNT_POINT))?;
                // The reader may have ended already.
                let _ = give_back.try_send(window);
            }
            readings.push(reader.finish());
        }
        Ok(Reading { parts: readings, sha256: whole.finalize() })
    })
}

type Window = Result<(Vec<u8>, Vec<Gap>), ChipError>;

/// Reads all windows in order; ends early if nobody needs them any more.
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
    pub fn new(part: &Partition, depth: Depth) -> PartReader {
        PartReader::with_check(part, ContentCheck::with_depth(part.role, part.size, depth))
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
            self.cells.push(crc32::hash(cell));
            self.crc32.update(cell);
        }
        self.gaps.extend(gaps);
        self.check.feed(window);
    }

    /// Ends with the last window.
    pub fn finish(self) -> PartReading {
        PartReading {
            index: self.index,
            sha256: self.sha256.finalize(),
            crc32: self.crc32.finalize(),
            cells: self.cells,
            gaps: merged(self.gaps),
            content: self.check.finish(),
        }
    }
}

/// Gaps in order and joined; more than a manifest should hold become coarser,
/// and so name more than is missing, never less.
pub fn merged(mut gaps: Vec<Gap>) -> Vec<Gap> {
    let mut grain = SECTOR as u32;
    loop {
        gaps.sort_by_key(|gap| gap.offset);
        let mut joined: Vec<Gap> = Vec::new();
        for gap in &gaps {
            let start = gap.offset / grain * grain;
            let end = (gap.offset + gap.length).next_multiple_of(grain);
            match joined.last_mut() {
                Some(last) if last.offset + last.length >= start => {
                    last.length = last.length.max(end - last.offset);
                }
                _ => joined.push(Gap { offset: start, length: end - start }),
            }
        }
        if joined.len() <= MOST_GAPS {
            return joined;
        }
        gaps = joined;
        grain *= 8;
    }
}

/// Whether some of the bytes from `start` to `end` are in a gap.
pub fn touches(gaps: &[Gap], start: u32, end: u32) -> bool {
    gaps.iter().any(|gap| gap.offset < end && gap.offset + gap.length > start)
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
            log::warn!("{e}: a gap of {} bytes", buf.len(), e = Chain(&e));
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
