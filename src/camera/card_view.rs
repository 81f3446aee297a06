//! What the card tells for `GET /api/v1/status`. Whoever watches asks again and again, and a
//! manifest is work for the camera's processor: all of them share one reading, for some seconds at
//! most, and never across a change that this program made.

use std::mem::Discriminant;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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

/// A reading, when it was begun and of what.
#[derive(Clone)]
struct Reading {
    begun: Instant,
    of: Key,
    view: Arc<CardView>,
}

/// The last reading.
#[derive(Default)]
pub struct Seen(Mutex<Option<Reading>>);

impl Seen {
    fn last(&self) -> MutexGuard<'_, Option<Reading>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// To be called when this program has changed what is on the card: reads it anew. Who asks
/// meanwhile does not wait for that, and is told what was there before.
pub fn renew(camera: &Camera) {
    let new = read(camera, key(camera));
    let mut last = camera.seen.last();
    if last.as_ref().is_none_or(|last| last.begun < new.begun) {
        *last = Some(new);
    }
}

/// What the card tells now. Not to be called with the camera's state held.
pub fn of(camera: &Camera) -> Arc<CardView> {
    // Who comes while another reads waits for its reading.
    let mut last = camera.seen.last();
    let key = key(camera);
    if let Some(last) = &*last {
        // A job is at the card itself, where a reader would wait for it; its end changes the key.
        let in_a_job = matches!(key.0, Some((_, JobState::Running)));
        if in_a_job || (last.begun.elapsed() < LIFETIME && last.of == key) {
            return Arc::clone(&last.view);
        }
    }
    Arc::clone(&last.insert(read(camera, key)).view)
}

fn key(camera: &Camera) -> Key {
    let job = camera.jobs().newest().map(|job| (job.id, job.state));
    let state = camera.state();
    (job, std::mem::discriminant(&state.backup), state.proofs.len())
}

fn read(camera: &Camera, of: Key) -> Reading {
    let begun = Instant::now();
    let sets = set::list(&camera.card().backups());
    let mark = camera.state().vaulted.as_ref().and_then(|v| v.judgement.mark().map(str::to_owned));
    let view = CardView {
        newest: set_view::newest(camera, &sets, mark.as_deref()),
        notices: notice::of_folders(&sets),
        interrupted: camera.interrupted(),
        downloaded: mark.is_some_and(|mark| downloads::is_downloaded(camera.card(), &mark)),
    };
    Reading { begun, of, view: Arc::new(view) }
}
