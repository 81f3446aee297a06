//! A flash of this camera, from what its owner brings to the proof that the
//! chip contains it. The page and the command line call the same functions.
//!
//! | file | contents |
//! | --- | --- |
//! | `opened` | what is asked for, opened |
//! | `gather` | the facts that a plan is decided from; deciding is [`crate::flash::decide`] |
//! | `live`, `lawful` | of them, what the chip tells of the camera, and what tells whose it is |
//! | `planned`, `planning` | the plan with what was read for it; making one |
//! | `document` | the plan as page and `--json` show it |
//! | `run` | doing it |
//! | `behind` | what is behind the partitions written: recorded, put back |
//! | `writing` | the part that a flash and its resumption share |
//! | `rescue` | the image for the boot loader at the card's root |
//! | `renamers` | the vendor's renamers, kept off that image |
//! | `interrupted`, `resume` | what a power cut left; going on with it |
//! | `same` | whether a journal is this camera's, and content what was inspected |
//! | `outcome` | what came of it, what is where |
//! | `error` | why not |

use super::Camera;
use crate::backup::Progress;
use crate::flash::journal::{self, Found};
use crate::flash::{PlanRequest, Watch};

mod behind;
mod document;
mod error;
mod gather;
mod interrupted;
mod lawful;
mod leftovers;
mod live;
mod opened;
mod outcome;
mod planned;
mod planning;
mod renamers;
mod rescue;
mod resume;
mod run;
mod same;
mod writing;

pub use document::{PlanDocument, PlanPart};
pub use error::FlashingError;
pub use interrupted::{Interrupted, words};
pub use outcome::{Flashed, PartFate, WhatCame};
pub use planned::Planned;
pub use writing::is_copy_name;

impl Camera {
    /// What was interrupted, if something was; changes nothing.
    pub fn interrupted(&self) -> Option<Interrupted> {
        interrupted::interrupted(self.card())
    }

    /// Keeps the vendor's renamers off the rescue image of an interrupted flash. Cheap: at the
    /// beginning of a start, before they have their turn.
    pub fn keep_renamers_off(&self) {
        if let Found::Open(job, _) = journal::find(self.card())
            && job.rescue.is_some()
            && same::check_camera(self, &job).is_ok()
        {
            renamers::keep_off(self, job.owners_mark);
        }
    }

    /// Puts the rescue image of an interrupted flash back where it is gone. A flash that runs does
    /// it by itself.
    pub fn look_after_rescue(&self) {
        let has_one = |found| matches!(found, Found::Open(job, _) if job.rescue.is_some());
        // The lock is for the case that needs it: another program may want it just now.
        if !has_one(journal::find(self.card())) {
            return;
        }
        let Ok(Some(_writer)) = self.writer_lock() else { return };
        self.keep_renamers_off();
        if let Found::Open(job, _) = journal::find(self.card())
            && same::check_camera(self, &job).is_ok()
            && let Some(rescue) = rescue::Rescue::of(self.card(), &job)
        {
            rescue.look();
        }
    }

    /// Takes away what flashes that are over have left on the card.
    pub fn remove_leftovers(&self) {
        leftovers::remove(self);
    }

    /// A plan; changes nothing.
    ///
    /// # Errors
    /// [`FlashingError`].
    pub fn plan(
        &self,
        request: &PlanRequest,
        progress: &dyn Progress,
    ) -> Result<Planned, FlashingError> {
        planning::plan(self, request, progress)
    }

    /// A flash, if the phrase agrees to its plan.
    ///
    /// # Errors
    /// [`FlashingError`]: then no byte was written.
    pub fn flash(
        &self,
        request: &PlanRequest,
        phrase: Option<&str>,
        watch: &dyn Watch,
        progress: &dyn Progress,
    ) -> Result<Flashed, FlashingError> {
        run::flash(self, request, phrase, watch, progress)
    }

    /// Restarts a camera whose own programs did not come back after a flash that was called off:
    /// its WiFi may be away, and nobody could ask for it. Not where a flash is half done.
    pub fn restart_for_programs(&self) {
        if self.interrupted().is_some() {
            log::error!("a flash is half done: no automatic restart");
            return;
        }
        log::warn!("the camera restarts to start its own programs again");
        self.machine().restart();
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
        resume::resume(self, by_itself, watch, progress)
    }
}
