//! Next steps for the owner, in order and in words. A command that is named must accept this very
//! file: a test runs each one on it.

use super::report::is_dump;
use super::{FileKind, Report};
use crate::chip::Role;
use crate::image::content::Health;

const RECOVER: &str = "`mi360d recover FILE --out chip.bin`";

/// The steps for what a report says.
pub(super) fn next(report: &Report) -> Vec<String> {
    let mut steps = match report.kind {
        kind if is_dump(kind) => dump(report),
        FileKind::Parts => together(report),
        FileKind::Mangled => mangled(report),
        FileKind::TfImage => image(report, "tf image"),
        // Then it is no download.
        FileKind::TruncatedTfImage | FileKind::OversizedTfImage if holds_identity(report) => {
            Vec::new()
        }
        FileKind::TruncatedTfImage | FileKind::OversizedTfImage => {
            vec!["Copy or download the image again, then inspect it again.".to_owned()]
        }
        FileKind::Partition | FileKind::Flsh if report.by_role(Role::Factory).is_some() => {
            factory(report)
        }
        FileKind::Partition
        | FileKind::Uimage
        | FileKind::Squashfs
        | FileKind::Jffs2
        | FileKind::Flsh => image(report, "file"),
        _ => report.findings.iter().map(|f| f.hint.clone()).filter(|h| !h.is_empty()).collect(),
    };
    let is_single = matches!(
        report.kind,
        FileKind::Partition
            | FileKind::Flsh
            | FileKind::Unknown
            | FileKind::Foreign
            | FileKind::OtherDump
            | FileKind::TruncatedTfImage
            | FileKind::OversizedTfImage
    );
    if is_single && !report.identity.elsewhere.is_empty() {
        steps.push(format!("{RECOVER} cuts the identity out and puts it where it belongs."));
    }
    if holds_identity(report) && !is_dump(report.kind) && keeps_nothing(&steps) {
        steps.insert(0, "Keep this file in two places: the identity in it is unique.".to_owned());
    }
    steps.extend(never_post(report));
    if steps.is_empty() {
        steps.push("This program can do nothing with it. Ask for the right file.".to_owned());
    }
    steps.dedup();
    steps
}

fn keeps_nothing(steps: &[String]) -> bool {
    !steps.iter().any(|step| step.contains("Keep"))
}

fn holds_identity(report: &Report) -> bool {
    report.identity.identity.is_some() || !report.identity.elsewhere.is_empty()
}

/// What must not be posted, and why.
fn never_post(report: &Report) -> Option<String> {
    let is_vendors = matches!(
        report.kind,
        FileKind::TfImage | FileKind::TruncatedTfImage | FileKind::OversizedTfImage
    );
    let settings = report.by_role(Role::Data).is_some_and(|p| p.health != Health::Blank);
    let config = report.by_role(Role::Config).is_some_and(|p| p.kind.contains("setting"));
    let is_inside = report.findings.iter().any(|f| f.code == "password-inside");
    let what = if holds_identity(report) {
        "it contains the cloud key and may contain your WiFi password"
    } else if is_inside || (settings || config) && !is_vendors {
        "it may contain your WiFi password and the camera's token"
    } else if report.is_lost() || report.kind == FileKind::Mangled {
        "it may contain the cloud key in a form that was not recognized"
    } else {
        return None;
    };
    let redact = if report.kind == FileKind::FullDump {
        " `mi360d redact FILE --out safe.bin` makes a copy that is safe to post."
    } else {
        ""
    };
    Some(format!("Never post this file: {what}.{redact}"))
}

fn lost(report: &Report, role: Role) -> bool {
    report.by_role(role).is_none_or(super::PartitionReport::is_lost)
}

/// What `recover` can put together is worth it.
fn has_parts(report: &Report) -> bool {
    holds_identity(report) || report.partitions.iter().any(|p| p.health != Health::Blank)
}

fn mangled(report: &Report) -> Vec<String> {
    let of = |code| {
        let mut findings = report.findings.iter().filter(|_| cfg!(feature = "pc"));
        findings.find(|f| f.code == code)
    };
    if let Some(several) = of("two-chips") {
        return vec![format!("{} {}", several.reason, several.hint)];
    }
    let mut steps = Vec::new();
    if of("stuck-line").is_some() {
        steps.push(
            "Check the clip and the wires of the programmer, and read the chip again, twice: both \
             files must be the same."
                .to_owned(),
        );
    }
    if has_parts(report) {
        steps
            .push(format!("{RECOVER} makes an image of the chip of it, and says what is missing."));
    }
    steps.push("Read or copy it again in another way, if you can, and compare.".to_owned());
    steps
}

fn together(report: &Report) -> Vec<String> {
    let two = report.findings.iter().filter(|f| matches!(f.code, "two-files" | "too-long"));
    let two: Vec<String> = two.map(|f| format!("{} {}", f.reason, f.hint)).collect();
    if !two.is_empty() {
        return two;
    }
    let mut steps = vec![format!(
        "{RECOVER} makes one image of the chip out of these files, and says what is missing."
    )];
    if !report.identity.health.is_healthy() && report.identity.elsewhere.is_empty() {
        steps.push(LOOK.to_owned());
    }
    steps
}

const LOOK: &str = "Write nothing to this chip yet. Look for an older dump of this camera, and on \
    its card for the folders mi360d/identity and mi360d/backups. Never write another camera's \
    FACTORY: it would take over that camera's cloud account.";

