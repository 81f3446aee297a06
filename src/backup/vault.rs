//! The vault: FACTORY and CONFIG in `identity/<fingerprint>/`, saved and verified
//! before anything else is done. One folder for each identity ever seen, so
//! one card can serve several cameras.

use std::path::{Path, PathBuf};

use crate::error::Chain;
use crate::formats::sha256::Sha256;

use super::reading::{read_settled, read_window};
use super::set::{self, SetState};
use super::sums::{self, SHA256SUMS, Sums};
use super::{BackupError, room};
use crate::base::Digest;
use crate::card::file::{
    lock_dir, make_dir, make_private_dir, read_bounded, replace, sync_dir, wait_lock_dir,
    write_proven,
};
use crate::card::{Card, CardError, CardFault, fat};
use crate::chip::{Chip, Partition, Role};
use crate::identity::{self, Health, Judgement};

/// Where an identity is kept when no card will take it: until power goes, the
/// page can still hand it out.
pub const LAST_RESORT: &str = "/tmp/mi360d-identity";

/// What became of the identity at a start.
#[derive(Debug)]
pub struct Vaulted {
    /// FACTORY, judged.
    pub judgement: Judgement,
    /// Where it is safe, or not.
    pub kept: Kept,
}

/// Where an identity is safe.
#[derive(Debug)]
pub enum Kept {
    /// It was on the card already, and holds.
    Already(PathBuf),
    /// It was saved and verified now.
    Saved(PathBuf),
    /// The card takes nothing: a copy is in memory, until power goes.
    MemoryOnly {
        /// Where.
        path: PathBuf,
        /// Why not on the card.
        reason: BackupError,
    },
    /// It is nowhere but in the chip.
    Nowhere(BackupError),
    /// The map has no FACTORY: there is nothing to save.
    NoIdentity,
}

impl Kept {
    /// Whether it is on the card.
    pub fn is_safe(&self) -> bool {
        matches!(self, Kept::Already(_) | Kept::Saved(_))
    }
}

/// Saves FACTORY and CONFIG.
pub fn secure(chip: &dyn Chip, card: &Card) -> Vaulted {
    let Some(factory) = chip.map().by_role(Role::Factory) else {
        return Vaulted { judgement: Judgement::missing(), kept: Kept::NoIdentity };
    };
    let config = chip.map().by_role(Role::Config).and_then(|part| read_config(chip, part));
    let (judgement, name, bytes) = match read_factory(chip, factory) {
        Ok(read) => read,
        Err(e) => return Vaulted { judgement: Judgement::missing(), kept: Kept::Nowhere(e) },
    };
    let mut files = vec![(name, bytes)];
    files.extend(config.map(|c| ("CONFIG.bin", c)));
    let kept = keep(card, &card.identities().join(&judgement.fingerprint), &files);
    Vaulted { judgement, kept }
}

/// FACTORY, judged, and the name of its file. Where some of it cannot be read,
/// the rest is kept under a name that says so: the keys fill a hundredth of it.
pub fn read_factory(
    chip: &dyn Chip,
    part: &Partition,
) -> Result<(Judgement, &'static str, Vec<u8>), BackupError> {
    let failure = match read_settled(chip, part) {
        Ok(bytes) => return Ok((identity::judge(&bytes), "FACTORY.bin", bytes)),
        Err(e) => e,
    };
    log::error!("FACTORY: {failure}", failure = Chain(&failure));
    let mut bytes = vec![0; part.size as usize];
    let gaps = read_window(chip, part, 0, &mut bytes)?;
    let missing: u32 = gaps.iter().map(|gap| gap.length).sum();
    if missing == part.size {
        return Err(failure);
    }
    let mut judgement = identity::judge(&bytes);
    let reason = format!("{missing} of its bytes cannot be read reliably");
    judgement.health = match judgement.health {
        Health::Damaged { mut reasons } => {
            reasons.push(reason);
            Health::Damaged { reasons }
        }
        _ => Health::Damaged { reasons: vec![reason] },
    };
    Ok((judgement, "FACTORY.partial.bin", bytes))
}

