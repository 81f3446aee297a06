//! After a power cut: what was interrupted, and going on with it. The chip
//! itself tells how far it is; the journal only says what it is to become.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;
use sha2::Digest as _;

use super::outcome::Flashed;
use super::planned::family;
use super::request::{Opened, PlanSource};
use super::{FlashingError, rescue, writing};
use crate::backup::set::{self, SetFolder};
use crate::backup::{Progress, hex, unhex, verify};
use crate::camera::Camera;
use crate::camera::machine::{Needs, fed};
use crate::card::file::read_bounded;
use crate::chip::Role;
use crate::flash::journal::{self, Found, Job, JobPart, JobSource, Stage};
use crate::flash::plan::compare;
use crate::flash::protection::{Liftable, Protected};
use crate::flash::{Bytes, Heals, NewContent, PartPlan, Step, Watch};
use crate::image::slices::Target;

/// How often a start goes on by itself before it waits for the owner.
pub const BY_ITSELF: u8 = 3;

/// A flash that was interrupted, as it is told.
#[derive(Clone, Debug, Serialize)]
pub struct Interrupted {
    /// Its partitions.
    pub partitions: Vec<String>,
    /// Where its content comes from.
    pub source: String,
    /// The backup of what was there before.
    pub before: String,
    /// What brings the camera back if it is cut again.
    pub heals: Option<Heals>,
    /// How often a start went on with it already.
    pub resumed: u8,
    /// Why its journal means nothing.
    pub damage: Option<String>,
}

/// What was interrupted, if something was; changes nothing.
pub fn interrupted(camera: &Camera) -> Option<Interrupted> {
    match journal::find(camera.card()) {
        Found::Nothing => None,
        Found::Damaged { reason } => Some(Interrupted {
            partitions: Vec::new(),
            source: String::new(),
            before: String::new(),
            heals: None,
            resumed: 0,
            damage: Some(reason),
        }),
        Found::Open(job, journal) => Some(Interrupted {
            partitions: job.partitions.iter().map(|p| p.name.clone()).collect(),
            source: match &job.source {
                JobSource::Image { path, .. } | JobSource::Set { path } => path.clone(),
            },
            before: job.before.clone(),
            heals: Some(job.heals),
            resumed: journal.resumed,
            damage: None,
        }),
    }
}

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
    let (job, mut journal) = match journal::find(camera.card()) {
        Found::Nothing => return Ok(None),
        Found::Damaged { reason } => return Err(FlashingError::Journal { reason }),
        Found::Open(job, journal) => (*job, journal),
    };
    let _writer = camera.writer_lock()?;
    if camera.state().vaulted.is_none() {
        camera.secure_identity();
    }
    check_camera(camera, &job)?;
    if by_itself && journal.resumed >= BY_ITSELF {
        let what = format!("{} starts went on with it, and none ended it", journal.resumed);
        return Err(FlashingError::SourceGone { what });
    }
    watch.step(Step::Checking, None);
    let source = find_source(camera, &job, by_itself, progress)?;
    watch.step(Step::Preparing, None);
    let data = job.partitions.iter().any(|part| part.name == Role::Data.name());
    let ready = camera.machine().prepare(Needs { data })?;
    let parts = fed(ready.as_ref(), || {
        let parts = compare_all(camera, &job, source.contents, progress)?;
        if let (Some(name), Some(image)) = (&job.rescue, &source.image)
            && let JobSource::Image { sha256, .. } = &job.source
            && let Some(digest) = unhex(sha256)
            && let Err(e) = rescue::place(camera.card(), name, image, &digest)
        {
            // The half-written camera runs now: going on is the safer way.
            log::warn!("the rescue image is not at the card's root: {e}");
        }
        Ok::<_, FlashingError>(parts)
    })?;
    let written: Vec<_> = parts.iter().map(|plan| &plan.part).collect();
    let protected = if job.protected.is_empty() {
        Liftable::try_out(camera.chip(), &written)?
    } else {
        recorded(camera, &job)
    };
    protected.lift(camera.chip())?;
    if let Err(e) = journal.note(Stage::Resumed(journal.resumed.saturating_add(1))) {
        log::warn!("the journal: {e}");
    }
    Ok(Some(writing::write(camera, &job, &parts, journal, ready, &protected, watch)))
}

/// What each of a job's partitions still needs, in the order of writing.
fn compare_all(
    camera: &Camera,
    job: &Job,
    contents: Vec<Arc<dyn NewContent>>,
    progress: &dyn Progress,
) -> Result<Vec<PartPlan>, FlashingError> {
    let mut parts = Vec::with_capacity(job.partitions.len());
    for (note, content) in job.partitions.iter().zip(contents) {
        let gone = || FlashingError::SourceGone { what: format!("the partition {}", note.name) };
        let part = camera.chip().map().by_name(&note.name).ok_or_else(gone)?;
        parts.push(compare(camera.chip(), part, content, None, progress)?);
    }
    Ok(writing::in_order(parts))
}

/// What the job found protected, before it was lifted.
pub(super) fn recorded(camera: &Camera, job: &Job) -> Liftable {
    let map = camera.chip().map();
    let ranges = job.protected.iter().filter_map(|range| {
        let part = map.by_name(&range.partition)?.clone();
        Some(Protected { part, offset: range.offset, length: range.length })
    });
    Liftable::recorded(ranges.collect())
}

