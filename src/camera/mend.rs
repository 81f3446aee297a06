//! Repair of the card after a power cut, before anything new is written there: see
//! [`crate::card::fat`].

use crate::backup::unfinished::{Broken, is_ready, trim_in, unfinished_sets};

use super::{Camera, flashing, images};
use crate::card::CardFault;
use crate::card::file::lock_dir;

/// All of it, at a start, while this process writes nothing yet.
pub fn at_start(camera: &Camera) {
    let card = camera.card();
    if !is_ready(card) {
        return;
    }
    unfinished_sets(card);
    let identities = lock_dir(&card.identities());
    let writer = camera.writer_lock();
    if identities.as_ref().is_err_and(|e| e.fault() == CardFault::Busy) || writer.is_err() {
        return; // somebody else writes just now
    }
    let root = card.root();
    // Hacks are nested deeply: `hacks/NAME/bin/...`.
    for (folder, depth) in [("", 0), ("mi360d", 2), ("manu_test", 0), ("hacks", 4)] {
        trim_in(&root.join(folder), depth, fate);
    }
}

/// Which files may hang, by their names.
fn fate(name: &str) -> Option<Broken> {
    match name.rsplit_once('.')?.1 {
        // An old program that is wanted again was verified. Logs grow all the time.
        "new" | "old" | "log" => Some(Broken::Goes),
        _ if name == images::PART || name.starts_with("starts.") => Some(Broken::Goes),
        // An interrupted flash may need them.
        _ if flashing::is_copy_name(name) || name.starts_with("carried-") => Some(Broken::Stays),
        _ => None,
    }
}
