//! Facts about the identity of a camera, for the laws of BOOT, CONFIG and FACTORY.

use std::fs;

use crate::camera::Camera;
use crate::card::file::read_bounded;
use crate::flash::facts::OwnFacts;
use crate::flash::rules::{self, Ground};
use crate::identity::{self, Identity, Judgement};
use crate::image::Finding;

/// Identities checked on a card.
const MOST_IDENTITIES: usize = 256;

/// All that tells it.
pub fn own(camera: &Camera) -> OwnFacts {
    OwnFacts {
        identity: camera.judge_identity(),
        wifi_mac: camera.machine().wifi_mac(),
        only_saved: only_saved(camera),
    }
}

/// Whether this FACTORY may take the place of what the camera's contains now.
///
/// # Errors
/// The blocker that says why not.
pub fn own_factory(camera: &Camera, factory: &Judgement) -> Result<Ground, Finding> {
    rules::own(factory, &own(camera).live(None))
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
