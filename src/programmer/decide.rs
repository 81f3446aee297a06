//! Plan of a write by programmer: its changes to the chip, and the reasons that forbid it. Pure:
//! facts in, plan out.

use serde::Serialize;

use super::CHIP_SIZE;
use crate::chip::{FlashMap, Role, WINDOW};
use crate::flash::rules::{self, Live};
use crate::identity::Judgement;
use crate::image::Finding;

/// What is known before a decision.
pub struct Facts<'a> {
    /// The image's own map; `None` where it tells none.
    pub map: Option<&'a FlashMap>,
    /// The image's bytes.
    pub image: &'a [u8],
    /// The chip's bytes now.
    pub chip: &'a [u8],
    /// FACTORY of the image, judged.
    pub candidate: &'a Judgement,
    /// FACTORY as the chip had it before the first write, judged.
    pub before: &'a Judgement,
    /// FACTORY as it is on the chip now, judged.
    pub now: &'a Judgement,
    /// The did that the owner typed.
    pub did: Option<&'a str>,
    /// What inspection found against the image, and what it warns of.
    pub found: Vec<Finding>,
}

/// One partition of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PartPlan {
    /// Its name.
    pub name: String,
    /// Blocks of 64 KiB.
    pub total: u32,
    /// Blocks that are already as the image has them.
    pub same: u32,
    /// Blocks that only need bits cleared.
    pub program: u32,
    /// Blocks that must be erased first.
    pub erase: u32,
}

/// What a write would do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// The partitions, in the chip's order.
    pub partitions: Vec<PartPlan>,
    /// What forbids it.
    pub blockers: Vec<Finding>,
    /// What the owner should know first.
    pub warnings: Vec<Finding>,
    /// The phrase; `None` where nothing would change.
    pub confirm: Option<String>,
}

/// Decides.
pub fn decide(facts: Facts<'_>) -> Plan {
    let mut plan =
        Plan { partitions: Vec::new(), blockers: Vec::new(), warnings: Vec::new(), confirm: None };
    let (found, warnings): (Vec<_>, Vec<_>) =
        facts.found.into_iter().partition(|f| f.severity == crate::image::Severity::Blocker);
    plan.blockers = found;
    plan.warnings = warnings;
    let whole = facts.image.len() as u64 == CHIP_SIZE && facts.chip.len() as u64 == CHIP_SIZE;
    let Some(map) = facts.map.filter(|_| whole) else {
        plan.blockers.push(
            Finding::blocker("no-chip-image", "This file is not an image of a whole camera chip.")
                .hint("Make one with `mi360d assemble` or `mi360d recover`."),
        );
        return plan;
    };
    for part in map.covering() {
        let from = part.offset.unwrap_or(0) as usize;
        let range = from..from + part.size as usize;
        let (Some(new), Some(old)) = (facts.image.get(range.clone()), facts.chip.get(range)) else {
            continue;
        };
        let mut row = PartPlan { name: part.name.clone(), total: 0, same: 0, program: 0, erase: 0 };
        for (new, old) in new.chunks(WINDOW as usize).zip(old.chunks(WINDOW as usize)) {
            row.total += 1;
            if new == old {
                row.same += 1;
            } else if new.iter().zip(old).all(|(new, old)| new & old == *new) {
                row.program += 1;
            } else {
                row.erase += 1;
            }
        }
        if row.same < row.total && part.role == Role::Boot {
            plan.warnings.push(
                Finding::warning("boot-changes", "The boot loader will be replaced.").of(&row.name),
            );
        }
        plan.partitions.push(row);
    }
    let changed: Vec<&str> =
        plan.partitions.iter().filter(|p| p.same < p.total).map(|p| p.name.as_str()).collect();
    if changed.is_empty() {
        return plan;
    }
    plan.confirm = Some(format!("FLASH {}", changed.join(" ")));
    let live =
        Live { identity: facts.before, wifi_mac: None, only_saved: None, typed_did: facts.did };
    // A FACTORY that is as the chip has it needs no ground: it is not written.
    let untouched = facts.candidate.mark().is_some()
        && facts.candidate.mark() == facts.before.mark()
        && facts.candidate.mark() == facts.now.mark();
    let both_blank = facts.candidate.health == facts.before.health
        && facts.candidate.fingerprint == facts.before.fingerprint
        && facts.candidate.fingerprint == facts.now.fingerprint;
    if !untouched
        && !both_blank
        && let Err(blocker) = rules::own(facts.candidate, &live)
    {
        plan.blockers.push(worded(blocker));
    }
    // An unfinished write is continued only on the chip that it began on.
    let is_other = match (&facts.now.identity, &facts.candidate.identity) {
        (Some(now), Some(image)) => facts.now.health.is_healthy() && !now.same_as(image),
        _ => false,
    };
    if is_other && !plan.blockers.iter().any(|f| f.code == "foreign-identity") {
        plan.blockers.push(worded(Finding::blocker("foreign-identity", "")));
    }
    plan
}

/// The rules' blocker in the words of somebody with a programmer.
fn worded(blocker: Finding) -> Finding {
    let (reason, hint) = match blocker.code {
        "foreign-identity" => (
            "The FACTORY in this image belongs to another camera.",
            "Make an image from this camera's own parts: `mi360d assemble --own KEPT --donor IMAGE \
             --out NEW.bin`, where KEPT is the folder with what the chip contains.",
        ),
        "identity-uncertain" => (
            "The chip has no healthy identity, so nothing shows that this image belongs to it.",
            "Type this camera's did, as its label or the Mi Home app shows it: --did DID.",
        ),
        "identity-not-healthy" => (
            "The FACTORY in this image is blank or damaged, and the chip's is not the same.",
            "Put the camera's own FACTORY into the image first.",
        ),
        _ => return blocker.of("FACTORY"),
    };
    Finding::blocker(blocker.code, reason).of("FACTORY").hint(hint)
}
