//! From the findings of the pass to the report for the owner: the answer about the
//! identity, the model, what contradicts itself, what is alive and gone. What
//! to do next is in [`super::next`].

use super::pass::Passed;
use super::report::is_dump;
use super::sniffed::{DATA_LENGTH, Sniffed};
use super::{Elsewhere, FileKind, IdentityReport, Model, PartitionReport, Report, next};
use crate::chip::Role;
use crate::formats::uimage::Family;
use crate::formats::version::Version;
use crate::identity::{self, Judgement};
use crate::image::content::Health;
use crate::image::finding::Finding;
use crate::image::genuine;
use crate::image::marks::{CHIP, KERNEL_LOAD};

/// Draws the conclusions.
pub(super) fn conclude(size: u64, sniffed: Sniffed, passed: Passed) -> Report {
    let Sniffed { mut kind, mut what, map_source, pieces, mut findings, .. } = sniffed;
    if passed.erased {
        kind = FileKind::Erased;
    }
    if kind == FileKind::Erased || (passed.zeros && kind == FileKind::Unknown) {
        let (words, finding) = no_content(passed.erased);
        words.clone_into(&mut what);
        findings = vec![finding];
    }
    let mut judgement = None;
    let mut factory_at = None;
    let mut partitions = Vec::with_capacity(pieces.len());
    for (piece, (mut content, sha256)) in pieces.into_iter().zip(passed.contents) {
        if piece.role == Role::Factory {
            judgement = content.facts.identity.take();
            factory_at = Some(piece.start);
        }
        if piece.role == Role::Data && findings.iter().any(|f| f.code == DATA_LENGTH) {
            content.health = Health::Damaged;
        }
        let start = u64::try_from(piece.start).unwrap_or(0);
        findings.extend(content.findings.into_iter().map(|f| f.moved(start).of(&piece.name)));
        partitions.push(PartitionReport {
            name: piece.name,
            role: piece.role,
            offset: piece.start,
            size: piece.size,
            kind: content.kind,
            health: content.health,
            facts: content.facts,
            sha256,
        });
    }
    let expected = is_dump(kind)
        || factory_at.is_some()
        || (size == CHIP && matches!(kind, FileKind::Erased | FileKind::Unknown));
    let elsewhere = elsewhere(passed.identities.kept, factory_at, judgement.as_ref());
    if passed.identities.more {
        findings.push(
            Finding::warning(
                "many-identities",
                "This file contains more identities than can be listed; the best are listed.",
            )
            .hint("Find out where this file comes from: a camera has one identity."),
        );
    }
    let mut identity = identity_report(kind, expected, judgement, elsewhere);
    // More than the part that begins it may be in such a file.
    let is_more = matches!(kind, FileKind::Partition | FileKind::ShiftedDump | FileKind::Mangled)
        && partitions.iter().map(|p| u64::from(p.size)).sum::<u64>() < size;
    if is_more && identity.answer.starts_with("No.") {
        UNKNOWN.clone_into(&mut identity.answer);
    }
    if identity.health == identity::Health::Blank && is_badly_read(kind, &partitions) {
        "Unknown. FACTORY reads as erased, but so do other parts, or they are not where they belong: \
         read the chip again."
            .clone_into(&mut identity.answer);
    }
    if passed.zeros {
        "Unknown. The whole file is zeros, which is also what a chip without contact reads as."
            .clone_into(&mut identity.answer);
    }
    let known = genuine::known(&passed.digest);
    let in_data = partitions.iter().filter_map(|p| p.facts.version).max();
    let firmware = known.map(|k| k.version).or(passed.version.max(in_data));
    let mut report = Report {
        kind,
        what,
        mangled: Vec::new(),
        identity,
        size,
        sha256: passed.sha256,
        model: None,
        map_source,
        firmware: firmware.map(|v| v.to_string()),
        partitions,
        findings,
        alive: Vec::new(),
        gone: Vec::new(),
        next: Vec::new(),
    };
    report.model = known.map(genuine::KnownImage::model).or_else(|| model(&report));
    let mut contradictions = contradictions(&report);
    report.findings.append(&mut contradictions);
    if firmware.is_some_and(Version::is_one_way) {
        report.findings.push(one_way());
    }
    report.findings.sort_by_key(|f| std::cmp::Reverse(f.severity));
    (report.alive, report.gone) = alive_and_gone(&report);
    report.next = next::next(&report);
    report
}

