//! One image of a whole chip out of what somebody has: partition files,
//! several readings, a mangled dump, a cut-out FACTORY. Which bytes are taken
//! is decided here; files are opened and written in [`crate::repair::recover`].
//! `undo` undoes what happened to them, `readings` and `merge` merge readings,
//! `find` finds parts, `owner` says whether they are of one camera.

mod error;
mod find;
pub mod merge;
mod owner;
mod readings;
mod undo;

use serde::Serialize;

use super::content::{Content, Health};
use super::parts::{self, judge};
use crate::chip::{FlashMap, Partition, Role, WINDOW};
use crate::formats::uimage::Family;
use crate::identity::{self, Identity};
use crate::image::marks::{CHIP, MODELS};
pub use error::RecoverError;
use find::Found;
use readings::{merge_readings, settle};
pub use undo::Input;
use undo::{joined, undone};

/// Where a part of the image is from.
#[derive(Clone, Debug, Serialize)]
pub struct RecoveredPart {
    /// The partition.
    pub name: String,
    /// What it is for.
    pub role: Role,
    /// Where it is in the image, in bytes.
    pub to: u32,
    /// The file that it is from; `None` where no file has it.
    pub from: Option<String>,
    /// Where it begins in that file, once what happened to it was undone.
    pub offset: u64,
    /// Bytes that were taken; what is missing to its size is 0xFF.
    pub length: u64,
    /// How it is.
    pub health: Health,
    /// What it is, in a few words.
    pub kind: String,
}

/// Where readings differ.
#[derive(Clone, Debug, Serialize)]
pub struct Differences {
    /// How many readings there were.
    pub readings: usize,
    /// How many bytes differ.
    pub bytes: u64,
    /// One letter for each 64 KiB: `.` equal, `m` settled by majority, `c` by a
    /// checksum, `?` not settled.
    pub cells: String,
    /// The first differing bytes.
    pub places: Vec<merge::Difference>,
}

/// An image of a whole chip.
pub struct Recovered {
    /// Its bytes.
    pub image: Vec<u8>,
    /// All that was done, one sentence each.
    pub did: Vec<String>,
    /// What is still missing or damaged, one sentence each.
    pub missing: Vec<String>,
    /// The parts, in the chip's order.
    pub parts: Vec<RecoveredPart>,
    /// Where several readings differ.
    pub differences: Option<Differences>,
}

