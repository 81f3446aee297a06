//! The folders under `backups/`: their names, their states, their order.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use super::BackupError;
use super::manifest::{self, MANIFEST, Manifest};
use super::sums::{self, BLOCKSUMS, SHA256SUMS, Sums};
use crate::base::Digest;
use crate::base::hex;
use crate::card::CardError;
use crate::card::file::read_bounded;
use crate::chip::{Partition, Role};
use crate::error::{Chain, chain};

/// Stands in a folder from its first moment until the set is closed, so that a
/// closed set whose checksums rot is never taken for an unfinished one.
pub const UNFINISHED: &str = "UNFINISHED";
/// The whole chip, for a programmer.
pub const CHIP: &str = "chip.bin";
/// The way back, in words.
pub const RECOVERY: &str = "RECOVERY.txt";

/// A folder's name: `0001-3f9a12bc`, or `0002-incomplete`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SetName {
    /// The running number, 1 to 9999.
    pub number: u16,
    /// The first 8 hex digits of the chip's SHA-256; `None` for an incomplete one.
    pub digits: Option<String>,
}

impl SetName {
    /// The name of a complete set.
    pub fn complete(number: u16, chip: &Digest) -> SetName {
        SetName { number, digits: Some(hex(&chip[..4])) }
    }

    /// The name of a set with gaps.
    pub fn incomplete(number: u16) -> SetName {
        SetName { number, digits: None }
    }

    /// Parses a folder's name.
    pub fn parse(name: &str) -> Option<SetName> {
        let (number, rest) = name.split_once('-')?;
        if number.len() != 4 || !number.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let number = number.parse().ok().filter(|n| *n > 0)?;
        if rest == "incomplete" {
            return Some(SetName { number, digits: None });
        }
        let is_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        (rest.len() == 8 && rest.bytes().all(is_hex))
            .then(|| SetName { number, digits: Some(rest.to_owned()) })
    }
}

impl fmt::Display for SetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{}", self.number, self.digits.as_deref().unwrap_or("incomplete"))
    }
}

/// What a folder is, by its form; whether its bytes still hold, `verify` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SetState {
    /// Closed by its checksums.
    Closed {
        /// What it is a backup of.
        manifest: Box<Manifest>,
        /// How many files it has.
        files: usize,
    },
    /// Made of a chip that could not be read whole; stays until its owner removes it.
    Incomplete {
        /// What it is a backup of.
        manifest: Box<Manifest>,
    },
    /// The making of it was interrupted.
    Unfinished,
    /// It was a set, and is damaged.
    Broken {
        /// What is wrong.
        reason: String,
    },
}

/// One folder.
#[derive(Clone, Debug)]
pub struct SetFolder {
    /// Its name.
    pub name: SetName,
    /// Where it is.
    pub path: PathBuf,
    /// What it is.
    pub state: SetState,
}

impl SetFolder {
    /// Looks at a folder; reads its small files only.
    pub fn read(path: &Path) -> Option<SetFolder> {
        let name = SetName::parse(path.file_name()?.to_str()?)?;
        let state = read_state(path, &name);
        Some(SetFolder { name, path: path.to_owned(), state })
    }

    /// The same for a set that is in a folder of any name, on a PC.
    pub fn anywhere(path: &Path) -> SetFolder {
        let name = path.file_name().and_then(|name| SetName::parse(name.to_str()?));
        let name = name.unwrap_or(SetName { number: 0, digits: Some("00000000".to_owned()) });
        let state = read_state(path, &name);
        SetFolder { name, path: path.to_owned(), state }
    }

    /// Its manifest, if it is closed.
    pub fn closed(&self) -> Option<&Manifest> {
        match &self.state {
            SetState::Closed { manifest, .. } => Some(manifest),
            _ => None,
        }
    }

    /// Its manifest, if it can be read.
    pub fn manifest(&self) -> Option<&Manifest> {
        match &self.state {
            SetState::Closed { manifest, .. } | SetState::Incomplete { manifest } => Some(manifest),
            _ => None,
        }
    }

    /// The fingerprint of its identity.
    pub fn fingerprint(&self) -> Option<&str> {
        self.manifest()?.identity.fingerprint.as_deref()
    }

    /// Whose it is: sets of one camera share it. A healthy identity is one
    /// camera's; cameras without one are distinguished by their BOOT, as far as possible.
    pub fn owner(&self) -> Option<String> {
        self.manifest().map(Manifest::owner)
    }
}

