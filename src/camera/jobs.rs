//! The running job: one at a time, its state, and waiting for news of it. What a job does is in the
//! module that does it.

use std::collections::VecDeque;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use thiserror::Error;

use super::job::{CELL, Job, JobError, JobKind, JobState};
use crate::backup::{Progress, Work};
use crate::card::claim;
use crate::error::{Code, Exit, Explain};

/// Ended jobs that are remembered.
const REMEMBERED: usize = 16;
/// How often a wait is checked: its client may have gone.
const LOOK: Duration = Duration::from_secs(1);
/// The longest wait for news.
const LONGEST_WAIT: Duration = Duration::from_secs(25);
/// News within this time come as one.
const GATHER: Duration = Duration::from_millis(150);

/// Another job is under way.
#[derive(Debug, Error)]
#[error("another job is running: {step}")]
pub struct Busy {
    /// What it does.
    pub step: String,
}

impl Explain for Busy {
    fn code(&self) -> Code {
        Code::Busy
    }

    fn hint(&self) -> String {
        "Wait until it has ended, then try again.".to_owned()
    }

    fn exit(&self) -> Exit {
        Exit::Refused
    }
}

/// All jobs of a camera.
#[derive(Default)]
pub struct Jobs {
    inner: Mutex<Inner>,
    changed: Condvar,
}

#[derive(Default)]
struct Inner {
    jobs: VecDeque<Job>,
    made: u64,
    /// Differs from start to start.
    run: u32,
    seq: u64,
}

/// A job that runs: ended with the value, as failed if nobody ended it before.
pub struct Running<'a> {
    jobs: &'a Jobs,
    id: String,
}

