//! A flash that was interrupted, as page and terminal report it.

use serde::Serialize;

use crate::card::Card;
use crate::flash::Heals;
use crate::flash::journal::{self, Found, JobSource};

/// A flash that was interrupted, as it is shown.
#[derive(Clone, Debug, Serialize)]
pub struct Interrupted {
    /// Its partitions.
    pub partitions: Vec<String>,
    /// Where its content comes from.
    pub source: String,
    /// Whether that is still on the card. Where it is not, going on by hand puts back what was
    /// there before.
    pub source_is_here: bool,
    /// The backup of what was there before.
    pub before: String,
    /// The backups that contain what is behind its partitions.
    #[serde(skip)]
    pub neighbours: Vec<String>,
    /// What brings the camera back if it is cut again.
    pub heals: Option<Heals>,
    /// How often a start went on with it already.
    pub resumed: u8,
    /// Why its journal means nothing.
    pub damage: Option<String>,
}

/// What was interrupted, if something was; changes nothing.
pub fn interrupted(card: &Card) -> Option<Interrupted> {
    match journal::find(card) {
        Found::Nothing => None,
        Found::Damaged { reason } => Some(Interrupted {
            partitions: Vec::new(),
            source: String::new(),
            source_is_here: false,
            before: String::new(),
            neighbours: Vec::new(),
            heals: None,
            resumed: 0,
            damage: Some(reason),
        }),
        Found::Open(job, journal) => Some(Interrupted {
            partitions: job.partitions.iter().map(|p| p.name.clone()).collect(),
            source_is_here: match &job.source {
                JobSource::Image { path, .. } | JobSource::Set { path } => {
                    card.root().join(path).exists()
                }
            },
            source: match &job.source {
                JobSource::Image { path, .. } | JobSource::Set { path } => path.clone(),
            },
            before: job.before.clone(),
            neighbours: job.neighbours.iter().map(|note| note.set.clone()).collect(),
            heals: Some(job.heals),
            resumed: journal.resumed,
            damage: None,
        }),
    }
}

/// What must be reported to the owner of an interrupted flash.
pub fn words(interrupted: &Interrupted) -> String {
    match &interrupted.damage {
        Some(reason) => format!("a flash was interrupted, and its journal is damaged: {reason}"),
        None => format!(
            "a flash of {} was interrupted; the previous content is in backup {}",
            interrupted.partitions.join(", "),
            interrupted.before
        ),
    }
}
