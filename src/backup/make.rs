//! Making a set: a first reading names it, a second one fills it, the card is
//! read back, and only then its checksums close it.

use std::path::Path;

use crate::formats::sha256::Sha256;
use crate::image::OnChip;
use crate::image::uboot::Loader;

use super::describe::{block_sums, manifest};
use super::manifest::{MANIFEST, Manifest, owner};
use super::reading::{Gap, Reading, in_order, is_live, merged, read_chip};
use super::request::{BackupOutcome, Request};
use super::second::{Second, Trouble, second_reading};
use super::set::{self, CHIP, RECOVERY, SetFolder, SetName, UNFINISHED};
use super::sums::{BLOCKSUMS, SHA256SUMS, Sums};
use super::{BackupError, Verification, recovery, room, verify};
use crate::base::hex;
use crate::card::CardError;
use crate::card::file::{self, write_proven};
use crate::chip::{Chip, Role};
use crate::image::Finding;
use crate::image::content::{Depth, Health};

/// How often the chip is read from the start when two readings contradict each other.
const TRIES: u32 = 3;
/// How often it is tried after that, with the places in doubt left out.
const TRIES_IN_DOUBT: u32 = 5;

/// Makes a set, unless one holds the chip already. A chip that never reads the
/// same twice is saved anyway, as an incomplete set that names where.
///
/// # Errors
/// [`BackupError`]; what was begun is removed again, as far as the card lets.
pub fn backup(request: &Request<'_>) -> Result<BackupOutcome, BackupError> {
    let backups = request.card.backups();
    let mut reading = match &request.first {
        Some(reading) => reading.clone(),
        None => read_chip(request.chip, Depth::Quick, request.progress)?,
    };
    let mut proofs = Vec::new();
    if let Some(set) = holder(request, &reading, &mut proofs)? {
        if request.card.require_writable().is_ok()
            && let Ok(_lock) = file::lock_dir(&backups)
        {
            room::unmark(&set);
            room::clean_up(request, &proofs);
        }
        if let Some(manifest) = set.manifest() {
            recall(manifest, request.chip, &mut reading);
        }
        return Ok(BackupOutcome { set, made: false, reading, proofs });
    }
    request.card.require_writable()?;
    file::make_dir(&backups)?;
    let _lock = file::lock_dir(&backups)?;
    room::make(request, &reading)?;
    let mut doubtful: Vec<(u32, Gap)> = Vec::new();
    for attempt in 1..=TRIES + TRIES_IN_DOUBT {
        if attempt > TRIES {
            doubt(&mut reading, &doubtful);
        }
        let number = set::next_number(&backups)?;
        let name = if reading.has_gaps() {
            SetName::incomplete(number)
        } else {
            SetName::complete(number, &reading.sha256)
        };
        let folder = backups.join(name.to_string());
        // Before this nothing of the folder is ours, and nothing of it is removed.
        file::make_new_dir(&folder)?;
        match fill(request, &folder, &reading, attempt) {
            Ok(second) => {
                for (before, (now, _)) in reading.parts.iter_mut().zip(second.parts) {
                    before.content = now.content;
                }
                let set = SetFolder::read(&folder)
                    .filter(|set| set.manifest().is_some())
                    .ok_or(BackupError::NotProven { file: SHA256SUMS.into() })?;
                proofs.push((set.name.clone(), verify::just_proven(&set)));
                room::clean_up(request, &proofs);
                return Ok(BackupOutcome { set, made: true, reading, proofs });
            }
            Err(Trouble::Contradiction { index, partition, places }) => {
                log::warn!("the second reading of {partition} differs: starting again");
                room::abandon(&folder);
                doubtful.extend(places.into_iter().map(|place| (index, place)));
                reading = read_chip(request.chip, Depth::Quick, request.progress)?;
            }
            Err(Trouble::Failed(e)) => {
                room::abandon(&folder);
                return Err(e);
            }
        }
    }
    Err(BackupError::Unsettled { partition: "the chip".into() })
}

/// What was verified when the set was made holds for the same bytes now: that
/// takes no second look at them.
fn recall(manifest: &Manifest, chip: &dyn Chip, reading: &mut Reading) {
    for part in in_order(chip).into_iter().filter(|part| part.role == Role::Rootfs) {
        let note = manifest.partitions.iter().find(|note| note.name == part.name);
        let now = reading.parts.iter_mut().find(|read| read.index == part.index);
        let (Some(note), Some(now)) = (note, now) else { continue };
        if hex(&now.sha256) != note.sha256 {
            continue;
        }
        if let Some(facts) = &mut now.content.facts.squashfs {
            facts.blocks_verified = note.blocks_verified;
        }
        let was_damaged = note.health == Health::Damaged.name();
        if was_damaged && now.content.health == Health::Healthy {
            now.content.health = Health::Damaged;
            now.content.findings.push(
                Finding::blocker(
                    "squashfs-block",
                    "Some of its blocks are damaged: their checksums were wrong when this backup \
                     was made.",
                )
                .hint("`mi360d map` reads it again and lists them."),
            );
        }
    }
}

