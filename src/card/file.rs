//! Files on a card that may lose power, lose data, or fill up at any moment: every
//! write is synced, every proof is read past the page cache.

pub use super::sync::sync_dir;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg, PosixFadviseAdvice, posix_fadvise};
use nix::libc::{self, off_t};

use super::{CardError, claim, fat};
use crate::sys;

/// Makes a folder and those above it, as far as they are missing.
///
/// # Errors
/// [`CardError`], naming the folder.
pub fn make_dir(path: &Path) -> Result<(), CardError> {
    if path.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(path).map_err(|e| CardError::new("cannot make the folder", path, e))?;
    sync_new_dir(path)
}

/// Makes a folder that only this user can look into, or makes sure that the
/// one that is there is such a folder.
///
/// # Errors
/// [`CardError`], naming the folder.
pub fn make_private_dir(path: &Path) -> Result<(), CardError> {
    let cannot = |e| CardError::new("cannot make the folder", path, e);
    match fs::DirBuilder::new().mode(0o700).create(path) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(cannot(e)),
        _ => {}
    }
    let meta = fs::symlink_metadata(path).map_err(cannot)?;
    if !meta.is_dir() || meta.uid() != nix::unistd::geteuid().as_raw() || meta.mode() & 0o077 != 0 {
        return Err(cannot(io::Error::other("another program made it")));
    }
    Ok(())
}

/// Makes a folder that must not be there yet, or takes an empty one.
///
/// # Errors
/// [`CardError`], naming the folder.
pub fn make_new_dir(path: &Path) -> Result<(), CardError> {
    if fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none()) {
        return Ok(()); // the power went right after it was made
    }
    fs::create_dir(path).map_err(|e| CardError::new("cannot make the folder", path, e))?;
    sync_new_dir(path)
}

/// Brings a new folder's name to the card, and what it leads to before that.
fn sync_new_dir(path: &Path) -> Result<(), CardError> {
    sync_table(path);
    path.parent().map_or(Ok(()), sync_dir)
}

/// Brings FAT's table to the card, and not what is in the folder of `path`: any folder's sync
/// brings the table, and this is the folder above that.
fn sync_table(path: &Path) {
    let Some(above) = path.parent() else { return };
    let device = |folder: &Path| fs::metadata(folder).map(|meta| meta.dev()).ok();
    let further_up = above.parent().filter(|folder| device(folder) == device(above));
    // Nothing hangs on it but the order of things: those that count are synced after it.
    let _ = sync_dir(further_up.unwrap_or(above));
}

/// A file that is being written; it is on the card once [`NewFile::sync`] returns.
/// Several threads may hold it: one writes, others flush and read back.
pub struct NewFile {
    file: File,
    path: PathBuf,
}

impl NewFile {
    /// Starts a file, in place of one that may be there.
    ///
    /// # Errors
    /// [`CardError`], naming the file.
    pub fn create(path: PathBuf) -> Result<NewFile, CardError> {
        // Shortened in its place, it would be free before its place is.
        fat::remove_if_there(&path)?;
        let opened = OpenOptions::new().read(true).write(true).create_new(true).open(&path);
        let file = opened.map_err(|e| CardError::new("cannot write", &path, e))?;
        Ok(NewFile { file, path })
    }

    /// Its name, without the folder.
    pub fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// Appends.
    ///
    /// # Errors
    /// [`CardError`], naming the file.
    pub fn write(&self, bytes: &[u8]) -> Result<(), CardError> {
        claim::check(&self.path)?;
        (&self.file).write_all(bytes).map_err(|e| CardError::new("cannot write", &self.path, e))
    }