/// The identities outside of FACTORY: its own is not elsewhere, wherever in FACTORY it is.
fn elsewhere(
    kept: Vec<Elsewhere>,
    factory_at: Option<i64>,
    judgement: Option<&Judgement>,
) -> Vec<Elsewhere> {
    let is_whole = judgement.is_some_and(|j| j.health.is_healthy());
    let own = factory_at
        .zip(judgement.and_then(|j| j.at))
        .map(|(start, at)| start.saturating_add_unsigned(at as u64));
    // Where only its end moved out of FACTORY, it is whole.
    let is_other =
        |e: &Elsewhere| own != i64::try_from(e.offset).ok() || (!is_whole && e.health.is_healthy());
    kept.into_iter().filter(is_other).collect()
}

/// Whether the reading may be what is wrong, and not the chip: a region that was not read, or pages
/// that were left out, are 0xFF too. A region ends with the file: where CONFIG, just before FACTORY,
/// was read, FACTORY is not in one.
fn is_badly_read(kind: FileKind, partitions: &[PartitionReport]) -> bool {
    let must_be = |p: &&PartitionReport| matches!(p.role, Role::Boot | Role::Kernel | Role::Rootfs);
    let of = |health| partitions.iter().filter(must_be).filter(|p| p.health == health).count();
    let was_read = |p: &PartitionReport| p.role == Role::Config && p.health == Health::Healthy;
    let is_region = of(Health::Blank) > 0 && !partitions.iter().any(was_read);
    kind == FileKind::ShiftedDump || is_dump(kind) && (is_region || of(Health::Damaged) > 1)
}

/// A file of one value: its words, and the finding.
fn no_content(erased: bool) -> (&'static str, Finding) {
    let (words, code, reason, hint) = if erased {
        (
            "Nothing but 0xFF: erased flash, or a chip that did not answer",
            "erased",
            "This file contains only 0xFF. That says nothing about the chip: a bad contact \
             also reads as 0xFF.",
            "Check the clip and the chip's power, and read it again. If the chip is really \
             erased, look for an older dump.",
        )
    } else {
        (
            "Nothing but zeros: a chip that did not answer",
            "nothing-alive",
            "This file contains only zeros. That says nothing about the chip: without contact \
             or power it also reads as zeros.",
            "Check the clip and the chip's power, and read it again.",
        )
    };
    (words, Finding::blocker(code, reason).at(0).hint(hint))
}

