//! Memory of a running camera: tickets, plans, the last reading of the card.

use std::collections::VecDeque;
use std::mem::Discriminant;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::flash_ended::Ended;
use super::flashing::Interrupted;
use super::job::JobState;
use super::notice::Notice;
use super::set_view::SetView;
use super::state::BackupState;
use crate::backup::set::{CHIP, SetFolder};
use crate::flash::PlanRequest;

/// What the card tells.
#[derive(Debug)]
pub struct CardView {
    /// The newest set of this camera that counts.
    pub newest: Option<SetView>,
    /// Of the sets that do not.
    pub notices: Vec<Notice>,
    /// A flash that was cut short, or is under way.
    pub interrupted: Option<Interrupted>,
    /// A flash that a start ended by itself, until its owner has read that.
    pub ended: Option<Ended>,
    /// Whether this camera's identity has ever been downloaded.
    pub downloaded: bool,
}

/// What a reading depends on in addition to the card.
pub(super) type Key = (Option<(String, JobState)>, Discriminant<BackupState>, usize);

/// A reading, when it was begun and of what.
#[derive(Clone)]
pub(super) struct Reading {
    pub(super) begun: Instant,
    pub(super) of: Key,
    pub(super) view: Arc<CardView>,
}

/// The last reading.
#[derive(Default)]
pub struct Seen(Mutex<Option<Reading>>);

impl Seen {
    pub(super) fn last(&self) -> MutexGuard<'_, Option<Reading>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a ticket is for.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The set.
    pub set: SetFolder,
    /// A file of it, or one of the names above.
    pub name: String,
}

impl Wanted {
    /// Whether the identity is in it.
    pub(super) fn holds_identity(&self) -> bool {
        [ZIP, CHIP, "FACTORY.bin"].contains(&self.name.as_str())
            && self.set.manifest().is_some_and(crate::backup::Manifest::is_healthy)
    }
}

/// All files of a set in one.
pub const ZIP: &str = "set.zip";

/// All tickets that count.
#[derive(Default)]
pub struct Tickets(pub(super) Mutex<Vec<(String, Wanted, Instant)>>);

/// Plans that were made and may be agreed to.
#[derive(Default)]
pub struct Plans(pub(super) Mutex<VecDeque<KnownPlan>>);

#[derive(Clone)]
pub(super) struct KnownPlan {
    pub(super) id: String,
    pub(super) request: PlanRequest,
    pub(super) confirm: Option<String>,
    pub(super) is_blocked: bool,
}

/// The place where images arrive, one at a time.
#[derive(Clone, Debug, Default)]
pub struct Arrivals(pub(super) Arc<Mutex<()>>);