/// Marks as gaps what no two readings agreed on.
fn doubt(reading: &mut Reading, doubtful: &[(u32, Gap)]) {
    for part in &mut reading.parts {
        let mine = doubtful.iter().filter(|(index, _)| *index == part.index);
        part.gaps.extend(mine.map(|(_, gap)| gap.clone()));
        part.gaps = merged(std::mem::take(&mut part.gaps));
    }
}

/// The newest set of this camera, if it holds what was read (DATA may
/// differ, it lives) and still proves to.
fn holder(
    request: &Request<'_>,
    reading: &Reading,
    proofs: &mut Vec<(SetName, Verification)>,
) -> Result<Option<SetFolder>, BackupError> {
    let boot = request.chip.map().by_role(Role::Boot).or(in_order(request.chip).first().copied());
    let boot = boot.and_then(|part| reading.of(part)).map(|read| hex(&read.sha256));
    let health = request.identity.health.name();
    let me = owner(request.identity.mark(), health, boot.as_deref());
    let newest = set::try_list(&request.card.backups())?.into_iter().rev().find(|set| {
        (set.closed().is_some() != reading.has_gaps())
            && set.owner().is_some_and(|owner| owner == me)
    });
    let Some(set) = newest else { return Ok(None) };
    if !set.manifest().is_some_and(|m| holds(m, request.chip, reading, request.exact)) {
        return Ok(None);
    }
    let verdict = verify::verify(&set.path, request.progress)?;
    let whole = verdict.is_whole();
    for damage in &verdict.damage {
        log::error!("backup {} is damaged: {damage}", set.name);
    }
    proofs.push((set.name.clone(), verdict));
    Ok(whole.then_some(set))
}

/// Whether a manifest describes the same chip, DATA aside unless it is to be exact.
pub fn holds(manifest: &Manifest, chip: &dyn Chip, reading: &Reading, exact: bool) -> bool {
    let parts = in_order(chip);
    parts.len() == manifest.partitions.len()
        && parts.iter().all(|part| {
            manifest.partitions.iter().any(|note| {
                let same_place =
                    note.name == part.name && note.size == part.size && note.offset == part.offset;
                let now = reading.of(part);
                same_place
                    && now.is_some_and(|now| {
                        now.gaps == note.gaps
                            && ((is_live(part) && !exact) || hex(&now.sha256) == note.sha256)
                    })
            })
        })
}

/// Fills a set's folder, which is new and empty.
fn fill(
    request: &Request<'_>,
    folder: &Path,
    first: &Reading,
    attempt: u32,
) -> Result<Second, Trouble> {
    write_proven(&folder.join(UNFINISHED), b"")?;
    file::sync_dir(folder)?;
    let second = second_reading(request, folder, first, attempt)?;
    let manifest = manifest(request, first, &second);
    let text = manifest
        .to_text()
        .map_err(|e| CardError::new("cannot write", &folder.join(MANIFEST), e))?;
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let boot = request.chip.map().by_role(Role::Boot);
    let boot = boot.map(|part| OnChip { chip: request.chip, part });
    // A BOOT that cannot be read names nothing.
    let loader = boot.and_then(|boot| Loader::of(&boot).ok()).unwrap_or_default();
    let recovery = recovery::text(&manifest, &loader, &name);
    let blocks = block_sums(request.chip, &second, &manifest, &text, &recovery);
    let texts =
        [(MANIFEST, text.as_str()), (RECOVERY, recovery.as_str()), (BLOCKSUMS, blocks.as_str())];
    for (name, text) in texts {
        write_proven(&folder.join(name), text.as_bytes())?;
    }
    file::sync_dir(folder)?;

    let mut sums = Sums::default();
    for (note, (part, _)) in manifest.partitions.iter().zip(&second.parts) {
        sums.0.push((note.file.clone(), part.sha256));
    }
    if manifest.has_chip() {
        sums.0.push((CHIP.to_owned(), second.sha256));
    }
    for (name, text) in texts {
        sums.0.push((name.to_owned(), Sha256::digest(text.as_bytes())));
    }
    write_proven(&folder.join(SHA256SUMS), sums.to_text().as_bytes())?;
    file::sync_dir(folder)?;
    // The set counts from here on: a mark that cannot be taken away is no failure.
    room::take_mark(folder);
    Ok(second)
}
