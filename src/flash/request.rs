//! An owner's request for a flash.

use std::path::{Path, PathBuf};

/// What is to be flashed.
#[derive(Clone, Debug)]
pub struct PlanRequest {
    /// Where it comes from.
    pub source: PlanSource,
    /// The partitions, by name; `None` for all that the source usually brings.
    pub only: Option<Vec<String>>,
    /// The did that the owner typed, where FACTORY contains no identity.
    pub did: Option<String>,
    /// The SHA-256 in hex of the image whose plan the owner read, where he read one: another image
    /// is not flashed.
    pub sha256: Option<String>,
}

/// Where new content comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlanSource {
    /// A file.
    Image(PathBuf),
    /// The folder of a backup set.
    Set(PathBuf),
}

impl PlanSource {
    /// The file or the folder.
    pub fn path(&self) -> &Path {
        match self {
            PlanSource::Image(path) | PlanSource::Set(path) => path,
        }
    }

    /// Its name, without folders.
    pub fn name(&self) -> String {
        self.path().file_name().unwrap_or_default().to_string_lossy().into_owned()
    }
}
