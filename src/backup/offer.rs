//! A set as a source for a flash: the files of its partitions, each
//! against the checksums that close the set. What they hold, and whether that
//! is for this camera, is judged in [`crate::image::slices`].

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use crate::formats::sha256::Sha256;

use super::manifest::{self, MANIFEST, Manifest};
use super::set::{CHIP, required_files};
use super::sums::{self, SHA256SUMS, Sums};
use super::verify::hash_file;
use crate::base::unhex;
use crate::card::file::{open_past_cache, read_bounded};
use crate::error::{Chain, Code, Exit, Explain, FailureKind, chain};
use crate::image::InspectError;
use crate::image::slices::{SetFile, SharedSource, Slices, Target};

/// Why nothing can be taken from a set.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OfferError {
    /// There is no set here.
    #[error("{folder} is not a backup: {reason}")]
    NoSet {
        /// The folder.
        folder: String,
        /// What is missing or damaged.
        reason: String,
    },
    /// A file cannot be read.
    #[error(transparent)]
    Read(#[from] InspectError),
}

impl Explain for OfferError {
    fn code(&self) -> Code {
        match self {
            OfferError::NoSet { .. } => Code::NoSet,
            OfferError::Read(e) => e.code(),
        }
    }

    fn hint(&self) -> String {
        match self {
            OfferError::NoSet { .. } => {
                "`mi360d verify DIR` shows which files are intact. A partition's file can be \
                 flashed by itself."
                    .to_owned()
            }
            OfferError::Read(e) => e.hint(),
        }
    }

    fn kind(&self) -> FailureKind {
        match self {
            OfferError::Read(e) => e.kind(),
            OfferError::NoSet { .. } => FailureKind::of(self.exit()),
        }
    }

    fn exit(&self) -> Exit {
        match self {
            OfferError::NoSet { .. } => Exit::Damaged,
            _ => Exit::Failed,
        }
    }
}

/// The set's manifest, where the checksums that close the set are whole and
/// hold for it.
///
/// # Errors
/// [`OfferError::NoSet`].
pub fn manifest_and_sums(folder: &Path) -> Result<(Manifest, Sums), OfferError> {
    let none = |reason: &str| OfferError::NoSet {
        folder: folder.display().to_string(),
        reason: reason.to_owned(),
    };
    let text = read_bounded(&folder.join(SHA256SUMS), sums::CLOSING_LIMIT)
        .map_err(|_| none("it has no SHA256SUMS"))?;
    let sums = Sums::parse(&text).ok_or_else(|| none("its SHA256SUMS is damaged"))?;
    let text = read_bounded(&folder.join(MANIFEST), manifest::LIMIT)
        .map_err(|_| none("it has no manifest.toml"))?;
    let digest: [u8; 32] = Sha256::digest(&text);
    if sums.of(MANIFEST) != Some(&digest) {
        return Err(none("its manifest.toml does not match its SHA256SUMS"));
    }
    let manifest = Manifest::parse(&text).map_err(|e| none(&e))?;
    if let Some(missing) = required_files(&manifest).iter().find(|f| sums.of(f).is_none()) {
        return Err(none(&format!("its SHA256SUMS does not list {missing}")));
    }
    Ok((manifest, sums))
}

/// The partitions of a set for this camera: each file read, from the card and
/// not from memory, and compared with its checksum. Of an incomplete set only
/// those that were read whole.
///
/// # Errors
/// [`OfferError`]; a file that does not hold is a blocker of its partition.
pub fn slices(folder: &Path, target: &Target<'_>) -> Result<Slices, OfferError> {
    let (manifest, sums) = manifest_and_sums(folder)?;
    Ok(Slices::of_set(files(folder, &manifest, &sums), target)?)
}

/// The files of a set that hold a whole partition each.
/// A file that cannot be opened is offered anyway, as damaged.
pub fn files(folder: &Path, manifest: &Manifest, sums: &Sums) -> Vec<SetFile> {
    let mut files = Vec::new();
    for note in manifest.partitions.iter().filter(|p| p.gaps.is_empty()) {
        // A manifest that names another hash than the checksums is no help.
        let named = unhex(&note.sha256).filter(|d| sums.of(&note.file) == Some(d));
        let source: SharedSource = match open_past_cache(&folder.join(&note.file)) {
            Ok(file) => Arc::new(file),
            Err(e) => {
                log::warn!("{e}", e = Chain(&e));
                Arc::new(Vec::new()) // which does not have its checksum
            }
        };
        files.push(SetFile {
            name: note.name.clone(),
            role: note.role,
            size: note.size,
            file: note.file.clone(),
            source,
            sha256: named.unwrap_or_default(),
        });
    }
    files
}

/// The whole chip of a set, and whether it holds its checksum.
///
/// # Errors
/// [`OfferError::NoSet`], also where no `chip.bin` is in it.
pub fn chip(folder: &Path) -> Result<(File, bool), OfferError> {
    let (manifest, sums) = manifest_and_sums(folder)?;
    let path = folder.join(CHIP);
    let none = |reason: &str| OfferError::NoSet {
        folder: folder.display().to_string(),
        reason: reason.to_owned(),
    };
    if !manifest.has_chip() {
        return Err(none("it does not contain the whole chip"));
    }
    let digest = hash_file(&path, &mut |_| {}).map_err(|e| none(&chain(&e)))?;
    let file = open_past_cache(&path).map_err(|e| none(&chain(&e)))?;
    Ok((file, sums.of(CHIP) == Some(&digest)))
}
