//! The plan as the page and `--json` show it.

use serde::Serialize;

use super::planned::Planned;
use crate::base::hex;
use crate::camera::Camera;
use crate::chip::Spent;
use crate::flash::{Counts, Heals, PlanSource};
use crate::image::Finding;

/// The document of a plan.
#[derive(Clone, Debug, Serialize)]
pub struct PlanDocument {
    /// Where it comes from.
    pub source: SourceNote,
    /// The chosen partitions, in the chip's order.
    pub partitions: Vec<PlanPart>,
    /// What forbids it.
    pub blockers: Vec<Finding>,
    /// What the owner must know before he agrees.
    pub warnings: Vec<Finding>,
    /// What is good to know.
    pub notes: Vec<Finding>,
    /// The phrase; null where nothing would change.
    pub confirm: Option<String>,
    /// What a power cut in the middle would need.
    pub heals: Heals,
    /// The same in words.
    pub heals_words: &'static str,
    /// The set that contains what would be overwritten, exactly as it is now;
    /// null where one is made by the flash itself.
    pub held_by: Option<String>,
    /// What the chip takes for writing and proving, in seconds, by the data sheet.
    pub estimate_s: f64,
    /// How long WiFi, video and the page are away, in seconds; null where they stay.
    pub away_s: Option<u64>,
    /// What a simulated chip took for making this plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chip_time: Option<Spent>,
}

/// Where new content comes from.
#[derive(Clone, Debug, Serialize)]
pub struct SourceNote {
    /// `image` or `backup`.
    pub kind: &'static str,
    /// The file's or folder's name.
    pub name: String,
    /// What it is, in words.
    pub what: String,
    /// SHA-256 of the image.
    pub sha256: Option<String>,
}

/// One partition of a plan.
#[derive(Clone, Debug, Serialize)]
pub struct PlanPart {
    /// Its name.
    pub name: String,
    /// Bytes from the chip's start.
    pub offset: Option<u32>,
    /// Bytes.
    pub size: u32,
    /// Bytes of an erase block.
    pub erase_size: u32,
    /// How many blocks need what.
    pub blocks: Counts,
    /// One letter for each erase block: `s` same, `p` program, `e` erase.
    pub cells: String,
    /// SHA-256 of the content that it would have.
    pub sha256: String,
    /// Whether it is not from the source but carried over.
    pub carried: bool,
}

impl Planned {
    /// As it is shown.
    pub fn document(&self, camera: &Camera) -> PlanDocument {
        PlanDocument {
            source: SourceNote {
                kind: match self.request.source {
                    PlanSource::Image(_) => "image",
                    PlanSource::Set(_) => "backup",
                },
                name: self.request.source.name(),
                what: self.what.clone(),
                sha256: self.sha256.clone(),
            },
            partitions: self
                .plan
                .parts
                .iter()
                .map(|plan| PlanPart {
                    name: plan.part.name.clone(),
                    offset: plan.part.offset,
                    size: plan.part.size,
                    erase_size: plan.part.erase_size,
                    blocks: plan.counts(),
                    cells: plan.letters(),
                    sha256: hex(&plan.sha256),
                    carried: self.is_carried(&plan.part),
                })
                .collect(),
            blockers: self.plan.blockers.clone(),
            warnings: self.plan.warnings.clone(),
            notes: self.plan.notes.clone(),
            confirm: self.plan.confirm.clone(),
            heals: self.plan.heals,
            heals_words: self.plan.heals.words(),
            held_by: self.held_by.clone(),
            away_s: self.plan.away_s,
            estimate_s: self.estimate_seconds(),
            chip_time: camera.chip().spent(),
        }
    }
}
