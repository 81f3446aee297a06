//! All that mi360d put on this camera and its card, and the way back: the list is the truth, and
//! the button does what the list says.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;
use thiserror::Error;

use super::status_txt::STATUS_TXT;
use super::{Camera, controls};
use crate::card::file::read_bounded;
use crate::card::{CardError, fat};
use crate::controls::{Controls, originals};
use crate::error::{Code, Exit, Explain, FailureKind, chain};

/// What must be typed.
pub const PHRASE: &str = "UNINSTALL";
/// How much of a hook is checked.
const HOOK_LIMIT: u64 = 0x1_0000;

/// What becomes of a thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Fate {
    /// It is removed.
    Removed,
    /// It stays, because it is the owner's.
    Kept,
    /// A setting of the firmware: it is put back to what it was.
    Restored,
}

/// One thing that mi360d made.
#[derive(Clone, Debug, Serialize)]
pub struct Change {
    /// Where it is, from the card's root.
    pub path: String,
    /// What it is, as a stable name.
    pub thing: &'static str,
    /// What it is.
    pub what: &'static str,
    /// What becomes of it.
    pub fate: Fate,
}

/// Why it is not done.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum UninstallError {
    /// The word is missing.
    #[error("the phrase {PHRASE} was not typed")]
    NotConfirmed,
    /// A job runs.
    #[error("{step}: try again when that has ended")]
    Busy {
        /// What is being done.
        step: String,
    },
    /// The card.
    #[error(transparent)]
    Card(#[from] CardError),
}

impl Explain for UninstallError {
    fn code(&self) -> Code {
        match self {
            UninstallError::NotConfirmed => Code::NotConfirmed,
            UninstallError::Busy { .. } => Code::Busy,
            UninstallError::Card(e) => e.code(),
        }
    }

    fn hint(&self) -> String {
        match self {
            UninstallError::NotConfirmed => format!("Type {PHRASE}. Nothing was changed."),
            UninstallError::Busy { .. } => "Wait until it has ended.".to_owned(),
            UninstallError::Card(e) => e.hint(),
        }
    }

    fn kind(&self) -> FailureKind {
        match self {
            UninstallError::NotConfirmed => FailureKind::Invalid,
            UninstallError::Card(e) => e.kind(),
            UninstallError::Busy { .. } => FailureKind::Refused,
        }
    }

    fn exit(&self) -> Exit {
        match self {
            UninstallError::Card(e) => e.exit(),
            _ => Exit::Refused,
        }
    }
}

/// Everything that is there; nothing was written to the chip for it but a codec that its owner
/// switched.
pub fn list(camera: &Camera) -> Vec<Change> {
    let files = known(camera).into_iter().filter(|(path, ..)| path.exists());
    let files = files.map(|(path, (thing, what), fate)| Change {
        path: path.strip_prefix(camera.card().root()).unwrap_or(&path).display().to_string(),
        thing,
        what,
        fate,
    });
    let changed = controls::of(camera).map(Controls::changed).unwrap_or_default();
    let settings = changed.into_iter().map(|id| Change {
        path: id.name().to_owned(),
        thing: "control",
        what: "setting of the camera's own firmware",
        fate: Fate::Restored,
    });
    settings.chain(files).collect()
}

/// Puts the firmware's settings back; the names of those that cannot be put back, which stop
/// nothing: the log has the reasons, and what they were stays on the card.
fn restore_settings(camera: &Camera) -> Vec<&'static str> {
    let Ok(controls) = controls::of(camera) else { return Vec::new() };
    controls.close();
    let left = controls.restore_all().into_iter().map(|(id, error)| {
        log::error!("the setting '{}' was not put back: {}", id.name(), chain(&error));
        id.name()
    });
    left.collect()
}

/// Removes the folder of states, except what was set before our changes and was not put back: also
/// that of other cameras which had this card.
fn remove_state(folder: &Path, kept: &[PathBuf]) -> Result<(), CardError> {
    if kept.is_empty() {
        return fat::remove_tree(folder);
    }
    let unread = |e| CardError::new("cannot read", folder, e);
    for entry in fs::read_dir(folder).map_err(unread)? {
        let path = entry.map_err(unread)?.path();
        if !kept.contains(&path) {
            fat::remove_tree(&path)?;
        }
    }
    Ok(())
}

