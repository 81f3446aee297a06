//! The documents of backups: what each set is and is good for.

use serde::Serialize;

use crate::backup::retention::Standing;
use crate::backup::set::{SetFolder, SetState};
use crate::backup::verify::Damage;
use crate::backup::{Verification, manifest};

/// One set, for a list.
#[derive(Clone, Debug, Serialize)]
pub struct SetView {
    /// The folder's name.
    pub id: String,
    /// `complete`, `incomplete`, `unfinished` or `broken`.
    pub state: &'static str,
    /// What it is to the owner, in words.
    pub standing: &'static str,
    /// Whether the program refuses to delete it.
    pub protected: bool,
    /// Whether it is the first of a healthy identity.
    pub pristine: bool,
    /// `proven`: verified at this start, `damaged`, or `unchecked`.
    pub proof: &'static str,
    /// What is wrong with it.
    pub damage: Vec<Damage>,
    /// The camera's model.
    pub model: Option<String>,
    /// The identity's health.
    pub identity: Option<String>,
    /// The identity's fingerprint.
    pub fingerprint: Option<String>,
    /// UTC, where the clock was sane.
    pub clock: Option<String>,
    /// Starts on this card when it was made.
    pub boot_count: Option<u64>,
    /// What it is good for, in words.
    pub good_for: String,
    /// Its files, and their sizes in bytes.
    pub files: Vec<FileView>,
    /// The partitions, as the manifest has them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub partitions: Vec<manifest::PartNote>,
}

/// One file of a set.
#[derive(Clone, Debug, Serialize)]
pub struct FileView {
    /// Its name.
    pub name: String,
    /// Bytes.
    pub size: u64,
}

pub(super) fn view(set: &SetFolder, standing: Standing, verdict: Option<&Verification>) -> SetView {
    let state = match &set.state {
        SetState::Closed { .. } => "complete",
        SetState::Incomplete { .. } => "incomplete",
        SetState::Unfinished => "unfinished",
        SetState::Broken { .. } => "broken",
    };
    let manifest = set.manifest();
    let (proof, damage) = match verdict {
        None => ("unchecked", Vec::new()),
        Some(verdict) if verdict.is_whole() => ("proven", Vec::new()),
        Some(verdict) => ("damaged", verdict.damage.clone()),
    };
    SetView {
        id: set.name.to_string(),
        state,
        standing: standing.words(),
        protected: standing.is_protected(),
        pristine: standing == Standing::Pristine,
        proof,
        good_for: good_for(set, verdict),
        damage,
        model: manifest.map(|m| m.model.clone()),
        identity: manifest.map(|m| m.identity.health.clone()),
        fingerprint: set.fingerprint().map(str::to_owned),
        clock: manifest.and_then(|m| m.clock.clone()),
        boot_count: manifest.map(|m| m.boot_count),
        files: files(set),
        partitions: manifest.map(|m| m.partitions.clone()).unwrap_or_default(),
    }
}

fn good_for(set: &SetFolder, verdict: Option<&Verification>) -> String {
    let damaged = verdict.is_some_and(|v| !v.is_whole());
    match &set.state {
        SetState::Closed { manifest, .. } if !damaged => match manifest.identity.health.as_str() {
            "healthy" => "full restore, including the identity".into(),
            "blank" => "firmware and settings; contains no identity".into(),
            _ => "firmware and settings; its identity is damaged".into(),
        },
        SetState::Closed { .. } => {
            "its intact files; `mi360d verify` lists the damaged ones".into()
        }
        SetState::Incomplete { manifest } => {
            let whole: Vec<&str> = manifest
                .partitions
                .iter()
                .filter(|p| p.gaps.is_empty())
                .map(|p| p.name.as_str())
                .collect();
            format!("only {}", whole.join(", "))
        }
        SetState::Unfinished => "nothing: the backup was interrupted".into(),
        SetState::Broken { reason } => format!("its intact files: {reason}"),
    }
}

fn files(set: &SetFolder) -> Vec<FileView> {
    let mut files: Vec<FileView> = std::fs::read_dir(&set.path)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let size = entry.metadata().ok().filter(std::fs::Metadata::is_file)?.len();
            Some(FileView { name: entry.file_name().into_string().ok()?, size })
        })
        .collect();
    files.sort_by(|a, b| a.name.cmp(&b.name));
    files
}
