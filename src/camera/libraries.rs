//! Paths of the framegrabber's programs and libraries on this camera.

use std::path::PathBuf;

use super::{Camera, Hardware};
use crate::services::framegrabber::{ID, LIBRARIES, program};

pub(super) fn model(camera: &Camera) -> String {
    let judgement = camera.state().vaulted.as_ref().map(|v| v.judgement.clone());
    judgement.map_or_else(|| "unknown".to_owned(), |j| camera.model(&j))
}

pub(super) fn place(camera: &Camera, model: &str) -> PathBuf {
    program(&camera.card().root().join("hacks").join(ID), model)
}

/// Where this camera has its libraries.
pub(super) fn folders(camera: &Camera) -> Vec<PathBuf> {
    match camera.hardware() {
        Hardware::Device => LIBRARIES.iter().map(PathBuf::from).collect(),
        Hardware::Simulated { dir, .. } => LIBRARIES
            .iter()
            .map(|path| dir.join(path.trim_start_matches("/mnt/").trim_start_matches('/')))
            .collect(),
    }
}
