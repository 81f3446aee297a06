//! Files that people bring, opened for the PC's commands: dumps, backup sets,
//! folders of partition files and tars of them. What they are is decided in
//! [`crate::image`].

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::backup::manifest::MANIFEST;
use crate::backup::set::CHIP;
use crate::image::InspectError;
use crate::image::bundle::{self, Bundle, files_in, members, name_of, open_all};
use crate::image::inspect::{Report, inspect_parts};
use crate::image::recover::Input;
use crate::image::slices::SharedSource;
use crate::image::source::{OpenFile, Source};

/// The largest file that is held in memory, in bytes: a console's log of a
/// whole chip has 80 MiB.
const LARGEST: u64 = 256 << 20;

/// All bytes of a file.
///
/// # Errors
/// Where it cannot be read, or is no firmware by its size.
pub fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    let file = OpenFile::open(path)?;
    if file.len() > LARGEST {
        return Err(io::Error::other("it is too large to be a dump, or a log of one"));
    }
    let mut bytes = vec![0; file.len() as usize];
    file.read_at(0, &mut bytes)?;
    Ok(bytes)
}

/// What is in a file, or in the files of a folder. Of a backup set its whole
/// chip is taken, where it has one.
///
/// # Errors
/// The file, and why it cannot be read.
pub fn read(path: &Path) -> Result<Vec<Input>, (PathBuf, io::Error)> {
    let one = |path: &Path| {
        let bytes = read_file(path).map_err(|e| (path.to_owned(), e))?;
        Ok(Input { name: name_of(path), bytes })
    };
    if !path.is_dir() {
        return Ok(vec![one(path)?]);
    }
    let chip = path.join(CHIP);
    if path.join(MANIFEST).is_file() && chip.is_file() {
        return Ok(vec![one(&chip)?]);
    }
    let files = files_in(path).map_err(|e| (path.to_owned(), e))?;
    files.iter().map(|file| one(file)).collect()
}

/// The chip that partition files make: of a folder that is no backup set, or of
/// a tar. `None` where it is neither.
///
/// # Errors
/// Where a file cannot be read, and where the files are not those of one chip.
pub fn chip_of_parts(path: &Path) -> io::Result<Option<Bundle>> {
    let chip = if !path.is_dir() {
        let file: SharedSource = Arc::new(OpenFile::open(path)?);
        bundle::of_tar(&file, None)?
    } else if path.join(MANIFEST).is_file() {
        None
    } else {
        bundle::of_folder(path, None)?
    };
    match chip.as_ref().and_then(|chip| chip.findings.first()) {
        Some(finding) => Err(io::Error::other(format!("{} {}", finding.reason, finding.hint))),
        None => Ok(chip),
    }
}

/// What `inspect` says of a folder with partition files; `None` where there are none.
///
/// # Errors
/// [`InspectError`].
pub fn inspect_folder(folder: &Path) -> Result<Option<Report>, InspectError> {
    let unread = |source| InspectError::Read { offset: 0, source };
    let opened = open_all(folder).map_err(unread)?;
    let all = All(&opened);
    inspect_parts(&members(&opened), &all)
}

/// The files of a folder, one after the other.
struct All<'a>(&'a [(String, OpenFile)]);

impl Source for All<'_> {
    fn len(&self) -> u64 {
        self.0.iter().map(|(_, file)| file.len()).sum()
    }

    fn read_at(&self, mut offset: u64, mut buf: &mut [u8]) -> io::Result<()> {
        for (_, file) in self.0 {
            if offset >= file.len() {
                offset -= file.len();
                continue;
            }
            let now = (file.len() - offset).min(buf.len() as u64) as usize;
            let (piece, rest) = buf.split_at_mut(now);
            file.read_at(offset, piece)?;
            buf = rest;
            offset = 0;
            if buf.is_empty() {
                return Ok(());
            }
        }
        if buf.is_empty() { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }
}
