//! Shared reading of the card for `GET /api/v1/status`. Pages ask again and again, and a manifest
//! is work for the camera's processor: all of them share one reading, for some seconds at most, and
//! never across a change that this program made.

use super::memory::{CardView, Key, Reading};
use crate::backup::SetName;
use crate::backup::downloaded;
use crate::backup::retention::standings;
use crate::backup::set::{SetFolder, SetState};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Camera;
use super::flash_ended;
use super::job::JobState;
use super::notice::{self};
use super::set_view::{self, SetView};
use crate::backup::set;

/// How long a reading counts: what the owner does to a card in a PC takes longer.
const LIFETIME: Duration = Duration::from_secs(5);

/// To be called when this program has changed what is on the card: reads it again. A page that asks
/// meanwhile does not wait for that, and gets what was there before.
pub fn renew(camera: &Camera) {
    let new = read(camera, key(camera));
    let mut last = camera.seen.last();
    if last.as_ref().is_none_or(|last| last.begun < new.begun) {
        *last = Some(new);
    }
}

/// What the card tells now. Not to be called with the camera's state held.
pub fn of(camera: &Camera) -> Arc<CardView> {
    // A request that comes during another's reading waits for that one.
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
        newest: newest(camera, &sets, mark.as_deref()),
        notices: notice::of_folders(&sets),
        interrupted: camera.interrupted(),
        ended: flash_ended::find(camera.card()),
        downloaded: mark.is_some_and(|mark| downloaded::is_downloaded(camera.card(), &mark)),
    };
    Reading { begun, of, view: Arc::new(view) }
}

/// All sets on the card, the oldest first.
pub fn sets(camera: &Camera) -> Vec<SetView> {
    let sets = set::list(&camera.card().backups());
    views(camera, &sets, |_| true)
}

/// The newest set that counts of the camera with this fingerprint.
fn newest(camera: &Camera, sets: &[SetFolder], mark: Option<&str>) -> Option<SetView> {
    let is_mine = |set: &&SetFolder| {
        matches!(set.state, SetState::Closed { .. }) && set.fingerprint() == mark
    };
    let name = &sets.iter().rev().find(is_mine)?.name;
    views(camera, sets, |set| set.name == *name).pop()
}

/// Those of the sets that are wanted; what each is depends on all.
fn views(camera: &Camera, sets: &[SetFolder], wanted: impl Fn(&SetFolder) -> bool) -> Vec<SetView> {
    let state = camera.state();
    let damaged = |name: &SetName| state.proofs.get(name).is_some_and(|v| !v.is_whole());
    let standings = standings(sets, state.settings.config.backup.keep.0, &damaged);
    sets.iter()
        .zip(standings)
        .filter(|(set, _)| wanted(set))
        .map(|(set, standing)| set_view::view(set, standing, state.proofs.get(&set.name)))
        .collect()
}