/// Makes an image of a whole chip.
///
/// # Errors
/// [`RecoverError`].
pub fn recover(inputs: Vec<Input>, factory: Option<&Input>) -> Result<Recovered, RecoverError> {
    let mut did = Vec::new();
    let all_names = inputs.iter().map(|i| i.name.clone()).collect::<Vec<_>>().join(", ");
    let mut missing = Vec::new();
    let undone =
        inputs.into_iter().flat_map(|input| undone(input, &mut did, &mut missing)).collect();
    let mut inputs = joined(undone, &mut did);
    let mut merged = merge_readings(&mut inputs, factory.is_some(), &mut did)?;
    let mut found: Vec<Found> = Vec::new();
    for (i, input) in inputs.iter().enumerate() {
        found.extend(find::find(i, &input.bytes, parts::role_by_name(&input.name)));
    }
    let own = inputs.iter().find_map(|i| Some((i, crate::chip::table::as_it_says(&i.bytes)?)));
    let unknown = own.filter(|(_, map)| !map.is_known());
    if found.iter().all(|f| f.rank() == 0) && factory.is_none() && unknown.is_none() {
        return Err(RecoverError::Nothing(all_names));
    }
    owner::of_parts(&inputs, &found, factory.is_some())?;
    // Stable: of equal ones the first that was named.
    found.sort_by_key(|f| std::cmp::Reverse(f.rank()));
    let given = factory.map(|f| given_factory(f, &inputs, &found)).transpose()?;
    let map = map_of(&inputs, &found, unknown.as_ref().map(|(_, map)| map))?;
    let mut image = vec![0xFF; map.chip_size.map_or(CHIP as usize, |s| s as usize)];
    // Of a chip with a map that is not known every byte counts, between the partitions too.
    let whole = unknown.as_ref().filter(|(i, _)| !map.is_known() && i.bytes.len() == image.len());
    let whole = whole.map(|(input, _)| *input);
    if !map.is_known() {
        did.push(words_of(&map));
    }
    if let Some(input) = whole {
        image.copy_from_slice(&input.bytes);
    }
    let mut parts = Vec::new();
    for part in map.covering() {
        let start = part.offset.unwrap_or(0) as usize;
        let place = start..start + part.size as usize;
        let chosen = found.iter().find(|f| f.role == part.role && f.rank() > 0);
        missing.extend(chosen.filter(|f| !f.doubt.is_empty()).map(|f| f.doubt.clone()));
        let (bytes, from, offset) = match &given {
            Some((bytes, name, at)) if part.role == Role::Factory => {
                (fit(bytes.clone(), part)?, Some(name.clone()), *at)
            }
            _ => match chosen {
                Some(f) => (
                    fit(inputs[f.input].bytes[f.range.clone()].to_vec(), part)?,
                    Some(inputs[f.input].name.clone()),
                    f.range.start as u64,
                ),
                None => match whole.or_else(|| named(&inputs, part)) {
                    Some(input) => {
                        let at = if whole.is_some() { place.clone() } else { 0..input.bytes.len() };
                        let bytes = input.bytes[at.clone()].to_vec();
                        (bytes, Some(input.name.clone()), at.start as u64)
                    }
                    None => (Vec::new(), None, 0),
                },
            },
        };
        let mut length = bytes.len() as u64;
        let mut from = from;
        image[place.start..place.start + bytes.len()].copy_from_slice(&bytes);
        let is_given = given.is_some() && part.role == Role::Factory;
        let merged_now = merged.as_mut().filter(|_| !is_given);
        let mut unsettled = false;
        if let Some(merged) = merged_now {
            settle(merged, part.role, place.clone(), &mut image, &inputs);
            unsettled = !merged.merged.is_settled(place.start, place.end);
            // The first reading had nothing here.
            if from.is_none() && image[place.clone()].iter().any(|b| *b != 0xFF) {
                from = Some(inputs[merged.input].name.clone());
                length = part.size.into();
            }
        }
        let content = judge(part.role, &image[place.clone()], part.size);
        missing.extend(lost(part, &content, unsettled));
        parts.push(RecoveredPart {
            name: part.name.clone(),
            role: part.role,
            to: part.offset.unwrap_or(0),
            from: from.filter(|_| length > 0),
            offset,
            length,
            health: content.health,
            kind: content.kind,
        });
    }
    if !map.is_known() {
        let is_settled = |from, to| merged.as_ref().is_none_or(|m| m.merged.is_settled(from, to));
        missing.extend(lost_between(&map, image.len(), whole.is_some(), is_settled));
    }
    for part in &parts {
        if let Some(from) = &part.from {
            did.push(format!("Took {} from {from}, {:#x}.", part.name, part.offset));
        }
    }
    let differences = merged.map(|m| Differences {
        readings: m.all.len(),
        bytes: m.merged.differing,
        cells: m.merged.row(),
        places: m.merged.places,
    });
    Ok(Recovered { image, did, missing, parts, differences })
}

/// What is wrong with a partition of the image, a sentence.
fn lost(part: &Partition, content: &Content, unsettled: bool) -> Option<String> {
    let is_lost = match content.health {
        Health::Damaged => true,
        Health::Blank => !matches!(part.role, Role::Config | Role::Other),
        _ => false,
    };
    if is_lost {
        return Some(format!("{}, {}: {}.", part.name, part.role.meaning(), content.kind));
    }
    let words = "the readings differ in it, and nothing says which is right";
    unsettled.then(|| format!("{}: {words}.", part.name))
}

/// That a map is used which is not known.
fn words_of(map: &FlashMap) -> String {
    let names: Vec<&str> = map.covering().iter().map(|p| p.name.as_str()).collect();
    format!(
        "Used the table in the file for what it says: {}. This program does not know that map.",
        names.join(", ")
    )
}

/// What is lost of a chip between its partitions: all where no file is a whole chip, else what the
/// readings do not agree on.
fn lost_between(
    map: &FlashMap,
    size: usize,
    is_whole: bool,
    is_settled: impl Fn(usize, usize) -> bool,
) -> Vec<String> {
    let lost = gaps(map, size).into_iter().filter_map(|gap| {
        let why = match (is_whole, is_settled(gap.start, gap.end)) {
            (false, _) => "no file contains it, and it may be a boot loader",
            (true, false) => "the readings differ in it",
            (true, true) => return None,
        };
        let (from, to) = (gap.start, gap.end);
        Some(format!("{from:#x} to {to:#x}, in no partition of the table: {why}."))
    });
    lost.collect()
}

