//! Leftovers on the card, if a power cut came when a flash had ended or had not begun: the copy of
//! its image, half an image under the boot loader's name, the job itself. Nothing of it does harm,
//! but a copy takes up to 16 MiB, and carried settings are secrets. They are removed at a start.

use std::fs;
use std::path::PathBuf;

use super::{renamers, rescue, writing};
use crate::camera::Camera;
use crate::card::fat;
use crate::error::Chain;
use crate::flash::journal::{self, Found};

/// Takes it away, unless somebody flashes just now.
pub fn remove(camera: &Camera) {
    if camera.jobs().running().is_some() {
        return; // it may be about to flash, and would find the lock taken
    }
    let Ok(Some(_writer)) = camera.writer_lock() else { return };
    let card = camera.card();
    let open = match journal::find(card) {
        Found::Open(job, _) => Some(writing::copy_name(&job.id)),
        Found::Nothing if !journal::is_unclosed(card) => None,
        // It may name any of them.
        _ => return,
    };
    // An open job may have been given the copy that another one left.
    let needed = |name: &str| open.as_deref() == Some(name) || camera.needs_for_resume(name);
    let mut left = among(card.images(), |name| writing::is_copy_name(name) && !needed(name));
    if open.is_none() {
        renamers::let_go(camera);
        left.extend(among(card.state_dir(), journal::is_of_a_job));
        left.extend(among(card.root().to_owned(), rescue::is_half_copied));
    }
    for path in left {
        match fat::remove_file(&path) {
            Ok(()) => log::info!("{} was left by a finished flash: removed", path.display()),
            Err(e) => log::warn!("{e}", e = Chain(&e)),
        }
    }
}

fn among(folder: PathBuf, wanted: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_name().to_str().is_some_and(&wanted))
        .map(|entry| entry.path())
        .collect()
}
