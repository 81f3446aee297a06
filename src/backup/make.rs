//! Making a set: a first reading names it, a second one fills it, the card is
//! read back, and only then its checksums close it.

use std::fs;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::describe::{block_sums, manifest};
use super::manifest::{MANIFEST, Manifest};
use super::reading::{Reading, in_order, is_live, read_chip};
use super::second::{Trouble, second_reading};
use super::set::{self, CHIP, RECOVERY, SetFolder, SetName, UNFINISHED};
use super::sums::{BLOCKSUMS, SHA256SUMS, Sums};
use super::{BackupError, Progress, Verdict, hex, recovery, retention, verify};
use crate::card::file::{self, write_proven};
use crate::card::{Card, CardError, CardState};
use crate::chip::Chip;
use crate::identity::Judgement;

/// How often the chip is read from the start when two readings contradict each other.
const TRIES: u32 = 3;
/// Room beyond the set itself, in bytes: texts, folders, the log.
const SPARE_ROOM: u64 = 0x10_0000;

/// What a manifest says that the chip does not tell.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// `ipc009`, ...; empty where nobody knows.
    pub model: String,
    /// Release of the running kernel.
    pub kernel: String,
    /// How often the program started on this card.
    pub boot_count: u64,
    /// UTC, if the clock is sane.
    pub clock: Option<String>,
}

/// A backup that is asked for.
pub struct Request<'a> {
    /// The chip to save.
    pub chip: &'a dyn Chip,
    /// Where to.
    pub card: &'a Card,
    /// FACTORY, judged.
    pub identity: &'a Judgement,
    /// For the manifest.
    pub facts: &'a Facts,
    /// Sets to keep beside the pristine one; `None` removes nothing.
    pub keep: Option<usize>,
    /// Who watches.
    pub progress: &'a dyn Progress,
}

/// What became of a backup.
#[derive(Debug)]
pub struct Outcome {
    /// The set that holds the chip now.
    pub set: SetFolder,
    /// Whether it was made now.
    pub made: bool,
    /// The first reading: what the chip holds.
    pub reading: Reading,
    /// Sets that were read again on the way, the one that holds the chip among them.
    pub proofs: Vec<(SetName, Verdict)>,
}

/// Makes a set, unless one holds the chip already.
///
/// # Errors
/// [`BackupError`]; what was begun is removed again, as far as the card lets.
pub fn backup(request: &Request<'_>) -> Result<Outcome, BackupError> {
    let backups = request.card.backups();
    let mut reading = read_chip(request.chip, request.progress)?;
    let mut proofs = Vec::new();
    if let Some(set) = holder(request, &reading, &mut proofs)? {
        return Ok(Outcome { set, made: false, reading, proofs });
    }
    request.card.require_writable()?;
    file::make_dir(&backups)?;
    let _lock = file::lock_dir(&backups)?;
    make_room(request, &reading)?;
    for attempt in 1..=TRIES {
        let number = set::next_number(&backups)?;
        let name = if reading.has_gaps() {
            SetName::incomplete(number)
        } else {
            SetName::complete(number, &reading.sha256)
        };
        let folder = backups.join(name.to_string());
        match write_set(request, &folder, &reading, attempt) {
            Ok(()) => {
                let set = SetFolder::read(&folder)
                    .ok_or(BackupError::NotProven { file: SHA256SUMS.into() })?;
                clean_up(request);
                proofs.push((set.name.clone(), verify::just_proven(&set)));
                return Ok(Outcome { set, made: true, reading, proofs });
            }
            Err(Trouble::Contradiction(partition)) => {
                log::warn!("{partition} read differently the second time: starting again");
                abandon(&folder);
                if attempt == TRIES {
                    return Err(BackupError::Unsettled { partition });
                }
                reading = read_chip(request.chip, request.progress)?;
            }
            Err(Trouble::Failed(e)) => {
                abandon(&folder);
                return Err(e);
            }
        }
    }
    Err(BackupError::Unsettled { partition: "the chip".into() })
}