/// What of a chip is in no partition of its map.
fn gaps(map: &FlashMap, size: usize) -> Vec<std::ops::Range<usize>> {
    let places = map.covering().into_iter().filter_map(|part| Some((part.offset?, part.size)));
    let mut places: Vec<_> = places.map(|(at, size)| (at as usize, (at + size) as usize)).collect();
    places.sort_unstable();
    places.push((size, size));
    let mut at = 0;
    let mut found = Vec::new();
    for (start, end) in places {
        if start > at {
            found.push(at..start);
        }
        at = at.max(end);
    }
    found
}

/// The bytes of `--factory`, filled up to a whole partition, its file, and where in it they begin.
fn given_factory(
    given: &Input,
    inputs: &[Input],
    found: &[Found],
) -> Result<(Vec<u8>, String, u64), RecoverError> {
    let none = || RecoverError::NoFactory(given.name.clone());
    let input = Input { name: given.name.clone(), bytes: given.bytes.clone() };
    let undone = undone(input, &mut Vec::new(), &mut Vec::new());
    let mut best: Option<(u8, Vec<u8>, u64)> = None;
    for (i, input) in undone.iter().enumerate() {
        for f in find::find(i, &input.bytes, Some(Role::Factory)) {
            let identity = f.content.facts.identity.as_ref().and_then(|j| j.identity.as_ref());
            let is_better = best.as_ref().is_none_or(|(rank, ..)| *rank < f.rank());
            if is_better && identity.is_some_and(Identity::is_personal) {
                let mut bytes = input.bytes[f.range.clone()].to_vec();
                bytes.resize(WINDOW as usize, 0xFF);
                best = Some((f.rank(), bytes, f.range.start as u64));
            }
        }
    }
    let (_, bytes, at) = best.ok_or_else(none)?;
    let owns = found.iter().filter(|f| f.role == Role::Factory);
    match owner::may_replace(&identity::judge(&bytes), owns) {
        Ok(()) => Ok((bytes, given.name.clone(), at)),
        Err(own) => {
            Err(RecoverError::TwoIdentities(inputs[own.input].name.clone(), given.name.clone()))
        }
    }
}

/// The file of a partition that only its own table names.
fn named<'a>(inputs: &'a [Input], part: &Partition) -> Option<&'a Input> {
    inputs.iter().find(|input| {
        part.role == Role::Other
            && parts::names(&input.name, &part.name)
            && input.bytes.len() <= part.size as usize
    })
}

/// The bytes of a part, no longer than its place.
fn fit(mut bytes: Vec<u8>, part: &Partition) -> Result<Vec<u8>, RecoverError> {
    let room = part.size;
    if bytes.len() > room as usize {
        if !bytes[room as usize..].iter().all(|b| *b == 0xFF || *b == 0) {
            let name = part.name.clone();
            return Err(RecoverError::TooLong { name, has: bytes.len(), room });
        }
        bytes.truncate(room as usize);
    }
    Ok(bytes)
}

/// The map: that of BOOT's own table, also an `unknown` one, else the one that
/// the kernel or the identity tells; where neither matters, any.
fn map_of(
    inputs: &[Input],
    found: &[Found],
    unknown: Option<&FlashMap>,
) -> Result<FlashMap, RecoverError> {
    let of = |role: Role| found.iter().filter(move |f| f.role == role && f.rank() > 0);
    for boot in of(Role::Boot) {
        let bytes = &inputs[boot.input].bytes[boot.range.clone()];
        let own = crate::chip::table::flash_map(bytes).map(|raw| FlashMap::conclude(&raw));
        if let Some(map) = own.filter(FlashMap::is_known) {
            return Ok(map);
        }
    }
    if let Some(map) = unknown {
        return Ok(map.clone());
    }
    let stock = |i: usize| FlashMap::stock(MODELS[i]).ok_or(RecoverError::TwoMaps);
    for role in [Role::Kernel, Role::Boot] {
        for f in of(role) {
            match f.content.facts.uimage.as_ref().map(|u| u.family) {
                Some(Family::I3) => return stock(0),
                Some(Family::I6) => return stock(1),
                _ => {}
            }
        }
    }
    for f in of(Role::Factory) {
        let bytes = &inputs[f.input].bytes[f.range.clone()];
        let mut whole = bytes.to_vec();
        whole.resize(WINDOW as usize, 0xFF);
        let model = identity::judge(&whole).identity.and_then(|i| i.model());
        if let Some(map) = model.as_deref().and_then(FlashMap::stock) {
            return Ok(map);
        }
    }
    if of(Role::Kernel).next().is_some() || of(Role::Rootfs).next().is_some() {
        return Err(RecoverError::TwoMaps);
    }
    stock(0)
}
