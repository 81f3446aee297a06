//! Claim flag: the camera's own firmware wants the card for itself, to format or eject it. While it
//! does, nothing of this process may keep a file of the card open: its umount would fail.
//!
//! One flag for the process: every long read or write of a file on the card checks it between
//! two pieces, and ends with [`super::CardFault::Claimed`]. `camera::eject` sets it, only on a
//! camera.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use super::CardError;

static CLAIMED: AtomicBool = AtomicBool::new(false);
static RETURNS: AtomicU32 = AtomicU32::new(0);

/// Whether the card is wanted.
pub fn is_claimed() -> bool {
    CLAIMED.load(Ordering::Relaxed)
}

/// The card is wanted: what is open is to be closed.
pub fn claim() {
    CLAIMED.store(true, Ordering::Relaxed);
}

/// The card, or another one, may be used again.
pub fn give_back() {
    RETURNS.fetch_add(1, Ordering::Relaxed);
    CLAIMED.store(false, Ordering::Relaxed);
}

/// How often a card came back; it differs after each time.
pub fn returns() -> u32 {
    RETURNS.load(Ordering::Relaxed)
}

/// Goes on, unless the card is wanted.
///
/// # Errors
/// [`CardError`] of kind [`super::CardFault::Claimed`].
pub fn check(path: &Path) -> Result<(), CardError> {
    if is_claimed() {
        let reason = io::Error::new(
            io::ErrorKind::ResourceBusy,
            "the camera's own app formats or ejects the card",
        );
        return Err(CardError::new("stopped", path, reason));
    }
    Ok(())
}
