//! Bringing a folder's entries to the card, and where the camera mounts it.

use std::fs::File;
use std::path::Path;

use super::error::CardError;

/// Where the stock firmware mounts the card.
pub const MOUNT_POINT: &str = "/mnt/sdcard";

/// Brings a folder's entries to the card.
///
/// # Errors
/// [`CardError`], naming the folder.
pub fn sync_dir(path: &Path) -> Result<(), CardError> {
    File::open(path)
        .and_then(|dir| dir.sync_all())
        .map_err(|e| CardError::new("cannot sync", path, e))
}
