//! The source of a flash, opened and split into partitions.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::FlashingError;
use crate::backup::manifest::MANIFEST;
use crate::backup::set::SetFolder;
use crate::base::unhex;
use crate::card::CardError;
use crate::card::file::open_past_cache;
use crate::chip::FlashMap;
use crate::flash::{NewContent, PlanSource};
use crate::identity::{self, Judgement};
use crate::image::Source;
use crate::image::bundle::{self, Bundle};
use crate::image::inspect::InspectError;
use crate::image::slices::{SetFile, SharedSource, Slice, Slices, Target};
use crate::image::source::OpenFile;

/// A source, taken apart.
#[derive(Debug)]
pub struct Opened {
    /// Its partitions.
    pub slices: Arc<Slices>,
    /// The FACTORY in it, where it is a set; judged.
    pub factory: Option<Judgement>,
}

impl Opened {
    /// Opens a source, and reads it once. With this camera's BOOT, whether a tf
    /// image is genuine is looked into too.
    ///
    /// # Errors
    /// [`FlashingError`] where it cannot be read.
    pub fn open(
        source: &PlanSource,
        target: &Target<'_>,
        boot: Option<&dyn Source>,
    ) -> Result<Opened, FlashingError> {
        match source {
            PlanSource::Image(path) if is_loose(path) => {
                let parts = loose(path, Some(target.map))?;
                let slices = Slices::of_parts(parts, None, target).map_err(|e| unread(path, e))?;
                Ok(Opened { slices: Arc::new(slices), factory: None })
            }
            PlanSource::Image(path) => {
                let file = file(path)?;
                let parts = bundle::of_tar(&file, Some(target.map))
                    .map_err(|source| unread(path, InspectError::Read { offset: 0, source }))?;
                let slices = match parts {
                    Some(parts) => Slices::of_parts(parts, Some(file.as_ref()), target),
                    None => Slices::of_file(file, target),
                };
                let mut slices = slices.map_err(|e| unread(path, e))?;
                if boot.is_some() && slices.trailer.is_some() && slices.blockers.is_empty() {
                    slices
                        .check_genuine(boot)
                        .map_err(|source| unread(path, InspectError::Read { offset: 0, source }))?;
                }
                Ok(Opened { slices: Arc::new(slices), factory: None })
            }
            PlanSource::Set(path) => Opened::open_set(path, target),
        }
    }

    fn open_set(path: &Path, target: &Target<'_>) -> Result<Opened, FlashingError> {
        let set = SetFolder::anywhere(path);
        let manifest =
            set.closed().ok_or_else(|| FlashingError::NotASet { path: path.to_owned() })?;
        let mut files = Vec::with_capacity(manifest.partitions.len());
        let mut factory = None;
        for note in &manifest.partitions {
            let at = path.join(&note.file);
            let file: File = open_past_cache(&at)
                .map_err(|source| FlashingError::Open { path: at.clone(), source })?;
            if note.role == crate::chip::Role::Factory {
                let bytes = crate::card::file::read_bounded(&at, u64::from(note.size))
                    .map_err(|source| FlashingError::Open { path: at.clone(), source })?;
                factory = Some(identity::judge(&bytes));
            }
            files.push(SetFile {
                name: note.name.clone(),
                role: note.role,
                size: note.size,
                file: note.file.clone(),
                source: Arc::new(file),
                sha256: unhex(&note.sha256)
                    .ok_or_else(|| FlashingError::NotASet { path: path.to_owned() })?,
            });
        }
        let slices = Slices::of_set(files, target).map_err(|e| unread(path, e))?;
        Ok(Opened { slices: Arc::new(slices), factory })
    }

    /// The content of one of its partitions.
    pub fn content(&self, slice: &Slice) -> Arc<dyn NewContent> {
        Arc::new(FromSlice { slices: Arc::clone(&self.slices), slice: slice.clone() })
    }
}

/// Whether this is a folder of partition files, and no backup set.
fn is_loose(path: &Path) -> bool {
    path.is_dir() && !path.join(MANIFEST).exists()
}

impl PlanSource {
    /// A path as what it is: the folder of a backup set, or an image, as which
    /// a folder of partition files counts, too.
    pub fn of(path: PathBuf) -> PlanSource {
        if path.is_dir() && !is_loose(&path) {
            PlanSource::Set(path)
        } else {
            PlanSource::Image(path)
        }
    }
}

/// The chip that the files of a folder make.
fn loose(path: &Path, map: Option<&FlashMap>) -> Result<Bundle, FlashingError> {
    let parts = bundle::of_folder(path, map)
        .map_err(|source| unread(path, InspectError::Read { offset: 0, source }))?;
    parts.ok_or_else(|| FlashingError::NotASet { path: path.to_owned() })
}

fn file(path: &Path) -> Result<SharedSource, FlashingError> {
    let missing = |e: CardError| FlashingError::Open { path: path.to_owned(), source: e };
    let file = open_past_cache(path).map_err(missing)?;
    let file = OpenFile::of(file).map_err(|e| missing(CardError::new("cannot read", path, e)))?;
    Ok(Arc::new(file))
}

/// What is copied of an image or of such a folder, for a flash that continues
/// without it.
///
/// # Errors
/// [`FlashingError`] where it cannot be read.
pub fn bytes_of(path: &Path, map: &FlashMap) -> Result<SharedSource, FlashingError> {
    if is_loose(path) { Ok(Arc::new(loose(path, Some(map))?)) } else { file(path) }
}

fn unread(path: &Path, source: InspectError) -> FlashingError {
    FlashingError::Inspect { path: path.to_owned(), source }
}

/// New content out of a slice.
struct FromSlice {
    slices: Arc<Slices>,
    slice: Slice,
}

impl NewContent for FromSlice {
    fn read(&self, offset: u32, buf: &mut [u8]) -> Result<(), CardError> {
        self.slices
            .read(&self.slice, u64::from(offset), buf)
            .map_err(|e| CardError::new("cannot read", Path::new(&self.slice.name), e))
    }
}
