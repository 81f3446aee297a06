//! `verify`: checks a set and shows the result.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::args::Args;
use super::bar::Bar;
use super::out::print;
use crate::backup::manifest::{self, MANIFEST, PartNote};
use crate::backup::set::{self, CHIP, RECOVERY, SetName, UNFINISHED};
use crate::backup::sums::{BLOCKSUMS, SHA256SUMS};
use crate::backup::{self, BackupError, Damage, Manifest, Verification};
use crate::card::file::read_bounded;
use crate::error::Exit;

pub fn verify(args: &Args, wanted: &OsStr) -> super::failure::Result {
    let path = find(args, wanted)?;
    let mut verdict = {
        let bar = Bar::new();
        backup::verify::verify(&path, &bar)?
    };
    if !verdict.is_whole() && !path.join(MANIFEST).exists() {
        lacks_manifest(&mut verdict);
    }
    let manifest = read_bounded(&path.join(MANIFEST), manifest::LIMIT)
        .ok()
        .and_then(|text| Manifest::parse(&text).ok());
    let gaps = Gaps::of(&path, manifest.as_ref());
    let mut document = json!(verdict);
    if let Some(fields) = document.as_object_mut() {
        fields.insert("complete".to_owned(), manifest.as_ref().map(|_| gaps.is_none()).into());
        fields.insert("gaps".to_owned(), gaps.as_ref().map_or_else(|| json!([]), Gaps::document));
    }
    print(args, &document, || describe(&verdict, gaps.as_ref()))?;
    Ok(if verdict.is_whole() { Exit::Done } else { Exit::Damaged })
}

/// The folder that is meant: a set of the card by its id, or any folder that
/// is or was a set.
fn find(args: &Args, wanted: &OsStr) -> Result<PathBuf, BackupError> {
    let folder = Path::new(wanted);
    let is_folder =
        folder.is_dir() && (wanted.to_string_lossy().contains('/') || args.sim.is_none());
    let path = if is_folder {
        folder.canonicalize().unwrap_or_else(|_| folder.to_owned())
    } else {
        // A set of a card, which may be in a PC: no chip is needed to read it.
        let card = match &args.sim {
            Some(dir) => crate::card::Card::folder(&dir.join("sdcard")),
            None => crate::card::Card::of_camera(),
        };
        match set::find(&card.backups(), &wanted.to_string_lossy()) {
            // It is listed, so it is reported, even if little is left of it.
            Ok(set) => return Ok(set.path),
            Err(_) if folder.is_dir() => folder.to_owned(),
            Err(e) => return Err(e),
        }
    };
    if was_a_set(&path) {
        return Ok(path);
    }
    Err(BackupError::NoSuchSet { name: wanted.to_string_lossy().into_owned() })
}

/// Whether a file of a set is in a folder: one of those that each has, or,
/// under a set's name, what can be a partition.
fn was_a_set(folder: &Path) -> bool {
    let has_name = folder.file_name().and_then(|n| n.to_str()).and_then(SetName::parse).is_some();
    fs::read_dir(folder).into_iter().flatten().flatten().any(|entry| {
        let name = entry.file_name();
        let known = [SHA256SUMS, MANIFEST, BLOCKSUMS, CHIP, RECOVERY, UNFINISHED];
        known.iter().any(|known| name == *known)
            || name == "FACTORY.bin"
            || (has_name && Path::new(&name).extension().is_some_and(|e| e == "bin"))
    })
}

/// A set without its manifest lacks more than its checksums can tell.
fn lacks_manifest(verdict: &mut Verification) {
    if verdict.damage.iter().all(|d| d.file != MANIFEST) {
        let what = "it is missing".to_owned();
        verdict.damage.push(Damage { file: MANIFEST.to_owned(), offset: None, what });
    }
}

/// What an incomplete set lacks.
struct Gaps<'a> {
    /// The partitions that could not be read whole.
    parts: Vec<&'a PartNote>,
}

impl<'a> Gaps<'a> {
    /// `None` for a complete set, and where nothing tells.
    fn of(folder: &Path, manifest: Option<&'a Manifest>) -> Option<Self> {
        let named = folder.file_name().and_then(|n| n.to_str()).and_then(SetName::parse);
        let by_name = named.is_some_and(|name| name.digits.is_none());
        if manifest.map_or(!by_name, |m| m.complete && !by_name) {
            return None;
        }
        let parts = manifest.into_iter().flat_map(|m| &m.partitions);
        Some(Gaps { parts: parts.filter(|p| !p.gaps.is_empty()).collect() })
    }

    fn document(&self) -> Value {
        self.parts.iter().map(|p| json!({ "partition": p.name, "gaps": p.gaps })).collect()
    }

    fn describe(&self, text: &mut String) {
        text.push_str("This backup is incomplete: a part of the chip could not be read.\n");
        for part in &self.parts {
            let bytes: u64 = part.gaps.iter().map(|g| u64::from(g.length)).sum();
            let first = part.gaps.first().map_or(0, |g| g.offset);
            let _ = writeln!(
                text,
                "  {}: {bytes} of its {} bytes are missing, the first at {first:#x}",
                part.name, part.size
            );
        }
    }
}

fn describe(verdict: &Verification, gaps: Option<&Gaps<'_>>) -> String {
    let Verification { set, files, bytes, damage } = verdict;
    let mib = bytes >> 20;
    if verdict.is_whole() {
        let Some(gaps) = gaps else {
            return format!(
                "{set}: whole. {files} files, {mib} MiB read, every byte as it was saved.\n"
            );
        };
        let mut text = format!(
            "{set}: its files are intact. {files} files, {mib} MiB read, every byte as it was \
             saved.\n"
        );
        gaps.describe(&mut text);
        return text;
    }
    let mut text = format!("{set}: DAMAGED\n");
    for damage in damage {
        let _ = writeln!(text, "  {damage}");
    }
    if *files == 0 {
        text.push_str(
            "Without its checksums nothing else in it can be verified. Keep it, and do not \
             restore\nit as it is.\n",
        );
    } else {
        text.push_str("Files not listed here are intact. Do not restore a damaged one");
        text.push_str(match gaps {
            None => {
                ": the same\nbytes are stored twice, in chip.bin and in the partition's own \
                file.\n"
            }
            Some(_) => ".\n",
        });
    }
    if let Some(gaps) = gaps {
        gaps.describe(&mut text);
    }
    text
}
