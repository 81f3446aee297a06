//! `recover` on a PC: files are opened, the image is written under a new name,
//! read again and inspected. What goes into it is decided in
//! [`crate::image::recover`].

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::brick::{BrickError, Fresh};
use super::inputs;
use crate::base::hex;
use crate::formats::sha256::Sha256;
use crate::image::Report;
use crate::image::bundle::name_of;
use crate::image::recover::{self, Differences, RecoveredPart};

/// An image that was recovered.
#[derive(Debug, Serialize)]
pub struct Made {
    /// The file.
    pub out: String,
    /// Its bytes.
    pub bytes: u64,
    /// Its SHA-256 in hex.
    pub sha256: String,
    /// Whether nothing is missing or damaged in it.
    pub whole: bool,
    /// All that was done, one sentence each.
    pub did: Vec<String>,
    /// What is missing or damaged, one sentence each.
    pub missing: Vec<String>,
    /// The parts, in the chip's order, and where each is from.
    pub parts: Vec<RecoveredPart>,
    /// Where several readings differ.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub differences: Option<Differences>,
    /// What `inspect` says of the image.
    pub inspected: Report,
}

/// Makes one image of a whole chip out of these files.
///
/// # Errors
/// [`BrickError`]; then there is no new file.
pub fn recover(files: &[PathBuf], out: &Path, factory: Option<&Path>) -> Result<Made, BrickError> {
    let unread = |(path, source)| BrickError::File { path, source };
    let fresh = Fresh::create(out)?;
    let mut all = Vec::new();
    for path in files {
        all.extend(inputs::read(path).map_err(unread)?);
    }
    let given = factory.map(|path| {
        let bytes = inputs::read_file(path).map_err(|e| unread((path.to_owned(), e)))?;
        Ok::<_, BrickError>(recover::Input { name: name_of(path), bytes })
    });
    let given = given.transpose()?;
    let made = recover::recover(all, given.as_ref())?;
    fresh.write(|file| file.write_all(&made.image))?;
    let inspected = fresh.inspect()?;
    let sha256 = hex(&Sha256::digest(&made.image));
    if inspected.sha256 != sha256 {
        return Err(BrickError::BadOutput("it reads back wrong".to_owned()));
    }
    fresh.keep()?;
    Ok(Made {
        out: out.to_string_lossy().into_owned(),
        bytes: made.image.len() as u64,
        sha256,
        whole: made.missing.is_empty() && !inspected.has_damage(),
        did: made.did,
        missing: made.missing,
        parts: made.parts,
        differences: made.differences,
        inspected,
    })
}
