//! Several readings of one chip: merged by majority, and settled by checksums where there is none.

use super::error::RecoverError;
use super::merge::{self, Merged};
use super::owner;
use super::undo::Input;
use crate::chip::{Role, WINDOW};
use crate::identity::{self, Judgement};
use crate::image::content::Health;
use crate::image::inspect::FileKind;
use crate::image::inspect::sniff::sniff;
use crate::image::marks::CHIP;
use crate::image::parts::judge;

/// Readings that agree in fewer of their pages than one in this many are of two chips.
const ALIKE: usize = 2;
/// The most cells that are tried one by one where two readings differ.
const TRIED: usize = 12;

/// The readings that were merged into one input.
pub(super) struct Readings {
    /// Its number.
    pub(super) input: usize,
    pub(super) merged: Merged,
    pub(super) all: Vec<Vec<u8>>,
}

/// Merges whole dumps of one chip: the first takes their place among the inputs. `named` is whether
/// the owner named the FACTORY.
pub(super) fn merge_readings(
    inputs: &mut Vec<Input>,
    named: bool,
    did: &mut Vec<String>,
) -> Result<Option<Readings>, RecoverError> {
    let is_reading = |input: &Input| {
        let long = input.bytes.len() as u64 >= CHIP / 16;
        long && sniff(&input.bytes).is_ok_and(|s| {
            matches!(
                s.kind,
                FileKind::FullDump
                    | FileKind::TruncatedDump
                    | FileKind::OtherDump
                    | FileKind::Unknown
            )
        })
    };
    let size = inputs.iter().filter(|i| is_reading(i)).map(|i| i.bytes.len()).max().unwrap_or(0);
    let chosen: Vec<usize> = (0..inputs.len())
        .filter(|&i| inputs[i].bytes.len() == size && is_reading(&inputs[i]))
        .collect();
    let Some((&first, others)) = chosen.split_first() else { return Ok(None) };
    if others.is_empty() {
        return Ok(None);
    }
    for &other in others {
        if !alike(&inputs[first].bytes, &inputs[other].bytes) {
            let names = (inputs[first].name.clone(), inputs[other].name.clone());
            return Err(RecoverError::TwoChips(names.0, names.1));
        }
    }
    let names: Vec<String> = chosen.iter().map(|&i| inputs[i].name.clone()).collect();
    let judged: Vec<_> =
        names.iter().cloned().zip(chosen.iter().map(|&i| judged(&inputs[i].bytes))).collect();
    owner::of_readings(&judged, named)?;
    let readings: Vec<Vec<u8>> =
        chosen.iter().map(|&i| std::mem::take(&mut inputs[i].bytes)).collect();
    let views: Vec<&[u8]> = readings.iter().map(Vec::as_slice).collect();
    let merged = merge::merge(&views);
    did.push(format!(
        "Compared {} readings: {} differ in {} bytes.",
        readings.len(),
        names.join(", "),
        merged.differing
    ));
    inputs[first] = Input { name: names.join(" and "), bytes: merged.bytes.clone() };
    let mut i = 0;
    inputs.retain(|_| {
        i += 1;
        !others.contains(&(i - 1))
    });
    Ok(Some(Readings { input: first, merged, all: readings }))
}

/// The FACTORY of a reading.
fn judged(bytes: &[u8]) -> Judgement {
    let pieces = sniff(&bytes).map(|s| s.pieces).unwrap_or_default();
    let piece = pieces.iter().find(|piece| piece.role == Role::Factory);
    let start = match piece {
        Some(piece) => usize::try_from(piece.start).unwrap_or(bytes.len()),
        None => bytes.len().saturating_sub(WINDOW as usize),
    };
    let end = start.saturating_add(WINDOW as usize).min(bytes.len());
    identity::judge(bytes.get(start..end).unwrap_or_default())
}

/// Whether two readings may be of one chip: most pages that contain something are equal.
fn alike(one: &[u8], other: &[u8]) -> bool {
    let (mut equal, mut all) = (0, 0);
    for (a, b) in one.chunks(256).zip(other.chunks(256)) {
        if a.iter().chain(b).any(|&byte| byte != 0xFF) {
            all += 1;
            equal += usize::from(a == b);
        }
    }
    all == 0 || equal * ALIKE >= all
}

/// Two readings can differ without a majority: then the one that makes a part
/// whole is right, as its checksums say.
pub(super) fn settle(
    readings: &mut Readings,
    role: Role,
    place: std::ops::Range<usize>,
    image: &mut [u8],
    inputs: &[Input],
) {
    let (from, end) = (place.start, place.end);
    let own = inputs.get(readings.input).and_then(|i| i.bytes.get(place.clone()));
    let in_place = own == Some(&image[place.clone()]);
    if readings.merged.is_settled(from, end) || !in_place || matches!(role, Role::Other) {
        return;
    }
    let size = (end - from) as u32;
    let faults = |bytes: &[u8]| {
        let content = judge(role, bytes, size);
        let count = content.findings.len();
        if content.health == Health::Damaged { count.max(1) } else { 0 }
    };
    for reading in &readings.all {
        let Some(bytes) = reading.get(place.clone()) else { continue };
        if faults(bytes) == 0 && judge(role, bytes, size).health == Health::Healthy {
            readings.merged.settle(from, bytes);
            image[place].copy_from_slice(bytes);
            return;
        }
    }
    // Each reading has faults of its own: cell by cell, whatever makes them fewer.
    let mut best = image[place.clone()].to_vec();
    let mut least = faults(&best);
    let cells: Vec<usize> = (from / merge::CELL..end.div_ceil(merge::CELL))
        .filter(|c| !readings.merged.is_settled(c * merge::CELL, (c + 1) * merge::CELL))
        .take(TRIED)
        .collect();
    for cell in cells {
        let start = (cell * merge::CELL).max(from);
        let stop = ((cell + 1) * merge::CELL).min(end);
        for reading in &readings.all {
            let Some(bytes) = reading.get(start..stop) else { continue };
            let mut tried = best.clone();
            tried[start - from..stop - from].copy_from_slice(bytes);
            let now = faults(&tried);
            if now < least {
                (best, least) = (tried, now);
            }
        }
    }
    image[place].copy_from_slice(&best);
    if least == 0 {
        readings.merged.settle(from, &best);
    }
}
