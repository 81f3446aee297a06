//! Backups as an owner handles them: made now, read again, deleted. How a set is made is in
//! [`crate::backup`].

use super::job_thread;
use std::sync::Arc;

use thiserror::Error;

use super::job::{Job, JobError, JobKind};
use super::jobs::{Busy, Running};
use super::state::BackupState;
use super::{Camera, card_view, status_txt};
use crate::backup::set::{self, UNFINISHED};
use crate::backup::sums::SHA256SUMS;
use crate::backup::{BackupError, Progress, Silent, Work, verify};
use crate::card::CardError;
use crate::card::file;
use crate::error::{self, Chain, Code, Exit, Explain};

/// Why a set is not deleted.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DeleteError {
    /// The program refuses.
    #[error("this backup is protected: {standing}")]
    Protected {
        /// What it is to the owner.
        standing: &'static str,
    },
    /// A job may be reading it.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// There is none, or the card fails.
    #[error(transparent)]
    Backup(#[from] BackupError),
}

impl From<CardError> for DeleteError {
    fn from(error: CardError) -> DeleteError {
        DeleteError::Backup(error.into())
    }
}

impl Explain for DeleteError {
    fn code(&self) -> Code {
        match self {
            DeleteError::Protected { .. } => Code::BackupProtected,
            DeleteError::Busy(e) => e.code(),
            DeleteError::Backup(e) => e.code(),
        }
    }

    fn hint(&self) -> String {
        match self {
            DeleteError::Protected { .. } => {
                "You may need it to restore the camera. To free space, put the card into a PC and \
                 move the backup there."
                    .into()
            }
            DeleteError::Busy(e) => e.hint(),
            DeleteError::Backup(e) => e.hint(),
        }
    }

    fn kind(&self) -> error::FailureKind {
        match self {
            DeleteError::Backup(e) => e.kind(),
            _ => error::FailureKind::of(self.exit()),
        }
    }

    fn exit(&self) -> Exit {
        match self {
            DeleteError::Backup(e) => e.exit(),
            _ => Exit::Refused,
        }
    }
}

/// How many sets to keep; `None` removes nothing, where the settings cannot be believed.
pub fn keep(camera: &Camera) -> Option<usize> {
    let state = camera.state();
    state.settings.problem.is_none().then_some(state.settings.config.backup.keep.0)
}

/// Begins a backup.
///
/// # Errors
/// [`Busy`].
pub fn begin_backup(camera: &Arc<Camera>) -> Result<Job, Busy> {
    job_thread::spawn(camera, JobKind::Backup, |camera, job| {
        back_up(camera, keep(camera), true, job);
        status_txt::write(camera);
    })
}

/// Begins to read a set again.
///
/// # Errors
/// [`VerifyError`].
pub fn begin_verify(camera: &Arc<Camera>, id: &str) -> Result<Job, VerifyError> {
    let set = set::find(&camera.card().backups(), id)?;
    let job = job_thread::spawn(camera, JobKind::Verify, move |camera, job| {
        job.change(|job| job.backup = Some(set.name.to_string()));
        let verdict = match verify::verify(&set.path, &job) {
            Ok(verdict) => verdict,
            Err(e) => return job.end(Err(JobError::of(&e))),
        };
        let damage: Vec<String> = verdict.damage.iter().map(ToString::to_string).collect();
        let whole = verdict.is_whole();
        camera.state().proofs.insert(set.name.clone(), verdict);
        status_txt::write(camera);
        let first = damage.first().cloned().unwrap_or_default();
        job.change(|job| job.damage = damage);
        job.end(if whole {
            Ok(())
        } else {
            Err(JobError {
                code: Code::BackupDamaged,
                message: format!("the backup is damaged: {first}"),
                hint: "Do not restore the damaged file. The card may be worn: copy what is on it \
                    and use another card."
                    .into(),
            })
        });
    })?;
    Ok(job)
}

/// Why a set is not read again.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// A job runs.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// There is no such set.
    #[error(transparent)]
    Backup(#[from] BackupError),
}

impl Explain for VerifyError {
    fn code(&self) -> Code {
        match self {
            VerifyError::Busy(e) => e.code(),
            VerifyError::Backup(e) => e.code(),
        }
    }

    fn hint(&self) -> String {
        match self {
            VerifyError::Busy(e) => e.hint(),
            VerifyError::Backup(e) => e.hint(),
        }
    }

    fn kind(&self) -> error::FailureKind {
        match self {
            VerifyError::Backup(e) => e.kind(),
            VerifyError::Busy(e) => e.kind(),
        }
    }

    fn exit(&self) -> Exit {
        match self {
            VerifyError::Busy(e) => e.exit(),
            VerifyError::Backup(e) => e.exit(),
        }
    }
}

/// Deletes a set that is not protected.
///
/// # Errors
/// [`DeleteError`].
pub fn delete(camera: &Camera, id: &str) -> Result<(), DeleteError> {
    let _quiet = camera.quiet()?;
    if camera.needs_for_resume(id) {
        return Err(Busy { step: "an interrupted flash needs this backup".to_owned() }.into());
    }
    let set = set::find(&camera.card().backups(), id)?;
    let view = card_view::sets(camera).into_iter().find(|view| view.id == set.name.to_string());
    if let Some(view) = view.filter(|view| view.protected) {
        return Err(DeleteError::Protected { standing: view.standing });
    }
    camera.card().require_writable()?;
    let _lock = file::lock_dir(&camera.card().backups())?;
    file::remove_set_folder(&set.path, SHA256SUMS, UNFINISHED)?;
    log::info!("backup {} was deleted by its owner", set.name);
    camera.state().proofs.remove(&set.name);
    card_view::renew(camera);
    Ok(())
}

/// Shows a backup's progress in the state and in the job.
struct Shown<'a> {
    camera: &'a Camera,
    job: &'a Running<'a>,
}

impl Progress for Shown<'_> {
    fn at(&self, work: Work, done: u64, total: u64) {
        let (step, step_code) = (work.words(), work.code());
        self.camera.state().backup = BackupState::Running { step, step_code, done, total };
        self.job.at(work, done, total);
    }
}

/// Makes a backup, and notes what came of it. `exact`: also where only DATA has changed, which
/// changes at every start.
pub fn back_up(camera: &Camera, keep: Option<usize>, exact: bool, job: Running<'_>) {
    let result = camera.backup_as(keep, exact, &Shown { camera, job: &job });
    match &result {
        Ok(outcome) if outcome.made => log::info!("backup {} made and verified", outcome.set.name),
        Ok(outcome) => log::info!("backup {} contains the chip and is verified", outcome.set.name),
        Err(e) => log::error!("no backup could be made: {e}", e = Chain(&e)),
    }
    match result {
        Ok(outcome) => {
            job.change(|job| job.backup = Some(outcome.set.name.to_string()));
            let mut state = camera.state();
            state.backup = BackupState::done(&outcome);
            state.reading = Some(outcome.reading);
            state.proofs.extend(outcome.proofs);
            drop(state);
            job.end(Ok(()));
        }
        Err(e) => {
            camera.state().backup = BackupState::failed(&e);
            // The page still shows what the chip contains.
            if let Ok(reading) = camera.read(&Silent) {
                camera.state().reading = Some(reading);
            }
            job.end(Err(JobError::of(&e)));
        }
    }
}
