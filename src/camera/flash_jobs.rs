//! Plans and flashes as the page asks for them: plans are kept for a while, a
//! flash is a job that anybody may watch, and one that was interrupted is gone
//! on with at the next start. What a flash does is in `flashing`.

use super::job_thread;
use super::memory::KnownPlan;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use thiserror::Error;

use super::flashing::{Flashed, FlashingError, PlanDocument, WhatCame};
use super::job::{CELL, Job, JobError, JobKind, JobOutcome, JobState};
use super::jobs::{Busy, Running};
use super::{Camera, Hardware, power, status_txt};
use crate::backup::{Progress, Silent, Work};
use crate::base::hex;
use crate::chip::Partition;
use crate::error::{self, Chain, Code, Exit, Explain};
use crate::flash::decide::{Agreement, agreement};
use crate::flash::{BlockState, PlanRequest, PlanSource, Step, Watch};

/// Plans that are remembered.
const REMEMBERED: usize = 8;
/// How long the end is shown before the camera restarts.
const LAST_NEWS: Duration = Duration::from_secs(2);

/// Why a flash is not begun.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BeginError {
    /// Another job runs.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// The plan is not known any more.
    #[error("this plan has expired")]
    NoSuchPlan,
    /// The plan has blockers.
    #[error("this plan is refused")]
    Blocked,
    /// The phrase is another one.
    #[error("the phrase is wrong; it is: {phrase}")]
    WrongPhrase {
        /// The right one.
        phrase: String,
    },
    /// Nothing would change.
    #[error("nothing to do: the chip already contains it")]
    NothingToDo,
    /// Nothing was interrupted.
    #[error("no flash was interrupted")]
    NothingToResume,
}

impl Explain for BeginError {
    fn code(&self) -> Code {
        match self {
            BeginError::Busy(e) => e.code(),
            BeginError::NoSuchPlan => Code::NoSuchPlan,
            BeginError::Blocked => Code::PlanBlocked,
            BeginError::WrongPhrase { .. } => Code::WrongPhrase,
            BeginError::NothingToDo => Code::NothingToDo,
            BeginError::NothingToResume => Code::NothingToResume,
        }
    }

    fn hint(&self) -> String {
        match self {
            BeginError::Busy(e) => return e.hint(),
            BeginError::NoSuchPlan => "Make a new plan and read it before you confirm.",
            BeginError::Blocked => "The plan's blockers say why, and what to do.",
            BeginError::WrongPhrase { .. } => {
                "Nothing was written. Type the phrase exactly as \
                shown."
            }
            BeginError::NothingToDo | BeginError::NothingToResume => "There is nothing to do.",
        }
        .to_owned()
    }

    fn kind(&self) -> error::FailureKind {
        match self {
            BeginError::NoSuchPlan => error::FailureKind::Missing,
            _ => error::FailureKind::Refused,
        }
    }

    fn exit(&self) -> Exit {
        Exit::Refused
    }
}

/// Makes a plan and remembers it; changes nothing on chip or card.
///
/// # Errors
/// [`FlashingError`].
pub fn plan(
    camera: &Camera,
    request: PlanRequest,
) -> Result<(String, PlanDocument), FlashingError> {
    let planned = camera.plan(&request, &Silent)?;
    let document = planned.document(camera);
    let mut bytes = [0; 8];
    let _ = crate::base::fill_random(&mut bytes);
    let id = hex(&bytes);
    // A file of the same name may be uploaded before the owner agrees.
    let request = PlanRequest { sha256: planned.sha256.clone(), ..request };
    let known = KnownPlan {
        id: id.clone(),
        request,
        confirm: planned.plan.confirm.clone(),
        is_blocked: !planned.plan.blockers.is_empty(),
    };
    let mut plans = camera.plans().0.lock().unwrap_or_else(PoisonError::into_inner);
    if plans.len() >= REMEMBERED {
        plans.pop_front();
    }
    plans.push_back(known);
    Ok((id, document))
}

