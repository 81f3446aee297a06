//! Outcome of a flash: one of three ends, and the content of each partition.

use serde::Serialize;

use crate::chip::Spent;
use crate::error::{Exit, Explain, chain};
use crate::flash::FlashError;
use crate::machine::Prepared;

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum WhatCame {
    /// The chip is as it was.
    Unchanged,
    /// The chip contains what was chosen: read back, and verified.
    Done,
    /// Some of it was written.
    Partly,
}

/// What one partition contains now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PartFate {
    /// Its name.
    pub name: String,
    /// `as-before`, `new`, `put-back`, `partly`, or `lost`: it was not to be written, and contains
    /// no longer what it held.
    pub holds: &'static str,
}

impl PartFate {
    /// In words.
    pub fn words(&self) -> String {
        let name = &self.name;
        match self.holds {
            "new" => format!("{name} contains the new content, verified by reading it back"),
            "put-back" => {
                format!("{name} contains what it did before, verified by reading it back")
            }
            "partly" => format!("{name} is partly written"),
            "lost" => format!("{name} lost its first block, which could not be put back"),
            _ => format!("{name} is as it was"),
        }
    }
}

/// All that came of it.
pub struct Flashed {
    /// How it ended.
    pub outcome: WhatCame,
    /// What is where, in the order of writing.
    pub partitions: Vec<PartFate>,
    /// Why it did not end well.
    pub error: Option<FlashError>,
    /// What else the owner must know.
    pub warnings: Vec<String>,
    /// Whether the image was gone, so that what was there before was put back.
    pub put_back: bool,
    /// The backup that contains what was there before.
    pub before: Option<String>,
    /// Blocks written.
    pub blocks: u32,
    /// What a simulated chip took before the first erase.
    pub chip_time_before: Option<Spent>,
    /// What it took from the first erase to the last read-back.
    pub chip_time: Option<Spent>,
    /// Seconds from the first erase to the last read-back.
    pub seconds: f64,
    /// Whether a restart does no harm.
    pub may_restart: bool,
    /// The machine, to be restarted, or held where something failed.
    pub ready: Option<Box<dyn Prepared>>,
}

impl Flashed {
    /// Nothing was to be done.
    pub fn unchanged() -> Flashed {
        Flashed {
            outcome: WhatCame::Unchanged,
            partitions: Vec::new(),
            error: None,
            warnings: Vec::new(),
            put_back: false,
            before: None,
            blocks: 0,
            chip_time_before: None,
            chip_time: None,
            seconds: 0.0,
            may_restart: true,
            ready: None,
        }
    }

    /// The exit status of it.
    pub fn exit(&self) -> Exit {
        match &self.error {
            None => Exit::Done,
            Some(e) if self.outcome == WhatCame::Partly && e.is_of_card() => Exit::Interrupted,
            Some(e) => e.exit(),
        }
    }

    /// Whether the machine restarts now.
    pub fn restarts(&self) -> bool {
        self.error.is_none()
            && self.outcome == WhatCame::Done
            && self.may_restart
            && self.ready.as_ref().is_some_and(|ready| ready.restarts())
    }

    /// Restarts the machine, where it is to be; holds the watchdog where the
    /// process lives on after a failure. Whether the chip is as it was, and the camera has to
    /// restart to have its own programs again.
    #[must_use]
    pub fn conclude(mut self, lives_on: bool) -> bool {
        let restarts = self.restarts();
        if let Some(ready) = self.ready.take() {
            if restarts {
                ready.reboot();
                // It did not: the watchdog has to, so it is neither fed nor disarmed.
                std::mem::forget(ready);
            } else if self.outcome == WhatCame::Unchanged {
                // The chip is as it was; the camera continues as before.
                return !ready.call_off();
            } else if lives_on {
                // A restart by the watchdog would come unannounced.
                ready.hold();
            }
        }
        false
    }

    /// As it is shown.
    pub fn document(&self) -> serde_json::Value {
        let error = self.error.as_ref().map(
            |e| serde_json::json!({ "code": e.code(), "message": chain(e), "hint": e.hint() }),
        );
        serde_json::json!({
            "outcome": self.outcome,
            "partitions": self.partitions,
            "error": error,
            "warnings": self.warnings,
            "put_back": self.put_back,
            "before": self.before,
            "blocks": self.blocks,
            "chip_time_before": self.chip_time_before,
            "chip_time": self.chip_time,
            "seconds": self.seconds,
            "restarts": self.restarts(),
        })
    }
}
