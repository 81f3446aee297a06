//! Trimming of what a power cut left half-written on the card, before anything new is written
//! there: see [`crate::card::fat`].

use std::fs;
use std::path::Path;

use super::set::{SetName, UNFINISHED};
use super::sums::SHA256SUMS;
use crate::card::file::lock_dir;
use crate::card::{Card, CardFault, CardState, fat};
use crate::error::Chain;

/// What was begun of a set, unless somebody makes one just now.
pub fn unfinished_sets(card: &Card) {
    if !is_ready(card) {
        return;
    }
    let Ok(_alone) = lock_dir(&card.backups()) else { return };
    for entry in fs::read_dir(card.backups()).into_iter().flatten().flatten() {
        let folder = entry.path();
        // Without the mark it was a set once, and is left alone; with sums all of it was synced.
        let Some(name) = entry.file_name().to_str().and_then(SetName::parse) else { continue };
        if folder.join(UNFINISHED).exists() && !folder.join(SHA256SUMS).exists() {
            // An unfinished set of a chip with gaps may be its only copy.
            let whole = name.digits.is_some();
            let fate: Fate = if whole { |_| Some(Broken::Goes) } else { |_| Some(Broken::Stays) };
            trim_in(&folder, 0, fate);
        }
    }
}

/// Whether the card can be written.
pub fn is_ready(card: &Card) -> bool {
    matches!(card.state(), CardState::Ready { .. })
}

/// Trims the files of a folder that `fate` names, `depth` folders deep.
pub fn trim_in(folder: &Path, depth: u32, fate: Fate) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten().take(MANY) {
        let (path, name) = (entry.path(), entry.file_name());
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir() && depth > 0 && name != "backups" {
            trim_in(&path, depth - 1, fate);
        }
        let Some(broken) = name.to_str().filter(|_| kind.is_file()).and_then(fate) else {
            continue;
        };
        let Err(e) = fat::trim(&path) else { continue };
        log::warn!("{e}", e = Chain(&e));
        if e.fault() == CardFault::Lying && matches!(broken, Broken::Goes) {
            let _ = fat::remove_file(&path).inspect_err(|e| log::warn!("{e}", e = Chain(&e)));
        }
    }
}

/// What becomes of a file whose chain is broken before its end.
#[derive(Clone, Copy)]
pub enum Broken {
    /// It is removed.
    Goes,
    /// It stays as it is.
    Stays,
}

/// What becomes of a file of this name; none: it is left alone.
pub type Fate = fn(&str) -> Option<Broken>;

/// Entries checked in one folder: a card may hold anything.
const MANY: usize = 256;