    /// Brings a range of its bytes to the card, and drops it from the page cache: what is read
    /// after that comes from the card.
    ///
    /// # Errors
    /// [`CardError`], naming the file.
    pub fn flush(&self, at: u64, length: u64) -> Result<(), CardError> {
        sys::file::write_out(&self.file, at, length)
            .or_else(|e| match e.raw_os_error() {
                // A file system that cannot do a part does the whole.
                Some(libc::ENOSYS | libc::EINVAL | libc::ESPIPE) => self.file.sync_data(),
                _ => Err(e),
            })
            .map_err(|e| CardError::new("cannot sync", &self.path, e))?;
        drop_range(&self.file, at, length);
        Ok(())
    }

    /// Asks for a range that was flushed and is read back next: in one piece, while others write.
    pub fn ask_back(&self, at: u64, length: u64) {
        advise(&self.file, at, length, PosixFadviseAdvice::POSIX_FADV_WILLNEED);
    }

    /// Brings its bytes, its length and its place to the card; the table of clusters first, so that
    /// the place is not one that the table calls free.
    ///
    /// # Errors
    /// [`CardError`], naming the file.
    pub fn sync(&self) -> Result<(), CardError> {
        sync_table(&self.path);
        self.file.sync_all().map_err(|e| CardError::new("cannot sync", &self.path, e))
    }

    /// Reads a range that was flushed.
    ///
    /// # Errors
    /// [`CardError`], naming the file.
    pub fn read_back(&self, at: u64, buf: &mut [u8]) -> Result<(), CardError> {
        claim::check(&self.path)?;
        self.file
            .read_exact_at(buf, at)
            .map_err(|e| CardError::new("cannot read back", &self.path, e))
    }
}

/// Writes a whole file under its final name and reads it back past the cache.
/// For files that a checksum elsewhere closes; [`replace`] for those that stand alone.
///
/// # Errors
/// [`CardError`]; of kind [`super::CardFault::Lying`] where it does not read back.
pub fn write_proven(path: &Path, bytes: &[u8]) -> Result<(), CardError> {
    let file = NewFile::create(path.to_owned())?;
    file.write(bytes)?;
    file.sync()?;
    drop(file);
    if read_bounded(path, bytes.len() as u64 + 1)? == bytes {
        Ok(())
    } else {
        Err(CardError::lying(path))
    }
}

/// Replaces a file so that after a power cut the old or the new one is there, whole.
///
/// # Errors
/// [`CardError`], naming the file.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<(), CardError> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let fresh = path.with_file_name(name);
    write_proven(&fresh, bytes)?;
    rename(&fresh, path)
}

/// Gives a verified file its name. FAT's rename is not atomic on 3.18. One that it replaces is held
/// until the name is the new one's, and is there, whole, until then; where there was none, a power
/// cut may leave an empty one, which readers treat as missing.
///
/// # Errors
/// [`CardError`], naming the file.
pub fn rename(from: &Path, to: &Path) -> Result<(), CardError> {
    let mut replaced = File::open(to).ok();
    fs::rename(from, to).map_err(|e| CardError::new("cannot rename", from, e))?;
    let above = to.parent().unwrap_or(to);
    // The old name goes first: two names for one file would cost both.
    sync_dir(above)?;
    let synced = File::open(to).and_then(|file| file.sync_all());
    fat::freed(above, &mut || drop(replaced.take()));
    synced.map_err(|e| CardError::new("cannot sync", to, e))
}

/// Opens a file so that what is read comes from the card, not from memory.
///
/// # Errors
/// [`CardError`], naming the file.
pub fn open_past_cache(path: &Path) -> Result<File, CardError> {
    let file = open_file(path)?;
    drop_cache(&file);
    Ok(file)
}

/// Opens a file to read it; nothing but a file is opened.
///
/// # Errors
/// As [`open_past_cache`].
pub fn open_file(path: &Path) -> Result<File, CardError> {
    claim::check(path)?;
    // Without the flag a FIFO would be waited for until somebody writes into it.
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(nix::fcntl::OFlag::O_NONBLOCK.bits())
        .open(path)
        .map_err(|e| CardError::new("cannot read", path, e))?;
    let is_file = file.metadata().is_ok_and(|meta| meta.is_file());
    if !is_file {
        return Err(CardError::new("cannot read", path, io::Error::other("it is not a file")));
    }
    Ok(file)
}

