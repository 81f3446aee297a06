//! Rules for FAT on a camera that may lose power. Linux writes its table, its folders and the
//! places of files to the card one after the other, and in no order that a power cut respects:
//!
//! - clusters are free before the name is gone: the next file gets them, and the name still leads
//!   to them. So a file is held open until its name is gone from the card;
//! - a file's last link leads to a cluster that the table calls free: the next file gets that, and
//!   loses it again once the first is removed. So what a cut has left is trimmed before anything
//!   new is written;
//! - where that cluster is still free, Linux makes the card read-only as soon as the file is
//!   removed or shortened. It has released the chain by then: so the card is made writable again.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::mount::{MsFlags, mount};
use nix::sys::statfs::{MSDOS_SUPER_MAGIC, statfs};
use nix::sys::statvfs::{FsFlags, statvfs};

use super::CardError;
use super::sync::MOUNT_POINT;
use super::sync::sync_dir;

/// Removes a file; its clusters are free only after its name is gone from the card.
///
/// # Errors
/// [`CardError`], naming the file.
pub fn remove_file(path: &Path) -> Result<(), CardError> {
    remove(path, |path| fs::remove_file(path))
}

/// The same for a file that may not be there.
///
/// # Errors
/// [`CardError`], naming the file.
pub fn remove_if_there(path: &Path) -> Result<(), CardError> {
    absent_is_fine(remove_file(path))
}

/// The same for an empty folder.
///
/// # Errors
/// [`CardError`], naming the folder.
pub fn remove_dir(path: &Path) -> Result<(), CardError> {
    remove(path, |path| fs::remove_dir(path))
}

/// Removes a file, or a folder with all in it, as far as it is there.
///
/// # Errors
/// [`CardError`], naming what could not be removed.
pub fn remove_tree(path: &Path) -> Result<(), CardError> {
    if !fs::symlink_metadata(path).is_ok_and(|meta| meta.is_dir()) {
        return remove_if_there(path);
    }
    let cannot = |e| CardError::new("cannot remove", path, e);
    for entry in fs::read_dir(path).map_err(cannot)? {
        remove_tree(&entry.map_err(cannot)?.path())?;
    }
    absent_is_fine(remove_dir(path))
}

/// Removes files of one folder together: their clusters are free only after all names are gone.
///
/// # Errors
/// [`CardError`], naming the first that could not be removed; those before it are gone.
pub fn remove_files(folder: &Path, files: &[PathBuf]) -> Result<(), CardError> {
    let mut held = Vec::new();
    let mut done = Ok(());
    for path in files {
        held.extend(File::open(path).ok());
        done = fs::remove_file(path).map_err(|e| CardError::new("cannot remove", path, e));
        if done.is_err() {
            break;
        }
    }
    let named = sync_dir(folder);
    freed(folder, &mut || held.clear());
    done.and(named)
}

fn absent_is_fine(done: Result<(), CardError>) -> Result<(), CardError> {
    match done {
        Err(e) if e.source.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

fn remove(path: &Path, gone: fn(&Path) -> io::Result<()>) -> Result<(), CardError> {
    // One that cannot be opened is removed anyway.
    let mut held = File::open(path).ok();
    gone(path).map_err(|e| CardError::new("cannot remove", path, e))?;
    let above = path.parent().unwrap_or(path);
    let named = sync_dir(above);
    freed(above, &mut || drop(held.take()));
    named
}

/// Cuts off what is behind a file's end: after a power cut that may be a cluster of another's.
///
/// # Errors
/// [`CardError`], naming the file; of kind [`super::CardFault::Lying`] where its chain is broken
/// before its end: nothing helps then but to remove it.
pub fn trim(path: &Path) -> Result<(), CardError> {
    let failed = |e| CardError::new("cannot trim", path, e);
    let file = OpenOptions::new().write(true).open(path).map_err(failed)?;
    let length = file.metadata().map_err(failed)?.len();
    let above = path.parent().unwrap_or(path);
    // Where Linux stumbles over what it cuts off, it has set the end before: a second time is quiet.
    let stumbles = || {
        let mut done = Ok(());
        freed(above, &mut || done = file.set_len(length)) || done.is_err()
    };
    if stumbles() && stumbles() {
        return Err(CardError::lying(path));
    }
    file.sync_all().map_err(failed)
}

/// Does what frees clusters; whether Linux found an error in them. It then makes the card
/// read-only: the chain with the error is released, and the card is made writable again.
pub(super) fn freed(folder: &Path, free: &mut dyn FnMut()) -> bool {
    let was_read_only = is_read_only(folder);
    free();
    let stumbled = !was_read_only && is_read_only(folder);
    if stumbled && is_fat(folder) {
        match make_writable(folder) {
            Ok(()) => log::warn!("a power cut had damaged the card's FAT: repaired"),
            Err(e) => log::error!("the card became read-only and cannot be made writable: {e}"),
        }
    }
    stumbled
}

fn is_read_only(folder: &Path) -> bool {
    statvfs(folder).is_ok_and(|stat| stat.flags().contains(FsFlags::ST_RDONLY))
}

fn is_fat(folder: &Path) -> bool {
    statfs(folder).is_ok_and(|stat| stat.filesystem_type() == MSDOS_SUPER_MAGIC)
}

/// Mounts the camera's card again, as it is, but to be written; no other file system.
fn make_writable(folder: &Path) -> io::Result<()> {
    let top = Path::new(MOUNT_POINT);
    if fs::metadata(folder)?.dev() != fs::metadata(top)?.dev() {
        return Err(io::Error::other("it is not the camera's card"));
    }
    // These have the same bits in both calls.
    let kept = FsFlags::ST_NOSUID
        | FsFlags::ST_NODEV
        | FsFlags::ST_NOEXEC
        | FsFlags::ST_SYNCHRONOUS
        | FsFlags::ST_NOATIME
        | FsFlags::ST_NODIRATIME;
    let kept = MsFlags::from_bits_truncate((statvfs(top)?.flags() & kept).bits() as _);
    let none = None::<&str>;
    Ok(mount(none, top, none, MsFlags::MS_REMOUNT | kept, none)?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_trimmed_file_keeps_its_bytes_and_what_is_removed_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b/upload.part");
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, [7; 5000]).unwrap();
        trim(&path).unwrap();
        assert_eq!(fs::read(&path).unwrap(), [7; 5000]);
        let above = path.parent().unwrap();
        assert!(remove_dir(above).is_err(), "there is a file in it");
        assert!(path.exists());
        remove_file(&path).unwrap();
        assert!(remove_file(&path).is_err());
        remove_if_there(&path).unwrap();
        fs::write(&path, b"again").unwrap();
        remove_tree(&dir.path().join("a")).unwrap();
        assert!(fs::read_dir(dir.path()).unwrap().next().is_none());
        remove_tree(&path).unwrap();
    }
}
