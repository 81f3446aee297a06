//! `STATUS.txt` at the card's root: address, state and next step, for an
//! owner who cannot reach the page. Written only when it would state something
//! new, so that a quiet camera does not wear its card.

use std::fmt::Write as _;
use std::net::SocketAddr;

use super::notice::Severity;
use super::state::BackupState;
use super::{Camera, card_view, status};
use crate::base::host;
use crate::card::file::{read_bounded, replace};
use crate::error::Chain;

/// The file's name at the card's root.
pub const STATUS_TXT: &str = "STATUS.txt";

/// Writes the file, if it would change.
pub fn write(camera: &Camera) {
    let uninstalled = camera.uninstalled();
    if *uninstalled {
        return;
    }
    // It is written after every change, which all are to see.
    card_view::renew(camera);
    let text = text(camera);
    let path = camera.card().root().join(STATUS_TXT);
    if read_bounded(&path, 0x1_0000).is_ok_and(|now| now == text.as_bytes()) {
        return;
    }
    let written = camera.card().require_writable().and_then(|()| replace(&path, text.as_bytes()));
    let failure =
        written.err().map(|e| format!("{STATUS_TXT} cannot be written: {e}", e = Chain(&e)));
    let mut state = camera.state();
    // It is tried every minute; a line for each would fill the log.
    if failure != state.status_txt_failure {
        if let Some(failure) = &failure {
            log::warn!("{failure}");
        }
        state.status_txt_failure = failure;
    }
}

fn text(camera: &Camera) -> String {
    let status = status::of(camera);
    let title = format!("mi360d {} on {}", status.program, status.model);
    let mut text = format!("{title}\r\n{}\r\n\r\n", "=".repeat(title.len()));
    let mut line = |name: &str, value: &str| {
        let _ = write!(text, "{:<10} {value}\r\n", format!("{name}:"));
    };
    line("Page", &page(camera));
    let mark = status.identity.fingerprint.as_deref().unwrap_or_default();
    line(
        "Identity",
        &match status.identity.saved {
            "card" => format!("{}, saved in mi360d/identity/{mark}", status.identity.health),
            "none" => "this chip has no FACTORY".to_owned(),
            _ => format!("{}, NOT SAVED on this card", status.identity.health),
        },
    );
    line("Backup", &backup_words(&status.backup));
    let card = match status.card {
        crate::card::CardState::Ready { .. } => "ready".to_owned(),
        other => other.words(),
    };
    line("Card", &card);
    if status.safe_mode {
        line("Mode", "safe mode: backup and page only");
    }
    text.push_str("\r\nWhat to do next\r\n---------------\r\n");
    let grave: Vec<_> = status.notices.iter().filter(|n| n.severity < Severity::Note).collect();
    for n in &grave {
        let _ = write!(text, "{}: {}.\r\n  {}\r\n\r\n", n.severity.word(), n.message, n.hint);
    }
    let proven = matches!(status.backup, BackupState::Done { .. });
    if grave.is_empty() && proven {
        text.push_str("Everything is OK.\r\n");
    }
    if status.identity.saved == "card" && status.identity.health != "blank" {
        text.push_str(
            "Copy the folders mi360d/identity and mi360d/backups to a PC: until you do, the \
             only\r\ncopy of your camera's identity is on this card. Show them to nobody: they \
             contain your\r\ncloud key and your WiFi password.\r\n",
        );
    } else if proven {
        text.push_str(
            "Copy the folder mi360d/backups to a PC, and show it to nobody: it may contain your \
             WiFi\r\npassword.\r\n",
        );
    }
    text
}

fn page(camera: &Camera) -> String {
    let Some(listen) = camera.state().listen else { return "not available yet".to_owned() };
    // One address that was asked for by name, or all that this machine has.
    let hosts = if listen.ip().is_unspecified() { host::addresses() } else { vec![listen.ip()] };
    let addresses: Vec<String> = hosts
        .into_iter()
        .map(|ip| match listen.port() {
            80 => format!("http://{ip}/"),
            port => format!("http://{}/", SocketAddr::new(ip, port)),
        })
        .collect();
    if addresses.is_empty() {
        "no network yet: look again when the camera has joined your WiFi".to_owned()
    } else {
        addresses.join("  ")
    }
}

/// The backup of this start, in words.
pub fn backup_words(backup: &BackupState) -> String {
    match backup {
        BackupState::Waiting | BackupState::Running { .. } => "in progress".to_owned(),
        BackupState::Done { set, complete: true, made: true } => {
            format!("{set}, made and verified")
        }
        BackupState::Done { set, complete: true, made: false } => {
            format!("{set} contains the chip, verified at this start")
        }
        BackupState::Done { set, .. } => format!("{set}: some of the chip could not be read"),
        BackupState::Failed { message, .. } => format!("NONE: {message}"),
        BackupState::Off => "turned off in config.toml".to_owned(),
    }
}
