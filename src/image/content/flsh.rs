//! FACTORY and CONFIG: FLSH (docs/formats.md, FLSH and FACTORY).

use super::{ContentFacts, IDENTITY_IN_CONFIG, Judged, keep};
use crate::chip::WINDOW;
use crate::formats::flsh::{self, FlshError};
use crate::identity::{self, Health};
use crate::image::finding::Finding;

/// What is kept: the whole partition, which is one window in every known map.
#[derive(Clone)]
pub(super) struct Flsh {
    is_factory: bool,
    bytes: Vec<u8>,
}

impl std::fmt::Debug for Flsh {
    // The bytes are secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Flsh").field("is_factory", &self.is_factory).finish_non_exhaustive()
    }
}

impl Flsh {
    pub(super) fn factory() -> Self {
        Flsh { is_factory: true, bytes: Vec::new() }
    }

    pub(super) fn config() -> Self {
        Flsh { is_factory: false, bytes: Vec::new() }
    }

    pub(super) fn feed(&mut self, bytes: &[u8]) {
        keep::head(&mut self.bytes, bytes, WINDOW as usize);
    }

    pub(super) fn finish(self) -> Judged {
        if self.is_factory { factory(&self.bytes) } else { config(&self.bytes) }
    }
}

fn factory(bytes: &[u8]) -> Judged {
    let judgement = identity::judge(bytes);
    let (kind, damaged, findings) = match &judgement.health {
        Health::Healthy => ("FLSH, identity", false, Vec::new()),
        Health::Blank => (
            "erased",
            false,
            vec![
                Finding::blocker("identity-blank", "The identity is gone: FACTORY is erased.")
                    .at(0)
                    .hint("Look for an older backup or dump of this camera."),
            ],
        ),
        Health::Damaged { .. } if judgement.is_crc_only() => (
            "FLSH, identity, checksum wrong",
            true,
            vec![
                Finding::blocker(
                    "identity-crc",
                    "The identity's checksum is wrong, but all its values are there.",
                )
                .at(8)
                .hint(
                    "The stock system does not check it, so the camera may run as before. One \
                     of the values may have a wrong byte: look for an older backup, too.",
                ),
            ],
        ),
        Health::Damaged { reasons } => {
            let kind = if judgement.identity.is_some() {
                "FLSH, identity, damaged"
            } else {
                "not an identity"
            };
            let what = if judgement.identity.is_some() {
                "The identity is damaged"
            } else {
                "No identity can be read"
            };
            let finding =
                Finding::blocker("identity-damaged", format!("{what}: {}.", reasons.join("; ")))
                    .at(judgement.at.unwrap_or(0) as u64)
                    .hint("Keep these bytes anyway, and look for an older backup of this camera.");
            (kind, true, vec![finding])
        }
        Health::Missing => {
            ("nothing", true, vec![Finding::blocker("identity-missing", "There is no FACTORY.")])
        }
    };
    Judged {
        kind: kind.to_owned(),
        damaged,
        findings,
        facts: ContentFacts { identity: Some(judgement), ..ContentFacts::default() },
        ..Judged::default()
    }
}

fn config(bytes: &[u8]) -> Judged {
    let mut findings = Vec::new();
    let (kind, damaged) = match flsh::parse(bytes) {
        Ok(flsh) => {
            if !flsh.crc_ok() {
                findings.push(
                    Finding::warning("config-crc", "CONFIG's checksum is wrong.")
                        .at(flsh.at as u64 + 8)
                        .hint("The stock system does not check it."),
                );
            }
            if flsh.get("did").is_some() && flsh.get("key").is_some() {
                findings.push(
                    Finding::warning(
                        IDENTITY_IN_CONFIG,
                        "CONFIG contains an identity, which belongs in FACTORY.",
                    )
                    .at(flsh.at as u64)
                    .hint("Keep this file. A chip needs its identity in FACTORY."),
                );
            }
            match flsh.entries().count() {
                0 => ("FLSH, empty".to_owned(), !flsh.crc_ok()),
                1 => ("FLSH, 1 setting".to_owned(), !flsh.crc_ok()),
                n => (format!("FLSH, {n} settings"), !flsh.crc_ok()),
            }
        }
        Err(FlshError::Blank) => {
            findings.push(Finding::note("config-blank", "CONFIG is erased: it is usually empty."));
            ("erased".to_owned(), false)
        }
        Err(e) => {
            findings.push(
                Finding::warning("no-config", format!("CONFIG cannot be read: {e}."))
                    .at(0)
                    .hint("The camera makes a new one at its next update."),
            );
            ("not a FLSH".to_owned(), true)
        }
    };
    Judged { kind, damaged, findings, ..Judged::default() }
}
