//! The second reading: into the files of a set. What differs from the first
//! is read until it is settled; what was written is proven on the way.

use std::path::Path;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::describe::file_name;
use super::make::Request;
use super::proving::{self, Lane};
use super::reading::{
    Gap, PartReader, PartReading, Reading, cell_size, in_order, is_live, read_window,
    window_length, windows,
};
use super::set::CHIP;
use super::{BackupError, Digest, hex};
use crate::card::file::NewFile;
use crate::chip::{Chip, Partition, Role, WINDOW};

/// Readings of one window until two in a row must agree.
const WINDOW_TRIES: u32 = 5;

/// Why a set could not be made.
pub(super) enum Trouble {
    /// Two readings of this partition contradict each other.
    Contradiction(String),
    /// Anything else.
    Failed(BackupError),
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
    let chip_file =
        if first.has_gaps() { None } else { Some(Arc::new(NewFile::create(folder.join(CHIP))?)) };
    let (second, proven) =
        proving::behind(chip_file, |lane| read_again(request, folder, first, attempt, lane))?;
    // The proof: what lies on the card, read past the cache, against what came from the chip.
    for ((part, _), (file, digest)) in second.parts.iter().zip(&proven) {
        if part.sha256 != *digest {
            return Err(BackupError::NotProven { file: file.clone() }.into());
        }
    }
    let factory = request.chip.map().by_role(Role::Factory);
    if let (Some(part), Some(fingerprint)) = (factory, request.identity.mark())
        && let Some((factory, _)) = second.parts.iter().find(|(r, _)| r.index == part.index)
        && !hex(&factory.sha256).starts_with(fingerprint)
        && factory.gaps.is_empty()
    {
        return Err(Trouble::Contradiction(part.name.clone()));
    }
    Ok(second)
}

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
    let mut whole = Sha256::new();
    let mut done = 0;
    let mut readings = Vec::with_capacity(parts.len());
    let mut buf = vec![0; WINDOW as usize];
    for (part, before) in parts.into_iter().zip(&first.parts) {
        let mut file = lane.file(folder.join(file_name(part, before)))?;
        let mut reader = PartReader::hashing_only(part);
        let mut changed = Vec::new();
        for offset in windows(part) {
            let window = &mut buf[..window_length(part, offset)];
            let gaps = settle(chip, part, offset, window, before, &mut changed)?;
            file.write(window)?;
            whole.update(&*window);
            reader.take(window, gaps);
            done += window.len() as u64;
            request.progress.at("reading again, onto the card", done, total);
        }
        file.finish()?;
        let now = reader.finish();
        // DATA may live; but the first time a change in it could also be a bad first reading.
        let may_change = is_live(part) && attempt > 1;
        let contradiction = now.sha256 != before.sha256 && !may_change || now.gaps != before.gaps;
        if contradiction {
            return Err(Trouble::Contradiction(part.name.clone()));
        }
        readings.push((now, changed));
    }
    Ok(Second { parts: readings, sha256: whole.finalize().into() })
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
) -> Result<Vec<Gap>, BackupError> {
    let mut gaps = read_window(chip, part, offset, window)?;
    let cell = cell_size(part);
    let differing = |window: &[u8]| -> Vec<u32> {
        let first_cell = offset / cell;
        let cells = window.chunks(cell as usize).map(crc32fast::hash);
        (first_cell..)
            .zip(cells)
            .filter(|(i, crc)| before.cells.get(*i as usize) != Some(crc))
            .map(|(i, _)| i)
            .collect()
    };
    if differing(window).is_empty() {
        return Ok(gaps);
    }
    let mut again = vec![0; window.len()];
    for _ in 0..WINDOW_TRIES {
        let gaps_again = read_window(chip, part, offset, &mut again)?;
        if again == window && gaps == gaps_again {
            let still = differing(window);
            if still.is_empty() {
                log::warn!("{} at {offset:#x}: one reading was wrong, two agree", part.name);
            }
            changed.extend(still);
            return Ok(gaps);
        }
        window.copy_from_slice(&again);
        gaps = gaps_again;
    }
    Err(BackupError::Unsettled { partition: part.name.clone() })
}
