//! The codec of the camera's own encoder: one byte of a library in DATA. It is changed in a
//! file that is known, and in no other; what was there before is kept on the card. A new file
//! takes the old one's name, so that a power cut leaves the one or the other, whole.

use std::fs;
use std::path::PathBuf;

use nix::sys::statvfs::{FsFlags, statvfs};

use super::{Camera, libraries};
use crate::base::hex;
use crate::card::file::{make_dir, read_bounded, rename, replace, write_proven};
use crate::formats::sha256::Sha256;
use crate::services::{ServiceError, elf};

/// The library, in the first of the camera's folders for them.
const NAME: &str = "libboardav.so.1.0.0";
/// Where its byte is, and what it says.
const AT: usize = 0x4318;
const CODECS: [(&str, u8); 2] = [("h265", 1), ("h264", 2)];
/// The library as it was found.
const FIRMWARE: &str = "firmware";
/// Versions that were checked: SHA-256 of the file with that byte 0. None is public so far;
/// an owner that has checked another version adds it on the card.
const KNOWN: &[&str] = &[];
const KNOWN_ON_CARD: &str = "known-libboardav.txt";
/// Bytes of a library at most, and of such a list.
const LIMIT: u64 = 1 << 20;
/// Room that JFFS2 must keep in addition to the new file: it needs some to collect garbage.
const SPARE: u64 = 256 << 10;

/// A library that may be changed.
struct Library {
    path: PathBuf,
    bytes: Vec<u8>,
    /// SHA-256 with the byte 0.
    hash: String,
}

impl Library {
    fn codec(&self) -> &'static str {
        CODECS.iter().find(|(_, byte)| *byte == self.bytes[AT]).map_or("", |(name, _)| name)
    }
}

/// SHA-256 without what is changed; `None` where it is too short to have that.
fn hash(bytes: &[u8]) -> Option<String> {
    let after = bytes.get(AT + 1..)?;
    let mut hasher = Sha256::new_with_prefix(&bytes[..AT]);
    hasher.update([0]);
    hasher.update(after);
    Some(hex(&hasher.finalize()))
}

/// The camera's library, checked.
fn find(camera: &Camera) -> Result<Library, String> {
    let folder = libraries::folders(camera).swap_remove(0);
    // Its other names lead here.
    let path = folder.join(NAME);
    let Ok(bytes) = read_bounded(&path, LIMIT) else {
        return Err(format!("this firmware has no {}", path.display()));
    };
    let library = hash(&bytes).filter(|_| elf::is_camera_s(&bytes));
    let hash = library.ok_or_else(|| format!("{NAME} is not a library for ARM"))?;
    let list = read_bounded(&camera.card().home().join(KNOWN_ON_CARD), LIMIT).unwrap_or_default();
    let list = String::from_utf8_lossy(&list);
    if !KNOWN.iter().copied().chain(list.split_whitespace()).any(|known| known == hash) {
        return Err(format!("this version of {NAME} is not known yet: {hash}"));
    }
    let found = Library { path, bytes, hash };
    match found.codec() {
        "" => Err(format!("the byte at 0x{AT:x} of {NAME} is not a codec")),
        _ => Ok(found),
    }
}

/// What was there before the first change, where that was kept whole.
fn kept(camera: &Camera, library: &Library) -> (PathBuf, Option<Vec<u8>>) {
    let name = format!("libboardav-{}.so", &library.hash[..16]);
    let path = camera.card().home().join("originals").join(name);
    let bytes = read_bounded(&path, LIMIT).ok();
    let bytes = bytes.filter(|bytes| hash(bytes).as_ref() == Some(&library.hash));
    (path, bytes)
}

/// What is set, and the codec that this comes to.
///
/// # Errors
/// Why it cannot be set.
pub fn shown(camera: &Camera) -> Result<(&'static str, &'static str), String> {
    let library = find(camera)?;
    let now = library.codec();
    let changed = kept(camera, &library).1.is_some_and(|original| original != library.bytes);
    Ok((if changed { now } else { FIRMWARE }, now))
}

/// Sets it: `h264`, `h265`, or `firmware` for what was found.
///
/// # Errors
/// [`ServiceError`]; the library is as it was then.
pub fn set(camera: &Camera, wanted: &str) -> Result<(), ServiceError> {
    let _quiet = camera.quiet().map_err(|busy| refused(busy.step))?;
    let library = find(camera).map_err(refused)?;
    let (place, original) = kept(camera, &library);
    let mut bytes = library.bytes.clone();
    match (CODECS.iter().find(|(name, _)| *name == wanted), &original) {
        (Some((_, byte)), _) => bytes[AT] = *byte,
        (None, Some(original)) if wanted == FIRMWARE => bytes.clone_from(original),
        (None, None) if wanted == FIRMWARE => {}
        _ => {
            let reason = "expected firmware, h264 or h265".to_owned();
            return Err(ServiceError::Setting { name: "codec".to_owned(), reason });
        }
    }
    if bytes == library.bytes {
        return Ok(());
    }
    let mode = room(&library).map_err(refused)?;
    if original.is_none() {
        camera.card().require_writable()?;
        make_dir(&camera.card().home().join("originals"))?;
        replace(&place, &library.bytes)?;
    }
    let new = library.path.with_extension("new");
    let written = write_proven(&new, &bytes).and_then(|()| {
        // The loader reads it with any mode; it keeps its own all the same.
        let _ = fs::set_permissions(&new, mode);
        rename(&new, &library.path)
    });
    if written.is_err() {
        // It may not be there at all.
        let _ = fs::remove_file(&new);
    }
    written?;
    log::warn!("the codec in {} is {wanted} from the next start", library.path.display());
    Ok(())
}

/// Whether a second library fits into DATA; the mode of the first.
#[allow(clippy::unnecessary_cast)] // these are 32 bits wide on the camera
fn room(library: &Library) -> Result<fs::Permissions, String> {
    let stat = statvfs(&library.path).map_err(|e| e.to_string())?;
    if stat.flags().contains(FsFlags::ST_RDONLY) {
        return Err("DATA is read-only".to_owned());
    }
    let free = stat.blocks_available() as u64 * stat.fragment_size() as u64;
    let needed = library.bytes.len() as u64 + SPARE;
    if free < needed {
        return Err(format!("DATA has {} KiB free, this needs {}", free >> 10, needed >> 10));
    }
    fs::metadata(&library.path).map(|meta| meta.permissions()).map_err(|e| e.to_string())
}

fn refused(reason: String) -> ServiceError {
    let hint = "Nothing was changed. docs/hacks.md explains what the codec needs.";
    ServiceError::Framegrabber { reason, hint }
}
