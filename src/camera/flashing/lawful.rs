//! The laws for BOOT, CONFIG and FACTORY, applied to this camera: what it
//! knows of itself against what a source brings.

use std::fs;

use super::opened::Opened;
use super::planned::Planned;
use crate::camera::Camera;
use crate::card::file::read_bounded;
use crate::chip::Role;
use crate::flash::rules::{self, Ground, Live};
use crate::identity::{self, Identity, Judgement};
use crate::image::Finding;
use crate::image::slices::Slice;

/// Identities looked at on a card.
const MOST_IDENTITIES: usize = 256;

/// Whose a source is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ownership {
    /// It is a backup of this very camera.
    pub is_own_set: bool,
}

/// Adds what forbids these partitions to the plan.
pub fn check(
    camera: &Camera,
    opened: &Opened,
    chosen: &[&Slice],
    planned: &mut Planned,
) -> Ownership {
    let wifi_mac = camera.machine().wifi_mac();
    let saved = only_saved(camera);
    let live = Live {
        identity: &planned.identity,
        wifi_mac: wifi_mac.as_deref(),
        only_saved: saved.as_ref(),
        typed_did: planned.request.did.as_deref(),
    };
    let ground = opened.factory.as_ref().map(|factory| {
        rules::own(factory, &live).or_else(|refused| {
            // Neither is healthy, and they are equal: then BOOT tells whose the set is.
            let equal = factory.mark().is_some() && factory.mark() == planned.identity.mark();
            if equal && same_boot(camera, opened, planned) {
                Ok(Ground::Live)
            } else {
                Err(refused)
            }
        })
    });
    let is_own_set = matches!(ground, Some(Ok(_)));
    let mut found = Vec::new();
    for slice in chosen.iter().filter(|slice| slice.role.is_protected()) {
        match (&ground, slice.role) {
            (Some(Ok(ground)), Role::Factory) if *ground != Ground::Live => {
                planned.notes.push(
                    Finding::note(
                        "identity-own",
                        format!("FACTORY is written: {}.", ground.words()),
                    )
                    .of("FACTORY"),
                );
            }
            (Some(Ok(_)), _) => {}
            (Some(Err(blocker)), _) => found.push(blocker.clone().of(&slice.name)),
            (None, role) => {
                if !camera.is_unlocked(&slice.name) {
                    found.push(rules::locked(&slice.name));
                } else if role == Role::Factory
                    && let Err(blocker) = rules::own(&identity_in(slice), &live)
                {
                    found.push(blocker);
                }
            }
        }
    }
    planned.blockers.extend(found);
    Ownership { is_own_set }
}

/// Whether this FACTORY may take the place of what the camera's holds now.
///
/// # Errors
/// The blocker that says why not.
pub fn own_factory(camera: &Camera, factory: &Judgement) -> Result<Ground, Finding> {
    let wifi_mac = camera.machine().wifi_mac();
    let saved = only_saved(camera);
    let live = Live {
        identity: &camera.judge_identity(),
        wifi_mac: wifi_mac.as_deref(),
        only_saved: saved.as_ref(),
        typed_did: None,
    };
    rules::own(factory, &live)
}

/// Whether a set's BOOT is the one on the chip.
fn same_boot(camera: &Camera, opened: &Opened, planned: &Planned) -> bool {
    let live = camera.chip().map().by_role(Role::Boot).and_then(|part| planned.reading.of(part));
    let theirs = opened.slices.by_role(Role::Boot);
    live.zip(theirs).is_some_and(|(live, theirs)| live.sha256 == theirs.sha256)
}

/// The identity in a slice of FACTORY.
fn identity_in(slice: &Slice) -> Judgement {
    slice.content.facts.identity.clone().unwrap_or_else(Judgement::missing)
}

/// The only healthy identity ever saved on this camera's card; `None` where
/// there are several, or none.
fn only_saved(camera: &Camera) -> Option<Identity> {
    let entries = fs::read_dir(camera.card().identities()).ok()?;
    let mut only: Option<Identity> = None;
    for entry in entries.flatten().take(MOST_IDENTITIES) {
        let Ok(bytes) = read_bounded(&entry.path().join("FACTORY.bin"), 0x10_0000) else {
            continue;
        };
        let judgement = identity::judge(&bytes);
        let Some(identity) = judgement.identity.filter(|_| judgement.health.is_healthy()) else {
            continue;
        };
        if only.as_ref().is_some_and(|one| !one.same_as(&identity)) {
            return None;
        }
        only = Some(identity);
    }
    only
}
