//! Check that a journal, a content and a path belong to this camera and its card.

use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::behind;
use super::error::FlashingError;
use crate::base::{Digest, hex};
use crate::camera::Camera;
use crate::chip::Role;
use crate::flash::journal::Job;
use crate::flash::{FlashError, PartPlan};

/// By which a camera's WiFi is known in a journal, without its address.
pub fn wifi_mark(mac: &str) -> String {
    hex(&Sha256::digest(mac.to_ascii_lowercase().as_bytes())[..8])
}

/// What is written must be what was inspected.
pub(super) fn same_content(plan: &PartPlan, wanted: &Digest) -> Result<(), FlashError> {
    if plan.sha256 == *wanted {
        return Ok(());
    }
    Err(FlashError::ContentChanged { partition: plan.part.name.clone(), offset: 0 })
}

/// A path below the card's root, where it is on the card.
pub(super) fn below_card(camera: &Camera, path: &Path) -> Option<String> {
    let (path, root) = (path.canonicalize().ok()?, camera.card().root().canonicalize().ok()?);
    path.strip_prefix(root).ok()?.to_str().map(str::to_owned)
}

/// A card may have been carried to another camera in the middle.
pub(super) fn check_camera(camera: &Camera, job: &Job) -> Result<(), FlashingError> {
    let wifi = camera.machine().wifi_mac().map(|mac| wifi_mark(&mac));
    if let (Some(then), Some(now)) = (&job.wifi, &wifi)
        && then != now
    {
        return Err(FlashingError::OtherCamera);
    }
    // Where FACTORY itself was being written, its bytes tell nothing: `check_identity` looks.
    if job.partitions.iter().any(|part| part.name == Role::Factory.name()) {
        return Ok(());
    }
    // Nor where an erase of its own took FACTORY along: `check_lost_identity` looks.
    let live = camera.judge_identity();
    let is_lost = || !live.health.is_healthy() && behind::lost_factory(camera, job).is_some();
    let is_recorded = || behind::has_recorded_factory(camera, job);
    if live.fingerprint == job.identity || is_lost() || is_recorded() {
        Ok(())
    } else {
        Err(FlashingError::OtherCamera)
    }
}
