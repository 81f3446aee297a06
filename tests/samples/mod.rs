//! Finds real firmware to test against. It is the vendor's, so none of it is
//! in this repository: `MI360D_SAMPLES` says where it is, else
//! `../shared/samples` beside the project.

use std::path::{Path, PathBuf};

/// A sample by its path; `None` where it is not at hand, and then it says so.
pub fn read(name: &str) -> Option<Vec<u8>> {
    let dir = std::env::var_os("MI360D_SAMPLES").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/samples"),
        PathBuf::from,
    );
    match std::fs::read(dir.join(name)) {
        Ok(bytes) => Some(bytes),
        Err(e) => {
            eprintln!(
                "skipped: {} cannot be read ({e}); set MI360D_SAMPLES",
                dir.join(name).display()
            );
            None
        }
    }
}