/// The newest set of this identity, if it holds what was read (DATA may
/// differ, it lives) and still proves to.
fn holder(
    request: &Request<'_>,
    reading: &Reading,
    proofs: &mut Vec<(SetName, Verdict)>,
) -> Result<Option<SetFolder>, BackupError> {
    let sets = set::list(&request.card.backups());
    let newest = sets.into_iter().rev().find(|set| {
        let complete = set.closed().is_some();
        (complete != reading.has_gaps())
            && set.manifest().is_some()
            && set.fingerprint() == request.identity.mark()
    });
    let Some(set) = newest else { return Ok(None) };
    if !set.manifest().is_some_and(|m| holds(m, request.chip, reading)) {
        return Ok(None);
    }
    let verdict = verify::verify(&set.path, request.progress)?;
    let whole = verdict.is_whole();
    for damage in &verdict.damage {
        log::error!("backup {} no longer holds: {damage}", set.name);
    }
    proofs.push((set.name.clone(), verdict));
    Ok(whole.then_some(set))
}

/// Whether a manifest describes the same chip, DATA aside.
fn holds(manifest: &Manifest, chip: &dyn Chip, reading: &Reading) -> bool {
    let parts = in_order(chip);
    parts.len() == manifest.partitions.len()
        && parts.iter().all(|part| {
            manifest.partitions.iter().any(|note| {
                let same_place =
                    note.name == part.name && note.size == part.size && note.offset == part.offset;
                let now = reading.of(part);
                same_place
                    && now.is_some_and(|now| {
                        now.gaps == note.gaps && (is_live(part) || hex(&now.sha256) == note.sha256)
                    })
            })
        })
}

fn make_room(request: &Request<'_>, reading: &Reading) -> Result<(), BackupError> {
    let chip: u64 = in_order(request.chip).iter().map(|p| u64::from(p.size)).sum();
    let needed = chip * if reading.has_gaps() { 1 } else { 2 } + SPARE_ROOM;
    let free = || match request.card.state() {
        CardState::Ready { free, .. } => free,
        _ => 0,
    };
    if free() >= needed {
        return Ok(());
    }
    if !reading.has_gaps() {
        // The chip can be read whole, so nothing in a half-made set is lost with it.
        for set in set::list(&request.card.backups()) {
            if set.state == set::SetState::Unfinished {
                remove(&set);
            }
        }
    }
    let free = free();
    if free >= needed {
        return Ok(());
    }
    Err(BackupError::NoRoom { free: free >> 20, needed: needed.div_ceil(1 << 20) })
}

fn clean_up(request: &Request<'_>) {
    let Some(keep) = request.keep else { return };
    let sets = set::list(&request.card.backups());
    for set in retention::to_remove(&sets, keep) {
        remove(set);
    }
}

fn remove(set: &SetFolder) {
    match file::remove_set_folder(&set.path, SHA256SUMS) {
        Ok(()) => log::info!("backup {} removed: newer ones are there", set.name),
        Err(e) => log::warn!("backup {} cannot be removed: {e}", set.name),
    }
}

/// Takes away what this run began, so that a full card is not left full.
fn abandon(folder: &Path) {
    if folder.exists()
        && let Err(e) = file::remove_set_folder(folder, SHA256SUMS)
    {
        log::warn!("an unfinished backup stays: {e}");
    }
}

fn write_set(
    request: &Request<'_>,
    folder: &Path,
    first: &Reading,
    attempt: u32,
) -> Result<(), Trouble> {
    file::make_new_dir(folder)?;
    write_proven(&folder.join(UNFINISHED), b"")?;
    let second = second_reading(request, folder, first, attempt)?;
    let manifest = manifest(request, first, &second);
    let text = manifest.to_text();
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let recovery = recovery::text(&manifest, &name);
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
    if manifest.complete {
        sums.0.push((CHIP.to_owned(), second.sha256));
    }
    for (name, text) in texts {
        sums.0.push((name.to_owned(), Sha256::digest(text.as_bytes()).into()));
    }
    write_proven(&folder.join(SHA256SUMS), sums.to_text().as_bytes())?;
    file::sync_dir(folder)?;
    let marker = folder.join(UNFINISHED);
    fs::remove_file(&marker).map_err(|e| CardError::new("cannot remove", &marker, e))?;
    file::sync_dir(folder)?;
    Ok(())
}
