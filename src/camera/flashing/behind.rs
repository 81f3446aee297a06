//! The partitions behind those that a flash writes, across starts: their content is recorded in
//! the journal before the first erase. What a later start finds lost is put back from the backup
//! that contains it, FACTORY only where its laws allow it; otherwise the end of the flash says so.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use super::lawful;
use crate::backup::set::{self, SetFolder};
use crate::backup::verify;
use crate::base::hex;
use crate::camera::Camera;
use crate::card::CardError;
use crate::chip::{Partition, Role, WINDOW};
use crate::error::{Chain, chain};
use crate::flash::FlashError;
use crate::flash::journal::{Job, JobNeighbour};
use crate::flash::neighbour::{Neighbours, behind, settled, span};
use crate::formats::flsh;
use crate::formats::sha256::Sha256;
use crate::formats::uimage;
use crate::identity;

/// What is behind the partitions of a flash.
#[derive(Debug, Default)]
pub struct Behind {
    /// What is checked again at the end, and put back where it was lost.
    pub held: Neighbours,
    /// What was lost before, and is not put back: the partition, and why.
    pub lost: Vec<(String, String)>,
    /// What the journal records of them.
    pub recorded: Vec<JobNeighbour>,
}

impl Behind {
    /// Holds what is behind `written`, by the records of an interrupted flash where there are
    /// any; `before` is the backup that contains the rest. Older records do not count for what is
    /// `decided` now: a plan has compared those partitions with what is wanted.
    pub fn hold(
        camera: &Camera,
        written: &[&Partition],
        decided: &[&Partition],
        interrupted: Option<&Job>,
        before: &str,
    ) -> Behind {
        let chip = camera.chip();
        let mut all = Behind::default();
        let recorded = interrupted.map(|job| job.neighbours.iter().map(move |note| (job, note)));
        for (job, note) in recorded.into_iter().flatten() {
            let part = chip.map().by_name(&note.name);
            let is_decided = |part: &&Partition| decided.iter().any(|d| d.index == part.index);
            let Some(part) = part.filter(|part| !is_decided(part)) else { continue };
            match recall(camera, job, part, note) {
                Ok(Some(bytes)) => {
                    all.recorded.push(note.clone());
                    all.held.add(part, bytes);
                }
                Ok(None) => {
                    log::warn!("{} was changed by somebody else: it is left alone", part.name);
                }
                Err(why) => {
                    log::error!("the first block of {} is lost: {why}", part.name);
                    all.recorded.push(note.clone());
                    all.lost.push((part.name.clone(), why));
                }
            }
        }
        for part in behind(chip, written) {
            if all.recorded.iter().any(|note| note.name == part.name) {
                continue;
            }
            let Some(bytes) = settled(chip, part) else {
                log::warn!("the first block of {} cannot be kept in memory", part.name);
                continue;
            };
            all.recorded.push(JobNeighbour {
                name: part.name.clone(),
                sha256: hex(&Sha256::digest(&bytes)),
                set: before.to_owned(),
            });
            all.held.add(part, bytes);
        }
        all
    }
}

/// The error for one that is lost: which backup contains it, and what a restore has to name, which
/// is all of the job's partitions too.
pub fn lost(camera: &Camera, job: &Job, name: &str, why: &str) -> FlashError {
    let set = job.neighbours.iter().find(|note| note.name == name);
    let is_of_job = |part: &&Partition| job.partitions.iter().any(|p| p.name == part.name);
    let covering = camera.chip().map().covering();
    let needed = covering.into_iter().filter(|part| part.name == name || is_of_job(part));
    let only: Vec<&str> = needed.map(|part| part.name.as_str()).collect();
    FlashError::NeighbourLost {
        partition: name.to_owned(),
        why: why.to_owned(),
        set: set.map_or_else(|| job.before.clone(), |note| note.set.clone()),
        only: only.join(","),
    }
}

/// Whether FACTORY is one that this flash may have lost: recorded, and no longer as recorded.
pub fn lost_factory<'a>(camera: &Camera, job: &'a Job) -> Option<&'a JobNeighbour> {
    let part = camera.chip().map().by_role(Role::Factory)?;
    let note = job.neighbours.iter().find(|note| note.name == part.name)?;
    let now = settled(camera.chip(), part)?;
    (hex(&Sha256::digest(&now)) != note.sha256).then_some(note)
}

/// Whether FACTORY contains what was recorded of it: then this is the camera of the job, whatever
/// the job calls it. One that was begun while FACTORY was lost knows only the blank one.
pub fn has_recorded_factory(camera: &Camera, job: &Job) -> bool {
    let map = camera.chip().map();
    map.by_role(Role::Factory).is_some_and(|part| {
        let note = job.neighbours.iter().find(|note| note.name == part.name);
        let now = note.and_then(|_| settled(camera.chip(), part));
        note.zip(now).is_some_and(|(note, now)| hex(&Sha256::digest(&now)) == note.sha256)
    })
}

