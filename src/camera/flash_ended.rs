//! A flash that a start ended by itself after a power cut: nobody watched, so its end is kept on
//! the card until the owner has read it.

use serde::{Deserialize, Serialize};

use super::flashing::{Flashed, WhatCame};
use crate::base::host;
use crate::card::file::{read_bounded, replace};
use crate::card::{Card, CardError, fat};
use crate::error::Chain;

/// The file in `mi360d/state/`.
const FILE: &str = "flash-ended.json";
/// Its longest form, in bytes.
const LIMIT: u64 = 4096;

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ended {
    /// `done` or `partly`.
    pub outcome: String,
    /// The partitions that were written.
    pub partitions: Vec<String>,
    /// Whether the image was gone, so that what was there before was put back.
    pub put_back: bool,
    /// UTC, if the clock was sane.
    pub clock: Option<String>,
}

/// Keeps the end of a flash until it is read. A card that cannot be written is reported elsewhere.
pub fn keep(card: &Card, flashed: &Flashed) {
    let outcome = match flashed.outcome {
        WhatCame::Unchanged => return,
        WhatCame::Done => "done",
        WhatCame::Partly => "partly",
    };
    let ended = Ended {
        outcome: outcome.to_owned(),
        // One that was lost was not to be written.
        partitions: flashed
            .partitions
            .iter()
            .filter(|part| part.holds != "lost")
            .map(|part| part.name.clone())
            .collect(),
        put_back: flashed.put_back,
        clock: host::clock(),
    };
    let text = serde_json::to_vec(&ended).unwrap_or_default();
    if let Err(e) = replace(&card.state_dir().join(FILE), &text) {
        log::warn!("the result of the flash cannot be saved: {e}", e = Chain(&e));
    }
}

/// The end that nobody has read yet.
pub fn find(card: &Card) -> Option<Ended> {
    let text = read_bounded(&card.state_dir().join(FILE), LIMIT).ok()?;
    serde_json::from_slice(&text).ok()
}

/// The owner has read it.
///
/// # Errors
/// The card cannot be written.
pub fn read(card: &Card) -> Result<(), CardError> {
    let path = card.state_dir().join(FILE);
    if !path.exists() {
        return Ok(());
    }
    card.require_writable()?;
    fat::remove_file(&path)
}
