//! The second reading: into the files of a set. What differs from the first
//! is read until it is settled; what was written is verified on the way.

use std::path::Path;
use std::sync::Arc;

use crate::formats::sha256::Sha256;

use super::proving::{self, Lane};
use super::reading::{
    Gap, PartReader, PartReading, Reading, cell_size, in_order, is_live, is_of_chip, read_window,
    touches, window_length, windows,
};
use super::request::Request;
use super::set::{CHIP, file_name};
use super::{BackupError, Work};
use crate::base::Digest;
use crate::base::hex;
use crate::card::file::NewFile;
use crate::chip::{Chip, Partition, Role, WINDOW};
use crate::formats::crc32;
use crate::image::ContentCheck;

/// Readings of one window until two in a row must agree.
const WINDOW_TRIES: u32 = 5;

/// Why a set could not be made.
pub(super) enum Trouble {
    /// Two readings of a partition contradict each other, in these places.
    Contradiction {
        /// The partition's number.
        index: u32,
        /// Its name.
        partition: String,
        /// Where.
        places: Vec<Gap>,
    },
    /// Anything else.
    Failed(BackupError),
}

impl Trouble {
    fn contradiction(part: &Partition, places: Vec<Gap>) -> Trouble {
        Trouble::Contradiction { index: part.index, partition: part.name.clone(), places }
    }
}

impl<E: Into<BackupError>> From<E> for Trouble {
    fn from(error: E) -> Trouble {
        Trouble::Failed(error.into())
    }
}

/// What the second reading gave.
pub(super) struct Second {
    /// Each partition, and its blocks that changed since the first reading.
    pub parts: Vec<(PartReading, Vec<u32>)>,
    /// SHA-256 of all of them, one after the other.
    pub sha256: Digest,
}

/// Reads the chip a second time, into the files of a set, and proves them.
pub(super) fn second_reading(
    request: &Request<'_>,
    folder: &Path,
    first: &Reading,
    attempt: u32,
) -> Result<Second, Trouble> {
    // What has gaps, or no certain order, is no image for a programmer.
    let has_chip = !first.has_gaps() && request.chip.map().chip_size.is_some();
    let chip_file =
        if has_chip { Some(Arc::new(NewFile::create(folder.join(CHIP))?)) } else { None };
    let (second, proven) =
        proving::behind(chip_file, |lane| read_again(request, folder, first, attempt, lane))?;
    // The proof: what is on the card, read past the cache, against what came from the chip.
    for ((part, _), (file, digest)) in second.parts.iter().zip(&proven.files) {
        if part.sha256 != *digest {
            return Err(BackupError::NotProven { file: file.clone() }.into());
        }
    }
    let of_chip = if has_chip { chip_bytes(request.chip) } else { 0 };
    if proven.files.len() != second.parts.len() || proven.chip != of_chip {
        return Err(BackupError::NotProven { file: CHIP.to_owned() }.into());
    }
    let factory = request.chip.map().by_role(Role::Factory);
    if let (Some(part), Some(fingerprint)) = (factory, request.identity.mark())
        && let Some((factory, _)) = second.parts.iter().find(|(r, _)| r.index == part.index)
        && !hex(&factory.sha256).starts_with(fingerprint)
        && factory.gaps.is_empty()
    {
        let all = vec![Gap { offset: 0, length: part.size }];
        return Err(Trouble::contradiction(part, all));
    }
    Ok(second)
}

/// Bytes of `chip.bin`.
fn chip_bytes(chip: &dyn Chip) -> u64 {
    let parts = in_order(chip).into_iter().filter(|part| is_of_chip(chip, part));
    parts.map(|part| u64::from(part.size)).sum()
}

