//! The recordings of the camera's own firmware on the card. `miio_record` writes
//! `MIJIA_RECORD_VIDEO/YYYYMMDDHH/MMmSSs_TIME.mp4` (`%Y%m%d%H/%MM%SS_%s` in its `librlf.so`), by
//! the camera's own time, with a `.jpeg` of the same name. Nothing outside these folders is ever
//! named here, and no link is followed.

use std::fs::{self, FileType};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::Camera;
use crate::backup::sums::is_plain_name;
use crate::card::{CardError, claim, fat};

/// The firmware's folder on the card.
const FOLDER: &str = "MIJIA_RECORD_VIDEO";
/// Hours listed, and recordings of one: more than a card has.
const MOST: usize = 10_000;

/// One recording.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Recording {
    /// Its file's name.
    pub name: String,
    /// Bytes.
    pub size: u64,
}

/// The hours of which there are recordings, oldest first: `YYYYMMDDHH`.
pub fn hours(camera: &Camera) -> Vec<String> {
    let mut found = folders(camera);
    // Where all of it was deleted, the firmware still records into the newest one.
    found.pop_if(|hour| folder(camera, hour).is_some_and(|folder| is_empty(&folder)));
    found
}

/// The hours that have a folder.
fn folders(camera: &Camera) -> Vec<String> {
    let mut found = Vec::new();
    if let Some(top) = top(camera) {
        each(&top, FileType::is_dir, |name, _| {
            if is_hour(&name) {
                found.push(name);
            }
        });
    }
    found.sort();
    found
}

fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).is_ok_and(|mut rest| rest.next().is_none())
}

/// The recordings of an hour, oldest first; `None` where there is no such hour.
pub fn of_hour(camera: &Camera, hour: &str) -> Option<Vec<Recording>> {
    let mut found = Vec::new();
    each(&folder(camera, hour)?, FileType::is_file, |name, path| {
        if is_recording(&name) {
            let size = fs::metadata(path).map_or(0, |meta| meta.len());
            found.push(Recording { name, size });
        }
    });
    found.sort();
    Some(found)
}

/// The file of a recording.
pub fn find(camera: &Camera, hour: &str, name: &str) -> Option<PathBuf> {
    let path = folder(camera, hour).filter(|_| is_recording(name))?.join(name);
    fs::symlink_metadata(&path).is_ok_and(|meta| meta.is_file()).then_some(path)
}

/// Deletes a recording with its picture, or all of an hour; `false` where there is none. What else
/// is in the folder stays. The caller holds [`Camera::alone`]: nothing else happens to the card while
/// the chip is written.
///
/// # Errors
/// [`CardError`], naming what could not be deleted.
pub fn delete(camera: &Camera, hour: &str, name: Option<&str>) -> Result<bool, CardError> {
    let Some(folder) = folder(camera, hour) else { return Ok(false) };
    claim::check(&folder)?;
    let wanted = name.and_then(|name| name.strip_suffix(".mp4"));
    if name.is_some_and(|name| find(camera, hour, name).is_none()) {
        return Ok(false);
    }
    let mut gone = Vec::new();
    each(&folder, FileType::is_file, |name, path| {
        let stem = name.strip_suffix(".mp4").or_else(|| name.strip_suffix(".jpeg"));
        let is_meant = stem.is_some_and(|stem| wanted.is_none_or(|wanted| wanted == stem));
        if is_meant && is_plain_name(&name) {
            gone.push(path.to_owned());
        }
    });
    // Each file is open until its folder is written: not all of an hour at once. In between the
    // firmware may have asked for the card.
    gone.sort();
    for some in gone.chunks(32) {
        claim::check(&folder)?;
        fat::remove_files(&folder, some)?;
    }
    // One with something else in it stays, and the one that the firmware records into.
    let is_newest = folders(camera).last().is_some_and(|newest| newest == hour);
    if !is_newest && is_empty(&folder) {
        fat::remove_dir(&folder)?;
    }
    log::info!("{} recording files of {hour} were deleted", gone.len());
    Ok(true)
}

fn top(camera: &Camera) -> Option<PathBuf> {
    Some(camera.card().root().join(FOLDER)).filter(|path| is_folder(path))
}

fn folder(camera: &Camera, hour: &str) -> Option<PathBuf> {
    Some(top(camera)?.join(hour)).filter(|path| is_hour(hour) && is_folder(path))
}

/// A folder, and no link to one.
fn is_folder(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|meta| meta.is_dir())
}

/// Each entry of a kind, by its name and its path.
fn each(folder: &Path, kind: fn(&FileType) -> bool, mut take: impl FnMut(String, &Path)) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten().take(MOST) {
        if let (Ok(name), true) =
            (entry.file_name().into_string(), entry.file_type().is_ok_and(|t| kind(&t)))
        {
            take(name, &entry.path());
        }
    }
}

fn is_hour(name: &str) -> bool {
    name.len() == 10 && name.bytes().all(|b| b.is_ascii_digit())
}

fn is_recording(name: &str) -> bool {
    is_plain_name(name) && name.strip_suffix(".mp4").is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_the_firmware_s_form_are_taken() {
        for (name, good) in [
            ("2026112714", true),
            ("202611271", false),
            ("..", false),
            ("2026/12714", false),
            ("20261127\u{661}4", false),
        ] {
            assert_eq!(is_hour(name), good, "{name}");
        }
        for (name, good) in [
            ("05M09S_1795788309.mp4", true),
            ("05M09S_1795788309.jpeg", false),
            (".mp4", false),
            ("../x.mp4", false),
            ("a/b.mp4", false),
            ("a%2Fb.mp4", false),
        ] {
            assert_eq!(is_recording(name), good, "{name}");
        }
    }
}
