//! Finding the wrong byte. `chip.bin` and the partitions' files hold the same
//! bytes twice, `BLOCKSUMS` a CRC32 of each small piece, and the two checksum
//! files can be written again from the rest: so nearly all damage has an offset.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::damage::{Damage, mismatches};
use crate::backup::Progress;
use crate::backup::manifest::{MANIFEST, Manifest};
use crate::backup::set::{CHIP, RECOVERY, required_files};
use crate::backup::sums::{self, BLOCKSUMS, BlockSums, Pieces, SHA256SUMS, Sums};
use crate::base::Digest;
use crate::card::file::read_bounded;
use crate::formats::crc32;

/// The largest file whose `BLOCKSUMS` are made again, in bytes: no camera has a larger chip.
const LARGEST: u64 = 0x400_0000;

/// All damage behind the files whose digests are wrong.
pub fn all(
    folder: &Path,
    sums: &Sums,
    sums_text: &[u8],
    wrong: &[(String, Option<Digest>)],
    manifest: Option<&Manifest>,
) -> Vec<Damage> {
    let blocks = read_bounded(&folder.join(BLOCKSUMS), sums::LIMIT)
        .ok()
        .and_then(|text| BlockSums::parse(&text));
    wrong
        .iter()
        .map(|(file, now)| {
            let damage =
                |offset, what: &str| Damage { file: file.clone(), offset, what: what.into() };
            let Some(now) = now else {
                let there = folder.join(file).exists();
                return damage(None, if there { "it cannot be read" } else { "it is missing" });
            };
            let size = fs::metadata(folder.join(file)).map_or(0, |meta| meta.len());
            if let Some(expected) = expected_size(file, manifest)
                && size != expected
            {
                let what = format!("it has {size} bytes, not {expected}");
                return damage(Some(size.min(expected)), &what);
            }
            if file == BLOCKSUMS {
                return match in_blocksums(folder, manifest) {
                    None => in_line(file, sums, sums_text, *now),
                    offset => damage(offset, "it differs from what was saved"),
                };
            }
            let pieces = blocks.as_ref().and_then(|b| b.of(file));
            if is_text(file) {
                return in_text(folder, file, pieces, sums, sums_text, *now);
            }
            let offset = in_image(folder, file, manifest, blocks.as_ref());
            match offset {
                Some(_) => damage(offset, "its bytes differ from what was saved"),
                None => in_line(file, sums, sums_text, *now),
            }
        })
        .collect()
}

fn is_text(file: &str) -> bool {
    file == MANIFEST || file == RECOVERY
}

fn expected_size(file: &str, manifest: Option<&Manifest>) -> Option<u64> {
    let manifest = manifest?;
    if file == CHIP {
        return Some(u64::from(manifest.chip_size));
    }
    manifest.partitions.iter().find(|p| p.file == file).map(|p| u64::from(p.size))
}

/// Where a partition's file, or `chip.bin`, differs from what was saved.
fn in_image(
    folder: &Path,
    file: &str,
    manifest: Option<&Manifest>,
    blocks: Option<&BlockSums>,
) -> Option<u64> {
    let manifest = manifest?;
    let chip = File::open(folder.join(CHIP)).ok();
    for note in &manifest.partitions {
        let (size, base) = (u64::from(note.size), u64::from(note.offset.unwrap_or(0)));
        if file == CHIP && note.offset.is_none() {
            continue;
        }
        if file == note.file || file == CHIP {
            let own = File::open(folder.join(&note.file)).ok();
            let (this, start, twin, twin_start) = if file == CHIP {
                (chip.as_ref()?, base, own.as_ref(), 0)
            } else {
                (own.as_ref()?, 0, chip.as_ref(), base)
            };
            let pieces = blocks.and_then(|b| b.of(&note.file));
            if let Some(at) = in_part(this, start, twin, twin_start, size, pieces) {
                return Some(start + at);
            }
        }
    }
    None
}

/// The first wrong byte of one partition's bytes, from its twin and its CRC32s.
fn in_part(
    this: &File,
    start: u64,
    twin: Option<&File>,
    twin_start: u64,
    size: u64,
    pieces: Option<&Pieces>,
) -> Option<u64> {
    let step = pieces.map_or(0x1_0000, |p| u64::from(p.piece)).clamp(1, 0x1_0000);
    let mut here = vec![0; step as usize];
    let mut there = vec![0; step as usize];
    for (i, at) in (0..size).step_by(step as usize).enumerate() {
        let length = step.min(size - at) as usize;
        if this.read_exact_at(&mut here[..length], start + at).is_err() {
            return Some(at);
        }
        let wanted = pieces.and_then(|p| p.crcs.get(i));
        if wanted == Some(&crc32::hash(&here[..length])) {
            continue;
        }
        let twin_read =
            twin.is_some_and(|t| t.read_exact_at(&mut there[..length], twin_start + at).is_ok());
        let differs = twin_read
            .then(|| here[..length].iter().zip(&there[..length]).position(|(a, b)| a != b))
            .flatten();
        match (differs, wanted) {
            (Some(byte), _) => return Some(at + byte as u64),
            (None, Some(_)) => return Some(at),
            (None, None) => {}
        }
    }
    None
}

