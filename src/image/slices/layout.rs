//! Layout of a file by one camera's map: the offset of each partition. Only the kind of the file
//! and its size count here; the content is judged elsewhere.

use std::io;

use crate::chip::{FlashMap, Partition, Role};
use crate::formats::{mxp, squashfs};
use crate::image::bundle::Bundle;
use crate::image::finding::{Finding, Severity};
use crate::image::inspect::FileKind;
use crate::image::inspect::sniff::sniff;
use crate::image::inspect::sniffed::Sniffed;
use crate::image::marks::{MODELS, begins_like};
use crate::image::source::{Source, peek};

/// A partition's place in a file.
#[derive(Clone, Debug)]
pub(super) struct PlacedPartition {
    pub(super) name: String,
    pub(super) role: Role,
    /// Bytes of the partition.
    pub(super) size: u32,
    /// Where it begins in the file, in bytes.
    pub(super) offset: u64,
    /// Bytes of it that are there.
    pub(super) length: u64,
}

/// What a file is, and where the partitions are in it.
pub(super) struct Layout {
    pub(super) kind: FileKind,
    pub(super) what: String,
    pub(super) places: Vec<PlacedPartition>,
    pub(super) findings: Vec<Finding>,
}

const OTHER_MODEL: &str = "It is for a model with another flash map. Find the image for your \
    model.";

/// Lays a file out for this map.
pub(super) fn of_file(source: &dyn Source, map: &FlashMap) -> io::Result<Layout> {
    let sniffed = sniff(source)?;
    let len = source.len();
    let mut layout = Layout {
        kind: sniffed.kind,
        what: sniffed.what.clone(),
        places: Vec::new(),
        findings: Vec::new(),
    };
    if !map.is_known() {
        layout.findings.push(unknown_map());
        return Ok(layout);
    }
    if is_own_dump(source, map, &sniffed)? {
        layout.kind = FileKind::FullDump;
        "A dump of the whole chip".clone_into(&mut layout.what);
        layout.findings.extend(other_table(source, map)?);
        layout.places = map.covering().into_iter().filter_map(|p| whole(p, p.offset?)).collect();
        return Ok(layout);
    }
    match sniffed.kind {
        FileKind::TfImage => tf_image(source, map, &mut layout)?,
        FileKind::Partition
        | FileKind::Uimage
        | FileKind::Squashfs
        | FileKind::Jffs2
        | FileKind::Flsh => {
            one_part(len, map, &sniffed, &mut layout);
        }
        FileKind::FullDump => layout.findings.push(
            Finding::blocker(
                "wrong-size",
                format!(
                    "This is a dump of a chip of {len} bytes, but this camera's chip has {}.",
                    map.chip_size.unwrap_or(0)
                ),
            )
            .hint("It is from another kind of camera."),
        ),
        _ => unusable(&sniffed, &mut layout),
    }
    if sniffed.kind == FileKind::OversizedDump {
        // For an inspection that is a warning; here nobody can know what the rest is.
        layout.findings.push(
            Finding::blocker("oversized", "The dump is longer than a chip.")
                .at(u64::from(map.chip_size.unwrap_or(0)))
                .hint("Read the chip again, with the programmer set to the right chip."),
        );
    }
    Ok(layout)
}

fn unknown_map() -> Finding {
    Finding::blocker("unknown-map", "This camera's flash map is unknown.")
        .hint("Nothing is ever written to such a camera; its backup can still be made.")
}

/// Lays partition files out that are together.
pub(super) fn of_parts(parts: &Bundle, map: &FlashMap) -> Layout {
    let names: Vec<&str> = parts.placed.iter().map(|p| p.role.name()).collect();
    let mut layout = Layout {
        kind: FileKind::Parts,
        what: format!("Partition files of one camera: {}", names.join(", ")),
        places: Vec::new(),
        findings: parts.findings.clone(),
    };
    if !map.is_known() {
        layout.findings.push(unknown_map());
    } else if !parts.map.places_like(map) {
        layout.findings.push(
            Finding::blocker("wrong-map", "These files are of a camera with another flash map.")
                .hint(OTHER_MODEL),
        );
    } else {
        let place = |part: &&Partition| {
            let length = parts.placed.iter().find(|p| p.role == part.role)?.length;
            Some(PlacedPartition { length, ..whole(part, part.offset?)? })
        };
        layout.places = map.covering().iter().filter_map(place).collect();
    }
    layout
}

/// All of a partition, from `offset` of the file on.
fn whole(part: &Partition, offset: u32) -> Option<PlacedPartition> {
    (!part.is_alias).then(|| PlacedPartition {
        name: part.name.clone(),
        role: part.role,
        size: part.size,
        offset: offset.into(),
        length: part.size.into(),
    })
}

