//! Whose identity it is: files of two cameras are never mixed, and no identity comes from a dump
//! that may be of another camera.

use super::error::RecoverError;
use super::find::Found;
use super::undo::Input;
use crate::chip::Role;
use crate::identity::{Identity, Judgement};

/// Whose FACTORY another one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kin {
    /// The same camera's, damaged or not.
    Same,
    /// Another camera's.
    Anothers,
    /// It is erased, or not enough of it can be read.
    Unknown,
}

/// The values, where all of them can be read.
fn whole(judged: &Judgement) -> Option<&Identity> {
    judged.identity.as_ref().filter(|_| judged.health.is_healthy() || judged.is_crc_only())
}

fn kin(one: &Judgement, other: &Judgement) -> Kin {
    match (one.identity.as_ref(), other.identity.as_ref()) {
        (Some(mine), Some(theirs)) => {
            let healthy = one.health.is_healthy() && other.health.is_healthy();
            if theirs.is_anothers(mine) || (healthy && !mine.same_as(theirs)) {
                Kin::Anothers
            } else if theirs.is_personal() {
                Kin::Same
            } else {
                Kin::Unknown
            }
        }
        _ => Kin::Unknown,
    }
}

/// The best of several FACTORYs, and the first that is not of its camera, or that may not be where
/// `unknown` counts, too.
fn odd_one(all: &[&Judgement], unknown: bool) -> Option<(usize, usize, Kin)> {
    let best = all.iter().position(|j| j.health.is_healthy());
    let best = best.or_else(|| all.iter().position(|j| whole(j).is_some()))?;
    let others = all.iter().enumerate().filter(|(i, _)| *i != best);
    let kins: Vec<(usize, Kin)> = others.map(|(i, other)| (i, kin(all[best], other))).collect();
    let of = |wanted| kins.iter().find(|(_, kin)| *kin == wanted);
    let odd = of(Kin::Anothers).or_else(|| of(Kin::Unknown).filter(|_| unknown));
    odd.map(|(i, kin)| (best, *i, *kin))
}

/// A majority never decides whose identity counts. Readings of which only some have one may be of
/// two cameras: then the owner must have `named` the FACTORY.
pub(super) fn of_readings(judged: &[(String, Judgement)], named: bool) -> Result<(), RecoverError> {
    let all: Vec<&Judgement> = judged.iter().map(|(_, j)| j).collect();
    match odd_one(&all, !named) {
        Some((best, odd, kin)) => Err(refusal(kin, &judged[best].0, &judged[odd].0)),
        None => Ok(()),
    }
}

fn refusal(kin: Kin, best: &str, odd: &str) -> RecoverError {
    match kin {
        Kin::Unknown => RecoverError::Unsure(odd.to_owned(), best.to_owned()),
        _ => RecoverError::TwoIdentities(best.to_owned(), odd.to_owned()),
    }
}

/// The same for all parts that were found: a dump gives its identity to no other dump.
pub(super) fn of_parts(inputs: &[Input], found: &[Found], named: bool) -> Result<(), RecoverError> {
    let (parts, judged): (Vec<&Found>, Vec<&Judgement>) =
        found.iter().filter_map(|f| Some((f, f.content.facts.identity.as_ref()?))).unzip();
    let name = |found: &Found| inputs[found.input].name.as_str();
    if let Some((best, odd, kin)) = odd_one(&judged, false) {
        return Err(refusal(kin, name(parts[best]), name(parts[odd])));
    }
    let best = parts.iter().max_by_key(|f| f.rank()).filter(|f| f.rank() > 2);
    let Some(best) = best.filter(|_| !named) else { return Ok(()) };
    let count = |input| found.iter().filter(|f| f.input == input && f.rank() > 0).count();
    if count(best.input) < 2 {
        return Ok(());
    }
    // It has a FACTORY of its own, or so much that it should have one.
    for (i, input) in inputs.iter().enumerate().filter(|(i, _)| *i != best.input) {
        let own = parts.iter().zip(&judged).filter(|(f, _)| f.input == i);
        let kins: Vec<Kin> =
            own.filter_map(|(_, j)| Some(kin(best.content.facts.identity.as_ref()?, j))).collect();
        let has_boot = |i| found.iter().any(|f| (f.input, f.role) == (i, Role::Boot));
        let is_dump = count(i) > 1 && has_boot(i) && has_boot(best.input);
        if !kins.contains(&Kin::Same) && (!kins.is_empty() || is_dump) {
            return Err(refusal(Kin::Unknown, name(best), &input.name));
        }
    }
    Ok(())
}

/// `given` is put in the place of these only if it is no other camera's.
pub(super) fn may_replace<'a>(
    given: &Judgement,
    owns: impl Iterator<Item = &'a Found>,
) -> Result<(), &'a Found> {
    for own in owns {
        let Some(judged) = own.content.facts.identity.as_ref() else { continue };
        let mine = given.identity.as_ref().zip(judged.identity.as_ref());
        let is_another = if judged.health.is_healthy() {
            mine.is_some_and(|(given, own)| !own.same_as(given))
        } else {
            kin(given, judged) == Kin::Anothers
        };
        if is_another {
            return Err(own);
        }
    }
    Ok(())
}
