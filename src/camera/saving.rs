//! A camera's identity and its chip read and saved, and the lock that lets only one job write.

use super::{Camera, jobs, notice};
use crate::backup::{self, BackupError, BackupOutcome, Facts, Progress, Reading, Request, vault};
use crate::card::file::{self, Lock};
use crate::card::{CardError, CardFault};
use crate::image::Depth;

impl Camera {
    /// Saves the identity to the card and proves it; the first thing of all.
    pub fn secure_identity(&self) {
        crate::backup::unfinished::unfinished_sets(&self.card);
        let vaulted = vault::secure(self.chip(), &self.card);
        notice::log_vaulted(&vaulted);
        self.state().vaulted = Some(vaulted);
    }

    /// Makes a backup, unless a set contains the chip already. The identity must
    /// have been secured before.
    ///
    /// # Errors
    /// [`BackupError`].
    pub fn backup(
        &self,
        keep: Option<usize>,
        progress: &dyn Progress,
    ) -> Result<BackupOutcome, BackupError> {
        self.backup_as(keep, false, progress)
    }

    /// The same; `exact`: a new set also where only DATA has changed, which changes at every start.
    ///
    /// # Errors
    /// [`BackupError`].
    pub fn backup_as(
        &self,
        keep: Option<usize>,
        exact: bool,
        progress: &dyn Progress,
    ) -> Result<BackupOutcome, BackupError> {
        // A chip that is being flashed is no moment to save.
        let _writer = self.writer_lock()?;
        // An interrupted flash needs its sets; and a half-written chip is no better one.
        let keep = keep.filter(|_| self.interrupted().is_none());
        self.save(keep, exact, None, progress)
    }

    /// The same for a caller that has the writer's lock.
    pub(super) fn save(
        &self,
        keep: Option<usize>,
        exact: bool,
        first: Option<Reading>,
        progress: &dyn Progress,
    ) -> Result<BackupOutcome, BackupError> {
        let known = self.state().vaulted.as_ref().map(|v| v.judgement.clone());
        let judgement = known.unwrap_or_else(|| self.judge_identity());
        let facts = Facts {
            model: self.model(&judgement),
            kernel: crate::base::host::kernel_release(),
            boot_count: crate::machine::boots::Boots::current(&self.card).count,
            clock: crate::base::host::clock(),
        };
        backup::make::backup(&Request {
            chip: self.chip(),
            card: &self.card,
            identity: &judgement,
            facts: &facts,
            keep,
            exact,
            first,
            progress,
        })
    }

    /// Makes sure that no job runs, here or in another process; none begins as long as the value is
    /// held.
    ///
    /// # Errors
    /// [`jobs::Busy`], saying what is under way.
    pub fn alone(&self) -> Result<Option<Lock>, jobs::Busy> {
        if let Some(job) = self.jobs().running() {
            return Err(jobs::Busy { step: job.step });
        }
        let other = |_| jobs::Busy { step: "another program backs up or flashes".to_owned() };
        self.writer_lock().map_err(other)
    }

    /// Makes sure that nothing would be cut off by a restart, or lose what it
    /// needs; held as long as the value.
    ///
    /// # Errors
    /// [`jobs::Busy`], saying what is under way.
    pub fn quiet(&self) -> Result<Option<Lock>, jobs::Busy> {
        let lock = self.alone()?;
        match self.interrupted() {
            Some(cut) if cut.heals == Some(crate::flash::Heals::NeedsPc) => Err(jobs::Busy {
                step: format!(
                    "{} half written, which a restart would not survive",
                    cut.partitions.join(", ")
                ),
            }),
            _ => Ok(lock),
        }
    }

    /// Whether an interrupted flash still needs this file or set.
    pub fn needs_for_resume(&self, name: &str) -> bool {
        self.interrupted().is_some_and(|cut| {
            cut.before == name
                || cut.neighbours.iter().any(|set| set == name)
                || std::path::Path::new(&cut.source).file_name().is_some_and(|n| n == name)
        })
    }

    /// The lock for writing to the chip, or saving it; `None` on a card
    /// that takes none, where nothing can be flashed either.
    ///
    /// # Errors
    /// [`CardError`] of kind [`CardFault::Busy`](crate::card::CardFault::Busy) where
    /// another process or job holds it.
    pub fn writer_lock(&self) -> Result<Option<Lock>, CardError> {
        let dir = self.card.state_dir();
        let ready = self.card.require_writable().and_then(|()| file::make_dir(&dir));
        match ready.and_then(|()| file::lock_dir(&dir)) {
            Ok(lock) => Ok(Some(lock)),
            Err(e) if e.fault() == CardFault::Busy => Err(e),
            // A card that takes no lock must not let two write: memory takes it then.
            Err(_) => match file::lock_dir(self.hardware.beside_card()) {
                Ok(lock) => Ok(Some(lock)),
                Err(e) if e.fault() == CardFault::Busy => Err(e),
                Err(_) => Ok(None),
            },
        }
    }

    /// Reads and judges the whole chip, without what takes long; changes nothing.
    ///
    /// # Errors
    /// [`BackupError`] where the chip is gone.
    pub fn read(&self, progress: &dyn Progress) -> Result<Reading, BackupError> {
        backup::reading::read_chip(self.chip(), Depth::Quick, progress)
    }

    /// The same with every checksum in it verified.
    ///
    /// # Errors
    /// As [`Camera::read`].
    pub fn read_deep(&self, progress: &dyn Progress) -> Result<Reading, BackupError> {
        backup::reading::read_chip(self.chip(), Depth::Deep, progress)
    }
}
