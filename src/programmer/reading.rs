//! Readings of the whole chip until two agree, at most four: a clip that slips reads wrong bits
//! without any error.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::ProgrammerError;
use super::error::file_error;
use super::flashrom::Flashrom;
use crate::backup::{Progress, Work};
use crate::base::hex;
use crate::formats::sha256::Sha256;

/// How often one call reads the chip at most.
const MOST: usize = 4;
/// Bytes of a cell of the chip's map, by which differences are named.
const CELL: usize = 0x1_0000;
/// Cells that are named; the rest is counted.
const NAMED: usize = 8;
/// How the files of readings that no other one confirmed begin.
pub const PREFIX: &str = "reading-";

/// A reading that another one confirmed.
#[derive(Debug, Serialize)]
pub struct Reading {
    /// Its file.
    #[serde(skip)]
    pub file: PathBuf,
    /// Its SHA-256 in hex.
    pub sha256: String,
    /// How many readings this call made.
    pub readings: usize,
    /// Where readings differed from the one before, in words; empty where the first two agree.
    pub differences: Vec<String>,
}

/// Reads the chip into `folder`. Readings of an earlier call that are still in the folder count,
/// and so does `known`, a reading of the same chip: one more that equals one of them is enough.
///
/// # Errors
/// [`ProgrammerError::Unsettled`] where no two agree; all of them are then left in the folder.
pub fn until_two_agree(
    flashrom: &Flashrom,
    folder: &Path,
    known: Option<&Path>,
    progress: &dyn Progress,
) -> Result<Reading, ProgrammerError> {
    let mut seen = Vec::new();
    let earlier = leftovers(folder)?;
    for file in known.map(Path::to_owned).into_iter().chain(earlier) {
        seen.push((digest(&file)?, file));
    }
    let mut differences = Vec::new();
    let mut number = 0;
    for reading in 1..=MOST {
        progress.at(Work::ReadClipped(reading), reading as u64 - 1, 2);
        let file = loop {
            number += 1;
            let file = folder.join(format!("{PREFIX}{number}.bin"));
            if !file.exists() {
                break file;
            }
        };
        if let Err(e) = flashrom.read(&file) {
            let _ = fs::remove_file(&file);
            return Err(e);
        }
        let sha256 = digest(&file)?;
        if seen.iter().any(|(before, _)| *before == sha256) {
            for (_, other) in seen.iter().filter(|(_, other)| known != Some(other.as_path())) {
                fs::remove_file(other).map_err(|e| file_error(other, e))?;
            }
            return Ok(Reading { file, sha256, readings: reading, differences });
        }
        if let Some((_, before)) = seen.last() {
            differences.push(compare(before, &file)?);
        }
        seen.push((sha256, file));
    }
    Err(ProgrammerError::Unsettled {
        readings: seen.len(),
        places: differences,
        folder: folder.to_owned(),
    })
}

/// Readings of earlier calls that no other one confirmed.
pub fn leftovers(folder: &Path) -> Result<Vec<PathBuf>, ProgrammerError> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(|e| file_error(folder, e))? {
        let path = entry.map_err(|e| file_error(folder, e))?.path();
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(PREFIX)) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// The SHA-256 of a file, in hex.
pub fn digest(path: &Path) -> Result<String, ProgrammerError> {
    let mut file = File::open(path).map_err(|e| file_error(path, e))?;
    let mut hash = Sha256::new();
    let mut buf = vec![0; CELL];
    loop {
        match file.read(&mut buf).map_err(|e| file_error(path, e))? {
            0 => return Ok(hex(&hash.finalize())),
            n => hash.update(&buf[..n]),
        }
    }
}

/// Where two readings differ: cells of 64 KiB by their offset, with the first byte and its bits.
fn compare(one: &Path, other: &Path) -> Result<String, ProgrammerError> {
    let read = |path: &Path| fs::read(path).map_err(|e| file_error(path, e));
    Ok(differences(&read(one)?, &read(other)?))
}

fn differences(one: &[u8], other: &[u8]) -> String {
    let mut named = Vec::new();
    let (mut cells, mut bits) = (0, 0);
    for (number, (a, b)) in one.chunks(CELL).zip(other.chunks(CELL)).enumerate() {
        let Some(at) = a.iter().zip(b).position(|(a, b)| a != b) else { continue };
        cells += 1;
        bits += a.iter().zip(b).map(|(a, b)| u64::from((a ^ b).count_ones())).sum::<u64>();
        if named.len() < NAMED {
            let offset = number * CELL + at;
            named.push(format!("{offset:#08x} ({:#04x} and {:#04x})", a[at], b[at]));
        }
    }
    if one.len() != other.len() {
        return format!("one has {} bytes, the other {}", one.len(), other.len());
    }
    let more = if cells > NAMED { ", ..." } else { "" };
    format!("{bits} bits in {cells} blocks of 64 KiB, first at {}{more}", named.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_named_by_offset_and_counted_by_bit() {
        let one = vec![0xFF; 3 * CELL];
        let mut other = one.clone();
        other[CELL + 5] = 0xFE;
        other[CELL + 9] = 0xFC;
        other[2 * CELL] = 0x7F;
        assert_eq!(
            differences(&one, &other),
            "4 bits in 2 blocks of 64 KiB, first at 0x010005 (0xff and 0xfe), \
             0x020000 (0xff and 0x7f)"
        );
        assert_eq!(differences(&one, &one[1..]), "one has 196608 bytes, the other 196607");
    }
}
