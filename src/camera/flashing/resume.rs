//! After a power cut: what was interrupted, and going on with it. The chip
//! itself tells how far it is; the journal only says what it is to become.

use std::path::Path;
use std::sync::Arc;

use super::behind::{self, Behind};
use super::error::FlashingError;
use super::live::{family, kernel_load};
use super::opened::Opened;
use super::outcome::Flashed;
use super::rescue::Rescue;
use super::same::check_camera;
use super::writing::{Guards, copy_name};
use super::{renamers, writing};
use crate::backup::set::{self, SetFolder};
use crate::backup::{Progress, verify};
use crate::base::hex;
use crate::camera::{Camera, services};
use crate::card::CardError;
use crate::card::file::read_bounded;
use crate::chip::Role;
use crate::error::{Chain, chain};
use crate::flash::journal::{self, Found, Job, JobPart, JobProtected, JobSource, Journal, Stage};
use crate::flash::plan::compare;
use crate::flash::protection::{Lifted, Protected};
use crate::flash::resumable::{self, Known, goes_on_by_itself};
use crate::flash::{
    Bytes, FilePart, FlashError, NewContent, PartPlan, PlanSource, Step, Watch, heal,
};
use crate::identity;
use crate::image::slices::Target;
use crate::machine::Needs;

/// Goes on with what was interrupted; `None` where nothing was. `by_itself` is
/// a start, which never takes anything but the image that was agreed to.
///
/// # Errors
/// [`FlashingError`]: then nothing more was written.
pub fn resume(
    camera: &Camera,
    by_itself: bool,
    watch: &dyn Watch,
    progress: &dyn Progress,
) -> Result<Option<Flashed>, FlashingError> {
    // The lock first: what is found must be what is still so when it is gone on with.
    let _writer = camera.writer_lock()?;
    let (mut job, mut journal) = match journal::find(camera.card()) {
        Found::Nothing => return Ok(None),
        Found::Damaged { reason } => return Err(FlashingError::Journal { reason }),
        Found::Open(job, journal) => (*job, journal),
    };
    if camera.state().vaulted.is_none() {
        camera.secure_identity();
    }
    check_camera(camera, &job)?;
    check_job(camera, &job)?;
    check_lost_identity(camera, &job)?;
    if !camera.chip().map().is_known() {
        let what = "this camera's flash map is unknown".to_owned();
        return Err(FlashingError::SourceGone { what });
    }
    if by_itself && !goes_on_by_itself(journal.resumed) {
        return Err(FlashingError::TooManyStarts { starts: journal.resumed });
    }
    watch.step(Step::Checking, None);
    let source = find_source(camera, &job, by_itself, progress)?;
    check_identity(camera, &job, &source)?;
    // Before anything that may hang: a start that does not come to its end counts too.
    if let Err(e) = journal.note(Stage::Resumed(journal.resumed.saturating_add(1))) {
        log::warn!("the journal: {e}", e = Chain(&e));
    }
    watch.step(Step::Preparing, None);
    let data = job.partitions.iter().any(|part| part.name == Role::Data.name());
    let hacks = services::hold(camera);
    let ready = camera.machine().prepare(Needs { data }).map_err(FlashingError::NotReady)?;
    let map = camera.chip().map();
    let mut parts = Vec::with_capacity(job.partitions.len());
    for (note, content) in job.partitions.iter().zip(source.contents) {
        let gone = || FlashingError::SourceGone { what: format!("the partition {}", note.name) };
        let part = map.by_name(&note.name).ok_or_else(gone)?;
        let plan = compare(camera.chip(), part, content, None, progress)?;
        if !source.is_before && hex(&plan.sha256) != note.sha256 {
            let partition = part.name.clone();
            return Err(FlashError::ContentChanged { partition, offset: 0 }.into());
        }
        parts.push(plan);
        ready.beat();
    }
    let parts: Vec<PartPlan> = heal::in_order(parts);
    if source.is_image
        && let Some(rescue) = Rescue::of(camera.card(), &job)
    {
        renamers::keep_off(camera, job.owners_mark);
        if let Err(e) = rescue.put(progress) {
            // The half-written camera runs now: going on is the safer way.
            log::warn!("the rescue image is not at the card's root: {e}", e = Chain(&e));
        }
    }
    let written: Vec<_> = parts.iter().map(|plan| &plan.part).collect();
    let lifted = Lifted::try_out(camera.chip(), &written, recorded(camera, &job))?;
    let behind = Behind::hold(camera, &written, &written, Some(&job), &job.before);
    let is_recorded = job.neighbours == behind.recorded;
    job.neighbours.clone_from(&behind.recorded);
    let guards = Guards { lifted, behind };
    guards.lifted.lift(camera.chip())?;
    if source.is_before {
        // From here on this is what is agreed to, also after another cut.
        job.source = JobSource::Set { path: format!("mi360d/backups/{}", job.before) };
        for part in &mut job.partitions {
            part.carried = false;
            let plan = parts.iter().find(|plan| plan.part.name == part.name);
            part.sha256 = plan.map_or_else(String::new, |plan| hex(&plan.sha256));
        }
    }
    if source.is_before {
        journal = Journal::open(camera.card(), &job)?;
    } else if !is_recorded {
        // Another cut must not take what this run loses for what was there. A card that does not
        // take it is no reason to leave the camera half written.
        match Journal::open(camera.card(), &job) {
            Ok(renewed) => journal = renewed,
            Err(e) => {
                log::warn!("the next partition's start cannot be recorded: {e}", e = Chain(&e));
            }
        }
    }
    let mut done = writing::write(camera, &job, &parts, journal, ready, &guards, watch);
    if source.is_before {
        done.put_back = true;
        for part in done.partitions.iter_mut().filter(|part| part.holds == "new") {
            part.holds = "put-back";
        }
        done.warnings.push(format!(
            "the image is gone, so backup {} was put back: the camera is as before",
            job.before
        ));
    }
    hacks.for_good(camera);
    Ok(Some(done))
}