fn read_config(chip: &dyn Chip, part: &Partition) -> Option<Vec<u8>> {
    read_settled(chip, part)
        .inspect_err(|e| log::error!("CONFIG was not saved with the identity: {e}", e = Chain(&e)))
        .ok()
}

type Files = [(&'static str, Vec<u8>)];

fn keep(card: &Card, folder: &Path, files: &Files) -> Kept {
    if holds(folder, files) {
        return Kept::Already(folder.to_owned());
    }
    let reason = match save(card, folder, files) {
        Ok(()) => return Kept::Saved(folder.to_owned()),
        Err(e) => e,
    };
    log::error!("the identity cannot be saved on the card: {reason}", reason = Chain(&reason));
    let path = PathBuf::from(LAST_RESORT).join(folder.file_name().unwrap_or_default());
    let in_memory = make_private_dir(Path::new(LAST_RESORT))
        .and_then(|()| make_dir(&path))
        .and_then(|()| files.iter().try_for_each(|(n, bytes)| write_proven(&path.join(n), bytes)));
    match in_memory {
        Ok(()) => Kept::MemoryOnly { path, reason },
        Err(e) => {
            log::error!("nor in memory: {e}", e = Chain(&e));
            Kept::Nowhere(reason)
        }
    }
}

/// Whether a folder of the vault holds this FACTORY, verified by its checksums.
/// CONFIG may be an older one: it changes, and the first is what is kept.
fn holds(folder: &Path, files: &Files) -> bool {
    let Ok(text) = read_bounded(&folder.join(SHA256SUMS), sums::LIMIT) else { return false };
    let Some(sums) = Sums::parse(&text) else { return false };
    sums.of(files[0].0) == Some(&sha256(&files[0].1))
        && files.iter().all(|(name, _)| sums.of(name).is_some())
        && sums.0.iter().all(|(name, digest)| {
            read_bounded(&folder.join(name), 0x10_0000).is_ok_and(|b| sha256(&b) == *digest)
        })
}

fn save(card: &Card, folder: &Path, files: &Files) -> Result<(), BackupError> {
    card.require_writable()?;
    make_dir(&card.identities())?;
    // A daemon and a command may start together, and use the same names on the way.
    let _lock = wait_lock_dir(&card.identities())?;
    match write_all(folder, files) {
        Err(e) if e.fault() == CardFault::Full => {
            make_room(card);
            // CONFIG is a comfort; FACTORY alone is what cannot be had again.
            Ok(write_all(folder, files).or_else(|_| write_all(folder, &files[..1]))?)
        }
        done => Ok(done?),
    }
}

fn write_all(folder: &Path, files: &Files) -> Result<(), CardError> {
    make_dir(folder)?;
    let mut sums = Sums::default();
    for (name, bytes) in files {
        // What is there and is right stays as it is: it may be the only copy.
        let path = folder.join(name);
        if read_bounded(&path, bytes.len() as u64 + 1).ok().as_ref() != Some(bytes) {
            replace(&path, bytes)?;
        }
        sums.0.push(((*name).to_owned(), sha256(bytes)));
    }
    replace(&folder.join(SHA256SUMS), sums.to_text().as_bytes())?;
    sync_dir(folder)
}

/// Frees what the program itself can do without: the identity weighs 128 KiB,
/// and a log, or a backup that was never finished, is worth less.
fn make_room(card: &Card) {
    for name in ["mi360d.1.log", "mi360d.log"] {
        let path = card.logs().join(name);
        if fat::remove_file(&path).is_ok() {
            log::warn!("the card is full: {} deleted to save the identity", path.display());
        }
    }
    // What another process is making now is unfinished too, and not ours to take.
    let Ok(_lock) = lock_dir(&card.backups()) else { return };
    for set in set::list(&card.backups()) {
        if set.state == SetState::Unfinished && set.name.digits.is_some() {
            room::abandon(&set.path);
            log::warn!("the card is full: unfinished {} deleted to save the identity", set.name);
        }
    }
}

fn sha256(bytes: &[u8]) -> Digest {
    Sha256::digest(bytes)
}
