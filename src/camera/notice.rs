//! Notices to the owner, derived from the state: one source for page, command line, `STATUS.txt`
//! and log.

use serde::Serialize;

use super::state::{BackupState, CameraState};
use crate::backup::set::{SetFolder, SetState};
use crate::backup::vault::{Kept, Vaulted};
use crate::card::CardState;
use crate::chip::Layout;
use crate::error::{Chain, Code, Explain};
use crate::identity::Health;
use crate::network::zone;

/// How grave a notice is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Something may be lost: act now.
    Danger,
    /// Something is not as it should be.
    Warning,
    /// Good to know.
    Note,
}

impl Severity {
    /// As a word, for eyes that see no colour.
    pub fn word(self) -> &'static str {
        match self {
            Severity::Danger => "DANGER",
            Severity::Warning => "Warning",
            Severity::Note => "Note",
        }
    }
}

/// One thing to tell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Notice {
    /// How grave it is.
    pub severity: Severity,
    /// A stable name.
    pub code: Code,
    /// What is the case.
    pub message: String,
    /// What to do.
    pub hint: String,
}

pub(super) fn notice(severity: Severity, code: Code, message: String, hint: &str) -> Notice {
    Notice { severity, code, message, hint: hint.to_owned() }
}

/// One notice for each code: what failed for a reason that is reported already is
/// reported with it.
pub(super) fn one_each(notices: Vec<Notice>) -> Vec<Notice> {
    let mut kept: Vec<Notice> = Vec::new();
    for notice in notices {
        match kept.iter_mut().find(|k| k.code == notice.code) {
            Some(first) => {
                first.message.push_str("; ");
                first.message.push_str(&notice.message);
            }
            None => kept.push(notice),
        }
    }
    kept
}

pub(super) fn of_identity(vaulted: &Vaulted) -> Option<Notice> {
    let (severity, code, message, hint) = match &vaulted.judgement.health {
        Health::Healthy => return None,
        Health::Blank => (
            Severity::Danger,
            Code::IdentityBlank,
            "FACTORY is blank: this camera has no cloud identity".to_owned(),
            "If you have a backup or a dump of this camera, its FACTORY restores the identity. \
             Never use the FACTORY of another camera.",
        ),
        Health::Damaged { reasons } => (
            Severity::Warning,
            Code::IdentityDamaged,
            format!("the identity in FACTORY is damaged: {}", reasons.join("; ")),
            "It is saved as it is. Keep every backup: nothing else may exist of it.",
        ),
        Health::Missing => match &vaulted.kept {
            Kept::NoIdentity => (
                Severity::Warning,
                Code::IdentityMissing,
                "this chip has no partition named FACTORY".to_owned(),
                "Everything that can be read is backed up. Nothing will be written to this chip.",
            ),
            _ => (
                Severity::Danger,
                Code::IdentityUnreadable,
                "FACTORY cannot be read".to_owned(),
                "The chip may be failing. Keep the card with all its backups, and try again.",
            ),
        },
    };
    Some(notice(severity, code, message, hint))
}

pub(super) fn of_keeping(kept: &Kept) -> Option<Notice> {
    match kept {
        Kept::Already(_) | Kept::Saved(_) | Kept::NoIdentity => None,
        Kept::MemoryOnly { path, reason } => Some(Notice {
            severity: Severity::Danger,
            code: Code::IdentityNotOnCard,
            message: format!(
                "the identity could not be saved on the card ({reason}); a copy is in {} until \
                 power goes",
                path.display(),
                reason = Chain(reason)
            ),
            hint: reason.hint(),
        }),
        Kept::Nowhere(reason) => Some(Notice {
            severity: Severity::Danger,
            code: Code::IdentityNotSaved,
            message: format!("the identity could not be saved: {reason}", reason = Chain(reason)),
            hint: reason.hint(),
        }),
    }
}

pub(super) fn of_card(state: CardState) -> Option<Notice> {
    match state {
        CardState::Ready { free, .. } if free < 4 << 20 => Some(notice(
            Severity::Warning,
            Code::CardFull,
            format!("the card is nearly full: {} KiB free", free >> 10),
            "Delete old backups, or free at least 40 MiB with a PC.",
        )),
        CardState::Ready { .. } => None,
        CardState::ReadOnly { .. } => Some(notice(
            Severity::Danger,
            Code::CardReadOnly,
            "the card is read-only: nothing can be saved on it".into(),
            "Check its write-protect switch. If Linux made the card read-only, it has errors: \
             check it on a PC, or use another card.",
        )),
        CardState::Missing => Some(notice(
            Severity::Danger,
            Code::CardMissing,
            "there is no card".into(),
            "Insert a card formatted as FAT32 and restart the camera.",
        )),
    }
}