/// Reads a whole small file past the cache; what is beyond `limit` bytes is left out.
///
/// # Errors
/// [`CardError`], naming the file.
pub fn read_bounded(path: &Path, limit: u64) -> Result<Vec<u8>, CardError> {
    let mut bytes = Vec::new();
    open_past_cache(path)?
        .take(limit)
        .read_to_end(&mut bytes)
        .map_err(|e| CardError::new("cannot read", path, e))?;
    Ok(bytes)
}

/// Drops a file's clean pages; a kernel that refuses costs the proof some strength only.
pub fn drop_cache(file: &File) {
    drop_range(file, 0, 0);
}

/// The same for a range; a length of 0 means to the end.
fn drop_range(file: &File, at: u64, length: u64) {
    advise(file, at, length, PosixFadviseAdvice::POSIX_FADV_DONTNEED);
}

fn advise(file: &File, at: u64, length: u64, advice: PosixFadviseAdvice) {
    // File sizes on FAT fit 32 bits, and so these offsets too.
    let (at, length) = (at.cast_signed() as off_t, length.cast_signed() as off_t);
    if let Err(e) = posix_fadvise(file, at, length, advice) {
        log::debug!("fadvise on descriptor {}: {e}", file.as_raw_fd());
    }
}

/// Removes a folder file by file: `first` first, so that a half-removed set
/// never counts as one; `marker` is in it until the end, so that the next
/// start continues. A folder with folders in it is not ours, and is kept.
///
/// # Errors
/// [`CardError`], naming what could not be removed.
pub fn remove_set_folder(path: &Path, first: &str, marker: &str) -> Result<(), CardError> {
    let cannot = |at: &Path, e: io::Error| CardError::new("cannot remove", at, e);
    let mut files = Vec::new();
    for entry in fs::read_dir(path).map_err(|e| cannot(path, e))? {
        let entry = entry.map_err(|e| cannot(path, e))?;
        if entry.file_type().map_err(|e| cannot(path, e))?.is_dir() {
            let reason = io::Error::other("it contains a folder that is not ours");
            return Err(cannot(&entry.path(), reason));
        }
        files.push(entry.path());
    }
    let marker = path.join(marker);
    if !marker.exists() {
        // On a full card there is no room for a name: then it goes without.
        let _ = File::create(&marker).and_then(|file| file.sync_all());
        sync_dir(path)?;
    }
    let closing = path.join(first);
    if closing.exists() {
        fat::remove_file(&closing)?;
    }
    for file in files.iter().filter(|f| **f != closing && **f != marker) {
        fat::remove_file(file)?;
    }
    fat::remove_if_there(&marker)?;
    fat::remove_dir(path)
}

/// Holds a folder for one process; ends with the process, also with a killed one.
pub struct Lock {
    _held: Flock<File>,
}

/// Takes the lock on a folder, without waiting.
///
/// # Errors
/// [`CardError`] of kind [`super::CardFault::Busy`] where another process holds it.
pub fn lock_dir(path: &Path) -> Result<Lock, CardError> {
    lock(path, FlockArg::LockExclusiveNonblock)
}

/// Takes the lock on a folder that nobody holds for long.
///
/// # Errors
/// [`CardError`], naming the folder.
pub fn wait_lock_dir(path: &Path) -> Result<Lock, CardError> {
    lock(path, FlockArg::LockExclusive)
}

fn lock(path: &Path, how: FlockArg) -> Result<Lock, CardError> {
    let dir = OpenOptions::new()
        .read(true)
        .open(path)
        .map_err(|e| CardError::new("cannot lock", path, e))?;
    match Flock::lock(dir, how) {
        Ok(held) => Ok(Lock { _held: held }),
        Err((_, e)) => Err(CardError::new("cannot lock", path, e.into())),
    }
}