/// A card may have been carried to another camera in the middle.
fn check_camera(camera: &Camera, job: &Job) -> Result<(), FlashingError> {
    // Where FACTORY itself was being written, it tells nothing.
    if job.partitions.iter().any(|part| part.name == Role::Factory.name()) {
        return Ok(());
    }
    if camera.judge_identity().fingerprint == job.identity {
        Ok(())
    } else {
        Err(FlashingError::OtherCamera)
    }
}

/// New content for each of a job's partitions, in their order.
struct FoundSource {
    contents: Vec<Arc<dyn NewContent>>,
    image: Option<PathBuf>,
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
        JobSource::Set { path } => from_set(camera, &root.join(path), &job.partitions, true),
    };
    let why = match agreed {
        Ok(found) => return Ok(found),
        Err(why) => why,
    };
    log::warn!("{why}");
    // A set may hold the very same content.
    for set in set::list(&camera.card().backups()).iter().rev() {
        if let Ok(found) = from_set(camera, &set.path, &job.partitions, true) {
            log::warn!("backup {} holds the same content: going on with it", set.name);
            return Ok(found);
        }
    }
    if by_itself {
        return Err(FlashingError::SourceGone { what: why });
    }
    // What was there before is the other way to a whole camera.
    let before = camera.card().backups().join(&job.before);
    let whole = verify::verify(&before, progress).is_ok_and(|verdict| verdict.is_whole());
    if whole && let Ok(found) = from_set(camera, &before, &job.partitions, false) {
        log::warn!(
            "the image is gone: backup {}, made before the flash, takes its place",
            job.before
        );
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
    };
    let name = path.display();
    let opened = Opened::open(&PlanSource::Image(path.to_owned()), &target, None)
        .map_err(|e| super::outcome::full(&e))?;
    if opened.slices.sha256.map(|digest| hex(&digest)).as_deref() != Some(sha256) {
        return Err(format!("{name} is not the image that was agreed to"));
    }
    let mut contents: Vec<Arc<dyn NewContent>> = Vec::with_capacity(job.partitions.len());
    for note in &job.partitions {
        if note.carried {
            contents.push(carried(camera, note)?);
            continue;
        }
        let slice = opened.slices.by_name(&note.name).filter(|s| hex(&s.sha256) == note.sha256);
        let slice = slice.ok_or_else(|| format!("{name} does not hold {} as agreed", note.name))?;
        contents.push(opened.content(slice));
    }
    Ok(FoundSource { contents, image: Some(path.to_owned()) })
}

/// The partitions out of a set; `same` where they must be what was agreed to.
fn from_set(
    camera: &Camera,
    path: &Path,
    wanted: &[JobPart],
    same: bool,
) -> Result<FoundSource, String> {
    let name = path.display();
    let set = SetFolder::anywhere(path);
    let manifest = set.closed().ok_or_else(|| format!("{name} is no whole backup set"))?;
    let mut contents: Vec<Arc<dyn NewContent>> = Vec::with_capacity(wanted.len());
    for part in wanted {
        if part.carried && same {
            contents.push(carried(camera, part)?);
            continue;
        }
        let note = manifest
            .partitions
            .iter()
            .find(|note| note.name == part.name && (!same || note.sha256 == part.sha256))
            .ok_or_else(|| format!("{name} does not hold {} as agreed", part.name))?;
        let file = path.join(&note.file);
        let read = verify::hash_file(&file, &mut |_| {}).map_err(|e| e.to_string())?;
        if hex(&read) != note.sha256 {
            return Err(format!("{} is damaged", file.display()));
        }
        let content = crate::flash::FilePart::open(&file, 0, u64::from(note.size))
            .map_err(|e| e.to_string())?;
        contents.push(Arc::new(content));
    }
    Ok(FoundSource { contents, image: None })
}

/// The settings that were being carried over.
fn carried(camera: &Camera, note: &JobPart) -> Result<Arc<dyn NewContent>, String> {
    let path = journal::carried(camera.card());
    let bytes = read_bounded(&path, 0x10_0000).map_err(|e| e.to_string())?;
    let part = camera.chip().map().by_name(&note.name).ok_or("there is no CONFIG")?;
    let mut whole = vec![0; part.size as usize];
    let content = Bytes(bytes);
    content.read(0, &mut whole).map_err(|e| e.to_string())?;
    if hex(&sha2::Sha256::digest(&whole)) != note.sha256 {
        return Err(format!("{} is damaged", path.display()));
    }
    Ok(Arc::new(content))
}

impl Camera {
    /// What was interrupted, if something was; changes nothing.
    pub fn interrupted(&self) -> Option<Interrupted> {
        interrupted(self)
    }

    /// A plan; changes nothing.
    ///
    /// # Errors
    /// [`FlashingError`].
    pub fn plan(
        &self,
        request: &super::PlanRequest,
        progress: &dyn Progress,
    ) -> Result<super::Planned, FlashingError> {
        super::planned::plan(self, request, progress)
    }

    /// A flash, if the phrase agrees to its plan.
    ///
    /// # Errors
    /// [`FlashingError`]: then no byte was written.
    pub fn flash(
        &self,
        request: &super::PlanRequest,
        phrase: Option<&str>,
        watch: &dyn Watch,
        progress: &dyn Progress,
    ) -> Result<Flashed, FlashingError> {
        super::run::flash(self, request, phrase, watch, progress)
    }

    /// Goes on with what was interrupted; `None` where nothing was.
    ///
    /// # Errors
    /// [`FlashingError`]: then nothing more was written.
    pub fn resume(
        &self,
        by_itself: bool,
        watch: &dyn Watch,
        progress: &dyn Progress,
    ) -> Result<Option<Flashed>, FlashingError> {
        resume(self, by_itself, watch, progress)
    }
}