/// What a recorded partition is to begin with: what the chip contains, if that is it, else what a
/// backup of this camera contains. `None` where the chip contains something that no erase has left
/// there: the boot loader, a programmer or the firmware has written it since.
///
/// # Errors
/// Why it cannot be put back.
pub fn recall(
    camera: &Camera,
    job: &Job,
    part: &Partition,
    note: &JobNeighbour,
) -> Result<Option<Vec<u8>>, String> {
    let Some(now) = settled(camera.chip(), part) else {
        return Err("two readings of it differ".to_owned());
    };
    if hex(&Sha256::digest(&now)) == note.sha256 {
        return Ok(Some(now));
    }
    let backups = camera.card().backups();
    let named = SetFolder::read(&backups.join(&note.set));
    // Another set of this camera may contain the same.
    let is_own = |set: &SetFolder| set.fingerprint() == Some(job.identity.as_str());
    let others = set::list(&backups).into_iter().rev().filter(is_own);
    let mut why = format!("no whole backup on the card contains it; it was in backup {}", note.set);
    for set in named.into_iter().chain(others) {
        match from_set(&set, part, note) {
            Ok(Some((bytes, path))) => {
                let is_rest = has_same_rest(camera, part, &path).map_err(|e| chain(&e))?;
                // Another KERNEL differs in more than the blocks that one erase may ruin.
                let is_other = !is_rest || part.size == span(part);
                if is_other && !looks_erased(part, &now, &bytes) && is_credible(part, &now) {
                    return Ok(None);
                }
                if !is_rest {
                    why = format!("the rest of it differs from backup {}", set.name);
                    continue;
                }
                // It is as long as what is held.
                if part.role == Role::Factory {
                    lawful::own_factory(camera, &identity::judge(&bytes))
                        .map_err(|finding| finding.reason.clone())?;
                }
                return Ok(Some(bytes));
            }
            Ok(None) => {}
            Err(e) => why = format!("backup {} cannot be read: {e}", set.name, e = Chain(&e)),
        }
    }
    Err(why)
}

/// What a partition begins with in a closed set, if that is what was recorded; the whole file is
/// checked against the set's manifest.
fn from_set(
    set: &SetFolder,
    part: &Partition,
    note: &JobNeighbour,
) -> Result<Option<(Vec<u8>, PathBuf)>, CardError> {
    let Some(manifest) = set.closed() else { return Ok(None) };
    let Some(saved) = manifest.partitions.iter().find(|saved| saved.name == part.name) else {
        return Ok(None);
    };
    if saved.size != part.size {
        return Ok(None);
    }
    let path = set.path.join(&saved.file);
    if hex(&verify::hash_file(&path, &mut |_| {})?) != saved.sha256 {
        return Err(CardError::new("is damaged:", &path, io::ErrorKind::InvalidData.into()));
    }
    let mut bytes = vec![0; span(part) as usize];
    File::open(&path)
        .and_then(|mut file| file.read_exact(&mut bytes))
        .map_err(|e| CardError::new("cannot read", &path, e))?;
    Ok((hex(&Sha256::digest(&bytes)) == note.sha256).then_some((bytes, path)))
}

/// Whether `now` can be what an erase, and perhaps a failed try to put `right` back, have left: an
/// erased bit is 1, and programming clears only bits that `right` has cleared too. A chip that lies
/// gets some bytes wrong. Settings of the firmware that can be read are its own.
fn looks_erased(part: &Partition, now: &[u8], right: &[u8]) -> bool {
    if part.role == Role::Config && flsh::parse(now).is_ok() {
        return false;
    }
    let foreign = now.iter().zip(right).filter(|(now, right)| *right & !*now != 0).count();
    foreign <= now.len() / 256
}

/// Whether `now` begins with what such a partition begins with. What does not is what a chip that
/// fails, or an erase that was cut, has left: NOR flash clears a block before it erases it.
fn is_credible(part: &Partition, now: &[u8]) -> bool {
    match part.role {
        Role::Factory => identity::judge(now).health.is_healthy(),
        Role::Config => flsh::parse(now).is_ok(),
        Role::Kernel => uimage::parse(now).is_ok(),
        Role::Rootfs => now.starts_with(b"hsqs"),
        Role::Data => now.starts_with(&[0x85, 0x19]),
        Role::Boot | Role::Other => true,
    }
}

/// Whether the chip contains the rest of a partition as a set's file does.
fn has_same_rest(camera: &Camera, part: &Partition, path: &Path) -> Result<bool, CardError> {
    let failed = |e: io::Error| CardError::new("cannot read", path, e);
    let mut file = File::open(path).map_err(failed)?;
    file.seek(SeekFrom::Start(span(part).into())).map_err(failed)?;
    let (mut saved, mut live) = (vec![0; WINDOW as usize], vec![0; WINDOW as usize]);
    let mut at = span(part);
    while at < part.size {
        let length = (part.size - at).min(WINDOW) as usize;
        let (saved, live) = (&mut saved[..length], &mut live[..length]);
        file.read_exact(saved).map_err(failed)?;
        if camera.chip().read(part, at, live).is_err() || saved != live {
            return Ok(false);
        }
        at += length as u32;
    }
    Ok(true)
}
