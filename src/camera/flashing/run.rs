//! Doing a flash: everything is checked and saved before the first erase.

use std::path::Path;

use crate::base::fill_random;

use super::behind::Behind;
use super::error::FlashingError;
use super::outcome::{Flashed, WhatCame};
use super::planned::Planned;
use super::planning;
use super::rescue::Rescue;
use super::same::{below_card, same_content, wifi_mark};
use super::writing::Guards;
use super::{opened, renamers, rescue, resume, writing};
use crate::backup::Progress;
use crate::base::{hex, unhex};
use crate::camera::{Camera, Hardware, services};
use crate::card::CardError;
use crate::card::file::{make_dir, write_proven};
use crate::flash::decide::{Agreement, agreement};
use crate::flash::journal::{self, Found, Job, JobPart, JobProtected, JobSource, Journal};
use crate::flash::protection::{Lifted, Protected};
use crate::flash::{FlashError, PartPlan, PlanRequest, PlanSource, Step, Watch, heal};
use crate::machine::Prepared;

/// The version of `flash.toml` that is written.
const FORMAT: u32 = 1;

/// Flashes, if the phrase agrees to the plan.
///
/// # Errors
/// [`FlashingError`]: then no byte was written. What happened later is in the outcome.
pub fn flash(
    camera: &Camera,
    request: &PlanRequest,
    phrase: Option<&str>,
    watch: &dyn Watch,
    progress: &dyn Progress,
) -> Result<Flashed, FlashingError> {
    let _writer = camera.writer_lock()?;
    if camera.state().vaulted.is_none() {
        camera.secure_identity();
    }
    watch.step(Step::Checking, None);
    let planned = planning::plan(camera, request, progress)?;
    if request.sha256.is_some() && request.sha256 != planned.sha256 {
        return Err(FlashingError::OtherImage);
    }
    let given =
        agreement(!planned.plan.blockers.is_empty(), planned.plan.confirm.as_deref(), phrase);
    match given {
        Agreement::Refused => Err(FlashingError::Blocked(Box::new(planned))),
        Agreement::NothingToDo => Ok(Flashed::unchanged()),
        Agreement::PhraseNeeded => Err(FlashingError::Phrase(Box::new(planned), false)),
        Agreement::WrongPhrase => Err(FlashingError::Phrase(Box::new(planned), true)),
        Agreement::Agreed => begin(camera, planned, watch, progress),
    }
}

/// From the agreed plan to the first erase, and on.
fn begin(
    camera: &Camera,
    planned: Planned,
    watch: &dyn Watch,
    progress: &dyn Progress,
) -> Result<Flashed, FlashingError> {
    watch.step(Step::Preparing, None);
    let id = random_id();
    let source = keep_source(camera, &planned, &id, progress)?;
    let kept = Kept { id: id.clone(), source };
    let done = write_agreed(camera, planned, kept, watch, progress);
    if done.is_err() {
        writing::remove_unused_copy(camera, &id);
    }
    done
}

/// The same, with the source where a later start finds it.
fn write_agreed(
    camera: &Camera,
    mut planned: Planned,
    kept: Kept,
    watch: &dyn Watch,
    progress: &dyn Progress,
) -> Result<Flashed, FlashingError> {
    let needs = planned.needs();
    let hacks = services::hold(camera);
    let ready = camera.machine().prepare(needs)?;
    match before_erase(camera, &mut planned, kept, ready.as_ref(), watch, progress) {
        Ok(Begun { job, parts, journal, guards }) => {
            let done = writing::write(camera, &job, &parts, journal, ready, &guards, watch);
            if done.outcome != WhatCame::Unchanged {
                hacks.for_good(camera);
            }
            Ok(done)
        }
        // Called off: the camera continues as before.
        Err(e) if ready.call_off() => Err(e),
        Err(e) => Err(FlashingError::AfterRelease(Box::new(e))),
    }
}

/// All that the first erase waits for.
struct Begun {
    job: Job,
    parts: Vec<PartPlan>,
    journal: Journal,
    guards: Guards,
}