/// The first try takes only what is as in the first reading, which is hashed: cell by cell by its
/// CRC32, and as a whole by the SHA-256 of what then is on the card. So nothing is hashed here.
/// Where something changed, or cannot be read, what came this time has hashes of its own.
fn read_again(
    request: &Request<'_>,
    folder: &Path,
    first: &Reading,
    attempt: u32,
    lane: &Lane,
) -> Result<Second, Trouble> {
    let chip = request.chip;
    let parts = in_order(chip);
    let total = parts.iter().map(|p| u64::from(p.size)).sum();
    let hashes = attempt > 1 || first.has_gaps();
    let mut whole = Sha256::new();
    let mut done = 0;
    let mut readings = Vec::with_capacity(parts.len());
    let mut buf = vec![0; WINDOW as usize];
    for (part, before) in parts.into_iter().zip(&first.parts) {
        let mut file = lane
            .file(folder.join(file_name(part, before.gaps.is_empty())), is_of_chip(chip, part))?;
        let mut reader = hashes.then(|| PartReader::hashing_only(part));
        // What takes long is verified here, where the content is new, and not at every start.
        let mut check = (part.role == Role::Rootfs && before.gaps.is_empty())
            .then(|| ContentCheck::new(part.role, part.size));
        let mut changed = Vec::new();
        for offset in windows(part) {
            let window = &mut buf[..window_length(part, offset)];
            let gaps = settle(chip, part, offset, window, before, &mut changed)?;
            file.write(window)?;
            if let Some(check) = &mut check {
                check.feed(window);
            }
            if let Some(reader) = &mut reader {
                if is_of_chip(chip, part) {
                    whole.update(&*window);
                }
                reader.take(window, gaps);
            } else if !gaps.is_empty() {
                return Err(Trouble::contradiction(part, gaps));
            }
            done += window.len() as u64;
            request.progress.at(Work::ReadAgain, done, total);
        }
        file.finish()?;
        let mut now = reader.map_or_else(|| before.clone(), PartReader::finish);
        now.content = check.map_or_else(|| before.content.clone(), ContentCheck::finish);
        // DATA may live; but the first time a change in it could also be a bad first reading.
        let may_change = is_live(part) && attempt > 1;
        let cells = changed.iter().map(|cell| gap_of(part, *cell)).collect();
        let differs = now.sha256 != before.sha256 && before.gaps.is_empty();
        if !may_change && (differs || !changed.is_empty()) {
            return Err(Trouble::contradiction(part, cells));
        }
        let new_gaps = now.gaps.iter().any(|gap| !within(gap, &before.gaps));
        if new_gaps {
            return Err(Trouble::contradiction(part, now.gaps));
        }
        now.gaps.clone_from(&before.gaps);
        readings.push((now, changed));
    }
    let sha256 = if hashes { whole.finalize() } else { first.sha256 };
    Ok(Second { parts: readings, sha256 })
}

/// Reads a window a second time. Where it differs from the first reading it is
/// read until two in a row agree: so one wrong reading, first or second, is outvoted.
fn settle(
    chip: &dyn Chip,
    part: &Partition,
    offset: u32,
    window: &mut [u8],
    before: &PartReading,
    changed: &mut Vec<u32>,
) -> Result<Vec<Gap>, Trouble> {
    let mut gaps = read_window(chip, part, offset, window)?;
    let cell = cell_size(part);
    let differing = |window: &[u8]| -> Vec<u32> {
        let first_cell = offset / cell;
        let cells = window.chunks(cell as usize).map(crc32::hash);
        (first_cell..)
            .zip(cells)
            .filter(|(i, crc)| before.cells.get(*i as usize) != Some(crc))
            // Where nothing can be relied on, nothing is compared.
            .filter(|(i, _)| !touches(&before.gaps, i * cell, (i + 1) * cell))
            .map(|(i, _)| i)
            .collect()
    };
    if differing(window).is_empty() {
        return Ok(gaps);
    }
    let mut again = vec![0; window.len()];
    for round in 0..WINDOW_TRIES {
        let gaps_again = read_window(chip, part, offset, &mut again)?;
        if again == window && gaps == gaps_again {
            let still = differing(window);
            if still.is_empty() {
                log::warn!("{} at {offset:#x}: one reading was wrong, two agree", part.name);
            }
            changed.extend(still);
            return Ok(gaps);
        }
        if round + 1 < WINDOW_TRIES {
            window.copy_from_slice(&again);
            gaps = gaps_again;
        }
    }
    let unsettled = window
        .chunks(cell as usize)
        .zip(again.chunks(cell as usize))
        .zip(offset / cell..)
        .filter(|((a, b), _)| a != b)
        .map(|(_, i)| gap_of(part, i))
        .chain(differing(window).into_iter().map(|i| gap_of(part, i)))
        .collect();
    Err(Trouble::contradiction(part, unsettled))
}

fn gap_of(part: &Partition, cell: u32) -> Gap {
    let size = cell_size(part);
    Gap { offset: cell * size, length: size.min(part.size - cell * size) }
}

fn within(gap: &Gap, known: &[Gap]) -> bool {
    known.iter().any(|k| k.offset <= gap.offset && gap.offset + gap.length <= k.offset + k.length)
}