/// What was write-protected before the flash lifted it.
pub(super) fn recorded(camera: &Camera, job: &Job) -> Vec<Protected> {
    let range = |note: &JobProtected| {
        let part = camera.chip().map().by_name(&note.name)?.clone();
        part.check_range(note.offset, note.length as usize).ok()?;
        Some(Protected { part, offset: note.offset, length: note.length })
    };
    job.protected.iter().filter_map(range).collect()
}

/// Whether a journal asks for what a flash of ours could have asked for.
fn check_job(camera: &Camera, job: &Job) -> Result<(), FlashingError> {
    let before = SetFolder::read(&camera.card().backups().join(&job.before));
    let has_backup = before.as_ref().and_then(|set| set.manifest()).is_some_and(|manifest| {
        manifest.identity.fingerprint.as_deref() == Some(job.identity.as_str())
    });
    let names = job.partitions.iter().map(|part| &part.name);
    let unlocked: Vec<String> = names.filter(|name| camera.is_unlocked(name)).cloned().collect();
    let is_device = matches!(camera.hardware(), crate::camera::Hardware::Device);
    resumable::check(job, &Known { is_device, unlocked: &unlocked, has_backup })
        .map_err(|reason| FlashingError::Journal { reason: reason.to_owned() })
}

/// Where an erase took FACTORY along, it does not tell any more whose the camera is: then the WiFi
/// does, or FACTORY as the backup contains it, by its own laws.
fn check_lost_identity(camera: &Camera, job: &Job) -> Result<(), FlashingError> {
    let Some(note) = behind::lost_factory(camera, job) else { return Ok(()) };
    if job.wifi.is_some() && camera.machine().wifi_mac().is_some() {
        return Ok(()); // They are the same: `check_camera` looked.
    }
    let part = camera.chip().map().by_name(&note.name).ok_or(FlashingError::OtherCamera)?;
    match behind::recall(camera, job, part, note) {
        Ok(Some(_)) => Ok(()),
        Ok(None) => Err(FlashingError::OtherCamera),
        Err(why) => Err(behind::lost(camera, job, &note.name, &why).into()),
    }
}

/// FACTORY that was being written is written on only where it can be this
/// camera's: a healthy live one is the same, a torn one does not contradict the WiFi.
fn check_identity(camera: &Camera, job: &Job, source: &FoundSource) -> Result<(), FlashingError> {
    let is_factory = |part: &JobPart| part.name == Role::Factory.name();
    let Some(at) = job.partitions.iter().position(is_factory) else { return Ok(()) };
    let (Some(part), Some(content)) =
        (camera.chip().map().by_role(Role::Factory), source.contents.get(at))
    else {
        return Err(FlashingError::OtherCamera);
    };
    let mut bytes = vec![0; part.size as usize];
    content.read(0, &mut bytes)?;
    let wanted = identity::judge(&bytes);
    let (live, mac) = (camera.judge_identity(), camera.machine().wifi_mac());
    if resumable::is_own_factory(&wanted, &live, mac.as_deref()) {
        Ok(())
    } else {
        Err(FlashingError::OtherCamera)
    }
}

/// New content for each of a job's partitions, in their order.
struct FoundSource {
    contents: Vec<Arc<dyn NewContent>>,
    /// It comes from the image that was agreed to.
    is_image: bool,
    /// It is what was there before, not what was agreed to.
    is_before: bool,
}

fn find_source(
    camera: &Camera,
    job: &Job,
    by_itself: bool,
    progress: &dyn Progress,
) -> Result<FoundSource, FlashingError> {
    let root = camera.card().root();
    let agreed = match &job.source {
        JobSource::Image { path, sha256 } => from_image(camera, job, &root.join(path), sha256),
        JobSource::Set { path } => from_set(camera, &root.join(path), job, true),
    };
    let why = match agreed {
        Ok(found) => return Ok(found),
        Err(why) => why,
    };
    log::warn!("{why}");
    // A set may contain the very same content.
    for set in set::list(&camera.card().backups()).iter().rev() {
        if let Ok(found) = from_set(camera, &set.path, job, true) {
            log::warn!("backup {} has the same content: continuing with it", set.name);
            return Ok(found);
        }
    }
    if by_itself {
        return Err(FlashingError::SourceGone { what: why });
    }
    // What was there before is the other way to a whole camera.
    let before = camera.card().backups().join(&job.before);
    let whole = verify::verify(&before, progress).is_ok_and(|verdict| verdict.is_whole());
    if whole && let Ok(found) = from_set(camera, &before, job, false) {
        log::warn!("the image is gone: using backup {}, made before the flash", job.before);
        return Ok(found);
    }
    Err(FlashingError::SourceGone { what: why })
}

