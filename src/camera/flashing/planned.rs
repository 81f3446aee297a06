//! A plan of a flash, with what was read for it: what is shown, agreed to, and then done.

use crate::backup::Reading;
use crate::chip::{Partition, Role};
use crate::flash::decide::{self, Plan};
use crate::flash::facts::Facts;
use crate::flash::{PartPlan, PlanRequest};
use crate::identity::Judgement;
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
    /// What was decided.
    pub plan: Plan,
    /// The set that contains what would be overwritten, exactly as it is now.
    pub held_by: Option<String>,
    /// The chip as it was read for the plan.
    pub reading: Reading,
    /// FACTORY, judged.
    pub identity: Judgement,
}

impl Planned {
    /// What is decided from these facts.
    pub(super) fn of(facts: Facts, read: Read, request: &PlanRequest) -> Planned {
        Planned {
            plan: decide::decide(&facts, request),
            request: request.clone(),
            what: read.what,
            sha256: read.sha256,
            held_by: facts.card.held_by,
            reading: read.chip,
            identity: facts.compared.own.identity,
        }
    }

    /// The partitions that will change, in the chip's order.
    pub fn changing(&self) -> Vec<&PartPlan> {
        self.plan.parts.iter().filter(|plan| plan.changes()).collect()
    }

    /// Whether a partition's content is carried over.
    pub fn is_carried(&self, part: &Partition) -> bool {
        self.plan.carried.is_some() && part.role == Role::Config
    }

    /// What the chip takes for it, in seconds, by the data sheet.
    pub fn estimate_seconds(&self) -> f64 {
        decide::estimate(&self.plan.parts).as_secs_f64()
    }

    /// What of the machine it needs.
    pub(super) fn needs(&self) -> Needs {
        decide::needs(&self.plan.parts)
    }
}
