//! Doing a flash: everything is checked and saved before the first erase.

use std::path::{Path, PathBuf};

use super::outcome::Flashed;
use super::planned::{self, Planned};
use super::request::{PlanRequest, PlanSource};
use super::{FlashingError, conditions, rescue, resume, writing};
use crate::backup::{Progress, hex, unhex};
use crate::camera::machine::fed;
use crate::camera::{Camera, Source, config, synthetic};
use crate::card::CardError;
use crate::card::file::{make_dir, write_proven};
use crate::flash::journal::{self, Found, Job, JobPart, JobRange, JobSource, Journal};
use crate::flash::protection::{Liftable, Protected};
use crate::flash::{FlashError, PartPlan, Step, Watch};

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
    let planned = planned::plan(camera, request, progress)?;
    if !planned.blockers.is_empty() {
        return Err(FlashingError::Blocked(Box::new(planned)));
    }
    let Some(wanted) = &planned.confirm else { return Ok(Flashed::unchanged()) };
    if phrase.map(str::trim) != Some(wanted.as_str()) {
        return Err(FlashingError::Phrase(Box::new(planned), phrase.is_some()));
    }
    begin(camera, planned, watch, progress)
}

/// From the agreed plan to the first erase, and on.
fn begin(
    camera: &Camera,
    mut planned: Planned,
    watch: &dyn Watch,
    progress: &dyn Progress,
) -> Result<Flashed, FlashingError> {
    watch.step(Step::Preparing, None);
    let id = random_id();
    let (source, image) = keep_source(camera, &planned, &id)?;
    let needs = conditions::needs(&planned);
    let ready = camera.machine().prepare(needs)?;
    watch.step(Step::Saving, None);
    let before = fed(ready.as_ref(), || save(camera, &mut planned, needs.data, progress))?;
    let chosen: Vec<PartPlan> = planned.parts.iter().filter(|p| p.changes()).cloned().collect();
    let parts = writing::in_order(chosen);
    let protected = protection(camera, &parts)?;
    let (job, journal) = fed(ready.as_ref(), || {
        let image = image.as_deref();
        open(camera, &planned, &parts, protected.ranges(), source, image, &id, before)
    })?;
    // Only now: if the power fails, the journal knows what is to be protected again.
    if let Err(e) = protected.lift(camera.chip()) {
        writing::abandon(camera, &job, journal);
        return Err(e.into());
    }
    Ok(writing::write(camera, &job, &parts, journal, ready, &protected, watch))
}

/// What is protected; what an interrupted flash lifted, whose place this one takes, too.
fn protection(camera: &Camera, parts: &[PartPlan]) -> Result<Liftable, FlashError> {
    if let Found::Open(job, _) = journal::find(camera.card())
        && !job.protected.is_empty()
    {
        return Ok(resume::recorded(camera, &job));
    }
    let written: Vec<_> = parts.iter().map(|plan| &plan.part).collect();
    Liftable::try_out(camera.chip(), &written)
}

/// Saves what will be overwritten, unless a set holds it exactly; where DATA
/// was live, it is compared anew.
fn save(
    camera: &Camera,
    planned: &mut Planned,
    data: bool,
    progress: &dyn Progress,
) -> Result<String, FlashingError> {
    let settings = config::load(&camera.card().config());
    // A default that stands in for a broken file deletes nothing.
    let keep = settings.problem.is_none().then_some(settings.config.backup.keep.0);
    let was_live = data && matches!(camera.source(), Source::Device);
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
        (0..planned.parts.len()).filter(|i| planned.parts[*i].changes()).collect();
    for i in changing {
        let part = planned.parts[i].part.clone();
        let then = planned.reading.of(&part).map(|read| read.sha256);
        let now = outcome.reading.of(&part);
        if then != now.map(|read| read.sha256) {
            let content = planned.parts[i].content.clone();
            planned.parts[i] =
                crate::flash::plan::compare(camera.chip(), &part, content, now, progress)?;
        }
    }
    planned.reading = outcome.reading.clone();
    Ok(proven.set().to_owned())
}

/// The last things on the card before the first erase.
#[expect(clippy::too_many_arguments, reason = "each stands in the journal, and nowhere else")]
fn open(
    camera: &Camera,
    planned: &Planned,
    parts: &[PartPlan],
    protected: &[Protected],
    source: JobSource,
    image: Option<&Path>,
    id: &str,
    before: String,
) -> Result<(Job, Journal), FlashingError> {
    let card = camera.card();
    if let Some(carried) = &planned.carried {
        make_dir(&card.state_dir())?;
        write_proven(&journal::carried(card), carried)?;
    }
    let mut rescue = None;
    if let (Some(name), Some(image), Some(sha256)) =
        (planned.rescue, image, planned.sha256.as_deref().and_then(unhex))
    {
        rescue::place(card, name, image, &sha256)?;
        rescue = Some(name.to_owned());
    }
    let job = Job {
        format: FORMAT,
        id: id.to_owned(),
        identity: planned.identity.fingerprint.clone(),
        source,
        before,
        heals: planned.heals,
        rescue,
        protected: protected
            .iter()
            .map(|range| JobRange {
                partition: range.part.name.clone(),
                offset: range.offset,
                length: range.length,
            })
            .collect(),
        partitions: parts
            .iter()
            .map(|plan| JobPart {
                name: plan.part.name.clone(),
                sha256: hex(&plan.sha256),
                carried: planned.is_carried(&plan.part),
            })
            .collect(),
    };
    let journal = Journal::open(card, &job).inspect_err(|_| {
        if let Some(name) = &job.rescue {
            let _ = rescue::remove(card, name);
        }
    })?;
    Ok((job, journal))
}

/// An image from elsewhere is copied to the card, so that a later start finds
/// it; one that lies in `images/` stays where it is.
fn keep_source(
    camera: &Camera,
    planned: &Planned,
    id: &str,
) -> Result<(JobSource, Option<PathBuf>), FlashingError> {
    let card = camera.card();
    let below = |path: &Path| -> Option<String> {
        path.strip_prefix(card.root()).ok()?.to_str().map(str::to_owned)
    };
    match &planned.request.source {
        PlanSource::Set(path) => {
            let place = below(path).or_else(|| {
                let path = path.canonicalize().ok()?;
                let root = card.root().canonicalize().ok()?;
                path.strip_prefix(root).ok()?.to_str().map(str::to_owned)
            });
            // A set from elsewhere is named by its whole path: it is there, or it is not.
            let path = place.unwrap_or_else(|| path.to_string_lossy().into_owned());
            Ok((JobSource::Set { path }, None))
        }
        PlanSource::Image(path) => {
            let sha256 = planned.sha256.clone().unwrap_or_default();
            let images = card.home().join("images");
            let place = if path.starts_with(&images) {
                path.clone()
            } else {
                make_dir(&images)?;
                let to = images.join(writing::copy_name(id));
                let digest =
                    unhex(&sha256).ok_or_else(|| FlashError::Content(CardError::lying(path)))?;
                rescue::copy_proven(path, &to, &digest)?;
                to
            };
            let path = below(&place).unwrap_or_else(|| place.to_string_lossy().into_owned());
            Ok((JobSource::Image { path, sha256 }, Some(place)))
        }
    }
}

/// A number that no other job on this card has.
fn random_id() -> String {
    let mut bytes = [0; 8];
    if synthetic::random(&mut bytes).is_err() {
        bytes = crate::camera::host::uptime_seconds().to_le_bytes();
    }
    hex(&bytes)
}
