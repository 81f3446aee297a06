//! A job's own thread.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use super::Camera;
use super::job::{Job, JobKind};
use super::jobs::{Busy, Running};
use crate::sys::process::yield_to_answers;

/// Begins a job on a thread of its own; the job as it begins.
///
/// # Errors
/// [`Busy`], also where no thread can be started.
pub fn spawn(
    camera: &Arc<Camera>,
    kind: JobKind,
    work: impl FnOnce(&Camera, Running<'_>) + Send + 'static,
) -> Result<Job, Busy> {
    let running = camera.jobs().begin(kind)?;
    let id = running.id().to_owned();
    // The thread continues with it.
    std::mem::forget(running);
    let job = camera.jobs().get(&id, None, Duration::ZERO);
    let mine = Arc::clone(camera);
    let body = move || {
        yield_to_answers();
        let running = Running::of(mine.jobs(), id);
        if catch_unwind(AssertUnwindSafe(|| work(&mine, running))).is_err() {
            log::error!("a job ended with a program error");
        }
    };
    let failed = |step: String| Busy { step };
    let started = std::thread::Builder::new().name("job".into()).stack_size(STACK).spawn(body);
    if let Err(e) = started {
        let id = job.as_ref().map(|job| job.id.clone()).unwrap_or_default();
        drop(Running::of(camera.jobs(), id));
        return Err(failed(format!("no thread could be started: {e}")));
    }
    job.ok_or_else(|| failed("many jobs at once".into()))
}

/// Stack of a job's thread; measured for a backup, with room.
const STACK: usize = 256 << 10;