fn identity_report(
    kind: FileKind,
    expected: bool,
    judgement: Option<Judgement>,
    elsewhere: Vec<Elsewhere>,
) -> IdentityReport {
    let erased = kind == FileKind::Erased;
    let health = match &judgement {
        Some(judgement) => judgement.health.clone(),
        None if erased => identity::Health::Blank,
        None => identity::Health::Missing,
    };
    // What is left of the own one counts more than another camera's whole one.
    let own = judgement.as_ref().and_then(|j| j.identity.as_ref());
    let is_own = |e: &&Elsewhere| own.is_none_or(|own| !own.is_anothers(&e.identity));
    let healthy = elsewhere.iter().filter(is_own).find(|e| e.health.is_healthy());
    let found = healthy.or(elsewhere.first());
    let answer = match (&health, found) {
        (identity::Health::Healthy, _) => "Yes. The complete identity is in this file.".to_owned(),
        (_, Some(e)) if healthy.is_some() => format!(
            "Yes, but in the wrong place: a complete identity is at {:#x} of this file.",
            e.offset
        ),
        (identity::Health::Damaged { .. }, _)
            if judgement.as_ref().is_some_and(identity::Judgement::is_crc_only) =>
        {
            "In part. All values of the identity are there, but its checksum is wrong: one of \
             them may have a wrong byte. The camera's own system does not check that."
                .to_owned()
        }
        (identity::Health::Damaged { reasons }, _)
            if judgement.as_ref().is_some_and(|j| j.identity.is_some()) =>
        {
            format!("In part. FACTORY is damaged: {}.", reasons.join("; "))
        }
        (_, Some(e)) => {
            format!(
                "In part. A damaged identity ({}) is at {:#x} of this file.",
                e.health, e.offset
            )
        }
        (identity::Health::Blank, _) if erased => {
            "Unknown. The whole file is 0xFF, which is also what a chip without contact reads as."
                .to_owned()
        }
        (identity::Health::Blank, _) => GONE.to_owned(),
        (identity::Health::Damaged { .. }, _) => {
            "No. Nothing of it can be read in FACTORY. Keep this file anyway.".to_owned()
        }
        (identity::Health::Missing, _)
            if matches!(kind, FileKind::Unknown | FileKind::JumbledDump) =>
        {
            UNKNOWN.to_owned()
        }
        (identity::Health::Missing, _) if expected => {
            "No. The part of the chip that contains it is not in this file.".to_owned()
        }
        (identity::Health::Missing, _) => no_identity(kind).to_owned(),
    };
    let identity = judgement.as_ref().and_then(|j| j.identity.clone());
    IdentityReport {
        answer,
        expected,
        reasons: health.reasons().to_vec(),
        health,
        fingerprint: judgement.map(|j| j.fingerprint).filter(|_| !erased),
        masked: identity.as_ref().map(identity::Identity::masked).unwrap_or_default(),
        elsewhere,
        identity,
    }
}

pub(super) const GONE: &str = "No. FACTORY is erased: the identity is gone.";

const UNKNOWN: &str = "Unknown. No identity was found, but this program does not know all that is \
     in this file.";

/// Why a file of this kind contains no identity.
fn no_identity(kind: FileKind) -> &'static str {
    match kind {
        FileKind::TfImage | FileKind::TruncatedTfImage | FileKind::OversizedTfImage => {
            "No, and it never was: an image for the card contains none."
        }
        FileKind::Foreign => "Unknown. This is not firmware in this form.",
        _ => "No. It is only a part of the chip, and not the part that contains it.",
    }
}

/// The family that the kernel's name, or else U-Boot's, tells.
fn family(report: &Report, role: Role) -> Option<Family> {
    let uimage = report.by_role(role)?.facts.uimage.as_ref()?;
    Some(uimage.family).filter(|f| *f != Family::Other)
}

/// Which camera it is.
fn model(report: &Report) -> Option<Model> {
    if let Some(id) = report.identity.identity.as_ref().and_then(identity::Identity::model) {
        return Some(Model { id, certain: true, how: "FACTORY says so".to_owned() });
    }
    if let Some(id) = report.identity.elsewhere.iter().find_map(|e| e.identity.model()) {
        let how = "an identity elsewhere in the file says so".to_owned();
        return Some(Model { id, certain: true, how });
    }
    let guess =
        |id: &str, how: &str| Some(Model { id: id.into(), certain: false, how: how.into() });
    match family(report, Role::Boot).or(family(report, Role::Kernel)) {
        Some(Family::I3) => guess("ipc009", "a guess by the family I3; ipc016 looks the same"),
        Some(Family::I6) => guess("ipc019", "a guess by the family I6; its siblings look the same"),
        // A map that is a guess itself tells nothing.
        _ if report.map_source.as_deref() == Some("its own MXP table") => {
            match report.by_role(Role::Kernel)?.size {
                0x21_0000 => guess("ipc009", "a guess by the map; ipc016 has the same"),
                0x20_0000 => guess("ipc019", "a guess by the map; its siblings have the same"),
                _ => None,
            }
        }
        _ => None,
    }
}