/// With nothing in the way any more: the backup, the protection, the journal.
fn before_erase(
    camera: &Camera,
    planned: &mut Planned,
    kept: Kept,
    ready: &dyn Prepared,
    watch: &dyn Watch,
    progress: &dyn Progress,
) -> Result<Begun, FlashingError> {
    let needs = planned.needs();
    planning::take_settings(camera, planned, ready.nvram(), progress)?;
    watch.step(Step::Saving, None);
    let before = save(camera, planned, needs.data, progress)?;
    watch.step(Step::Preparing, None);
    ready.beat();
    let chosen: Vec<PartPlan> =
        planned.plan.parts.iter().filter(|p| p.changes()).cloned().collect();
    let parts = heal::in_order(chosen);
    let lifted = {
        let written: Vec<_> = parts.iter().map(|plan| &plan.part).collect();
        Lifted::try_out(camera.chip(), &written, left_open(camera))?
    };
    let behind = {
        let written: Vec<_> = parts.iter().map(|plan| &plan.part).collect();
        // What an older flash lost is still to be put back.
        let older = match journal::find(camera.card()) {
            Found::Open(job, _) => Some(job),
            _ => None,
        };
        let decided: Vec<_> = planned.plan.parts.iter().map(|plan| &plan.part).collect();
        Behind::hold(camera, &written, &decided, older.as_deref(), &before)
    };
    let guards = Guards { lifted, behind };
    let (job, journal) = open(camera, planned, &parts, kept, &guards, before, progress)?;
    if let Err(e) = guards.lifted.lift(camera.chip()) {
        writing::abandon(camera, &job, journal);
        return Err(e.into());
    }
    Ok(Begun { job, parts, journal, guards })
}

/// What an interrupted flash lifted, whose place this one takes.
fn left_open(camera: &Camera) -> Vec<Protected> {
    match journal::find(camera.card()) {
        Found::Open(job, _) => resume::recorded(camera, &job),
        _ => Vec::new(),
    }
}

/// Saves what will be overwritten, unless a set contains it exactly; where DATA
/// was live, it is compared again.
fn save(
    camera: &Camera,
    planned: &mut Planned,
    data: bool,
    progress: &dyn Progress,
) -> Result<String, FlashingError> {
    // Nothing is removed now: it may be the very set that is being restored.
    let keep = None;
    let was_live = data && matches!(camera.hardware(), Hardware::Device);
    let first = (!was_live).then(|| planned.reading.clone());
    let outcome = camera.save(keep, true, first, progress)?;
    let names: Vec<&str> = planned.changing().iter().map(|p| p.part.name.as_str()).collect();
    let Some(proven) = outcome.proven(&names) else {
        let file = format!("backup {}", outcome.set.name);
        return Err(FlashingError::Backup(crate::backup::BackupError::NotProven { file }));
    };
    if !was_live {
        return Ok(proven.set().to_owned());
    }
    let changing: Vec<usize> =
        (0..planned.plan.parts.len()).filter(|i| planned.plan.parts[*i].changes()).collect();
    for i in changing {
        let part = planned.plan.parts[i].part.clone();
        let then = planned.reading.of(&part).map(|read| read.sha256);
        let now = outcome.reading.of(&part);
        if then != now.map(|read| read.sha256) {
            let content = planned.plan.parts[i].content.clone();
            let again = crate::flash::plan::compare(camera.chip(), &part, content, now, progress)?;
            same_content(&again, &planned.plan.parts[i].sha256)?;
            planned.plan.parts[i] = again;
        }
    }
    planned.reading = outcome.reading.clone();
    Ok(proven.set().to_owned())
}

