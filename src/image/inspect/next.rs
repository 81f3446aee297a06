//! What the owner should do next, in order and in words.

use super::conclude::is_dump;
use super::{Kind, Report};
use crate::chip::Role;

/// The steps for what a report says.
pub(super) fn next(report: &Report) -> Vec<String> {
    let mut steps = match report.kind {
        kind if is_dump(kind) => dump(report),
        Kind::TfImage => image(report, "tf image"),
        Kind::TruncatedTfImage | Kind::OversizedTfImage => {
            vec!["Copy or download the image again, and inspect it once more.".to_owned()]
        }
        Kind::Partition if report.by_role(Role::Factory).is_some() => factory(report),
        Kind::Partition | Kind::Uimage | Kind::Squashfs | Kind::Jffs2 | Kind::Flsh => {
            image(report, "file")
        }
        _ => report.findings.iter().map(|f| f.hint.clone()).filter(|h| !h.is_empty()).collect(),
    };
    if report.identity.identity.is_some() || !report.identity.elsewhere.is_empty() {
        steps.push(
            "Never post this file: it holds the cloud key, and may hold your WiFi password. \
             `mi360d redact` makes a copy that is safe to post."
                .to_owned(),
        );
    }
    if steps.is_empty() {
        steps.push("This program can do nothing with it. Ask for the right file.".to_owned());
    }
    steps.dedup();
    steps
}

fn lost(report: &Report, role: Role) -> bool {
    report.by_role(role).is_none_or(super::PartitionReport::is_lost)
}

fn dump(report: &Report) -> Vec<String> {
    let mut steps = Vec::new();
    if report.kind != Kind::FullDump {
        steps.push(
            "Read the chip again, all of it, and twice: both files must be the same.".to_owned(),
        );
    }
    if let Some(e) = report.identity.elsewhere.iter().find(|e| e.health.is_healthy())
        && !report.identity.health.is_healthy()
    {
        steps.push(format!(
            "Cut the identity out and keep it as FACTORY.bin: `tail -c +{} FILE | head -c 65536 > \
             FACTORY.bin`.",
            e.offset + 1
        ));
    } else if report.identity.health.is_healthy() {
        steps.push("Keep this file in two places: the identity in it cannot be made again.".into());
    } else {
        if report.identity.identity.is_some() {
            steps.push(
                "Keep this file in two places: what is left of the identity is in it.".into(),
            );
        }
        steps.push(
            "Write nothing to this chip yet. Look for an older dump of this very camera, and on \
             its card for the folders mi360d/identity and mi360d/backups. Never write another \
             camera's FACTORY: it would take over that camera's cloud account."
                .to_owned(),
        );
    }
    let model = report.model.as_ref().map_or("the same model", |m| m.id.as_str());
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
    if !donor.is_empty() || mixed {
        let what = if mixed { "KERNEL, ROOTFS and DATA".to_owned() } else { donor.join(" and ") };
        steps.push(format!(
            "{what} must come from a donor: a tf image or a dump of {model}. Make the image for \
             the programmer with `mi360d assemble --own FILE --donor DONOR --out chip.bin`."
        ));
        steps.push(
            "With the programmer: unprotect, erase, write, verify, and protect again. Without the \
             last step a camera may die at its second start."
                .to_owned(),
        );
    } else if !report.has_damage() {
        steps.push("All parts are whole: it can be written back to this camera as it is.".into());
    }
    steps
}

fn image(report: &Report, name: &str) -> Vec<String> {
    if report.has_damage() {
        return vec![format!("Do not flash this {name}: copy or download it again.")];
    }
    let mut steps = Vec::new();
    if let Some(model) = &report.model {
        steps.push(format!(
            "Make sure that your camera is of this model: {} ({}).",
            model.id, model.how
        ));
    }
    steps.push(
        "`mi360d plan FILE`, on the camera or on its page, says what flashing it would change."
            .to_owned(),
    );
    steps
}

fn factory(report: &Report) -> Vec<String> {
    if report.identity.health.is_healthy() {
        vec!["Keep this file in two places: it cannot be made again.".to_owned()]
    } else {
        vec![
            "Keep this file all the same, and look for an older dump of this very camera: on its \
             card in the folders mi360d/identity and mi360d/backups."
                .to_owned(),
        ]
    }
}
