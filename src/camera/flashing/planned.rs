//! A plan of a flash: what would change, what it would cost, and whether it may be done.

use std::time::Duration;

use super::request::PlanRequest;
use crate::backup::Reading;
use crate::chip::{Partition, Role};
use crate::flash::{Heals, PartPlan};
use crate::identity::Judgement;
use crate::image::Finding;

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
    /// Partitions whose content is not from the source but carried over.
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
    /// The chip as it was read for the plan.
    pub reading: Reading,
    /// FACTORY, judged.
    pub identity: Judgement,
}

impl Planned {
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
        self.estimate().as_secs_f64()
    }

    pub(super) fn estimate(&self) -> Duration {
        Duration::from_micros(self.parts.iter().map(PartPlan::chip_micros).sum())
    }
}