/// The last things on the card before the first erase.
fn open(
    camera: &Camera,
    planned: &Planned,
    parts: &[PartPlan],
    kept: Kept,
    guards: &Guards,
    before: String,
    progress: &dyn Progress,
) -> Result<(Job, Journal), FlashingError> {
    let card = camera.card();
    // A rescue image of a flash that this one replaces is removed at the end of this one.
    let older = match journal::find(card) {
        Found::Open(job, _) => Some(job),
        _ => None,
    };
    let left = older.as_ref().and_then(|job| job.rescue.clone());
    let rescue = planned.plan.rescue.map(str::to_owned).or(left.clone());
    if let Some(left) = left.filter(|left| rescue.as_ref() != Some(left)) {
        // Under another name, of a program that did not ask U-Boot for it.
        rescue::remove(card, &left)?;
    }
    if let Some(carried) = &planned.plan.carried {
        make_dir(&card.state_dir())?;
        write_proven(&journal::carried(card, &kept.id), carried)?;
    }
    let job = Job {
        format: FORMAT,
        id: kept.id,
        identity: planned.identity.fingerprint.clone(),
        source: kept.source,
        before,
        heals: planned.plan.heals,
        owners_bak: match &older {
            Some(job) => job.owners_bak,
            None => rescue.as_ref().is_some_and(|name| rescue::has_bak(card, name)),
        },
        owners_mark: older.map_or_else(|| renamers::is_owners(camera), |job| job.owners_mark),
        rescue,
        wifi: camera.machine().wifi_mac().map(|mac| wifi_mark(&mac)),
        protected: guards
            .lifted
            .ranges()
            .iter()
            .map(|range| JobProtected {
                name: range.part.name.clone(),
                offset: range.offset,
                length: range.length,
            })
            .collect(),
        neighbours: guards.behind.recorded.clone(),
        partitions: parts
            .iter()
            .map(|plan| JobPart {
                name: plan.part.name.clone(),
                sha256: hex(&plan.sha256),
                carried: planned.is_carried(&plan.part),
            })
            .collect(),
    };
    let journal = Journal::open(card, &job)?;
    if let Some(rescue) = Rescue::of(card, &job).filter(|_| planned.plan.rescue.is_some()) {
        renamers::keep_off(camera, job.owners_mark);
        if let Err(e) = rescue.put(progress) {
            // Nothing was erased yet: the journal closes again, unless it is an older flash's too.
            if !journal.begun_before {
                if let Some(name) = planned.plan.rescue {
                    let _ = rescue::remove(card, name);
                }
                journal.close(card)?;
                renamers::let_go(camera);
            }
            return Err(e.into());
        }
    }
    Ok((job, journal))
}

/// A source that stays where a later start finds it.
struct Kept {
    id: String,
    source: JobSource,
}

/// An image from elsewhere is copied to the card, so that a later start finds
/// it; one that is in `images/` stays where it is.
fn keep_source(
    camera: &Camera,
    planned: &Planned,
    id: &str,
    progress: &dyn Progress,
) -> Result<JobSource, FlashingError> {
    let card = camera.card();
    // On a PC a set may be elsewhere: then it is named by its whole path.
    let name = |path: &Path| {
        let whole = || path.to_string_lossy().into_owned();
        below_card(camera, path).unwrap_or_else(whole)
    };
    match &planned.request.source {
        PlanSource::Set(path) => Ok(JobSource::Set { path: name(path) }),
        PlanSource::Image(path) => {
            let sha256 = planned.sha256.clone().unwrap_or_default();
            let images = card.home().join("images");
            let whole = path.canonicalize().unwrap_or_else(|_| path.clone());
            // A folder is copied as the one chip that its files make, wherever it is.
            let stays = images.canonicalize().is_ok_and(|images| whole.starts_with(images));
            let place = if stays && !whole.is_dir() {
                whole
            } else {
                make_dir(&images)?;
                let to = images.join(writing::copy_name(id));
                let digest =
                    unhex(&sha256).ok_or_else(|| FlashError::Content(CardError::lying(path)))?;
                let bytes = opened::bytes_of(path, camera.chip().map())?;
                rescue::copy_proven(bytes.as_ref(), &to, &digest, progress)?;
                to
            };
            Ok(JobSource::Image { path: name(&place), sha256 })
        }
    }
}

/// A number that no other job on this card has.
fn random_id() -> String {
    let mut bytes = [0; 8];
    if fill_random(&mut bytes).is_err() {
        bytes = crate::base::host::uptime_seconds().to_le_bytes();
    }
    hex(&bytes)
}
