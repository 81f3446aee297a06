//! Partition files that are opened together, as the one chip that they make: a
//! folder's, or those in a tar. Which is which part is decided in
//! [`super::parts`].

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::parts::{self, Composite, Member};
use super::slices::SharedSource;
use super::source::{OpenFile, Source};
use crate::chip::FlashMap;

/// The most files of a folder that are read.
const MOST: usize = 256;

/// The chip that partition files make.
pub type Bundle = Composite<SharedSource>;

/// The files of a folder, by name; those below it are left aside.
///
/// # Errors
/// Where it cannot be read.
pub fn files_in(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in folder.read_dir()? {
        let path = entry?.path();
        // macOS leaves these next to the real ones.
        let is_hidden = path.file_name().is_some_and(|n| n.as_encoded_bytes().starts_with(b"."));
        if path.is_file() && !is_hidden && files.len() < MOST {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// A file's name, to be shown.
pub fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// The files of a folder, opened.
///
/// # Errors
/// Where one cannot be opened.
pub fn open_all(folder: &Path) -> io::Result<Vec<(String, OpenFile)>> {
    files_in(folder)?.into_iter().map(|path| Ok((name_of(&path), OpenFile::open(&path)?))).collect()
}

/// Opened files as members.
pub fn members(opened: &[(String, OpenFile)]) -> Vec<Member<'_>> {
    opened
        .iter()
        .map(|(name, file)| Member {
            name: name.clone(),
            source: file,
            from: 0,
            length: file.len(),
        })
        .collect()
}

/// The chip of a folder's files; `None` where they are none. `camera`: the map
/// of the camera that they are for.
///
/// # Errors
/// Where one cannot be read.
pub fn of_folder(folder: &Path, camera: Option<&FlashMap>) -> io::Result<Option<Bundle>> {
    let opened = open_all(folder)?;
    let Some(chip) = parts::compose(&members(&opened), camera)? else { return Ok(None) };
    let placed = chip.share(|member| member);
    let files: Vec<SharedSource> =
        opened.into_iter().map(|(_, file)| Arc::new(file) as SharedSource).collect();
    Ok(Some(placed.share(|member| Arc::clone(&files[member]))))
}

/// The chip of the files in a tar; `None` where it is none.
///
/// # Errors
/// Where it cannot be read.
pub fn of_tar(tar: &SharedSource, camera: Option<&FlashMap>) -> io::Result<Option<Bundle>> {
    let members = parts::tar_members(tar.as_ref())?;
    let chip = parts::compose(&members, camera)?;
    Ok(chip.map(|chip| chip.share(|_| Arc::clone(tar))))
}
