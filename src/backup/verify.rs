//! A set, read again: every file, past the cache, against the checksums that
//! close it. Where something is wrong, `locate` finds the byte.

mod damage;
mod locate;

pub use damage::{Damage, hash_file, mismatches};

use std::fs;
use std::path::Path;

use crate::formats::sha256::Sha256;
use serde::Serialize;

use super::manifest::{self, MANIFEST, Manifest};
use super::set::{CHIP, SetFolder, SetState, required_files};
use super::sums::{self, SHA256SUMS, Sums};
use super::{BackupError, Progress};
use crate::base::Digest;
use crate::base::hex;
use crate::card::file::read_bounded;

/// What a reading of a set came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verification {
    /// The folder's name.
    pub set: String,
    /// Files read.
    pub files: usize,
    /// Bytes read.
    pub bytes: u64,
    /// Everything that is wrong; empty for a whole set.
    pub damage: Vec<Damage>,
}

impl Verification {
    /// Whether everything holds.
    pub fn is_whole(&self) -> bool {
        self.damage.is_empty()
    }
}

/// The verdict on a set that was verified in its making, a moment ago.
pub fn just_proven(set: &SetFolder) -> Verification {
    let files = match &set.state {
        SetState::Closed { files, .. } => *files,
        _ => 0,
    };
    Verification { set: set.name.to_string(), files, bytes: 0, damage: Vec::new() }
}

/// Reads a set again, all of it.
///
/// # Errors
/// [`BackupError::NoSuchSet`] if the folder is not a set; damage is not an error.
pub fn verify(folder: &Path, progress: &dyn Progress) -> Result<Verification, BackupError> {
    let set = folder.file_name().unwrap_or(folder.as_os_str()).to_string_lossy().into_owned();
    if !folder.is_dir() {
        return Err(BackupError::NoSuchSet { name: set });
    }
    let manifest_text = read_bounded(&folder.join(MANIFEST), manifest::LIMIT).unwrap_or_default();
    let manifest = Manifest::parse(&manifest_text).ok();
    let sums_text = read_bounded(&folder.join(SHA256SUMS), sums::CLOSING_LIMIT).unwrap_or_default();
    let mut verdict = Verification { set, files: 0, bytes: 0, damage: Vec::new() };
    let whole_sums = Sums::parse(&sums_text).filter(|sums| {
        let manifest_digest: Digest = Sha256::digest(&manifest_text);
        let believed = sums.of(MANIFEST).is_none_or(|digest| *digest == manifest_digest);
        // Where the manifest can be believed, it says which files must be named.
        manifest.as_ref().is_none_or(|m| !believed || names_all(sums, m))
    });
    let Some(sums) = whole_sums else {
        verdict.damage.push(locate::in_sums(folder, &sums_text, manifest.as_ref(), progress));
        return Ok(verdict);
    };
    verdict.files = sums.0.len() + 1;
    verdict.bytes = sums
        .0
        .iter()
        .filter_map(|(name, _)| fs::metadata(folder.join(name)).ok())
        .map(|meta| meta.len())
        .sum();
    let wrong = mismatches(folder, &sums, progress)?;
    let found = locate::all(folder, &sums, &sums_text, &wrong, manifest.as_ref());
    verdict.damage.extend(found);
    if verdict.is_whole() {
        verdict.damage.extend(contradictions(folder, manifest.as_ref(), &sums));
    }
    Ok(verdict)
}

fn names_all(sums: &Sums, manifest: &Manifest) -> bool {
    required_files(manifest).iter().map(String::as_str).eq(sums.0.iter().map(|(n, _)| n.as_str()))
}

/// What the files say against each other although each holds its checksum.
fn contradictions(folder: &Path, manifest: Option<&Manifest>, sums: &Sums) -> Vec<Damage> {
    let damage = |file: &str, what: String| Damage { file: file.into(), offset: None, what };
    let Some(manifest) = manifest else {
        return vec![damage(MANIFEST, "this program cannot read this manifest".into())];
    };
    let mut found = Vec::new();
    for note in &manifest.partitions {
        let digest = sums.of(&note.file).map(|d| hex(d));
        if digest.as_deref() != Some(note.sha256.as_str()) {
            found.push(damage(&note.file, "manifest.toml has another SHA-256".into()));
        }
        let size = fs::metadata(folder.join(&note.file)).map_or(0, |meta| meta.len());
        if size != u64::from(note.size) {
            found.push(damage(&note.file, format!("it has {size} bytes, not {}", note.size)));
        }
    }
    if manifest.has_chip() && sums.of(CHIP).map(|d| hex(d)) != Some(manifest.chip_sha256.clone()) {
        found.push(damage(CHIP, "manifest.toml has another SHA-256".into()));
    }
    found
}
