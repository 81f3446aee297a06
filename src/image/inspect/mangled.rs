//! The report about a file whose bytes were mangled on their way, or that is
//! several files in one: the bytes as they were before are inspected, and the
//! report states what happened to them.

use std::io;

use super::sniffed::Sniffed;
use super::{FileKind, Report, Source, conclude, next};
use crate::chip::{Role, WINDOW};
use crate::image::finding::Finding;
use crate::image::parts::Composite;
use crate::image::source::peek;
use crate::image::transform::{self, Transform};

/// The report about the file, from that about what it was before, and what is `lost` of that.
pub(super) fn report(
    inner: Report,
    transform: &Transform,
    lost: Vec<Finding>,
    (size, sha256): (u64, String),
) -> Report {
    let note = transform.note();
    let mut report = Report { size, sha256, ..inner };
    report.what = format!("{}, {}", report.what, note.words);
    if report.kind == FileKind::Foreign {
        return report; // a web page is none of a camera's files, however it was written
    }
    if is_nothing(&report) && report.mangled.is_empty() {
        report.findings.retain(|f| f.code != "nothing-alive");
    }
    report.kind = FileKind::Mangled;
    let reason = format!("The file is {}.", note.words);
    let hint = match transform {
        Transform::Repeated { equal: false, .. } => {
            "The readings differ: `mi360d recover` compares them and says where."
        }
        Transform::Stuck { .. } => {
            "Check the clip and the wires, and read the chip again: what was not read is 0xFF here."
        }
        _ => "`mi360d recover` undoes it. Places in this report are those before it happened.",
    };
    report.findings.splice(0..0, lost);
    let is_stuck = cfg!(feature = "pc") && matches!(transform, Transform::Stuck { .. });
    if is_stuck && report.identity.health == crate::identity::Health::Blank {
        report.findings.retain(|f| f.code != "identity-blank");
        report.identity.health = crate::identity::Health::Missing;
        report.identity.fingerprint = None;
        if report.identity.elsewhere.is_empty() {
            "Unknown. FACTORY, which contains it, is in what was not read: read the chip again."
                .clone_into(&mut report.identity.answer);
        }
    }
    report.findings.insert(0, Finding::blocker(note.code, reason).hint(hint));
    if let Some(rest) = report.identity.answer.strip_prefix("Yes.") {
        let rest = rest.trim_start().to_owned();
        report.identity.answer =
            format!("Yes, but not as it is: the file is {}. {rest}", note.words);
    }
    report.mangled.insert(0, note);
    report.next = next::next(&report);
    report
}

/// The report on a text that this machine cannot read through.
pub(super) fn too_long(sniffed: Sniffed, transform: &Transform) -> Sniffed {
    let note = transform.note();
    let finding = Finding::blocker(note.code, format!("The file is {}.", note.words))
        .hint("`mi360d recover FILE --out chip.bin` on a PC makes an image of it.");
    Sniffed { what: format!("Bytes {}", note.words), findings: vec![finding], ..sniffed }
}

/// Whether nothing of a camera is in it.
pub(super) fn is_nothing(report: &Report) -> bool {
    report.kind == FileKind::Unknown
        && report.alive.is_empty()
        && report.identity.identity.is_none()
        && report.identity.elsewhere.is_empty()
}

