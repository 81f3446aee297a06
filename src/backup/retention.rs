//! Which sets stay on the card; pure. A set is only ever removed here because
//! newer ones of the same identity hold what it was kept for.

use super::set::{SetFolder, SetName, SetState};

/// What a set is to the camera's owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The first healthy set of its identity: never overwritten, never deleted.
    Pristine,
    /// The newest set of a healthy identity: stays until a newer one is there.
    NewestHealthy,
    /// One of the newest `keep`.
    Kept,
    /// Newer ones hold what it was for.
    Spare,
    /// With gaps: stays until its owner removes it.
    Incomplete,
    /// Its making was interrupted.
    Unfinished,
    /// Damaged: said, and left to its owner.
    Broken,
}

impl Standing {
    /// Whether the program itself refuses to delete it, also when asked.
    pub fn is_protected(self) -> bool {
        matches!(self, Standing::Pristine | Standing::NewestHealthy)
    }

    /// In words, for a list.
    pub fn words(self) -> &'static str {
        match self {
            Standing::Pristine => "original backup of its identity, never deleted",
            Standing::NewestHealthy => "newest with a healthy identity, kept",
            Standing::Kept => "kept",
            Standing::Spare => "deleted when space is needed",
            Standing::Incomplete => "incomplete: some of the chip could not be read",
            Standing::Unfinished => "unfinished: not usable",
            Standing::Broken => "damaged",
        }
    }
}

/// The standing of every set, in their order (by number). `keep` counts the
/// sets next to the pristine one, for each camera on the card apart. A set that
/// is known not to hold has no standing but that, and takes nobody's place.
pub fn standings(
    sets: &[SetFolder],
    keep: usize,
    damaged: &dyn Fn(&SetName) -> bool,
) -> Vec<Standing> {
    let holds = |set: &SetFolder| set.closed().is_some() && !damaged(&set.name);
    sets.iter()
        .enumerate()
        .map(|(i, set)| {
            let manifest = match &set.state {
                SetState::Closed { manifest, .. } => manifest,
                SetState::Incomplete { .. } => return Standing::Incomplete,
                SetState::Unfinished => return Standing::Unfinished,
                SetState::Broken { .. } => return Standing::Broken,
            };
            if damaged(&set.name) {
                return Standing::Broken;
            }
            let owner = manifest.owner();
            let mine = |other: &&SetFolder| holds(other) && other.owner().as_ref() == Some(&owner);
            let healthy = manifest.is_healthy();
            if healthy && !sets[..i].iter().any(|s| mine(&s)) {
                return Standing::Pristine;
            }
            let newer = sets[i + 1..].iter().filter(mine).count();
            match newer {
                0 if healthy => Standing::NewestHealthy,
                n if n < keep.max(1) => Standing::Kept,
                _ => Standing::Spare,
            }
        })
        .collect()
}

/// The sets to remove now, oldest first. Unfinished ones go once a complete
/// set with a higher number is there.
pub fn to_remove<'s>(
    sets: &'s [SetFolder],
    keep: usize,
    damaged: &dyn Fn(&SetName) -> bool,
) -> Vec<&'s SetFolder> {
    let newest = sets.iter().rposition(|s| s.closed().is_some() && !damaged(&s.name));
    sets.iter()
        .zip(standings(sets, keep, damaged))
        .enumerate()
        .filter(|(i, (_, standing))| match standing {
            Standing::Spare => true,
            Standing::Unfinished => newest.is_some_and(|newest| newest > *i),
            _ => false,
        })
        .map(|(_, (set, _))| set)
        .collect()
}
