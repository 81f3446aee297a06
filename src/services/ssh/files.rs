//! The small files of the SSH server on the card.

use std::path::{Path, PathBuf};

use crate::card::file::read_bounded;
use crate::error::chain;

/// The folder on the card that holds the keys.
pub fn folder(card: &Path) -> PathBuf {
    card.join("mi360d/ssh")
}

/// Reads a small file of the card; one that is missing is `None`.
pub(super) fn read_small(path: &Path, limit: u64) -> Result<Option<Vec<u8>>, String> {
    match read_bounded(path, limit + 1) {
        Ok(bytes) if bytes.len() as u64 > limit => {
            Err(format!("{} is longer than {limit} bytes", path.display()))
        }
        Ok(bytes) => Ok(Some(bytes)),
        Err(e) if e.source.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(chain(&e)),
    }
}
