//! Repair of the files that were given: mangled bytes are restored, tars unpacked, pieces of a chip
//! joined.

use crate::image::finding::Severity;
use crate::image::inspect::FileKind;
use crate::image::inspect::sniff::sniff;
use crate::image::marks::CHIP;
use crate::image::parts;
use crate::image::source::Source;
use crate::image::transform::{self, Transform, Undone};

/// The most transforms that are undone, one after the other.
const DEPTH: usize = 3;
/// A file that was brought.
pub struct Input {
    /// Its name.
    pub name: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// Undoes what happened to a file, and takes a tar apart.
pub(super) fn undone(
    mut input: Input,
    did: &mut Vec<String>,
    missing: &mut Vec<String>,
) -> Vec<Input> {
    for _ in 0..DEPTH {
        let members = parts::tar_members(&input.bytes).unwrap_or_default();
        if !members.is_empty() {
            did.push(format!("Took apart {}, a tar with {} files.", input.name, members.len()));
            let read = |m: &parts::Member<'_>| {
                let from = usize::try_from(m.from).ok()?;
                let bytes = input.bytes.get(from..from + usize::try_from(m.length).ok()?)?.to_vec();
                Some(Input { name: m.name.clone(), bytes })
            };
            let inputs: Vec<Input> = members.iter().filter_map(read).collect();
            return inputs.into_iter().flat_map(|member| undone(member, did, missing)).collect();
        }
        let found = match sniff(&input.bytes) {
            Ok(sniffed) if sniffed.kind == FileKind::FullDump => {
                match transform::of_dump(&input.bytes) {
                    Ok(None) if sniffed.may_be_mangled => transform::detect(&input.bytes),
                    found => found,
                }
            }
            Ok(sniffed) if !sniffed.may_be_mangled => break,
            _ => transform::detect(&input.bytes),
        };
        let Ok(Some(transform)) = found else { break };
        did.push(format!("{} is {}: undone.", input.name, transform.note().words));
        if let Transform::Repeated { copies, .. } = transform {
            let size = input.bytes.len() / copies as usize;
            let name = |i: usize| format!("{} (part {})", input.name, i + 1);
            return input
                .bytes
                .chunks_exact(size)
                .enumerate()
                .map(|(i, bytes)| Input { name: name(i), bytes: bytes.to_vec() })
                .collect();
        }
        let Some((bytes, lost)) = read_all(&input.bytes, &transform) else { break };
        input.bytes = bytes;
        missing.extend(lost);
    }
    vec![input]
}

/// All bytes, and what of them is lost for certain, a sentence each.
fn read_all(bytes: &dyn Source, transform: &Transform) -> Option<(Vec<u8>, Vec<String>)> {
    let Undone { source, lost } = transform::undo(bytes, transform).ok()?;
    let mut out = vec![0; usize::try_from(source.len()).ok()?];
    source.read_at(0, &mut out).ok()?;
    let lost = lost.into_iter().filter(|f| f.severity == Severity::Blocker).map(|f| f.reason);
    Some((out, lost.collect()))
}

/// One input of a chip that came in pieces of one size, as a tool splits a file.
pub(super) fn joined(inputs: Vec<Input>, did: &mut Vec<String>) -> Vec<Input> {
    let total: usize = inputs.iter().map(|i| i.bytes.len()).sum();
    let size = inputs.iter().map(|i| i.bytes.len()).max().unwrap_or(0);
    let odd = inputs.iter().filter(|i| i.bytes.len() != size).count();
    if inputs.len() < 2 || total as u64 != CHIP || odd > 1 {
        return inputs;
    }
    let mut sorted: Vec<&Input> = inputs.iter().collect();
    sorted.sort_by_key(|i| (i.bytes.len() != size, i.name.len(), &i.name));
    let reversed = sorted.iter().rev().copied().collect();
    for order in [sorted, inputs.iter().collect(), reversed] {
        let bytes = order.iter().map(|i| i.bytes.as_slice()).collect::<Vec<_>>().concat();
        let is_chip = sniff(&bytes).is_ok_and(|s| s.kind == FileKind::FullDump)
            && transform::ends_like_a_chip(&bytes).is_ok_and(|ends| ends);
        if is_chip {
            let name = order.iter().map(|i| i.name.as_str()).collect::<Vec<_>>().join(" and ");
            did.push(format!("Joined {name}: each is a piece of one chip."));
            return vec![Input { name, bytes }];
        }
    }
    inputs
}
