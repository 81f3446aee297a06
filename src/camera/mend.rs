//! What a power cut left hanging on the card is made harmless before anything new is written there:
//! see [`crate::card::fat`].

use std::fs;
use std::path::Path;

use super::{Camera, flashing, images};
use crate::backup::set::{SetName, UNFINISHED};
use crate::backup::sums::SHA256SUMS;
use crate::card::file::lock_dir;
use crate::card::{Card, CardState, Fault, fat};

/// Entries looked at in one folder: a card may hold anything.
const MANY: usize = 256;

/// What becomes of a file whose chain is broken before its end.
#[derive(Clone, Copy)]
enum Broken {
    Goes,
    Stays,
}

type Fate = fn(&str) -> Option<Broken>;

/// All of it, at a start, while this process writes nothing yet.
pub fn at_start(camera: &Camera) {
    let card = camera.card();
    if !is_ready(card) {
        return;
    }
    unfinished_sets(card);
    let identities = lock_dir(&card.identities());
    let writer = camera.writer_lock();
    if identities.as_ref().is_err_and(|e| e.fault() == Fault::Busy) || writer.is_err() {
        return; // somebody else writes just now
    }
    let root = card.root();
    // Hacks lie deep: `hacks/NAME/bin/...`.
    for (folder, depth) in [("", 0), ("mi360d", 2), ("manu_test", 0), ("hacks", 4)] {
        trim_in(&root.join(folder), depth, fate);
    }
}

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
            // What was begun of a chip with gaps may be all there is of it.
            let whole = name.digits.is_some();
            let fate: Fate = if whole { |_| Some(Broken::Goes) } else { |_| Some(Broken::Stays) };
            trim_in(&folder, 0, fate);
        }
    }
}

/// Which files may hang, by their names.
fn fate(name: &str) -> Option<Broken> {
    match name.rsplit_once('.')?.1 {
        // An old program that is wanted again was proven. Logs grow all the time.
        "new" | "old" | "log" => Some(Broken::Goes),
        _ if name == images::PART || name.starts_with("starts.") => Some(Broken::Goes),
        // An interrupted flash may need them.
        _ if flashing::is_copy_name(name) || name.starts_with("carried-") => Some(Broken::Stays),
        _ => None,
    }
}

fn is_ready(card: &Card) -> bool {
    matches!(card.state(), CardState::Ready { .. })
}

fn trim_in(folder: &Path, depth: u32, fate: Fate) {
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
        log::warn!("{e}");
        if e.fault() == Fault::Lying && matches!(broken, Broken::Goes) {
            let _ = fat::remove_file(&path).inspect_err(|e| log::warn!("{e}"));
        }
    }
}