/// Begins the flash of a plan.
///
/// # Errors
/// [`BeginError`]; what prevents it later is the job's error.
pub fn begin(camera: &Arc<Camera>, plan: &str, phrase: &str) -> Result<Job, BeginError> {
    let known = {
        let plans = camera.plans().0.lock().unwrap_or_else(PoisonError::into_inner);
        plans.iter().find(|known| known.id == plan).cloned().ok_or(BeginError::NoSuchPlan)?
    };
    let right = known.confirm.clone().unwrap_or_default();
    match agreement(known.is_blocked, known.confirm.as_deref(), Some(phrase)) {
        Agreement::Refused => return Err(BeginError::Blocked),
        Agreement::NothingToDo => return Err(BeginError::NothingToDo),
        Agreement::PhraseNeeded | Agreement::WrongPhrase => {
            return Err(BeginError::WrongPhrase { phrase: right });
        }
        Agreement::Agreed => {}
    }
    let kind = match known.request.source {
        PlanSource::Image(_) => JobKind::Flash,
        PlanSource::Set(_) => JobKind::Restore,
    };
    let owner = Arc::clone(camera);
    let job = job_thread::spawn(camera, kind, move |camera, job| {
        let result = {
            let watch = OnJob::new(camera, &job);
            camera.flash(&known.request, Some(&right), &watch, &job)
        };
        end(&owner, job, result.map(Some));
    })?;
    Ok(job)
}

/// Continues an interrupted flash.
///
/// # Errors
/// [`BeginError`].
pub fn begin_resume(camera: &Arc<Camera>) -> Result<Job, BeginError> {
    if camera.interrupted().is_none() {
        return Err(BeginError::NothingToResume);
    }
    let owner = Arc::clone(camera);
    let job = job_thread::spawn(camera, JobKind::Flash, move |camera, job| {
        let result = {
            let watch = OnJob::new(camera, &job);
            camera.resume(false, &watch, &job)
        };
        end(&owner, job, result);
    })?;
    Ok(job)
}

/// At a start: continues by itself with what was interrupted, before anything
/// else is done with the chip. Whether the camera restarts now.
pub fn resume_at_start(camera: &Arc<Camera>) -> bool {
    let Some(interrupted) = camera.interrupted() else { return false };
    log::warn!("a flash of {} was interrupted: continuing", interrupted.partitions.join(", "));
    let Ok(job) = camera.jobs().begin(JobKind::Flash) else { return false };
    let result = {
        let watch = OnJob::new(camera, &job);
        camera.resume(true, &watch, &job)
    };
    if let Ok(Some(flashed)) = &result {
        super::flash_ended::keep(camera.card(), flashed);
    }
    end(camera, job, result)
}

/// Tells what came of it, and restarts the camera where that is due.
fn end(
    camera: &Arc<Camera>,
    job: Running<'_>,
    result: Result<Option<Flashed>, FlashingError>,
) -> bool {
    let flashed = match result {
        Ok(Some(flashed)) => flashed,
        Ok(None) => Flashed::unchanged(),
        Err(e) => {
            let half_done = camera.interrupted().is_some();
            log::error!(
                "{}{e}",
                if half_done { "" } else { "nothing was written: " },
                e = Chain(&e)
            );
            job.change(|job| {
                let outcome = if half_done { JobOutcome::Partly } else { JobOutcome::Unchanged };
                job.outcome = Some(outcome);
                job.error = Some(JobError::of(&e));
                job.state = if half_done { JobState::Interrupted } else { JobState::Failed };
            });
            drop(job);
            if e.needs_restart() {
                std::thread::sleep(LAST_NEWS);
                camera.restart_for_programs();
            }
            return false;
        }
    };
    for warning in &flashed.warnings {
        log::warn!("{warning}");
    }
    let changed = flashed.outcome != WhatCame::Unchanged;
    let restarts = flashed.restarts();
    // A simulated camera restarts as a real one would.
    let pretends = flashed.outcome == WhatCame::Done
        && flashed.may_restart
        && matches!(camera.hardware(), Hardware::Simulated { .. });
    job.change(|job| {
        job.outcome = Some(match flashed.outcome {
            WhatCame::Unchanged => JobOutcome::Unchanged,
            WhatCame::Done => JobOutcome::Done,
            WhatCame::Partly => JobOutcome::Partly,
        });
        job.backup.clone_from(&flashed.before);
        job.put_back = flashed.put_back;
        job.restarts = restarts || pretends;
        job.what_is_where =
            flashed.partitions.iter().map(super::flashing::PartFate::words).collect();
        job.what_is_where.extend(flashed.warnings.iter().cloned());
        match &flashed.error {
            None => job.state = JobState::Done,
            Some(e) => {
                job.state = if flashed.outcome == WhatCame::Partly {
                    JobState::Interrupted
                } else {
                    JobState::Failed
                };
                job.error = Some(JobError::of(e));
            }
        }
    });
    drop(job);
    status_txt::write(camera);
    if restarts {
        log::info!("flashed and verified: the camera restarts");
        crate::machine::boots::Boots::lasted(camera.card());
        std::thread::sleep(LAST_NEWS);
    }
    if flashed.conclude(true) {
        camera.restart_for_programs();
    }
    if changed && !restarts {
        // What is known of the chip is old.
        camera.state().reading = camera.read(&Silent).ok();
    }
    if pretends {
        std::thread::sleep(LAST_NEWS);
        if let Err(e) = power::restart(camera) {
            log::warn!("the simulated camera cannot restart: {e}", e = Chain(&e));
        }
    }
    restarts
}