/// Whether it is a dump of a chip like this camera's: of its size, and with a
/// part in place. A chip that is none of the stock ones has its own map only.
fn is_own_dump(source: &dyn Source, map: &FlashMap, sniffed: &Sniffed) -> io::Result<bool> {
    if map.chip_size.map(u64::from) != Some(source.len()) {
        return Ok(false);
    }
    if sniffed.kind == FileKind::FullDump {
        return Ok(true);
    }
    if matches!(sniffed.kind, FileKind::ShiftedDump | FileKind::TfImage | FileKind::OtherDump) {
        return Ok(false);
    }
    for part in map.covering() {
        let head = peek(source, part.offset.unwrap_or(0).into(), 32)?;
        if begins_like(part.role, &head) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A dump whose own table splits it otherwise than this camera's map.
fn other_table(source: &dyn Source, map: &FlashMap) -> io::Result<Option<Finding>> {
    let table = peek(source, mxp::TABLE_OFFSET as u64, mxp::TABLE_SIZE)?;
    let Some(own) = crate::chip::table::map_of(&table).map(|raw| FlashMap::conclude(&raw)) else {
        return Ok(None);
    };
    if !own.is_known() || own.places_like(map) {
        return Ok(None);
    }
    Ok(Some(
        Finding::blocker("wrong-map", "The dump's own table has another flash map.")
            .at(mxp::TABLE_OFFSET as u64)
            .hint(OTHER_MODEL),
    ))
}

fn tf_image(source: &dyn Source, map: &FlashMap, layout: &mut Layout) -> io::Result<()> {
    let Some(slices) = crate::chip::tf::slices(map) else {
        layout.findings.push(
            Finding::blocker("wrong-map", "A tf image does not fit this camera's flash map.")
                .hint(OTHER_MODEL),
        );
        return Ok(());
    };
    let squashfs_at = |slices: &[crate::chip::tf::Slice]| -> io::Result<bool> {
        let Some(rootfs) = slices.iter().find(|s| s.role == Role::Rootfs) else {
            return Ok(false);
        };
        Ok(peek(source, rootfs.offset, squashfs::SUPERBLOCK)?.starts_with(squashfs::MAGIC))
    };
    if !squashfs_at(&slices)? {
        for model in MODELS {
            let other = FlashMap::stock(model).as_ref().and_then(crate::chip::tf::slices);
            if let Some(other) = other.filter(|other| *other != slices)
                && squashfs_at(&other)?
            {
                layout.findings.push(
                    Finding::blocker(
                        "wrong-map",
                        format!(
                            "Its root file system begins where {model} has it, not where this \
                             camera has it."
                        ),
                    )
                    .at(other.iter().find(|s| s.role == Role::Rootfs).map_or(0, |s| s.offset))
                    .hint(OTHER_MODEL),
                );
            }
        }
    }
    layout.places = slices
        .into_iter()
        .map(|s| PlacedPartition {
            name: s.name,
            role: s.role,
            size: s.size,
            offset: s.offset,
            length: s.size.into(),
        })
        .collect();
    Ok(())
}

/// A file that is one partition, or what belongs into one.
fn one_part(len: u64, map: &FlashMap, sniffed: &Sniffed, layout: &mut Layout) {
    let Some((piece, part)) =
        sniffed.pieces.first().and_then(|piece| Some((piece, map.by_role(piece.role)?)))
    else {
        return unusable(sniffed, layout);
    };
    layout.findings.extend(sniffed.findings.iter().map(|f| f.clone().of(&part.name)));
    if len > u64::from(part.size) {
        layout.findings.push(
            Finding::blocker(
                "too-long",
                format!("{} has {} bytes, and this file has {len}.", part.name, part.size),
            )
            .of(&part.name)
            .at(part.size.into())
            .hint("It is for a model with another flash map, or there is something after it."),
        );
        return;
    }
    if sniffed.kind == FileKind::Partition
        && len != u64::from(part.size)
        && piece.role != Role::Boot
    {
        layout.findings.push(
            Finding::blocker(
                "wrong-map",
                format!(
                    "It has the size that {} has in another model's flash map: {len:#x} bytes, not \
                     {:#x}.",
                    part.name, part.size
                ),
            )
            .of(&part.name)
            .hint(OTHER_MODEL),
        );
        return;
    }
    if piece.role == Role::Boot && len != u64::from(part.size) {
        return; // said by what was found
    }
    layout.places.push(PlacedPartition {
        name: part.name.clone(),
        role: part.role,
        size: part.size,
        offset: 0,
        length: len,
    });
}

/// A file that no partition can be taken from: why, in what was found.
fn unusable(sniffed: &Sniffed, layout: &mut Layout) {
    layout.findings.extend(sniffed.findings.iter().cloned());
    if !layout.findings.iter().any(|f| f.severity == Severity::Blocker) {
        layout.findings.push(
            Finding::blocker("unknown-file", "This program does not know what this file is.")
                .hint("`mi360d inspect FILE` shows more. Ask for the right file."),
        );
    }
}
