//! The hacks on a card: one for each folder of `hacks/`.

use super::found::{Found, Stamp, stamp};
use std::fs;
use std::path::Path;

use super::error::ManifestError;
use super::hack::{Hack, is_name};
use super::{World, manifest, original};
use crate::card::file::read_bounded;
use crate::error::chain;

/// Folders checked: a card full of them is no reason to run out of memory.
const MANY: usize = 64;

/// Finds all hacks, in the order of their names.
pub fn find(world: &World) -> Vec<Found> {
    let folder = world.card.join("hacks");
    let mut names: Vec<String> = fs::read_dir(&folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.path().is_dir())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| !name.starts_with('.'))
        .collect();
    names.sort();
    if names.len() > MANY {
        log::warn!("more than {MANY} folders in hacks/: the last ones are ignored");
        names.truncate(MANY);
    }
    names.iter().flat_map(|name| in_folder(&folder.join(name), name, world)).collect()
}

/// What one folder holds: a hack, one of the original's, both, or neither.
fn in_folder(dir: &Path, name: &str, world: &World) -> Vec<Found> {
    let manifest = dir.join("hack.toml");
    let mut found = Vec::new();
    if manifest.exists() {
        found.push(own(&manifest, dir, name));
    }
    if let Some(theirs) = original::find(dir, name, !found.is_empty(), world) {
        found.push(theirs);
    }
    found
}

fn own(manifest: &Path, dir: &Path, name: &str) -> Found {
    let stamp = vec![stamp(manifest)];
    let broken = |fault: ManifestError| Found {
        hack: Hack::broken(name, dir.to_owned()),
        fault: Some(fault),
        stamp: stamp.clone(),
    };
    if !is_name(name) {
        let hint = "A folder's name is 1 to 40 letters, digits, '-' and '_'.";
        return broken(ManifestError::new("the folder's name cannot be an id", hint));
    }
    let text = match read_bounded(manifest, manifest::LIMIT as u64 + 1) {
        Ok(text) => text,
        Err(e) => return broken(ManifestError::new(chain(&e), "Check the card on a PC.")),
    };
    match manifest::parse(&text, dir) {
        Ok(hack) => Found { hack, fault: None, stamp },
        Err(fault) => broken(fault),
    }
}

/// Everything that hacks are read from, with time and size: if it is the
/// same as before, nothing was changed on the card.
pub fn signature(world: &World) -> Vec<(std::path::PathBuf, Stamp)> {
    let mut folders: Vec<_> = fs::read_dir(world.card.join("hacks"))
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .take(2 * MANY)
        .collect();
    folders.sort();
    folders.push(world.config.clone());
    let of = |path: std::path::PathBuf| {
        let files =
            ["", "hack.toml", "meta/service/.enable", "meta/service", "meta/config/config.json"];
        let stamps = files.iter().map(|file| stamp(&path.join(file))).collect();
        (path, stamps)
    };
    let mut found: Vec<_> = folders.into_iter().map(of).collect();
    if let Some((_, stamps)) = found.last_mut() {
        // With a slash behind it, a file is not there.
        *stamps = vec![stamp(&world.config)];
    }
    found
}