/// The report about partition files, from that about the chip they make.
pub(super) fn parts<S>(inner: Report, chip: Composite<S>, size: u64, sha256: String) -> Report {
    let placed = chip.placed;
    let names: Vec<&str> = placed.iter().map(|p| p.role.name()).collect();
    let mut report = Report { size, sha256, ..inner };
    report.kind = FileKind::Parts;
    report.what = format!("Partition files of one camera: {}", names.join(", "));
    let missing: Vec<&str> = Role::ALL
        .into_iter()
        .filter(|role| !placed.iter().any(|p| p.role == *role))
        .map(Role::name)
        .collect();
    // What no file has is not known, and is not erased on the chip.
    report.findings.retain(|f| f.partition.as_ref().is_none_or(|p| !missing.contains(&&**p)));
    for part in report.partitions.iter_mut().filter(|p| missing.contains(&&*p.name)) {
        "not among these files".clone_into(&mut part.kind);
    }
    for line in &mut report.gone {
        if let Some(name) = missing.iter().find(|name| line.starts_with(*name)) {
            *line = format!("{name}: not among these files.");
        }
    }
    if missing.contains(&Role::Factory.name()) && report.identity.elsewhere.is_empty() {
        report.identity.health = crate::identity::Health::Missing;
        report.identity.fingerprint = None;
        report.identity.reasons = Vec::new();
        "Unknown. FACTORY, which contains it, is not among these files."
            .clone_into(&mut report.identity.answer);
    } else if report.identity.health == crate::identity::Health::Blank
        && report.identity.elsewhere.is_empty()
    {
        // The others are not there: that says nothing about this file.
        conclude::GONE.clone_into(&mut report.identity.answer);
    }
    if !missing.is_empty() {
        report.findings.insert(
            0,
            Finding::warning("parts-missing", format!("No file is {}.", missing.join(" or ")))
                .hint("Add its file, if you have it."),
        );
    }
    report.findings.splice(0..0, chip.findings);
    report.next = next::next(&report);
    report
}

/// The code of the finding that a reader left bytes out.
pub(super) const LOST_BYTES: &str = "lost-bytes";

/// What happened to a file and cannot be undone.
pub(super) fn beyond_repair(source: &dyn Source, is_text: bool) -> io::Result<Option<Finding>> {
    if let Some((every, count)) = transform::lost_bytes(source)? {
        return Ok(Some(
            Finding::blocker(
                LOST_BYTES,
                format!(
                    "Bytes are missing at regular places, about {count} of each {every} bytes: the \
                     reader left them out."
                ),
            )
            .hint("They cannot be restored. Read the chip again with another program."),
        ));
    }
    let ends = transform::count(source)?;
    // By chance one in 256 bytes is a zero, and one in 256 LF has a CR before it.
    let is_long = source.len() >= LONG && !is_text;
    // Where most of it is erased, what is not there may be chance.
    let low = source.len().saturating_sub(ends.high + ends.zeros);
    let (code, reason) = if !is_text && ends.replaced >= 16 && ends.replaced * 4 > ends.high {
        ("replaced-bytes", "A program took it for a text: EF BF BD is where other bytes were.")
    } else if !is_text && ends.feeds >= 20 * 256 && ends.pairs == 0 {
        (
            "text-mode",
            "It contains no CR before an LF: it was sent in text mode, as FTP does, and bytes were \
             lost.",
        )
    } else if !is_text && ends.feeds == 0 && low >= LONG / 2 && source.len() >= 16 * LONG {
        ("text-mode", "It contains no LF: it was sent in text mode, and they became other bytes.")
    } else if is_long && ends.high == 0 && ends.zeros < source.len() {
        ("seven-bits", "No byte has its highest bit: it went over a line of 7 bits.")
    } else if is_long && ends.zeros == 0 && low >= 20 * 256 {
        ("no-zeros", "It contains no zero: they were left out on its way.")
    } else {
        return Ok(None);
    };
    Ok(Some(Finding::blocker(code, reason).hint(
        "Keep this file until you have a better one: what is left of the identity may be whole. \
         Send it again in binary mode, or read the chip again.",
    )))
}

/// Whether a WiFi password's name is in it, as settings have it.
pub(super) fn has_password(source: &dyn Source) -> io::Result<bool> {
    const NAME: &[u8] = b"miio_passwd";
    let mut at = 0;
    while at < source.len() {
        let bytes = peek(source, at, WINDOW as usize + NAME.len())?;
        if bytes.windows(NAME.len()).any(|window| window == NAME) {
            return Ok(true);
        }
        at += u64::from(WINDOW);
    }
    Ok(false)
}

/// Bytes of a file that has all kinds of them by chance.
const LONG: u64 = 0x1_0000;
