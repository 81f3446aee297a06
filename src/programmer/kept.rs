//! Readings of the chip, kept as a folder like a backup set, and the journal of a write in it.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::ProgrammerError;
use super::error::file_error;
use super::output::Protection;
use super::reading;
use crate::backup::sums::SHA256SUMS;
use crate::backup::{self, Facts, Progress, Request};
use crate::card::Card;
use crate::card::file::{make_new_dir, read_bounded, replace, sync_dir, write_proven};
use crate::chip::{Chip, ChipError, EraseBlock, FlashMap, Partition, Role};
use crate::formats::mxp;
use crate::identity;
use crate::image::inspect::inspect;
use crate::image::source::peek;
use crate::image::{Report, Source};

/// The whole chip, in the folder.
pub const CHIP: &str = "chip.bin";
/// The journal of a write.
const JOURNAL: &str = "write.json";
/// Where the set is made before its files get their place.
const WORK: &str = "work";
/// Bytes of a journal; it has some hundred.
const JOURNAL_LIMIT: u64 = 0x1_0000;

/// How far a write is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Step {
    /// The chip was read and kept; nothing was written.
    Planned,
    /// flashrom was started to write; the chip may be partly written.
    Writing,
    /// The chip was read back and contains the image.
    Done,
}

/// What a later call must know to continue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Journal {
    /// The image's SHA-256 in hex.
    pub image: String,
    /// How far the write is.
    pub step: Step,
    /// The protection before the first write; `None` where flashrom cannot tell.
    pub protection: Option<Protection>,
}

/// Refuses a folder that exists, unless only readings of an earlier call are in it.
pub fn must_be_new(dir: &Path) -> Result<(), ProgrammerError> {
    match fs::read_dir(dir) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(file_error(dir, e)),
        Ok(entries) => {
            if entries.count() == reading::leftovers(dir)?.len() {
                return Ok(());
            }
            Err(ProgrammerError::Exists(dir.to_owned()))
        }
    }
}

pub fn make_folder(dir: &Path) -> Result<(), ProgrammerError> {
    match make_new_dir(dir) {
        Err(_) if dir.is_dir() => Ok(()),
        made => Ok(made?),
    }
}

pub fn forget_if_empty(dir: &Path) {
    // A folder with readings in it stays.
    let _ = fs::remove_dir(dir);
}

/// Keeps a reading in its folder as a backup set. Where the chip does not tell its own map, only
/// `chip.bin` and its checksum are kept: `false`.
pub fn keep(
    dir: &Path,
    reading: &Path,
    progress: &dyn Progress,
) -> Result<(bool, Report), ProgrammerError> {
    let file = File::open(reading).map_err(|e| file_error(reading, e))?;
    let report = inspect(&file as &dyn Source)?;
    let Some(map) = own_map(&file).map_err(|e| file_error(reading, e))? else {
        let chip = dir.join(CHIP);
        fs::rename(reading, &chip).map_err(|e| file_error(&chip, e))?;
        let sums = format!("{}  {CHIP}\n", report.sha256);
        write_proven(&dir.join(SHA256SUMS), sums.as_bytes())?;
        sync_dir(dir)?;
        return Ok((false, report));
    };
    let work = dir.join(WORK);
    // An earlier call may have been ended in the middle of this.
    let _ = fs::remove_dir_all(&work);
    fs::create_dir(&work).map_err(|e| file_error(&work, e))?;
    let chip = Dump { map, file };
    let factory = chip.map.by_role(Role::Factory).and_then(|part| chip.bytes_of(part).ok());
    let identity = factory.map_or_else(identity::Judgement::missing, |f| identity::judge(&f));
    let model = identity.identity.as_ref().and_then(identity::Identity::model);
    let facts = Facts { model: model.unwrap_or_default(), ..Facts::default() };
    let made = backup::make::backup(&Request {
        chip: &chip,
        card: &Card::folder(&work),
        identity: &identity,
        facts: &facts,
        keep: None,
        exact: true,
        first: None,
        progress,
    })?;
    // The checksums get their place last: without them the folder is no set.
    let mut names: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(&made.set.path).map_err(|e| file_error(&made.set.path, e))? {
        names.push(entry.map_err(|e| file_error(&made.set.path, e))?.path());
    }
    names.sort_by_key(|path| path.ends_with(SHA256SUMS));
    for path in names {
        let place = dir.join(path.file_name().unwrap_or_default());
        fs::rename(&path, &place).map_err(|e| file_error(&place, e))?;
    }
    sync_dir(dir)?;
    fs::remove_file(reading).map_err(|e| file_error(reading, e))?;
    let _ = fs::remove_dir_all(&work);
    Ok((true, report))
}

/// The journal of the folder; `None` if there is none.
pub fn journal(dir: &Path) -> Result<Option<Journal>, ProgrammerError> {
    let path = dir.join(JOURNAL);
    if !path.exists() {
        return Ok(None);
    }
    let text = read_bounded(&path, JOURNAL_LIMIT)?;
    let wrong = |e: serde_json::Error| file_error(&path, io::Error::other(e));
    serde_json::from_slice(&text).map(Some).map_err(wrong)
}

/// Writes the journal, as a whole.
pub fn note(dir: &Path, journal: &Journal) -> Result<(), ProgrammerError> {
    let path = dir.join(JOURNAL);
    let text = serde_json::to_string_pretty(journal)
        .map_err(|e| file_error(&path, io::Error::other(e)))?;
    Ok(replace(&path, text.as_bytes())?)
}

/// The map that a dump's own MXP table tells.
pub fn own_map(dump: &dyn Source) -> io::Result<Option<FlashMap>> {
    let table = peek(dump, mxp::TABLE_OFFSET as u64, mxp::TABLE_SIZE)?;
    Ok(crate::chip::table::map_of(&table)
        .map(|raw| FlashMap::conclude(&raw))
        .filter(FlashMap::is_known))
}

/// A reading as a chip that can only be read.
struct Dump {
    map: FlashMap,
    file: File,
}

impl Dump {
    fn bytes_of(&self, part: &Partition) -> Result<Vec<u8>, ChipError> {
        let mut bytes = vec![0; part.size as usize];
        self.read(part, 0, &mut bytes)?;
        Ok(bytes)
    }
}

impl Chip for Dump {
    fn map(&self) -> &FlashMap {
        &self.map
    }

    fn read(&self, part: &Partition, offset: u32, buf: &mut [u8]) -> Result<(), ChipError> {
        part.check_range(offset, buf.len())?;
        let at = u64::from(part.offset.unwrap_or(0)) + u64::from(offset);
        let partition = part.name.clone();
        let failed = |source| ChipError::Read { partition, offset, source };
        self.file.read_exact_at(buf, at).map_err(failed)
    }

    fn erase(&self, block: &EraseBlock<'_>) -> Result<(), ChipError> {
        let (partition, offset) = (block.partition().name.clone(), block.start());
        Err(ChipError::Erase { partition, offset, source: read_only() })
    }

    fn program(&self, part: &Partition, offset: u32, _: &[u8]) -> Result<(), ChipError> {
        Err(ChipError::Program { partition: part.name.clone(), offset, source: read_only() })
    }

    fn is_writable(&self, _: &Partition) -> bool {
        false
    }
}

fn read_only() -> io::Error {
    io::Error::from(io::ErrorKind::PermissionDenied)
}