/// Shows a flash on its job, block by block.
struct OnJob<'a> {
    job: &'a Running<'a>,
    cells: Mutex<Cells>,
}

/// The state of every block, and which cell it is drawn in.
struct Cells {
    letters: Vec<u8>,
    blocks: Vec<(u32, Vec<BlockState>)>,
}

impl<'a> OnJob<'a> {
    fn new(camera: &Camera, job: &'a Running<'a>) -> OnJob<'a> {
        let cells = camera.chip().map().chip_size.unwrap_or(0) / CELL;
        let cells = Cells { letters: vec![b'-'; cells as usize], blocks: Vec::new() };
        OnJob { job, cells: Mutex::new(cells) }
    }
}

impl Cells {
    /// Notes a block; whether a drawn cell changed by it.
    fn note(&mut self, part: &Partition, number: u32, state: BlockState) -> bool {
        let Some(offset) = part.offset else { return false };
        let known = self.blocks.iter().position(|(index, _)| *index == part.index);
        let at = known.unwrap_or_else(|| {
            self.blocks.push((part.index, vec![BlockState::Same; part.blocks() as usize]));
            self.blocks.len() - 1
        });
        let states = &mut self.blocks[at].1;
        let Some(block) = states.get_mut(number as usize) else { return false };
        *block = state;
        let in_cell = (CELL / part.erase_size.max(1)).max(1);
        let first = number / in_cell * in_cell;
        let mine = states.iter().skip(first as usize).take(in_cell as usize);
        let letter = mine.map(|state| rank(*state)).max().map_or(b'-', |(_, letter)| letter);
        let cell = (offset + first * part.erase_size) / CELL;
        let Some(drawn) = self.letters.get_mut(cell as usize) else { return false };
        let changed = *drawn != letter;
        *drawn = letter;
        changed
    }
}

/// Of a cell's blocks the one with the highest rank is drawn.
fn rank(state: BlockState) -> (u8, u8) {
    match state {
        BlockState::Same => (0, b's'),
        BlockState::Written => (1, b'd'),
        BlockState::Waiting => (2, b'w'),
        BlockState::Active => (3, b'a'),
        BlockState::Failed => (4, b'x'),
    }
}

impl Watch for OnJob<'_> {
    fn step(&self, step: Step, partition: Option<&Partition>) {
        let words = match partition {
            Some(part) => format!("{} {}", step.words(), part.name),
            None => step.words().to_owned(),
        };
        self.job.change(|job| {
            (job.step, job.step_code) = (words, step.code());
            job.partition = partition.map(|part| part.name.clone());
        });
    }

    fn block(&self, partition: &Partition, number: u32, state: BlockState) {
        let mut cells = self.cells.lock().unwrap_or_else(PoisonError::into_inner);
        if cells.note(partition, number, state) {
            let text = String::from_utf8_lossy(&cells.letters).into_owned();
            self.job.change(|job| job.cells = text);
        }
    }

    fn progress(&self, done: u32, total: u32) {
        self.job.change(|job| {
            job.block = done.into();
            job.blocks = total.into();
        });
    }
}

impl Progress for OnJob<'_> {
    fn at(&self, work: Work, done: u64, total: u64) {
        self.job.at(work, done, total);
    }
}
