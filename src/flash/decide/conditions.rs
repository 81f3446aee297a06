//! The other conditions for erasing a block: the card can take what must be saved, the identity is
//! safe, the chip can be read and written, and nothing is in the way.

use crate::card::CardState;
use crate::chip::{Partition, WINDOW};
use crate::flash::facts::{Facts, Left, PartFacts};
use crate::flash::plan::PartPlan;
use crate::flash::request::{PlanRequest, PlanSource};
use crate::formats::tf;
use crate::image::Finding;

/// Room beyond what is counted, in bytes: texts, folders, the log.
const SPARE: u64 = 0x10_0000;
/// Bytes of a chip whose map does not tell.
const USUAL_CHIP: u32 = 0x100_0000;

/// What is in the way of a plan that would change something; `used` are all of its partitions.
pub fn check(
    facts: &Facts,
    request: &PlanRequest,
    changing: &[&PartFacts],
    used: &[(&PartFacts, &PartPlan)],
    has_rescue: bool,
) -> Vec<Finding> {
    let mut found = Vec::new();
    found.extend(card(facts, has_rescue));
    found.extend(identity(facts));
    for part in changing {
        found.extend(chip(part));
    }
    let data = facts.obstacles.data.as_ref().filter(|_| facts.compared.changes_data());
    found.extend(data.map(|reason| {
        Finding::blocker("data-busy", format!("DATA cannot be released: {reason}"))
            .of("DATA")
            .hint("Restart the camera and try again, or leave DATA out.")
    }));
    found.extend(facts.obstacles.watchdog.as_ref().map(|(name, number)| {
        Finding::blocker("watchdog", format!("{name} ({number}) uses the watchdog"))
            .hint("End that program, or restart the camera, and try again.")
    }));
    found.extend(source(facts, request));
    found.extend(left(&facts.left, used));
    found
}

/// Whether its erase blocks have a size that no camera of this kind has: then it is not compared.
pub fn is_odd(part: &Partition) -> bool {
    part.erase_size == 0 || part.erase_size > WINDOW
}

/// Why a partition is not compared.
pub fn not_compared(part: &PartFacts) -> Finding {
    if !is_odd(&part.part) {
        return unreadable(part);
    }
    let (name, size) = (&part.part.name, part.part.erase_size);
    Finding::blocker("odd-erase-size", format!("{name} has erase blocks of {size:#x} bytes"))
        .of(name)
        .hint("Report it: this program writes chips with blocks of 64 KiB or less.")
}

/// A partition that the chip does not give back.
fn unreadable(part: &PartFacts) -> Finding {
    let (name, at) = (&part.part.name, part.gap.unwrap_or(0));
    Finding::blocker(
        "chip-read",
        format!("{name} cannot be read at {at:#x}, so it cannot be saved"),
    )
    .of(name)
    .at(at.into())
    .hint("The chip is failing here. Keep the backup.")
}

fn card(facts: &Facts, has_rescue: bool) -> Option<Finding> {
    let free = match facts.card.state {
        CardState::Ready { free, .. } => free,
        CardState::ReadOnly { .. } => {
            return Some(
                Finding::blocker("card-read-only", "the card is not writable")
                    .hint("Check its write-protect switch, or use another card."),
            );
        }
        CardState::Missing => {
            return Some(
                Finding::blocker("card-missing", "there is no card")
                    .hint("What would be overwritten must be saved first: insert a card."),
            );
        }
    };
    let mut needed = SPARE + facts.compared.source.to_copy;
    if facts.card.held_by.is_none() {
        needed += 2 * u64::from(facts.card.chip_size.unwrap_or(USUAL_CHIP));
    }
    if has_rescue {
        needed += tf::BODY + SPARE;
    }
    (free < needed).then(|| {
        Finding::blocker(
            "card-full",
            format!(
                "the card has {} MiB free, and {} MiB are needed to save what would be \
                 overwritten",
                free >> 20,
                needed.div_ceil(1 << 20)
            ),
        )
        .hint("Delete old backups, or free space on the card with a PC.")
    })
}

fn identity(facts: &Facts) -> Option<Finding> {
    let has_one = facts.compared.own.identity.mark().is_some();
    (facts.card.lacks_identity && has_one).then(|| {
        Finding::blocker("identity-not-safe", "the camera's identity is not saved on the card")
            .hint("Insert a writable card and restart the camera.")
    })
}

fn chip(facts: &PartFacts) -> Vec<Finding> {
    let name = &facts.part.name;
    let mut found = Vec::new();
    if facts.gap.is_some() {
        found.push(unreadable(facts));
    }
    if !facts.is_writable {
        found.push(
            Finding::blocker("read-only-partition", format!("the kernel does not write {name}"))
                .of(name)
                .hint(
                    "Only a flash programmer can write it: RECOVERY.txt in the backup explains \
                     how.",
                ),
        );
    }
    if facts.is_protected {
        found.push(
            Finding::warning(
                "protected",
                format!(
                    "{name} is write-protected: the protection is lifted for the write and \
                     restored after it"
                ),
            )
            .of(name),
        );
    }
    found
}

/// After a power cut a set must still be where it was: on the card.
fn source(facts: &Facts, request: &PlanRequest) -> Option<Finding> {
    let PlanSource::Set(path) = &request.source else { return None };
    (facts.is_device && !facts.compared.source.is_on_card).then(|| {
        Finding::blocker("set-not-on-card", format!("{} is not on the card", path.display())).hint(
            "Copy the set to mi360d/backups on the card: an interrupted restore needs it to \
             continue.",
        )
    })
}

/// A flash that was interrupted.
fn left(left: &Left, used: &[(&PartFacts, &PartPlan)]) -> Option<Finding> {
    match left {
        Left::OtherCameras => Some(
            Finding::blocker(
                "other-camera",
                "this card has another camera's interrupted flash, and that camera needs it to \
                 continue",
            )
            .hint("Put the card back into that camera, and use another card here."),
        ),
        Left::Interrupted { partitions } => {
            let is_written = |name: &String| used.iter().any(|(part, _)| part.part.name == *name);
            if partitions.iter().all(is_written) {
                return Some(
                    Finding::warning("replaces-interrupted", "it replaces an interrupted flash")
                        .hint("`mi360d resume` would finish that one instead."),
                );
            }
            let names = partitions.join(", ");
            Some(
                Finding::blocker(
                    "flash-interrupted",
                    format!("a flash of {names} was interrupted and must be finished first"),
                )
                .hint("`mi360d resume` continues it."),
            )
        }
        Left::Damaged { reason } => Some(Finding::warning("journal-damaged", reason.clone())),
        Left::Nothing => None,
    }
}