/// Removes what the list names; the next start is the stock firmware's own.
///
/// # Errors
/// [`UninstallError`].
pub fn run(camera: &Camera, confirm: &str) -> Result<Vec<Change>, UninstallError> {
    if confirm != PHRASE {
        return Err(UninstallError::NotConfirmed);
    }
    let _quiet = camera.quiet().map_err(|busy| UninstallError::Busy { step: busy.step })?;
    camera.card().require_writable()?;
    let mut done = list(camera);
    let left = restore_settings(camera);
    for change in done.iter_mut().filter(|change| left.contains(&change.path.as_str())) {
        change.fate = Fate::Kept;
    }
    let kept = originals::kept(&camera.card().state_dir());
    // It would come back within a minute.
    *camera.uninstalled() = true;
    for (path, _, fate) in known(camera) {
        if path == camera.card().state_dir() {
            remove_state(&path, &kept)?;
        } else if fate == Fate::Removed && path.exists() {
            fat::remove_tree(&path)?;
        }
    }
    let hooks = camera.card().root().join("manu_test");
    if fs::read_dir(&hooks).is_ok_and(|mut entries| entries.next().is_none()) {
        // An empty folder harms nobody where it stays.
        let _ = fat::remove_dir(&hooks);
    }
    done.extend(kept.into_iter().map(|path| Change {
        path: path.strip_prefix(camera.card().root()).unwrap_or(&path).display().to_string(),
        thing: "originals",
        what: "what the firmware's settings were before",
        fate: Fate::Kept,
    }));
    log::warn!("mi360d was uninstalled; backups and identity are still on the card");
    Ok(done)
}

/// In the order of their removal: first what starts the program.
fn known(camera: &Camera) -> Vec<(PathBuf, (&'static str, &'static str), Fate)> {
    let (root, home) = (camera.card().root(), camera.card().home());
    let hook = |name: &str| root.join("manu_test").join(name);
    let mut found: Vec<(PathBuf, (&'static str, &'static str), Fate)> =
        [hook("manu.sh"), hook("entrypoint.sh")]
            .into_iter()
            // Another hack's hook is none of ours.
            .filter(|path| names_us(path))
            .map(|path| (path, ("boot-hook", "boot hook"), Fate::Removed))
            .collect();
    let mark = hook("update.txt");
    if names_us(&mark) {
        let what = ("boot-hook", "keeps a rescue image from being renamed");
        found.push((mark, what, Fate::Removed));
    }
    let readme = root.join("README.txt");
    if names_us(&readme) {
        found.push((readme, ("readme", "how to use the card"), Fate::Removed));
    }
    found.extend([
        (home.join("mi360d"), ("program", "the program"), Fate::Removed),
        (home.join("mi360d.old"), ("program", "the program"), Fate::Removed),
        (home.join("release.txt"), ("program", "the program"), Fate::Removed),
        (home.join("release.txt.minisig"), ("program", "the program"), Fate::Removed),
        (home.join("trial"), ("program", "the program"), Fate::Removed),
        (home.join("config.toml"), ("settings", "settings"), Fate::Removed),
        (home.join("setup-code.txt"), ("setup-code", "setup code"), Fate::Removed),
        (home.join("state"), ("state", "password, tokens, notes"), Fate::Removed),
        (home.join("images"), ("images", "uploaded images"), Fate::Removed),
        (home.join("logs"), ("log", "log"), Fate::Removed),
        (root.join(STATUS_TXT), ("status-text", "state of the camera, as text"), Fate::Removed),
        (camera.card().identities(), ("identity", "your camera's identity"), Fate::Kept),
        (camera.card().backups(), ("backups", "your backups"), Fate::Kept),
        (
            home.join("originals"),
            ("codec-library", "the library whose codec was changed"),
            Fate::Kept,
        ),
    ]);
    found
}

fn names_us(path: &Path) -> bool {
    read_bounded(path, HOOK_LIMIT)
        .is_ok_and(|text| String::from_utf8_lossy(&text).contains("mi360d"))
}
