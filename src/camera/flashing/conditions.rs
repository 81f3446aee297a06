//! What else must hold before a block is erased: the card can take what must
//! be saved, the identity is safe, the chip can be read and written, nothing
//! stands in the way. Looked at, never changed.

use super::planned::Planned;
use super::request::PlanSource;
use super::same;
use crate::backup::{Reading, make, set};
use crate::camera::Camera;
use crate::card::CardState;
use crate::chip::{Partition, Role};
use crate::flash::journal::{self, Found};
use crate::flash::protection;
use crate::image::Finding;
use crate::machine::Needs;

/// Room beyond what is counted, in bytes: texts, folders, the log.
const SPARE: u64 = 0x10_0000;

/// Adds what stands in the way to a plan that would change something.
pub fn check(camera: &Camera, planned: &mut Planned) {
    let mut found = Vec::new();
    found.extend(card(camera, planned));
    found.extend(identity(camera, planned));
    for plan in planned.changing() {
        found.extend(chip(camera, &plan.part, planned));
    }
    let needs = needs(planned);
    found.extend(camera.machine().obstacles(needs));
    found.extend(source(camera, planned));
    found.extend(other_job(camera, planned));
    for finding in found {
        match finding.severity {
            crate::image::Severity::Blocker => planned.blockers.push(finding),
            _ => planned.warnings.push(finding),
        }
    }
}

/// What of the machine a plan needs.
pub fn needs(planned: &Planned) -> Needs {
    Needs { data: planned.changing().iter().any(|p| p.part.role == Role::Data) }
}

/// A partition that the chip does not give back.
pub fn unreadable(part: &Partition, reading: &Reading) -> Finding {
    let at = reading.of(part).and_then(|read| read.gaps.first()).map_or(0, |gap| gap.offset);
    Finding::blocker(
        "chip-read",
        format!("{} cannot be read at {at:#x}, so it cannot be saved", part.name),
    )
    .of(&part.name)
    .at(at.into())
    .hint("The chip is failing here. Keep the backup.")
}

/// Erase blocks of a size that no camera of this kind has.
pub fn odd_erase_size(part: &Partition) -> Finding {
    Finding::blocker(
        "odd-erase-size",
        format!("{} has erase blocks of {:#x} bytes", part.name, part.erase_size),
    )
    .of(&part.name)
    .hint("Report it: this program writes chips with blocks of 64 KiB or less.")
}

/// Whether some set holds what the chip holds now, exactly.
pub fn held_by(camera: &Camera, planned: &Planned) -> Option<String> {
    let sets = set::list(&camera.card().backups());
    sets.into_iter()
        .rev()
        .find(|set| {
            set.closed().is_some_and(|manifest| {
                make::holds(manifest, camera.chip(), &planned.reading, true)
            })
        })
        .map(|set| set.name.to_string())
}

fn card(camera: &Camera, planned: &Planned) -> Option<Finding> {
    let free = match camera.card().state() {
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
    let chip = u64::from(camera.chip().map().chip_size.unwrap_or(0x100_0000));
    let mut needed = SPARE;
    if held_by(camera, planned).is_none() {
        needed += 2 * chip;
    }
    if let PlanSource::Image(path) = &planned.request.source
        && !path.starts_with(camera.card().home().join("images"))
    {
        needed += std::fs::metadata(path).map_or(0, |meta| meta.len());
    }
    if planned.rescue.is_some() {
        needed += crate::formats::tf::BODY + SPARE;
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

/// After a power cut a set must still be where it was: on the card.
fn source(camera: &Camera, planned: &Planned) -> Option<Finding> {
    let PlanSource::Set(path) = &planned.request.source else { return None };
    let stays = same::below_card(camera, path).is_some();
    let is_device = matches!(camera.source(), crate::camera::Source::Device);
    (is_device && !stays).then(|| {
        Finding::blocker("set-not-on-card", format!("{} is not on the card", path.display())).hint(
            "Copy the set to mi360d/backups on the card: an interrupted restore needs it to \
             continue.",
        )
    })
}

fn identity(camera: &Camera, planned: &Planned) -> Option<Finding> {
    let state = camera.state();
    let kept = &state.vaulted.as_ref()?.kept;
    (!kept.is_safe() && planned.identity.mark().is_some()).then(|| {
        Finding::blocker("identity-not-safe", "the camera's identity is not saved on the card")
            .hint("Insert a writable card and restart the camera.")
    })
}

fn chip(camera: &Camera, part: &Partition, planned: &Planned) -> Vec<Finding> {
    let mut found = Vec::new();
    if planned.reading.of(part).is_some_and(|read| !read.gaps.is_empty()) {
        found.push(unreadable(part, &planned.reading));
    }
    if !camera.chip().is_writable(part) {
        found.push(
            Finding::blocker(
                "read-only-partition",
                format!("the kernel does not write {}", part.name),
            )
            .of(&part.name)
            .hint(
                "Only a flash programmer can write it: RECOVERY.txt in the backup explains \
                    how.",
            ),
        );
    }
    if !protection::scan(camera.chip(), part).is_empty() {
        found.push(
            Finding::warning(
                "protected",
                format!(
                    "{} is write-protected: the protection is lifted for the write and restored \
                     after it",
                    part.name
                ),
            )
            .of(&part.name),
        );
    }
    found
}

/// Another flash, of this process or another, or one that was interrupted.
fn other_job(camera: &Camera, planned: &Planned) -> Option<Finding> {
    match journal::find(camera.card()) {
        Found::Open(job, _) if same::check_camera(camera, &job).is_err() => Some(
            Finding::blocker(
                "other-camera",
                "this card has another camera's interrupted flash, and that camera needs it to \
                 continue",
            )
            .hint("Put the card back into that camera, and use another card here."),
        ),
        Found::Open(job, _) => {
            let covered = job
                .partitions
                .iter()
                .all(|part| planned.parts.iter().any(|plan| plan.part.name == part.name));
            if covered {
                return Some(
                    Finding::warning("replaces-interrupted", "it replaces an interrupted flash")
                        .hint("`mi360d resume` would finish that one instead."),
                );
            }
            let names: Vec<&str> = job.partitions.iter().map(|p| p.name.as_str()).collect();
            Some(
                Finding::blocker(
                    "flash-interrupted",
                    format!(
                        "a flash of {} was interrupted and must be finished first",
                        names.join(", ")
                    ),
                )
                .hint("`mi360d resume` continues it."),
            )
        }
        Found::Damaged { reason } => Some(Finding::warning("journal-damaged", reason)),
        Found::Nothing => None,
    }
}
