//! One job as it is shown: its kind, progress, outcome, and the time that the rest takes.

use std::time::{Duration, Instant};

use serde::Serialize;

use crate::error::{Code, Explain, chain};

/// Bytes that one drawn cell stands for.
pub const CELL: u32 = 0x1_0000;

/// What a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum JobKind {
    /// The chip is written from an image.
    Flash,
    /// The chip is written from a backup.
    Restore,
    /// A backup is made.
    Backup,
    /// A backup is read again.
    Verify,
}

/// How far a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum JobState {
    /// Under way.
    Running,
    /// Ended well.
    Done,
    /// Ended, and not well.
    Failed,
    /// Cut off; it can continue.
    Interrupted,
}

/// What a flash came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum JobOutcome {
    /// The chip is as it was.
    Unchanged,
    /// The chip contains what was wanted.
    Done,
    /// Some of it: `what_is_where` tells.
    Partly,
}

/// What went wrong, in the form of every error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct JobError {
    /// A stable name.
    pub code: Code,
    /// What is the case.
    pub message: String,
    /// What to do.
    pub hint: String,
}

impl JobError {
    /// An error with its causes.
    pub fn of(error: &dyn Explain) -> JobError {
        JobError { code: error.code(), message: chain(error), hint: error.hint() }
    }
}

/// One job.
#[derive(Clone, Debug, Serialize)]
pub struct Job {
    /// By which it is asked for.
    pub id: String,
    /// What it is.
    pub kind: JobKind,
    /// How far it is.
    pub state: JobState,
    /// What it came to; of a flash only.
    pub outcome: Option<JobOutcome>,
    /// What is being done, in a few words.
    pub step: String,
    /// The same as a stable name: [`Work::code`](crate::backup::Work::code),
    /// [`Step::code`](crate::flash::Step::code), or `begins`.
    pub step_code: &'static str,
    /// The partition that the step is about, where it is about one.
    pub partition: Option<String>,
    /// Blocks of the step done.
    pub block: u64,
    /// Blocks of the step in all.
    pub blocks: u64,
    /// Seconds until the step ends, by its speed so far; null where that is not known yet.
    pub left_s: Option<u64>,
    /// When the step began, and at which of its blocks.
    #[serde(skip)]
    pub(super) pace: Option<(Instant, u64)>,
    /// Grows with every change.
    pub seq: u64,
    /// Why it failed.
    pub error: Option<JobError>,
    /// One letter for each 64 KiB of the chip: `-` not part of it, `s` same, `w` waiting, `a`
    /// being written, `d` verified, `x` failed. Empty where nothing is written.
    pub cells: String,
    /// After a flash that ended halfway: what the chip contains now, partition by partition.
    pub what_is_where: Vec<String>,
    /// Whether the image was gone, so that what the chip contained before was put back.
    pub put_back: bool,
    /// Whether the camera restarts after it.
    pub restarts: bool,
    /// The set that was made or read.
    pub backup: Option<String>,
    /// Damage that was found.
    pub damage: Vec<String>,
}

impl Job {
    /// Measures how fast the step continues; `before` is the step that was, and its blocks.
    pub(super) fn measure(&mut self, before: (&str, u64), now: Instant) {
        if before != (self.step_code, self.blocks) || self.pace.is_none() {
            self.pace = Some((now, self.block));
        }
        self.left_s = self.pace.and_then(|(began, first)| {
            let done = self.block.saturating_sub(first);
            left(now.duration_since(began), done, self.blocks.saturating_sub(self.block))
        });
    }
}

/// Seconds that the rest takes at the speed so far, rounded up; `None` in the first second.
fn left(elapsed: Duration, done: u64, rest: u64) -> Option<u64> {
    if done == 0 || rest == 0 || elapsed < Duration::from_secs(1) {
        return None;
    }
    let millis = elapsed.as_millis() * u128::from(rest) / u128::from(done);
    u64::try_from(millis.div_ceil(1000)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_takes_as_long_as_the_speed_so_far_says() {
        let seconds = Duration::from_secs;
        for (elapsed, done, rest, says) in [
            (seconds(10), 50, 50, Some(10)),
            (seconds(10), 3, 1, Some(4)),
            (seconds(10), 0, 50, None),
            (seconds(10), 50, 0, None),
            (Duration::from_millis(900), 50, 50, None),
        ] {
            assert_eq!(left(elapsed, done, rest), says, "{elapsed:?} {done} {rest}");
        }
    }
}
