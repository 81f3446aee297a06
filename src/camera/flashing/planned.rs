//! A plan of a flash, with what was read for it: what is shown, agreed to, and then done.

use crate::backup::Reading;
use crate::chip::{Partition, Role};
use crate::flash::decide::{self, Plan};
use crate::flash::facts::Facts;
use crate::flash::{Heals, PartPlan, PlanRequest};
use crate::identity::Judgement;
use crate::image::Finding;
use crate::machine::Needs;

/// What was read for a plan.
#[derive(Debug)]
pub struct Read {
    /// What the source is, in words.
    pub what: String,
    /// SHA-256 of the image, in hex; `None` for a set.
    pub sha256: Option<String>,
    /// The chip.
    pub chip: Reading,
}

/// The plan.
#[derive(Debug)]
pub struct Planned {
    /// What was asked for.
    pub request: PlanRequest,
    /// What the source is, in words.
    pub what: String,
    /// SHA-256 of the image, in hex; `None` for a set.
    pub sha256: Option<String>,
    /// The chosen partitions, in the chip's order.
    pub parts: Vec<PartPlan>,
    /// The WiFi settings that are carried over in CONFIG.
    pub carried: Option<Vec<u8>>,
    /// What forbids it.
    pub blockers: Vec<Finding>,
    /// What the owner must know before he agrees.
    pub warnings: Vec<Finding>,
    /// What is good to know.
    pub notes: Vec<Finding>,
    /// What a power cut in the middle would need.
    pub heals: Heals,
    /// The phrase that agrees to it; `None` where nothing would change.
    pub confirm: Option<String>,
    /// The image that can lie at the card's root meanwhile, for the boot loader.
    pub rescue: Option<&'static str>,
    /// How long WiFi, video and the page are away, in seconds; `None` where they stay.
    pub away_s: Option<u64>,
    /// The set that holds what would be overwritten, exactly as it is now.
    pub held_by: Option<String>,
    /// The chip as it was read for the plan.
    pub reading: Reading,
    /// FACTORY, judged.
    pub identity: Judgement,
}

impl Planned {
    /// What is decided from these facts.
    pub(super) fn of(facts: Facts, read: Read, request: &PlanRequest) -> Planned {
        let plan = decide::decide(&facts, request);
        let Plan { parts, carried, blockers, warnings, notes, heals, confirm, rescue, away_s } =
            plan;
        Planned {
            request: request.clone(),
            what: read.what,
            sha256: read.sha256,
            parts,
            carried,
            blockers,
            warnings,
            notes,
            heals,
            confirm,
            rescue,
            away_s,
            held_by: facts.card.held_by,
            reading: read.chip,
            identity: facts.compared.own.identity,
        }
    }

    /// The partitions that will change, in the chip's order.
    pub fn changing(&self) -> Vec<&PartPlan> {
        self.parts.iter().filter(|plan| plan.changes()).collect()
    }

    /// Whether a partition's content is carried over.
    pub fn is_carried(&self, part: &Partition) -> bool {
        self.carried.is_some() && part.role == Role::Config
    }

    /// What the chip takes for it, in seconds, by the data sheet.
    pub fn estimate_seconds(&self) -> f64 {
        decide::estimate(&self.parts).as_secs_f64()
    }

    /// What of the machine it needs.
    pub(super) fn needs(&self) -> Needs {
        decide::needs(&self.parts)
    }
}