impl Jobs {
    /// Begins a job.
    ///
    /// # Errors
    /// [`Busy`] while another runs.
    pub fn begin(&self, kind: JobKind) -> Result<Running<'_>, Busy> {
        if claim::is_claimed() {
            let step = "the camera's own app formats or ejects the card".to_owned();
            return Err(Busy { step });
        }
        let mut inner = self.inner();
        if let Some(job) = inner.jobs.iter().find(|job| job.state == JobState::Running) {
            return Err(Busy { step: job.step.clone() });
        }
        inner.made += 1;
        inner.seq += 1;
        if inner.run == 0 {
            inner.run = RandomState::new().build_hasher().finish() as u32 | 1;
        }
        // An id from before a restart is nobody's.
        let id = format!("{:08x}-{}", inner.run, inner.made);
        if inner.jobs.len() >= REMEMBERED {
            inner.jobs.pop_front();
        }
        let seq = inner.seq;
        inner.jobs.push_back(Job {
            id: id.clone(),
            kind,
            state: JobState::Running,
            outcome: None,
            step: "begins".to_owned(),
            step_code: "begins",
            partition: None,
            block: 0,
            blocks: 0,
            left_s: None,
            pace: None,
            seq,
            error: None,
            cells: String::new(),
            what_is_where: Vec::new(),
            put_back: false,
            restarts: false,
            backup: None,
            damage: Vec::new(),
        });
        drop(inner);
        self.changed.notify_all();
        Ok(Running { jobs: self, id })
    }

    /// All that are remembered, the newest last.
    pub fn all(&self) -> Vec<Job> {
        self.inner().jobs.iter().cloned().collect()
    }

    /// The one that runs.
    pub fn running(&self) -> Option<Job> {
        self.inner().jobs.iter().find(|job| job.state == JobState::Running).cloned()
    }

    /// The newest of all.
    pub fn newest(&self) -> Option<Job> {
        self.inner().jobs.back().cloned()
    }

    /// One job; waits up to `wait` for news after `since`, as long as it runs.
    pub fn get(&self, id: &str, since: Option<u64>, wait: Duration) -> Option<Job> {
        self.get_while(id, since, wait, || true)
    }

    /// As [`Jobs::get`], and ends the wait within a second once `wanted` is false: nobody waits for
    /// the news any more.
    pub fn get_while(
        &self,
        id: &str,
        since: Option<u64>,
        wait: Duration,
        wanted: impl Fn() -> bool,
    ) -> Option<Job> {
        let began = Instant::now();
        let until = began + wait.min(LONGEST_WAIT);
        let mut inner = self.inner();
        let old = |job: &Job| {
            job.state == JobState::Running && since.is_some_and(|since| job.seq <= since)
        };
        loop {
            let job = inner.jobs.iter().find(|job| job.id == id).cloned();
            let now = Instant::now();
            let left = match &job {
                Some(job) if old(job) && now < until && wanted() => until - now,
                // Many small steps are one piece of news.
                Some(job)
                    if since.is_some()
                        && job.state == JobState::Running
                        && now < until.min(began + GATHER) =>
                {
                    until.min(began + GATHER) - now
                }
                _ => return job,
            };
            let left = left.min(LOOK);
            inner =
                self.changed.wait_timeout(inner, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn change(&self, id: &str, change: impl FnOnce(&mut Job)) {
        let mut inner = self.inner();
        inner.seq += 1;
        let seq = inner.seq;
        if let Some(job) = inner.jobs.iter_mut().rev().find(|job| job.id == id) {
            let step = (job.step_code, job.blocks);
            change(job);
            job.seq = seq;
            job.measure(step, Instant::now());
        }
        drop(inner);
        self.changed.notify_all();
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<'a> Running<'a> {
    /// The job of this number, run from another thread than the one that began it.
    pub(super) fn of(jobs: &'a Jobs, id: String) -> Running<'a> {
        Running { jobs, id }
    }
}

impl Running<'_> {
    /// The job's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Changes what is known of it.
    pub fn change(&self, change: impl FnOnce(&mut Job)) {
        self.jobs.change(&self.id, change);
    }

    /// It ended.
    pub fn end(self, result: Result<(), JobError>) {
        self.change(|job| match result {
            Ok(()) => job.state = JobState::Done,
            Err(error) => {
                job.state = JobState::Failed;
                job.error = Some(error);
            }
        });
    }
}

impl Progress for Running<'_> {
    fn at(&self, work: Work, done: u64, total: u64) {
        let unit = u64::from(CELL);
        self.change(|job| {
            work.words().clone_into(&mut job.step);
            (job.step_code, job.partition) = (work.code(), None);
            job.block = done / unit;
            job.blocks = total.div_ceil(unit);
        });
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.change(|job| {
            if job.state == JobState::Running {
                job.state = JobState::Failed;
                job.error = Some(JobError {
                    code: Code::Internal,
                    message: "the program had an internal error".into(),
                    hint: "Report this with the log.".into(),
                });
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_job_at_a_time_and_one_that_nobody_ended_has_failed() {
        let jobs = Jobs::default();
        let first = jobs.begin(JobKind::Backup).unwrap();
        assert_eq!(jobs.begin(JobKind::Verify).err().unwrap().code(), "busy");
        let id = first.id().to_owned();
        drop(first);
        let job = jobs.get(&id, None, Duration::ZERO).unwrap();
        assert_eq!((job.state, job.error.unwrap().code.name()), (JobState::Failed, "internal"));
        jobs.begin(JobKind::Verify).unwrap().end(Ok(()));
        assert_eq!(jobs.newest().unwrap().state, JobState::Done);
    }

    #[test]
    fn waiting_ends_with_news() {
        let jobs = Jobs::default();
        let running = jobs.begin(JobKind::Backup).unwrap();
        let id = running.id().to_owned();
        let seq = jobs.running().unwrap().seq;
        std::thread::scope(|scope| {
            let waiters: Vec<_> = (0..4)
                .map(|_| scope.spawn(|| jobs.get(&id, Some(seq), LONGEST_WAIT).unwrap().seq))
                .collect();
            // One that may not wait is answered at once, with what is known.
            assert_eq!(jobs.get(&id, Some(seq), Duration::ZERO).unwrap().seq, seq);
            running.at(Work::ReadChip, 1 << 20, 2 << 20);
            for waiter in waiters {
                assert!(waiter.join().unwrap() > seq);
            }
        });
        let job = jobs.running().unwrap();
        assert_eq!((job.block, job.blocks, job.step_code), (16, 32, "read-chip"));
        assert_eq!(job.step, "reading the chip");
        assert!(jobs.get("none", Some(0), LONGEST_WAIT).is_none());
    }

    #[test]
    fn the_rest_of_a_step_is_told_by_its_own_speed() {
        let seconds = Duration::from_secs;
        let jobs = Jobs::default();
        let running = jobs.begin(JobKind::Flash).unwrap();
        running.at(Work::ReadChip, 0, 4 << 20);
        let began = Instant::now().checked_sub(seconds(8)).unwrap();
        running.change(|job| job.pace = Some((began, 0)));
        running.at(Work::ReadChip, 1 << 20, 4 << 20);
        let left = jobs.running().unwrap().left_s.unwrap();
        assert!((24..40).contains(&left), "{left}");
        // Another step has a speed of its own.
        running.at(Work::ReadAgain, 1 << 20, 4 << 20);
        assert_eq!(jobs.running().unwrap().left_s, None);
    }

    #[test]
    fn only_the_last_ones_are_remembered() {
        let jobs = Jobs::default();
        for _ in 0..40 {
            jobs.begin(JobKind::Verify).unwrap().end(Ok(()));
        }
        assert_eq!(jobs.all().len(), REMEMBERED);
    }
}
