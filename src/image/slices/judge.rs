//! From what the pass found to slices, and what is wrong with them in
//! themselves. How they go with the camera is in `against`.

use super::layout::{Layout, PlacedPartition};
use super::pass::{self, Passed, Seen};
use super::{SharedSource, Slice, Slices, Target, TrailerNote, against};
use crate::chip::Role;
use crate::formats::tf;
use crate::image::finding::{Finding, Severity};
use crate::image::genuine::{self, Genuineness, How, KnownImage};
use crate::image::inspect::{FileKind, InspectError};
use crate::image::source::peek;

/// One file of a backup set.
pub struct SetFile {
    /// The partition's name.
    pub name: String,
    /// What the partition is for.
    pub role: Role,
    /// Bytes that the partition had when it was saved.
    pub size: u32,
    /// The file's name in the set.
    pub file: String,
    /// Its bytes.
    pub source: SharedSource,
    /// The SHA-256 that the set names for it.
    pub sha256: [u8; 32],
}

/// Judges a file.
pub(super) fn file(
    source: SharedSource,
    layout: Layout,
    passed: Passed,
    target: &Target<'_>,
) -> Result<Slices, InspectError> {
    let unread = |offset, source| InspectError::Read { offset, source };
    let mut out = Slices::new(layout.kind, layout.what, source.len());
    out.sha256 = Some(passed.sha256);
    if passed.erased {
        out.kind = FileKind::Erased;
        out.add(
            Finding::blocker("erased", "This file contains only 0xFF.").hint(
                "Copy or download it again; a chip that reads like this was not read at all.",
            ),
        );
    } else {
        out.add_all(layout.findings);
        out.slices = layout
            .places
            .into_iter()
            .zip(passed.seen)
            .map(|(place, seen)| slice(place, 0, seen))
            .collect();
    }
    if out.kind == FileKind::TfImage && !out.slices.is_empty() {
        let bytes =
            peek(source.as_ref(), tf::BODY, tf::TRAILER).map_err(|e| unread(tf::BODY, e))?;
        out.trailer = tf::Trailer::parse(&bytes)
            .map(|trailer| TrailerNote { trailer, is_signed: trailer.is_plausible() });
    }
    let published = genuine::known(&passed.sha256);
    if let Some(known) = KnownImage::find(&passed.sha256, target.known) {
        let own = out.slices.iter().filter_map(|s| s.version).max();
        if published.is_none() && own.is_some_and(|own| own != known.version) {
            out.add(known.differs());
        }
        out.version = Some(known.version);
        out.model = Some(known.model());
    }
    out.sources.push(source);
    contents(&mut out);
    against::conclude(&mut out, target);
    if published.is_some() {
        out.set_genuine(Genuineness::Genuine(How::Hash));
    }
    Ok(out)
}

/// Judges the files of a set.
pub(super) fn set(files: Vec<SetFile>, target: &Target<'_>) -> Result<Slices, InspectError> {
    let bytes = files.iter().map(|f| f.source.len()).sum();
    let mut out = Slices::new(FileKind::Set, "A backup set".to_owned(), bytes);
    if !target.map.is_known() {
        out.add(
            Finding::blocker("unknown-map", "This camera's flash map is unknown.")
                .hint("Nothing is ever written to such a camera."),
        );
        return Ok(out);
    }
    for f in files {
        if f.role == Role::Other {
            continue; // nothing outside the six is ever written
        }
        let length = f.source.len().min(f.size.into());
        let place = PlacedPartition { name: f.name, role: f.role, size: f.size, offset: 0, length };
        let part = target.map.by_name(&place.name);
        if part.is_none_or(|p| p.size != place.size || p.role != place.role) {
            let has = part.map_or(0, |p| p.size);
            out.add(
                Finding::blocker(
                    "wrong-map",
                    format!(
                        "{} has {:#x} bytes in the set but {has:#x} on this camera.",
                        place.name, place.size
                    ),
                )
                .of(&place.name)
                .hint("It is a backup of a model with another flash map."),
            );
            continue;
        }
        let read = pass::file(f.source.as_ref(), std::slice::from_ref(&place));
        let unread = read.as_ref().err().map(|e| crate::error::chain(e));
        // What cannot be read is offered as what it is not, so that the rest can be had.
        let nothing = || pass::file(&Vec::new(), std::slice::from_ref(&place));
        let Some(seen) = read.or_else(|_| nothing())?.seen.pop() else { continue };
        if seen.file_sha256 != f.sha256 || f.source.len() != u64::from(place.size) {
            let why = unread.unwrap_or_else(|| "its checksum is wrong".to_owned());
            out.add(
                Finding::blocker("set-damaged", format!("{} is damaged: {why}.", f.file))
                    .of(&place.name)
                    .hint(
                        "`mi360d verify` shows the damaged place. The same bytes are in the set's \
                         chip.bin, and maybe in another set.",
                    ),
            );
        }
        out.slices.push(slice(place, out.sources.len(), seen));
        out.sources.push(f.source);
    }
    let offset = |name: &str| target.map.by_name(name).and_then(|p| p.offset);
    out.slices.sort_by_key(|s| offset(&s.name));
    contents(&mut out);
    against::conclude(&mut out, target);
    Ok(out)
}

