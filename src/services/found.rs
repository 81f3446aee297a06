//! A hack as it was found on the card.

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use super::error::ManifestError;
use super::hack::Hack;

/// A hack, or what is wrong with it.
#[derive(Clone, Debug)]
pub struct Found {
    /// The hack, as far as it is known.
    pub hack: Hack,
    /// What is wrong with its `hack.toml`.
    pub fault: Option<ManifestError>,
    /// What it was read from: another stamp means another hack.
    pub stamp: Stamp,
}

/// Time and size of the files that a hack was read from.
pub type Stamp = Vec<(Option<SystemTime>, u64)>;

/// Time and size of a file.
pub fn stamp(path: &Path) -> (Option<SystemTime>, u64) {
    let meta = fs::metadata(path).ok();
    (meta.as_ref().and_then(|m| m.modified().ok()), meta.map_or(0, |m| m.len()))
}
