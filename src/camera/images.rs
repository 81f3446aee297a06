//! Images that an owner brought: spooled to the card, hashed on the way, named by their content,
//! so that sending one twice is the same as once.

use std::fs;
use std::path::PathBuf;
use std::sync::{PoisonError, TryLockError};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

use super::{Camera, job};
use crate::backup::verify;
use crate::base::{hex, unhex};
use crate::card::file::{NewFile, make_dir, read_bounded, rename, replace};
use crate::card::{Card, CardError, CardState, fat};
use crate::error::{Code, Exit, Explain, FailureKind};
use crate::formats::document;
use crate::formats::sha256::Sha256;
use crate::image;
use crate::image::genuine::{self, KnownImage};
use crate::image::inspect::InspectError;

/// Beyond the chip, what an image may have: a header, a trailer.
const EXTRA: u64 = 0x1_0000;
/// A chip that nobody knows the size of is taken for this.
const USUAL_CHIP: u64 = 0x100_0000;
/// Room that must stay on the card.
const SPARE_ROOM: u64 = 0x10_0000;
/// Images at once.
const MOST: usize = 16;
/// Longest note on an image, in bytes.
const NOTE_LIMIT: u64 = 0x4_0000;
/// The file that arrives.
pub(super) const PART: &str = "upload.part";

/// Why an image is not taken.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ImageError {
    /// Larger than any image can be.
    #[error("the file has {size} bytes; an image has at most {most}")]
    TooLarge {
        /// Bytes of it.
        size: u64,
        /// Bytes at most.
        most: u64,
    },
    /// No room for it.
    #[error("the card has {free} KiB free, this needs {needed}")]
    NoRoom {
        /// KiB free.
        free: u64,
        /// KiB needed.
        needed: u64,
    },
    /// There are too many.
    #[error("there are already {MOST} images on the card")]
    TooMany,
    /// Another one is arriving.
    #[error("another file is being uploaded")]
    Arriving,
    /// It ended before its end.
    #[error("the upload ended after {got} of {size} bytes")]
    BrokeOff {
        /// Bytes that came.
        got: u64,
        /// Bytes announced.
        size: u64,
    },
    /// A flash needs it.
    #[error("a flash needs this image")]
    InUse,
    /// No such image.
    #[error("this image does not exist")]
    NoSuchImage,
    /// The card.
    #[error(transparent)]
    Card(#[from] CardError),
    /// It cannot be read again.
    #[error(transparent)]
    Inspect(#[from] InspectError),
}

impl Explain for ImageError {
    fn code(&self) -> Code {
        match self {
            ImageError::TooLarge { .. } => Code::ImageTooLarge,
            ImageError::NoRoom { .. } => Code::CardFull,
            ImageError::TooMany => Code::TooManyImages,
            ImageError::Arriving => Code::UploadBusy,
            ImageError::BrokeOff { .. } => Code::UploadBrokeOff,
            ImageError::InUse => Code::ImageInUse,
            ImageError::NoSuchImage => Code::NoSuchImage,
            ImageError::Card(e) => e.code(),
            ImageError::Inspect(e) => e.code(),
        }
    }

    fn hint(&self) -> String {
        match self {
            ImageError::TooLarge { .. } => "Unpack archives first and upload the image itself.",
            ImageError::NoRoom { .. } => "Delete old images or backups, or use a larger card.",
            ImageError::TooMany => "Delete one that is no longer needed.",
            ImageError::Arriving => "Wait until that upload has ended, then try again.",
            ImageError::BrokeOff { .. } => "Upload it again; nothing was kept.",
            ImageError::InUse => "Wait until the flash has ended, then delete it.",
            ImageError::NoSuchImage => "GET /api/v1/images lists the images.",
            ImageError::Card(e) => return e.hint(),
            ImageError::Inspect(e) => return e.hint(),
        }
        .to_owned()
    }

    fn kind(&self) -> FailureKind {
        match self {
            ImageError::TooLarge { .. } => FailureKind::TooLarge,
            ImageError::NoRoom { .. } => FailureKind::Full,
            ImageError::BrokeOff { .. } => FailureKind::Usage,
            ImageError::NoSuchImage => FailureKind::Missing,
            ImageError::Card(e) => e.kind(),
            _ => FailureKind::of(self.exit()),
        }
    }

    fn exit(&self) -> Exit {
        match self {
            ImageError::Card(e) => e.exit(),
            ImageError::Inspect(e) => e.exit(),
            ImageError::BrokeOff { .. } => Exit::Failed,
            _ => Exit::Refused,
        }
    }
}

/// An image on the card.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ImageView {
    /// The first 16 hex digits of its SHA-256.
    pub id: String,
    /// What its owner called it; text, and never a path.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// Its SHA-256.
    pub sha256: String,
    /// What `inspect` says of it.
    pub report: Value,
}