/// The family of a model's processor, where it is known.
fn family_of_model(id: &str) -> Option<Family> {
    match id {
        "ipc009" | "ipc016" => Some(Family::I3),
        "ipc019" | "ipc019e" => Some(Family::I6),
        _ => None,
    }
}

/// Parts that do not belong together.
fn contradictions(report: &Report) -> Vec<Finding> {
    let mut out = Vec::new();
    let kernel = family(report, Role::Kernel);
    if let (Some(boot), Some(kernel)) = (family(report, Role::Boot), kernel)
        && boot != kernel
    {
        out.push(
            Finding::blocker(
                "wrong-processor",
                format!(
                    "The kernel is for the family {kernel:?}, but the boot loader is for \
                     {boot:?}: firmware of another model was flashed."
                ),
            )
            .of("KERNEL")
            .hint("Use KERNEL, ROOTFS and DATA from a camera of the same model."),
        );
    }
    let kernels = report.by_role(Role::Kernel).filter(|p| p.health == Health::Healthy);
    if let Some(load) = kernels.and_then(|p| p.facts.uimage.as_ref()).map(|u| u.load)
        && load != KERNEL_LOAD
    {
        out.push(
            Finding::warning(
                "wrong-load-address",
                format!(
                    "The kernel is loaded to {load:#x}, and this camera's kernels to \
                     {KERNEL_LOAD:#x}: it is for another camera."
                ),
            )
            .of("KERNEL")
            .hint("Do not flash it."),
        );
    }
    let own = report.model.as_ref().filter(|m| m.certain && report.identity.identity.is_some());
    if let (Some(model), Some(kernel)) = (own, kernel)
        && family_of_model(&model.id).is_some_and(|f| f != kernel)
    {
        out.push(
            Finding::warning(
                "unusual-processor",
                format!("FACTORY says {}, but the kernel is for the family {kernel:?}.", model.id),
            )
            .of("KERNEL")
            .hint("Check what is printed on the processor before you flash anything."),
        );
    }
    let own = report.identity.identity.as_ref();
    if let Some(other) = report
        .identity
        .elsewhere
        .iter()
        .filter(|e| e.health.is_healthy())
        .find(|e| own.is_some_and(|own| !own.same_as(&e.identity)))
    {
        out.push(
            Finding::warning("two-identities", "This file contains a second, different identity.")
                .at(other.offset)
                .hint("Find out which of them is this camera's before you flash anything."),
        );
    }
    let blank = |role| report.by_role(role).is_some_and(|p| p.health == Health::Blank);
    let whole = |role| report.by_role(role).is_some_and(|p| p.health == Health::Healthy);
    if [Role::Data, Role::Config, Role::Factory].into_iter().all(blank)
        && [Role::Boot, Role::Kernel, Role::Rootfs].into_iter().all(whole)
    {
        out.push(Finding::note(
            "maybe-redacted",
            "DATA, CONFIG and FACTORY are erased and the rest is whole: this may be a redacted \
             copy, made to be posted.",
        ));
    }
    out
}

fn one_way() -> Finding {
    Finding::warning(
        "one-way",
        "This firmware is 4.0.9 or later. It replaces the boot loader and its keys: after that \
         the camera accepts no older image from a card, and this program cannot start on it.",
    )
    .hint(
        "Do not flash it to a camera that you want to keep open. The way back is a programmer \
         and an image made with `mi360d assemble`.",
    )
}

/// What is alive, and what is gone.
fn alive_and_gone(report: &Report) -> (Vec<String>, Vec<String>) {
    let mut alive = Vec::new();
    let mut gone = Vec::new();
    for p in &report.partitions {
        let line = format!("{}, {}: {}.", p.name, p.role.meaning(), p.kind);
        // A damaged FACTORY whose values can be read is not gone.
        let readable = p.role == Role::Factory && report.identity.identity.is_some();
        if p.is_lost() && !readable {
            gone.push(line);
        } else if p.health != Health::Unknown {
            alive.push(line);
        }
    }
    for e in &report.identity.elsewhere {
        alive.push(format!("An identity at {:#x}, {}.", e.offset, e.health));
    }
    (alive, gone)
}
