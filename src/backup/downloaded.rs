//! Which identities were downloaded: by their fingerprints, on the card.

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::card::file::{make_dir, read_bounded, replace};
use crate::card::{Card, CardError};

/// Whether the identity of this fingerprint has been downloaded.
pub fn is_downloaded(card: &Card, fingerprint: &str) -> bool {
    marks(card).contains(fingerprint)
}

fn marks(card: &Card) -> BTreeSet<String> {
    let text = read_bounded(&path(card), 4096).unwrap_or_default();
    String::from_utf8_lossy(&text).lines().map(str::to_owned).filter(|l| l.len() == 8).collect()
}

fn path(card: &Card) -> PathBuf {
    card.state_dir().join("downloaded")
}

/// Fingerprints that are remembered; nobody has so many cameras on one card.
const MOST_MARKS: usize = 64;

/// Notes that the identity of this fingerprint was downloaded.
///
/// # Errors
/// [`CardError`] where the card cannot be written.
pub fn note(card: &Card, fingerprint: &str) -> Result<(), CardError> {
    let mut marks = marks(card);
    if marks.contains(fingerprint) || marks.len() >= MOST_MARKS {
        return Ok(());
    }
    marks.insert(fingerprint.to_owned());
    let text: String = marks.iter().map(|mark| format!("{mark}\n")).collect();
    card.require_writable()?;
    make_dir(&card.state_dir())?;
    replace(&path(card), text.as_bytes())
}
