//! What the card tells for `GET /api/v1/status`. Whoever watches asks again and again, and a
//! manifest is work for the camera's processor: all of them share one reading, for some seconds at
//! most, and never across a change that this program made.

use std::mem::Discriminant;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::flashing::Interrupted;
use super::jobs::JobState;
use super::notice::{self, Notice};
use super::set_view::{self, SetView};
use super::state::BackupState;
use super::{Camera, downloads};
use crate::backup::set;

/// How long a reading counts: what the owner does to a card in a PC takes longer.
const LIFETIME: Duration = Duration::from_secs(5);

/// What the card tells.
#[derive(Debug)]
pub struct CardView {
    /// The newest set of this camera that counts.
    pub newest: Option<SetView>,
    /// Of the sets that do not.
    pub notices: Vec<Notice>,
    /// A flash that was cut short, or is under way.
    pub interrupted: Option<Interrupted>,
    /// Whether this camera's identity has ever been downloaded.
    pub downloaded: bool,
}

/// What a reading depends on beside the card.
type Key = (Option<(String, JobState)>, Discriminant<BackupState>, usize);

/// The last reading.
#[derive(Default)]
pub struct Seen(Mutex<Option<(Instant, Key, Arc<CardView>)>>);

impl Seen {
    /// This program has changed what is on the card.
    pub fn forget(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// What the card tells now. Not to be called with the camera's state held.
pub fn of(camera: &Camera) -> Arc<CardView> {
    // Who comes while another reads waits for its reading.
    let mut last = camera.seen.0.lock().unwrap_or_else(PoisonError::into_inner);
    let key = key(camera);
    if let Some((at, of, view)) = &*last {
        // A job is at the card itself, where a reader would wait for it; its end changes the key.
        let in_a_job = matches!(key.0, Some((_, JobState::Running)));
        if in_a_job || (at.elapsed() < LIFETIME && *of == key) {
            return Arc::clone(view);
        }
    }
    let view = Arc::new(read(camera));
    *last = Some((Instant::now(), key, Arc::clone(&view)));
    view
}

fn key(camera: &Camera) -> Key {
    let job = camera.jobs().newest().map(|job| (job.id, job.state));
    let state = camera.state();
    (job, std::mem::discriminant(&state.backup), state.proofs.len())
}

fn read(camera: &Camera) -> CardView {
    let sets = set::list(&camera.card().backups());
    let mark = camera.state().vaulted.as_ref().and_then(|v| v.judgement.mark().map(str::to_owned));
    CardView {
        newest: set_view::newest(camera, &sets, mark.as_deref()),
        notices: notice::of_folders(&sets),
        interrupted: camera.interrupted(),
        downloaded: mark.is_some_and(|mark| downloads::is_downloaded(camera.card(), &mark)),
    }
}