fn read_state(path: &Path, name: &SetName) -> SetState {
    let marked = path.join(UNFINISHED).exists();
    let broken = |reason: String| {
        if marked { SetState::Unfinished } else { SetState::Broken { reason } }
    };
    let sums = match read_bounded(&path.join(SHA256SUMS), sums::CLOSING_LIMIT) {
        Ok(text) => Sums::parse(&text),
        Err(e) if e.source.kind() == std::io::ErrorKind::NotFound => {
            // Nothing in it and no mark: the power went right after it was made.
            let empty = fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none());
            return if empty {
                SetState::Unfinished
            } else {
                broken("SHA256SUMS is missing".into())
            };
        }
        Err(e) => return SetState::Broken { reason: chain(&e) },
    };
    let Some(sums) = sums else { return broken("SHA256SUMS is damaged".into()) };
    let manifest = match read_bounded(&path.join(MANIFEST), manifest::LIMIT) {
        Ok(text) => match Manifest::parse(&text) {
            Ok(manifest) => Box::new(manifest),
            Err(e) => return broken(format!("manifest.toml is damaged: {e}")),
        },
        Err(e) => return broken(chain(&e)),
    };
    if let Some(missing) = required_files(&manifest).into_iter().find(|f| sums.of(f).is_none()) {
        return broken(format!("SHA256SUMS does not list {missing}"));
    }
    let sizes = manifest.partitions.iter().map(|p| (p.file.as_str(), u64::from(p.size)));
    let chip = manifest.has_chip().then_some((CHIP, u64::from(manifest.chip_size)));
    for (file, size) in sizes.chain(chip) {
        match fs::metadata(path.join(file)) {
            Ok(meta) if meta.is_file() && meta.len() == size => {}
            Ok(meta) => return broken(format!("{file} has {} bytes, not {size}", meta.len())),
            Err(_) => return broken(format!("{file} is missing")),
        }
    }
    let files = sums.0.len() + 1;
    if name.digits.is_none() || !manifest.complete {
        return SetState::Incomplete { manifest };
    }
    SetState::Closed { manifest, files }
}

/// The file of a partition; one with gaps is never taken for a whole one.
pub fn file_name(part: &Partition, whole: bool) -> String {
    let plain: String = part
        .name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '_' || c == '-' { c } else { '_' })
        .take(32)
        .collect();
    let partial = if whole { "" } else { ".partial" };
    match part.role {
        Role::Other => format!("mtd{}-{plain}{partial}.bin", part.index),
        _ => format!("{plain}{partial}.bin"),
    }
}

/// The files that a whole set has, `SHA256SUMS` aside.
pub fn required_files(manifest: &Manifest) -> Vec<String> {
    let mut files: Vec<String> = manifest.partitions.iter().map(|p| p.file.clone()).collect();
    if manifest.has_chip() {
        files.push(CHIP.to_owned());
    }
    files.extend([MANIFEST, RECOVERY, BLOCKSUMS].map(str::to_owned));
    files
}

/// All folders on the card, by number; what is no set's name is left alone.
/// For those who show them: a folder that cannot be read shows nothing.
pub fn list(backups: &Path) -> Vec<SetFolder> {
    try_list(backups)
        .inspect_err(|e| log::error!("the backups cannot be listed: {e}", e = Chain(&e)))
        .unwrap_or_default()
}

/// The same for those who decide by it what to make or to remove.
///
/// # Errors
/// [`CardError`] where the folder cannot be read; one that is not there is empty.
pub fn try_list(backups: &Path) -> Result<Vec<SetFolder>, CardError> {
    let paths = entries(backups)?;
    let mut sets: Vec<SetFolder> = paths.iter().filter_map(|p| SetFolder::read(p)).collect();
    sets.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(sets)
}

fn entries(backups: &Path) -> Result<Vec<PathBuf>, CardError> {
    let cannot = |e| CardError::new("cannot read", backups, e);
    match fs::read_dir(backups) {
        Ok(entries) => {
            entries.map(|entry| entry.map(|e| e.path())).collect::<Result<_, _>>().map_err(cannot)
        }
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(e) => Err(cannot(e)),
    }
}

/// The next running number. Every folder whose name begins with a number has
/// taken it, also one in capital letters, which FAT takes for the same name;
/// empty ones have not.
///
/// # Errors
/// [`BackupError::NumbersUsedUp`] after 9999; [`CardError`] where the folder
/// cannot be read.
pub fn next_number(backups: &Path) -> Result<u16, BackupError> {
    let highest = entries(backups)?
        .iter()
        .filter(|path| fs::read_dir(path).is_ok_and(|mut files| files.next().is_some()))
        .filter_map(|path| path.file_name()?.to_str()?.get(..5)?.strip_suffix('-')?.parse().ok())
        .max()
        .unwrap_or(0u16);
    if highest < 9999 { Ok(highest + 1) } else { Err(BackupError::NumbersUsedUp) }
}

/// Finds a set by its name, its number, or a folder's path.
///
/// # Errors
/// [`BackupError::NoSuchSet`].
pub fn find(backups: &Path, wanted: &str) -> Result<SetFolder, BackupError> {
    let by_name = list(backups).into_iter().find(|set| {
        set.name.to_string() == wanted
            || (wanted.bytes().all(|b| b.is_ascii_digit()) && wanted.parse() == Ok(set.name.number))
    });
    by_name.ok_or_else(|| BackupError::NoSuchSet { name: wanted.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip_and_strangers_are_none() {
        for name in ["0001-3f9a12bc", "9999-incomplete"] {
            assert_eq!(SetName::parse(name).unwrap().to_string(), name);
        }
        for name in [
            "1-3f9a12bc",
            "0000-3f9a12bc",
            "0001-3F9A12BC",
            "0001-3f9a12b",
            "0001",
            "x",
            "+001-3f9a12bc",
        ] {
            assert_eq!(SetName::parse(name), None, "{name}");
        }
    }
}
