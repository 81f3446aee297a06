//! Known state of the controls: the last messages of the bus, and the thread that asks for what the
//! bus does not report.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::detector::Light;
use super::events::Events;
use super::evidence::{self, Evidence};
use super::originals::Originals;
use crate::vendor::av::{Av, Volume};
use crate::vendor::mortox::bus::Bus;
use crate::vendor::mortox::key::Key;
use crate::vendor::mortox::shared::News;
use crate::vendor::mortox::value::Region;

/// From a switch between day and night to the question what it is now.
const SETTLE: Duration = Duration::from_secs(1);
/// How often fetch_av is asked though nothing was heard of it.
const LOOK: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(super) struct Known {
    pub(super) state: Mutex<State>,
    pub(super) changed: Condvar,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) stopped: bool,
    pub(super) seq: u64,
    pub(super) evidence: Option<Evidence>,
    pub(super) originals: Originals,
    /// Whether it is night, as fetch_av said last.
    pub(super) night: Option<bool>,
    /// When fetch_av is asked next.
    pub(super) look: Option<Instant>,
    /// The volume that we set since fetch_av was away last.
    pub(super) volume: Option<(Volume, Instant)>,
    /// Keys whose first change was not echoed.
    pub(super) unconfirmed: BTreeSet<Key>,
    /// Whether the camera is switched off, by the last word of the firmware.
    pub(super) off: bool,
    /// The last cells that were not all off.
    pub(super) region: Option<Region>,
}

impl Known {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Of the bus; on its thread.
    pub(super) fn hear(&self, news: News<'_>) {
        let mut state = self.state();
        state.seq += 1;
        let now = Instant::now();
        match news {
            News::Connected(true) => state.look = Some(now),
            News::Connected(false) => {
                // What did not work may work with the next one.
                state.unconfirmed.clear();
                state.night = None;
                state.look = None;
            }
            News::Value(key, value) => {
                state.unconfirmed.remove(&key);
                if key == Key::Power {
                    state.off = value == Some("off");
                }
                if matches!(key, Key::NightTime | Key::NightMode | Key::Power) {
                    state.look = Some(now + SETTLE);
                }
                let region = value.filter(|_| key == Key::MotionRegion).and_then(Region::read);
                if let Some(region) = region.filter(|region| region.level() > 0) {
                    state.region = Some(region);
                }
            }
        }
        drop(state);
        self.changed.notify_all();
    }
}

/// The thread that asks what the bus does not tell.
pub(super) struct Watch {
    pub(super) bus: Arc<Bus>,
    pub(super) av: Arc<Av>,
    pub(super) known: Arc<Known>,
    pub(super) events: Arc<Events>,
    pub(super) root: PathBuf,
}

impl Watch {
    pub(super) fn run(self) {
        let mut light = Light::default();
        let mut state = self.known.state();
        while !state.stopped {
            let now = Instant::now();
            if self.bus.is_connected() && state.evidence.is_none() {
                drop(state);
                let evidence = evidence::gather(&self.root);
                state = self.known.state();
                state.evidence = Some(evidence);
                state.seq += 1;
                self.known.changed.notify_all();
            } else if state.look.is_some_and(|due| due <= now) {
                state.look = Some(now + LOOK);
                drop(state);
                let night = self.av.is_night();
                if let Err(e) = &night {
                    log::debug!("{e}", e = crate::error::Chain(e));
                }
                state = self.known.state();
                let night = night.ok();
                if state.night != night {
                    if let Some(kind) = night.and_then(|night| light.seen(night)) {
                        self.events.note(kind);
                    }
                    state.night = night;
                    state.seq += 1;
                    if night.is_none() {
                        state.volume = None;
                    }
                    self.known.changed.notify_all();
                }
            } else {
                let left = state.look.map_or(LOOK, |due| due.saturating_duration_since(now));
                let waited = self.known.changed.wait_timeout(state, left);
                state = waited.unwrap_or_else(PoisonError::into_inner).0;
            }
        }
    }
}
