//! What FAT asks of those who may lose power. Linux brings its table, its folders and the places of
//! files to the card one after the other, and in no order that a power cut respects:
//!
//! - clusters are free before the name is gone: the next file gets them, and the name still leads
//!   to them. So a file is held open until its name is gone from the card;
//! - a file's last link leads to a cluster that the table calls free: the next file gets that, and
//!   loses it again once the first is removed. So what a cut has left is trimmed before anything
//!   new is written;
//! - where that cluster is still free, Linux makes the card read-only as soon as the file is
//!   removed or shortened. The fault is gone by then: so it is made writable again.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::mount::{MsFlags, mount};
use nix::sys::statfs::{MSDOS_SUPER_MAGIC, statfs};
use nix::sys::statvfs::{FsFlags, statvfs};

use super::CardError;
use super::file::sync_dir;

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
    match remove_file(path) {
        Err(e) if e.source.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

/// The same for an empty folder.
///
/// # Errors
/// [`CardError`], naming the folder.
pub fn remove_dir(path: &Path) -> Result<(), CardError> {
    remove(path, |path| fs::remove_dir(path))
}

/// Removes a file, or a folder with all in it.
///
/// # Errors
/// [`CardError`], naming what could not be removed.
pub fn remove_tree(path: &Path) -> Result<(), CardError> {
    let cannot = |e| CardError::new("cannot remove", path, e);
    if !fs::symlink_metadata(path).map_err(cannot)?.is_dir() {
        return remove_file(path);
    }
    for entry in fs::read_dir(path).map_err(cannot)? {
        remove_tree(&entry.map_err(cannot)?.path())?;
    }
    remove_dir(path)
}

fn remove(path: &Path, gone: impl Fn(&Path) -> io::Result<()>) -> Result<(), CardError> {
    // One that cannot be opened is removed all the same.
    let held = File::open(path).ok();
    gone(path).map_err(|e| CardError::new("cannot remove", path, e))?;
    let above = path.parent().unwrap_or(path);
    let named = sync_dir(above);
    mended(above, || drop(held));
    named
}

/// Cuts off what lies behind a file's end: after a power cut that may be a cluster of another's.
///
/// # Errors
/// [`CardError`], naming the file.
pub fn trim(path: &Path) -> Result<(), CardError> {
    let failed = |e| CardError::new("cannot trim", path, e);
    let file = OpenOptions::new().write(true).open(path).map_err(failed)?;
    let length = file.metadata().map_err(failed)?.len();
    shorten(&file, path, length).and_then(|()| file.sync_all()).map_err(failed)
}

/// Gives a file a length that is not beyond its own.
///
/// # Errors
/// Those of the file system.
pub fn shorten(file: &File, path: &Path, length: u64) -> io::Result<()> {
    let above = path.parent().unwrap_or(path);
    mended(above, || file.set_len(length))
}

/// Does what frees clusters. Where Linux answers by making the card read-only, it met a chain that
/// a power cut had broken off, and has let go of that chain: the card is made writable again.
fn mended<T>(folder: &Path, free: impl FnOnce() -> T) -> T {
    let was_read_only = is_read_only(folder);
    let done = free();
    if !was_read_only && is_read_only(folder) && is_fat(folder) {
        match make_writable(folder) {
            Ok(()) => log::warn!("a power cut had left the card's FAT in disorder: mended"),
            Err(e) => log::error!("the card turned read-only, and stays so: {e}"),
        }
    }
    done
}

fn is_read_only(folder: &Path) -> bool {
    statvfs(folder).is_ok_and(|stat| stat.flags().contains(FsFlags::ST_RDONLY))
}

fn is_fat(folder: &Path) -> bool {
    statfs(folder).is_ok_and(|stat| stat.filesystem_type() == MSDOS_SUPER_MAGIC)
}

/// Mounts what a folder lies on again, as it is, but to be written.
fn make_writable(folder: &Path) -> io::Result<()> {
    let device = fs::metadata(folder)?.dev();
    let top = folder
        .ancestors()
        .take_while(|above| fs::metadata(above).is_ok_and(|meta| meta.dev() == device))
        .last()
        .unwrap_or(folder);
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
