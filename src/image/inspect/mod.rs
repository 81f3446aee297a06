//! Inspection of a file: its kind, its parts, and all that is wrong with it. This file leads to the
//! report: `sniff` finds the kind and the offsets of the partitions (`moved` if they are not in
//! place, `other` knows other systems, `foreign` files that are no firmware), `pass` reads it once,
//! `elsewhere` finds identities in it, `conclude` draws the conclusions, and `mangled` those about
//! a file whose bytes were mangled. The text module prints a report on a terminal.

mod conclude;
mod copies;
mod elsewhere;
mod foreign;
mod mangled;
mod moved;
mod next;
mod order;
mod other;
mod pass;
mod report;
pub(in crate::image) mod sniff;
pub(in crate::image) mod sniffed;

pub use report::{
    Elsewhere, FileKind, IdentityReport, InspectError, Model, PartitionReport, Report,
};

use super::content::Health;
use super::finding::Finding;
use super::parts::{self, Member};
use super::source::{Source, peek};
use super::transform::{self, Transform};
use super::uboot::Loader;
use crate::chip::Role;
use crate::formats::uboot_env;

/// Inspects a file: reads it from end to end, in windows of 64 KiB; more than
/// once where its bytes may have been mangled.
pub fn inspect(source: &dyn Source) -> Result<Report, InspectError> {
    inspect_within(source, 0)
}

/// The most things that can have happened to a file one after the other.
const DEPTH: usize = 3;

fn inspect_within(source: &dyn Source, depth: usize) -> Result<Report, InspectError> {
    let unread = |source| InspectError::Read { offset: 0, source };
    let mut sniffed = sniff::sniff(source).map_err(unread)?;
    if depth < DEPTH && peek(source, 257, 5).map_err(unread)? == b"ustar" {
        let members = parts::tar_members(source).map_err(unread)?;
        if let Some(report) = inspect_parts(&members, source)? {
            return Ok(report);
        }
    }
    let is_dump = sniffed.kind == FileKind::FullDump;
    if depth < DEPTH && (sniffed.may_be_mangled || is_dump) {
        let mut found = if is_dump { transform::of_dump(source).map_err(unread)? } else { None };
        // Where the map is a guess, a part may be in place by chance.
        if found.is_none() && sniffed.may_be_mangled {
            found = transform::detect(source).map_err(unread)?;
        }
        let is_foreign = sniffed.kind == FileKind::Foreign;
        if let Some(transform) = found {
            let undone = transform::read_in_memory(source, &transform).map_err(unread)?;
            let (inner, lost) = match undone {
                Some(undone) => {
                    (Some(inspect_within(undone.source.as_ref(), depth + 1)?), undone.lost)
                }
                None => (None, Vec::new()),
            };
            match inner {
                None => sniffed = mangled::too_long(sniffed, &transform),
                // An ordinary text may look like an array or base64.
                Some(inner) if is_foreign && mangled::is_nothing(&inner) => {}
                Some(inner) => {
                    let outer = pass::pass(source, &[])?;
                    if let Transform::Repeated { copies, equal: false } = transform
                        && let Some(several) = copies::several(source, copies).map_err(unread)?
                    {
                        return Ok(several.report(inner, source.len(), outer.sha256));
                    }
                    return Ok(mangled::report(
                        inner,
                        &transform,
                        lost,
                        (source.len(), outer.sha256),
                    ));
                }
            }
        } else if sniffed.may_be_mangled && depth == 0 {
            let is_text = is_foreign;
            let lost = mangled::beyond_repair(source, is_text).map_err(unread)?;
            if lost.as_ref().is_some_and(|f| f.code == mangled::LOST_BYTES) {
                sniffed.kind = FileKind::Mangled;
                "A dump in which bytes were left out".clone_into(&mut sniffed.what);
            }
            sniffed.findings.extend(lost);
        }
    }
    let passed = pass::pass(source, &sniffed.pieces)?;
    let asked = sniffed.may_be_mangled || depth > 0;
    let is_text = sniffed.may_be_mangled && sniffed.kind == FileKind::Foreign;
    let mut report = conclude::conclude(source.len(), sniffed, passed);
    let is_damaged = |p: &&PartitionReport| p.health == Health::Damaged;
    if !asked && report.partitions.iter().filter(is_damaged).count() >= 3 {
        report.findings.extend(mangled::beyond_repair(source, false).map_err(unread)?);
        report.next = next::next(&report);
    }
    if is_text {
        elsewhere::in_text(source, &mut report).map_err(unread)?;
    }
    environment(source, &mut report).map_err(unread)?;
    let is_other = matches!(report.kind, FileKind::Foreign | FileKind::Unknown);
    if is_other && mangled::has_password(source).map_err(unread)? {
        report.findings.push(Finding::warning(
            "password-inside",
            "It contains a camera's WiFi password in clear.",
        ));
        report.next = next::next(&report);
    }
    Ok(report)
}

/// A wrong checksum of U-Boot's environment is harmless where the one that is
/// built into this U-Boot starts Linux, and only there.
fn environment(source: &dyn Source, report: &mut Report) -> std::io::Result<()> {
    if report.by_role(Role::Boot).is_none_or(|boot| boot.offset != 0) {
        return Ok(());
    }
    let Some(finding) = report.findings.iter_mut().find(|f| f.code == "environment-crc") else {
        return Ok(());
    };
    if Loader::of(source)?.starts_alone != Some(false) {
        return Ok(());
    }
    *finding = Finding::warning(
        "environment-lost",
        "U-Boot's environment has a wrong checksum, and the one that is built into this U-Boot has \
         no bootcmd: the camera stops at U-Boot's prompt and starts no Linux.",
    )
    .of("BOOT")
    .at(uboot_env::OFFSET as u64)
    .hint("Use the last 4 KiB of BOOT from an older dump of this camera.");
    let hint = finding.hint.clone();
    report.next = next::next(report);
    report.next.insert(0, hint);
    Ok(())
}

/// Inspects partition files as the one camera that they are; `None` where they
/// are none. `file` is what they are in, for its hash.
///
/// # Errors
/// [`InspectError`] where one cannot be read.
pub fn inspect_parts(
    members: &[Member<'_>],
    file: &dyn Source,
) -> Result<Option<Report>, InspectError> {
    let unread = |source| InspectError::Read { offset: 0, source };
    let Some(chip) = parts::compose(members, None).map_err(unread)? else { return Ok(None) };
    let inner = inspect_within(&chip, DEPTH)?;
    let outer = pass::pass(file, &[])?;
    Ok(Some(mangled::parts(inner, chip, file.len(), outer.sha256)))
}
