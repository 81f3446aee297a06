//! The partitions behind those that a flash writes, across starts: what they hold is recorded in
//! the journal before the first erase. What a later start finds lost is put back from the backup
//! that holds it, FACTORY only where its laws allow it; otherwise the end of the flash says so.

use std::fs::File;
use std::io::{self, Read as _};

use super::lawful;
use crate::backup::set::{self, SetFolder};
use crate::backup::verify;
use crate::base::hex;
use crate::camera::Camera;
use crate::card::CardError;
use crate::chip::{Partition, Role};
use crate::flash::FlashError;
use crate::flash::journal::{Job, JobNeighbour};
use crate::flash::neighbour::{Neighbours, behind, settled, span};
use crate::formats::sha256::Sha256;
use crate::identity;

/// What lies behind the partitions of a flash.
#[derive(Debug, Default)]
pub struct Behind {
    /// What is looked at again at the end, and put back where it was lost.
    pub held: Neighbours,
    /// What was lost before, and is not put back: the partition, and why.
    pub lost: Vec<(String, String)>,
    /// What the journal records of them.
    pub recorded: Vec<JobNeighbour>,
}

impl Behind {
    /// Holds what lies behind `written`, by the records of an interrupted flash where there are
    /// any; `before` is the backup that holds the rest.
    pub fn hold(
        camera: &Camera,
        written: &[&Partition],
        interrupted: Option<&Job>,
        before: &str,
    ) -> Behind {
        let chip = camera.chip();
        let mut all = Behind::default();
        let recorded = interrupted.map(|job| job.neighbours.iter().map(move |note| (job, note)));
        for (job, note) in recorded.into_iter().flatten() {
            let part = chip.map().by_name(&note.name);
            let part = part.filter(|part| written.iter().all(|w| w.index != part.index));
            let Some(part) = part else { continue };
            all.recorded.push(note.clone());
            match recall(camera, job, part, note) {
                Ok(bytes) => all.held.add(part, bytes),
                Err(why) => {
                    log::error!("{} lost what it begins with: {why}", part.name);
                    all.lost.push((part.name.clone(), why));
                }
            }
        }
        for part in behind(chip, written) {
            if all.recorded.iter().any(|note| note.name == part.name) {
                continue;
            }
            let Some(bytes) = settled(chip, part) else {
                log::warn!("what {} begins with cannot be held in memory", part.name);
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

/// The error for one that is lost: which backup holds it, and what a restore has to name, which is
/// all of the job's partitions too.
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

/// What a recorded partition is to begin with: what the chip holds, if that is it, else what a
/// backup of this camera holds.
///
/// # Errors
/// Why it cannot be put back.
pub fn recall(
    camera: &Camera,
    job: &Job,
    part: &Partition,
    note: &JobNeighbour,
) -> Result<Vec<u8>, String> {
    if let Some(now) = settled(camera.chip(), part)
        && hex(&Sha256::digest(&now)) == note.sha256
    {
        return Ok(now);
    }
    let backups = camera.card().backups();
    let named = SetFolder::read(&backups.join(&note.set));
    // Another set may hold the same.
    let all = named.into_iter().chain(set::list(&backups).into_iter().rev());
    let mut why = format!("no whole backup on the card holds it; it was in backup {}", note.set);
    let is_own = |set: &SetFolder| set.fingerprint() == Some(job.identity.as_str());
    for set in all.filter(is_own) {
        match from_set(&set, part, note) {
            Ok(Some(bytes)) => {
                // It is as long as what is held.
                if part.role == Role::Factory {
                    lawful::own_factory(camera, &identity::judge(&bytes))
                        .map_err(|finding| finding.reason.clone())?;
                }
                return Ok(bytes);
            }
            Ok(None) => {}
            Err(e) => why = format!("backup {} cannot be read: {e}", set.name),
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
) -> Result<Option<Vec<u8>>, CardError> {
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
    Ok((hex(&Sha256::digest(&bytes)) == note.sha256).then_some(bytes))
}
