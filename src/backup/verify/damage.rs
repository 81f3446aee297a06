//! Files of a set that are not as their checksums say.

use std::fmt;
use std::fs;
use std::io::Read as _;
use std::path::Path;

use serde::Serialize;

use crate::backup::sums::Sums;
use crate::backup::{BackupError, Progress, Work};
use crate::base::Digest;
use crate::card::file::open_past_cache;
use crate::card::{CardError, CardFault, claim};
use crate::chip::WINDOW;
use crate::error::Chain;
use crate::formats::sha256::Sha256;

/// One thing that is wrong with a set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Damage {
    /// The file in the set.
    pub file: String,
    /// The first wrong byte, if it is known.
    pub offset: Option<u64>,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Damage { file, offset, what } = self;
        match offset {
            Some(offset) => write!(f, "{file} at offset {offset} ({offset:#x}): {what}"),
            None => write!(f, "{file}: {what}"),
        }
    }
}

/// The files whose bytes do not have the digest they must have, and the digest
/// they have; `None` where they cannot be read.
///
/// # Errors
/// Where the firmware wants the card. What cannot be read is a mismatch.
pub fn mismatches(
    folder: &Path,
    sums: &Sums,
    progress: &dyn Progress,
) -> Result<Vec<(String, Option<Digest>)>, BackupError> {
    let size = |name: &str| fs::metadata(folder.join(name)).map_or(0, |meta| meta.len());
    let total = sums.0.iter().map(|(name, _)| size(name)).sum();
    let mut done = 0;
    let mut wrong = Vec::new();
    for (name, digest) in &sums.0 {
        let mut tick = |bytes: u64| {
            done += bytes;
            progress.at(Work::ReadCard, done, total);
        };
        match hash_file(&folder.join(name), &mut tick) {
            Ok(now) if now == *digest => {}
            Ok(now) => wrong.push((name.clone(), Some(now))),
            // That is no damage: what was read so far says nothing.
            Err(e) if e.fault() == CardFault::Claimed => return Err(e.into()),
            Err(e) => {
                log::warn!("{e}", e = Chain(&e));
                wrong.push((name.clone(), None));
            }
        }
    }
    Ok(wrong)
}

/// SHA-256 of a file, read past the cache.
///
/// # Errors
/// [`CardError`] where it cannot be read.
pub fn hash_file(path: &Path, tick: &mut dyn FnMut(u64)) -> Result<Digest, CardError> {
    let mut file = open_past_cache(path)?;
    let mut hasher = Sha256::new();
    let mut buf = vec![0; WINDOW as usize];
    loop {
        match file.read(&mut buf) {
            Ok(0) => return Ok(hasher.finalize()),
            Ok(count) => {
                hasher.update(&buf[..count]);
                tick(count as u64);
                claim::check(path)?;
            }
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(CardError::new("cannot read", path, e)),
        }
    }
}