fn slice(place: PlacedPartition, source: usize, seen: Seen) -> Slice {
    let mut content = seen.content;
    if let Some(at) = seen.behind {
        content.findings.push(
            Finding::warning(
                "rootfs-trailing",
                "There is something after the root file system, where only padding belongs.",
            )
            .at(at)
            .hint("It does no harm there, but the file was changed after it was made."),
        );
    }
    Slice {
        name: place.name,
        role: place.role,
        size: place.size,
        source,
        offset: place.offset,
        length: place.length,
        sha256: seen.sha256,
        content,
        version: seen.version,
    }
}

/// What is wrong with the contents themselves. A set is this camera's past, and
/// its hashes hold: a DATA with losses in it was so on the chip.
fn contents(out: &mut Slices) {
    let mut found = Vec::new();
    for slice in &mut out.slices {
        for finding in &slice.content.findings {
            let mut finding = finding.clone().moved(slice.offset).of(&slice.name);
            let was_so =
                out.kind == FileKind::Set && matches!(slice.role, Role::Data | Role::Config);
            match finding.code {
                _ if was_so && finding.severity == Severity::Blocker => {
                    finding.severity = Severity::Warning;
                }
                // The camera ran with it, or one of its kind: its own past can be restored.
                "squashfs-block" | "ipl-damaged" if out.kind == FileKind::Set => {
                    finding.severity = Severity::Warning;
                }
                // What a power cut leaves on a chip has no place in a made image.
                "jffs2-torn" if out.kind == FileKind::TfImage => {
                    finding.severity = Severity::Blocker;
                    "Copy or download the image again.".clone_into(&mut finding.hint);
                }
                "jffs2-torn"
                    if !matches!(
                        out.kind,
                        FileKind::Set | FileKind::FullDump | FileKind::Parts
                    ) =>
                {
                    finding.severity = Severity::Warning;
                }
                "kernel-trailing" if out.kind == FileKind::Uimage => {
                    finding.severity = Severity::Blocker;
                }
                "kernel-trailing" => finding.severity = Severity::Warning,
                _ => {}
            }
            found.push(finding);
        }
        found.extend(odd_length(slice));
    }
    out.add_all(found);
}

/// A uImage that is followed by something, and is no partition either: most
/// likely the beginning of a larger image.
fn odd_length(slice: &Slice) -> Option<Finding> {
    let bytes = slice.content.facts.uimage.as_ref()?.bytes;
    if slice.length <= bytes || slice.length == u64::from(slice.size) {
        return None;
    }
    Some(
        Finding::blocker(
            "odd-length",
            format!(
                "The kernel has {bytes} bytes, but the file has {}: it is probably the beginning \
                 of a larger image.",
                slice.length
            ),
        )
        .of(&slice.name)
        .at(bytes)
        .hint(format!(
            "Copy or download it again. If you want the kernel alone: `head -c {bytes} FILE > \
             KERNEL.uImage`."
        )),
    )
}