fn dump(report: &Report) -> Vec<String> {
    let mut steps = Vec::new();
    if report.kind != FileKind::FullDump {
        if has_parts(report) {
            steps.push(format!("{RECOVER} puts what is in it where it belongs."));
        }
        steps.push("Read the whole chip again, twice: both files must be the same.".to_owned());
    }
    let elsewhere = report.identity.elsewhere.iter().find(|e| e.health.is_healthy());
    let is_elsewhere = report.identity.answer.starts_with("Yes, but");
    if let Some(e) = elsewhere.filter(|_| is_elsewhere) {
        steps.push(format!(
            "Cut the identity out and keep it as FACTORY.bin: `tail -c +{} FILE | head -c 65536 > \
             FACTORY.bin`. `mi360d recover FILE --factory FACTORY.bin --out chip.bin` puts it back \
             into its place.",
            e.offset + 1
        ));
    } else if report.identity.health.is_healthy() {
        steps.push("Keep this file in two places: its identity cannot be replaced.".into());
    } else {
        if report.identity.identity.is_some() {
            steps.push(
                "Keep this file in two places: it contains what is left of the identity.".into(),
            );
        }
        steps.push(LOOK.to_owned());
    }
    // With an erased BOOT or KERNEL the camera is dead, or only a part of the chip was read.
    let is_damaged = |p: &super::PartitionReport| {
        let must_be = matches!(p.role, Role::Boot | Role::Kernel);
        p.health == Health::Damaged || (must_be && p.health == Health::Blank)
    };
    if report.kind == FileKind::FullDump && report.partitions.iter().any(is_damaged) {
        steps.push(
            "It may be only a reading error: read the chip again, twice, and compare. Several \
             readings can be merged with recover."
                .to_owned(),
        );
    }
    // A guess is no ground for a donor.
    let certain = report.model.as_ref().filter(|m| m.certain).map(|m| m.id.as_str());
    let model = certain.unwrap_or("the model printed on the camera");
    let config = report.by_role(Role::Config).is_none_or(|p| p.health != Health::Damaged);
    if !config {
        steps.push(
            "CONFIG is damaged, and no donor has this camera's: read the chip again, or take it \
             from an older dump."
                .to_owned(),
        );
    }
    if lost(report, Role::Boot) {
        steps.push(format!(
            "BOOT is lost here: take it from an older dump of this camera, or ask an owner of \
             {model} for a redacted dump."
        ));
    }
    let donor: Vec<&str> = [Role::Kernel, Role::Rootfs, Role::Data]
        .into_iter()
        .filter(|&role| lost(report, role))
        .map(Role::name)
        .collect();
    let mixed = report.findings.iter().any(|f| f.code == "wrong-processor");
    let assembles = report.kind == FileKind::FullDump
        && config
        && !lost(report, Role::Boot)
        && report.map_source.as_deref() == Some("its own MXP table");
    if !donor.is_empty() || mixed {
        let what = if mixed { "KERNEL, ROOTFS and DATA".to_owned() } else { donor.join(" and ") };
        steps.push(format!("{what} must come from a donor: a tf image or a dump of {model}."));
        if assembles {
            let dead = if report.identity.health.is_healthy() { "" } else { " --damaged-factory" };
            steps.push(format!(
                "Make the image for the programmer with `mi360d assemble --own FILE --donor DONOR \
                 --out chip.bin{dead}`."
            ));
        }
        steps.push(
            "With the programmer: unprotect, erase, write, verify, and protect again. Without the \
             last step a camera may fail at its second start."
                .to_owned(),
        );
    } else if !report.has_damage() {
        let whole = "All parts are whole, as far as checksums show.";
        let first = ["no-map", "environment-lost", "wrong-load-address"];
        let first = report.findings.iter().find(|f| first.contains(&f.code));
        steps.push(if let Some(finding) = first {
            format!("{whole} But do not write it to a chip as it is: {}", finding.reason)
        } else if report.kind == FileKind::FullDump {
            format!(
                "{whole} Read the chip twice and compare: if both are equal, it can be written \
                 back to this camera as it is."
            )
        } else {
            whole.to_owned()
        });
    }
    steps
}

fn image(report: &Report, name: &str) -> Vec<String> {
    if report.has_damage() {
        // It may be the only copy: what else there is, is for its owner to know.
        return vec![format!(
            "Do not flash this {name}. Keep it, and find another copy or read it again."
        )];
    }
    if report.partitions.iter().any(|p| p.role.is_protected()) {
        return vec![
            "Keep it: it belongs to one camera, and is written only to that camera, from its own \
             backups. Together with its other partition files it makes an image of the chip."
                .to_owned(),
        ];
    }
    let mut steps = Vec::new();
    if let Some(model) = report.model.as_ref().filter(|m| m.certain) {
        steps.push(format!(
            "Make sure that your camera is of this model: {} ({}).",
            model.id, model.how
        ));
    } else {
        steps.push("Make sure that it is for your camera's model.".to_owned());
    }
    steps.push(
        "`mi360d plan FILE`, on the camera or on its page, says what flashing it would change."
            .to_owned(),
    );
    steps
}

fn factory(report: &Report) -> Vec<String> {
    let mut steps = Vec::new();
    if report.identity.health.is_healthy() {
        steps.push("Keep this file in two places: it cannot be replaced.".to_owned());
    } else {
        steps.push(
            "Keep this file anyway, and look for an older dump of this camera: on its card in the \
             folders mi360d/identity and mi360d/backups."
                .to_owned(),
        );
    }
    // One that begins too late is no file for --factory: recover cuts it out.
    if report.identity.identity.is_some() && report.identity.elsewhere.is_empty() {
        steps.push(
            "`mi360d recover DUMP --factory FILE --out chip.bin` puts it into an image of this \
             camera's chip; `mi360d assemble --own DUMP --donor DONOR --factory FILE --out \
             chip.bin` does so with a donor's firmware."
                .to_owned(),
        );
    }
    steps
}