/// Bytes at most.
pub fn most_bytes(camera: &Camera) -> u64 {
    camera.chip().map().chip_size.map_or(USUAL_CHIP, u64::from) + EXTRA
}

impl Camera {
    /// The owner's table of images (docs/formats.md, Versions); empty where there is none.
    pub fn known_images(&self) -> Vec<KnownImage> {
        let path = self.card().home().join("known-images.txt");
        let text = read_bounded(&path, genuine::TABLE_LIMIT).unwrap_or_default();
        genuine::table(&String::from_utf8_lossy(&text))
    }
}

/// Whether an image of this size would be taken.
///
/// # Errors
/// [`ImageError`].
pub fn check(camera: &Camera, size: u64) -> Result<(), ImageError> {
    let most = most_bytes(camera);
    if size > most {
        return Err(ImageError::TooLarge { size, most });
    }
    camera.card().require_writable()?;
    if let CardState::Ready { free, .. } = camera.card().state()
        && free < size + SPARE_ROOM
    {
        let needed = (size + SPARE_ROOM) >> 10;
        return Err(ImageError::NoRoom { free: free >> 10, needed });
    }
    if ids(camera.card()).len() >= MOST {
        return Err(ImageError::TooMany);
    }
    Ok(())
}

/// Takes an image of `size` bytes: `next` fills a buffer and says how many bytes came, 0 at the
/// end.
///
/// # Errors
/// [`ImageError`]; nothing stays on the card then.
pub fn take(
    camera: &Camera,
    name: &str,
    size: u64,
    next: &mut dyn FnMut(&mut [u8]) -> usize,
) -> Result<ImageView, ImageError> {
    let _alone = match camera.arrivals().0.try_lock() {
        Ok(alone) => alone,
        Err(TryLockError::Poisoned(alone)) => PoisonError::into_inner(alone),
        Err(TryLockError::WouldBlock) => return Err(ImageError::Arriving),
    };
    check(camera, size)?;
    let folder = camera.card().images();
    make_dir(&folder)?;
    let part = folder.join(PART);
    let taken = spool(&part, size, next).and_then(|sha256| {
        // What the card keeps is what counts.
        if hex(&verify::hash_file(&part, &mut |_| {})?) != sha256 {
            return Err(CardError::lying(&part).into());
        }
        let file = fs::File::open(&part).map_err(|e| CardError::new("cannot read", &part, e))?;
        let mut report = image::inspect::inspect(&file)?;
        let table = camera.known_images();
        let digest = unhex(&sha256).unwrap_or_default();
        if let Some(known) = KnownImage::find(&digest, &table) {
            known.add_to(&mut report);
        }
        let report = serde_json::json!(report);
        let id = sha256.get(..16).unwrap_or_default().to_owned();
        let view = ImageView { id, name: plain_name(name), size, sha256, report };
        // First the note: an image without one would have no name.
        let note = note_path(camera.card(), &view.id);
        let text = serde_json::to_vec(&view)
            .map_err(|e| CardError::new("cannot write", &note, e.into()))?;
        replace(&note, &text)?;
        let place = image_path(camera.card(), &view.id);
        rename(&part, &place)?;
        Ok(view)
    });
    if taken.is_err() {
        // It may not be there at all.
        let _ = fat::remove_file(&part);
    }
    taken
}

