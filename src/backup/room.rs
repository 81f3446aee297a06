//! Room for sets, and what is deleted to make it: unfinished folders, spare sets,
//! and what this run began and could not end. Nothing goes that nobody marked,
//! and no set while it is uncertain what the others still hold.

use std::path::Path;

use super::reading::{Reading, in_order};
use super::request::Request;
use super::retention::{self, Standing};
use super::set::{self, SetFolder, SetName, SetState, UNFINISHED};
use super::sums::SHA256SUMS;
use super::{BackupError, Silent, Verification, verify};
use crate::card::CardState;
use crate::card::{claim, fat, file};
use crate::error::Chain;

/// Room beyond the set itself, in bytes: texts, folders, the log.
const SPARE_ROOM: u64 = 0x10_0000;

/// Makes sure that a set has room.
pub(super) fn make(request: &Request<'_>, reading: &Reading) -> Result<(), BackupError> {
    let chip: u64 = in_order(request.chip).iter().map(|p| u64::from(p.size)).sum();
    let needed = chip * if reading.has_gaps() { 1 } else { 2 } + SPARE_ROOM;
    let free = || match request.card.state() {
        CardState::Ready { free, .. } => free,
        _ => 0,
    };
    if free() < needed && !reading.has_gaps() && request.keep.is_some() {
        // This chip can be read whole, so what was begun of it can be had again. What was begun
        // of a failing chip is kept: it may be the only copy.
        for set in set::try_list(&request.card.backups())? {
            if set.state == SetState::Unfinished && set.name.digits.is_some() {
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

/// Removes what newer sets hold, after making sure that the first ones do hold.
pub(super) fn clean_up(request: &Request<'_>, proofs: &[(SetName, Verification)]) {
    let Some(keep) = request.keep else { return };
    let sets = match set::try_list(&request.card.backups()) {
        Ok(sets) => sets,
        Err(e) => return log::error!("nothing is deleted: {e}", e = Chain(&e)),
    };
    let mut damaged: Vec<SetName> =
        proofs.iter().filter(|(_, v)| !v.is_whole()).map(|(name, _)| name.clone()).collect();
    let known = |name: &SetName| proofs.iter().any(|(n, _)| n == name);
    let spare = retention::standings(&sets, keep, &|n| damaged.contains(n));
    if spare.contains(&Standing::Spare) {
        for (set, standing) in sets.iter().zip(&spare) {
            let counts_on = matches!(standing, Standing::Pristine | Standing::NewestHealthy);
            if counts_on && !known(&set.name) {
                match verify::verify(&set.path, &Silent) {
                    Ok(verdict) if verdict.is_whole() => {}
                    _ => damaged.push(set.name.clone()),
                }
            }
        }
    }
    for set in retention::to_remove(&sets, keep, &|n| damaged.contains(n)) {
        remove(set);
    }
}

fn remove(set: &SetFolder) {
    match file::remove_set_folder(&set.path, SHA256SUMS, UNFINISHED) {
        Ok(()) => log::info!("backup {} deleted to free space", set.name),
        Err(e) => log::warn!("backup {} cannot be deleted: {e}", set.name, e = Chain(&e)),
    }
}

/// Takes away what this run began, so that a full card is not left full.
pub(super) fn abandon(folder: &Path) {
    if claim::is_claimed() {
        return; // it is marked, and removed later
    }
    if let Err(e) = file::remove_set_folder(folder, SHA256SUMS, UNFINISHED) {
        log::warn!("an unfinished backup cannot be deleted: {e}", e = Chain(&e));
    }
}

/// Takes the mark from a set that was closed just before a power cut: with it,
/// the set would be taken for an unfinished one if its checksums ever rot.
pub fn unmark(set: &SetFolder) {
    if set.manifest().is_some() && set.path.join(UNFINISHED).exists() {
        take_mark(&set.path);
    }
}

/// Removes the mark of an unfinished set.
pub(super) fn take_mark(folder: &Path) {
    if let Err(e) = fat::remove_file(&folder.join(UNFINISHED)) {
        log::warn!("the mark of an unfinished set cannot be removed: {e}", e = Chain(&e));
    }
}