fn in_text(
    folder: &Path,
    file: &str,
    pieces: Option<&Pieces>,
    sums: &Sums,
    sums_text: &[u8],
    now: Digest,
) -> Damage {
    let text = read_bounded(&folder.join(file), sums::LIMIT).unwrap_or_default();
    let Some(pieces) = pieces else {
        let what = "it differs from what was saved".into();
        return Damage { file: file.into(), offset: None, what };
    };
    if text.len() as u64 != pieces.size {
        let what = format!("it has {} bytes, not {}", text.len(), pieces.size);
        let offset = Some(pieces.size.min(text.len() as u64));
        return Damage { file: file.into(), offset, what };
    }
    let chunks = text.chunks(pieces.piece as usize);
    for (i, (chunk, crc)) in chunks.zip(&pieces.crcs).enumerate() {
        if crc32::hash(chunk) != *crc {
            let at = i as u64 * u64::from(pieces.piece);
            let byte = wrong_byte(chunk, *crc);
            return Damage {
                file: file.into(),
                offset: Some(at + byte.unwrap_or(0) as u64),
                what: "it differs from what was saved".into(),
            };
        }
    }
    in_line(file, sums, sums_text, now)
}

/// The one byte whose change gives the CRC32 that was, if one does.
fn wrong_byte(chunk: &[u8], crc: u32) -> Option<usize> {
    if chunk.len() > sums::TEXT_PIECE as usize {
        return None; // not a piece of ours: trying every byte would take forever
    }
    let mut copy = chunk.to_vec();
    for i in 0..copy.len() {
        let old = copy[i];
        for value in 0..=255 {
            copy[i] = value;
            if crc32::hash(&copy) == crc {
                return Some(i);
            }
        }
        copy[i] = old;
    }
    None
}

/// The file is what was saved, so its line in `SHA256SUMS` is wrong.
fn in_line(file: &str, sums: &Sums, sums_text: &[u8], now: Digest) -> Damage {
    let mut right = sums.clone();
    for (name, digest) in &mut right.0 {
        if name == file {
            *digest = now;
        }
    }
    let offset = first_difference(sums_text, right.to_text().as_bytes());
    Damage { file: SHA256SUMS.into(), offset, what: format!("its line for {file} is wrong") }
}

/// Where `BLOCKSUMS` differs from one written again.
fn in_blocksums(folder: &Path, manifest: Option<&Manifest>) -> Option<u64> {
    let manifest = manifest?;
    let mut fresh = BlockSums::default();
    for note in &manifest.partitions {
        let piece = note.erase_size.clamp(256, 0x1_0000);
        // The manifest may be anybody's: it is the file that says how much there is.
        let real = fs::metadata(folder.join(&note.file)).map_or(0, |meta| meta.len());
        let size = u64::from(note.size).min(real).min(LARGEST) as u32;
        let crcs = File::open(folder.join(&note.file)).ok().map(|file| {
            let mut buf = vec![0; piece as usize];
            (0..size)
                .step_by(piece as usize)
                .map(|at| {
                    let length = piece.min(size - at) as usize;
                    let read = file.read_exact_at(&mut buf[..length], u64::from(at));
                    read.map_or(0, |()| crc32::hash(&buf[..length]))
                })
                .collect()
        });
        let file = note.file.clone();
        let size = note.size.into();
        fresh.0.push(Pieces { file, size, piece, crcs: crcs.unwrap_or_default() });
    }
    for name in [MANIFEST, RECOVERY] {
        let text = read_bounded(&folder.join(name), sums::LIMIT).unwrap_or_default();
        fresh.0.push(Pieces::of_text(name, &text));
    }
    let text = read_bounded(&folder.join(BLOCKSUMS), sums::LIMIT).unwrap_or_default();
    first_difference(&text, fresh.to_text().as_bytes())
}

/// What is wrong with a `SHA256SUMS` that cannot be parsed at all.
pub fn in_sums(
    folder: &Path,
    text: &[u8],
    manifest: Option<&Manifest>,
    progress: &dyn Progress,
) -> Damage {
    let damage = |offset, what: &str| Damage { file: SHA256SUMS.into(), offset, what: what.into() };
    if !folder.join(SHA256SUMS).exists() {
        return damage(None, "it is missing: this set was never finished");
    }
    let Some(manifest) = manifest else { return damage(None, "it is damaged") };
    let mut right = Sums::default();
    for file in required_files(manifest) {
        // Digests that nothing has, so that every file's own comes back.
        right.0.push((file, [0; 32]));
    }
    let Ok(found) = mismatches(folder, &right, progress) else {
        return damage(None, "it is damaged");
    };
    for ((_, digest), (_, now)) in right.0.iter_mut().zip(found) {
        *digest = now.unwrap_or_default();
    }
    damage(first_difference(text, right.to_text().as_bytes()), "it is damaged")
}

fn first_difference(a: &[u8], b: &[u8]) -> Option<u64> {
    let common = a.iter().zip(b).position(|(x, y)| x != y);
    let shorter = (a.len() != b.len()).then(|| a.len().min(b.len()));
    common.or(shorter).map(|at| at as u64)
}