fn spool(
    part: &std::path::Path,
    size: u64,
    next: &mut dyn FnMut(&mut [u8]) -> usize,
) -> Result<String, ImageError> {
    let file = NewFile::create(part.to_owned())?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 0x1_0000];
    let mut got = 0;
    while got < size {
        let wanted = usize::try_from(size - got).unwrap_or(usize::MAX).min(buffer.len());
        let count = next(&mut buffer[..wanted]).min(wanted);
        if count == 0 {
            return Err(ImageError::BrokeOff { got, size });
        }
        let piece = &buffer[..count];
        hasher.update(piece);
        file.write(piece)?;
        got += count as u64;
    }
    file.sync()?;
    Ok(hex(&hasher.finalize()))
}

/// All images on the card.
pub fn list(camera: &Camera) -> Vec<ImageView> {
    ids(camera.card()).iter().filter_map(|id| view(camera.card(), id)).collect()
}

/// One image, and where it is.
///
/// # Errors
/// [`ImageError::NoSuchImage`].
pub fn find(camera: &Camera, id: &str) -> Result<(ImageView, PathBuf), ImageError> {
    let view = Some(id).filter(|id| is_id(id)).and_then(|id| view(camera.card(), id));
    Ok((view.ok_or(ImageError::NoSuchImage)?, image_path(camera.card(), id)))
}

/// Deletes one.
///
/// # Errors
/// [`ImageError`].
pub fn remove(camera: &Camera, id: &str) -> Result<(), ImageError> {
    let (_, place) = find(camera, id)?;
    // No flash begins meanwhile. A backup may run: then none can begin either.
    let _alone = camera.writer_lock();
    let flashing = |one: job::Job| matches!(one.kind, job::JobKind::Flash | job::JobKind::Restore);
    if camera.jobs().running().is_some_and(flashing)
        || camera.needs_for_resume(&format!("{id}.img"))
    {
        return Err(ImageError::InUse);
    }
    fat::remove_file(&place)?;
    // Without its image a note is nothing, also where it stays.
    let _ = fat::remove_file(&note_path(camera.card(), id));
    Ok(())
}

fn view(card: &Card, id: &str) -> Option<ImageView> {
    let text = read_bounded(&note_path(card, id), NOTE_LIMIT).ok()?;
    let view: ImageView = document::from_json(&text).ok()?;
    let size = fs::metadata(image_path(card, id)).ok()?.len();
    (view.id == id && view.size == size).then_some(view)
}

fn ids(card: &Card) -> Vec<String> {
    let mut ids: Vec<String> = fs::read_dir(card.images())
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some(entry.file_name().to_str()?.strip_suffix(".img")?.to_owned()))
        .filter(|id| is_id(id))
        .collect();
    ids.sort();
    ids
}

fn is_id(id: &str) -> bool {
    id.len() == 16 && id.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

fn image_path(card: &Card, id: &str) -> PathBuf {
    card.images().join(format!("{id}.img"))
}

fn note_path(card: &Card, id: &str) -> PathBuf {
    card.images().join(format!("{id}.json"))
}

/// A name for eyes: no path before it, no control characters, not endless.
fn plain_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let plain: String = last.chars().filter(|c| !c.is_control()).take(120).collect();
    if plain.trim().is_empty() { "image".to_owned() } else { plain }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_never_a_path() {
        assert_eq!(plain_name("../../etc/passwd"), "passwd");
        assert_eq!(plain_name("C:\\x\\tf_recovery.img"), "tf_recovery.img");
        assert_eq!(plain_name("a\r\nb\0"), "ab");
        assert_eq!(plain_name("../"), "image");
        assert_eq!(plain_name("<b>.img"), "<b>.img");
    }
}
