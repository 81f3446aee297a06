//! What a power cut left hanging on the card is made harmless before anything new is written there:
//! see [`crate::card::fat`]. No file loses a byte by it.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Camera, flashing, images};
use crate::backup::set::{self, SetState};
use crate::card::file::lock_dir;
use crate::card::{Card, CardState, fat};

/// All but sets, at a start, while this process writes nothing yet.
pub fn at_start(camera: &Camera) {
    let card = camera.card();
    if !is_ready(card) {
        return;
    }
    let half_written = |name: &str| name == images::PART || name.strip_suffix(".new").is_some();
    for folder in [card.root().to_owned(), card.home(), card.state_dir(), card.images()] {
        trim(&folder, half_written);
    }
    for folder in entries(&card.identities()) {
        trim(&folder, half_written);
    }
    if let Ok(Some(_writer)) = camera.writer_lock() {
        trim(&card.images(), flashing::is_copy_name);
    }
    // It grows all the time.
    trim(&card.logs(), |name| name == "mi360d.log");
}

/// What was begun of a set, unless somebody makes one just now.
pub fn unfinished_sets(card: &Card) {
    if !is_ready(card) {
        return;
    }
    let Ok(_alone) = lock_dir(&card.backups()) else { return };
    for set in set::list(&card.backups()) {
        if set.state == SetState::Unfinished {
            trim(&set.path, |_| true);
        }
    }
}

fn is_ready(card: &Card) -> bool {
    matches!(card.state(), CardState::Ready { .. })
}

fn trim(folder: &Path, wanted: impl Fn(&str) -> bool) {
    for path in entries(folder) {
        let named = path.file_name().and_then(|name| name.to_str()).is_some_and(&wanted);
        if named
            && path.is_file()
            && let Err(e) = fat::trim(&path)
        {
            log::warn!("{e}");
        }
    }
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}