pub(super) fn of_map(layout: &Layout) -> Option<Notice> {
    let Layout::Unknown { reason } = layout else { return None };
    Some(notice(
        Severity::Warning,
        Code::UnknownMap,
        format!("this program does not know the flash map: {reason}"),
        "Everything that can be read is backed up. Nothing will be written to this chip.",
    ))
}

pub(super) fn of_backup(state: &CameraState) -> Vec<Notice> {
    let mut found = Vec::new();
    match &state.backup {
        BackupState::Failed { code, message, hint } => found.push(Notice {
            severity: Severity::Danger,
            code: *code,
            message: format!("no backup could be made: {message}"),
            hint: hint.clone(),
        }),
        BackupState::Done { set, complete: false, .. } => found.push(notice(
            Severity::Danger,
            Code::BackupIncomplete,
            format!("some of the chip cannot be read; the rest is saved as {set}"),
            "The chip is failing. Copy the card to a PC now, and keep it.",
        )),
        _ => {}
    }
    if let Some(problem) = &state.settings.problem {
        found.push(notice(
            Severity::Warning,
            Code::Config,
            format!("config.toml has an error, so the defaults are used: {problem}"),
            "Correct that line, then restart. Until then no old backup is deleted.",
        ));
    }
    let set = &state.settings.config.camera.time_zone.0;
    if !zone::is_zone(set) {
        found.push(notice(
            Severity::Warning,
            Code::TimeZone,
            format!("\"{set}\" is not a time zone, so the camera uses UTC"),
            "Choose your city in Settings, Network and clock.",
        ));
    }
    if state.safe_mode {
        found.push(notice(
            Severity::Warning,
            Code::SafeMode,
            "three starts in a row failed: this is safe mode, with backup and page only".into(),
            "mi360d/logs on the card shows why. A start that lasts two minutes ends safe mode.",
        ));
    }
    found
}

pub(super) fn of_page(state: &CameraState) -> Option<Notice> {
    let problem = state.page_problem.as_ref()?;
    Some(notice(
        Severity::Warning,
        Code::NoPage,
        format!("the page cannot be served: {problem}"),
        "It is tried again every half minute. Another program may use the port: set another one \
         in config.toml, [web] listen.",
    ))
}

pub(super) fn of_proofs(state: &CameraState) -> Vec<Notice> {
    let damaged = state.proofs.iter().filter(|(_, verdict)| !verdict.is_whole());
    damaged
        .map(|(name, verdict)| {
            let first = verdict.damage.first().map(ToString::to_string).unwrap_or_default();
            notice(
                Severity::Danger,
                Code::BackupDamaged,
                format!("backup {name} is damaged: {first}"),
                "Do not restore the damaged file. The card is worn: copy what is on it and use \
                 another card.",
            )
        })
        .collect()
}

/// Of the sets that do not count.
pub fn of_folders(sets: &[SetFolder]) -> Vec<Notice> {
    sets.iter()
        .filter_map(|set| match &set.state {
            SetState::Broken { reason } => Some(notice(
                Severity::Warning,
                Code::BackupBroken,
                format!("backup {} is not usable: {reason}", set.name),
                "`mi360d verify` shows which of its files are intact. Nothing in it was changed.",
            )),
            _ => None,
        })
        .collect()
}

/// Writes what became of the identity to the log.
pub fn log_vaulted(vaulted: &Vaulted) {
    let fingerprint = vaulted.judgement.mark().unwrap_or("none");
    match &vaulted.kept {
        Kept::Already(_) => log::info!("identity {fingerprint} is on the card and intact"),
        Kept::Saved(path) => {
            log::info!("identity {fingerprint} saved and verified in {}", path.display());
        }
        _ => {}
    }
    for n in of_identity(vaulted).into_iter().chain(of_keeping(&vaulted.kept)) {
        log::error!("{}: {}. {}", n.code, n.message, n.hint);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_and_what_failed_for_it_are_one_notice() {
        let told = |code, message: &str| notice(Severity::Danger, code, message.into(), "hint");
        let all = one_each(vec![
            told(Code::CardMissing, "there is no card"),
            told(Code::IdentityBlank, "blank"),
            told(Code::CardMissing, "no backup could be made"),
        ]);
        let messages: Vec<&str> = all.iter().map(|n| n.message.as_str()).collect();
        assert_eq!(messages, ["there is no card; no backup could be made", "blank"]);
    }
}