fn from_image(
    camera: &Camera,
    job: &Job,
    path: &Path,
    sha256: &str,
) -> Result<FoundSource, String> {
    let identity = camera.judge_identity();
    let reading = camera.state().reading.clone();
    let target = Target {
        map: camera.chip().map(),
        model: None,
        family: reading.as_ref().and_then(|reading| family(camera, reading)),
        identity: Some(&identity),
        firmware: None,
        kernel_load: reading.as_ref().and_then(|reading| kernel_load(camera, reading)),
        known: &[],
    };
    let name = path.display();
    let opened = Opened::open(&PlanSource::Image(path.to_owned()), &target, None)
        .map_err(|e| crate::error::chain(&e))?;
    if opened.slices.sha256.map(|digest| hex(&digest)).as_deref() != Some(sha256) {
        return Err(format!("{name} is not the image that was confirmed"));
    }
    let mut contents: Vec<Arc<dyn NewContent>> = Vec::with_capacity(job.partitions.len());
    for note in &job.partitions {
        if note.carried {
            contents.push(carried(camera, job, note)?);
            continue;
        }
        let slice = opened.slices.by_name(&note.name).filter(|s| hex(&s.sha256) == note.sha256);
        let content = match slice {
            Some(slice) => Some(opened.content(slice)),
            None => in_own_copy(camera, job, note, path).map_err(|e| chain(&e))?,
        };
        contents.push(
            content.ok_or_else(|| format!("{name} does not contain {} as confirmed", note.name))?,
        );
    }
    Ok(FoundSource { contents, is_image: true, is_before: false })
}

/// A partition in the copy of a folder, which is a whole chip by this camera's map, whatever else
/// it looks like. Whether it is what was confirmed is checked by [`resume`].
fn in_own_copy(
    camera: &Camera,
    job: &Job,
    note: &JobPart,
    path: &Path,
) -> Result<Option<Arc<dyn NewContent>>, CardError> {
    let map = camera.chip().map();
    let is_chip = map.chip_size.map(u64::from) == path.metadata().ok().map(|meta| meta.len());
    let part = map.by_name(&note.name).filter(|_| is_chip && path.ends_with(copy_name(&job.id)));
    let Some((part, offset)) = part.and_then(|part| Some((part, part.offset?))) else {
        return Ok(None);
    };
    let content = FilePart::open(path, offset.into(), part.size.into())?;
    Ok(Some(Arc::new(content)))
}

/// The partitions out of a set; `same` where they must be what was agreed to.
fn from_set(camera: &Camera, path: &Path, job: &Job, same: bool) -> Result<FoundSource, String> {
    let name = path.display();
    let set = SetFolder::anywhere(path);
    let manifest = set.closed().ok_or_else(|| format!("{name} is not a complete backup"))?;
    let mut contents: Vec<Arc<dyn NewContent>> = Vec::with_capacity(job.partitions.len());
    for part in &job.partitions {
        if part.carried && same {
            contents.push(carried(camera, job, part)?);
            continue;
        }
        let note = manifest
            .partitions
            .iter()
            .find(|note| note.name == part.name && (!same || note.sha256 == part.sha256))
            .ok_or_else(|| format!("{name} does not contain {} as confirmed", part.name))?;
        let file = path.join(&note.file);
        let read = verify::hash_file(&file, &mut |_| {}).map_err(|e| chain(&e))?;
        if hex(&read) != note.sha256 {
            return Err(format!("{} is damaged", file.display()));
        }
        let content = FilePart::open(&file, 0, u64::from(note.size)).map_err(|e| chain(&e))?;
        contents.push(Arc::new(content));
    }
    Ok(FoundSource { contents, is_image: false, is_before: !same })
}

/// The settings that were being carried over.
fn carried(camera: &Camera, job: &Job, note: &JobPart) -> Result<Arc<dyn NewContent>, String> {
    let path = journal::carried(camera.card(), &job.id);
    let bytes = read_bounded(&path, 0x10_0000).map_err(|e| chain(&e))?;
    let part = camera.chip().map().by_name(&note.name).ok_or("there is no CONFIG")?;
    let mut whole = vec![0; part.size as usize];
    let content = Bytes(bytes);
    content.read(0, &mut whole).map_err(|e| chain(&e))?;
    if hex(&crate::formats::sha256::Sha256::digest(&whole)) != note.sha256 {
        return Err(format!("{} is damaged", path.display()));
    }
    Ok(Arc::new(content))
}
