//! Context of every request: the camera, the log, the gate's names.

use std::sync::{Arc, OnceLock};

use super::clients::Clients;
use super::gate::Hosts;
use super::gate::host::Names;
use crate::camera::{Camera, host_name};
use crate::card::log::Recent;

/// What a handler can use.
pub(crate) struct Context {
    pub(super) camera: Arc<Camera>,
    pub(super) recent: Recent,
    pub(super) clients: Clients,
    /// The gate's names, once there is a gate.
    pub(super) hosts: Arc<OnceLock<Hosts>>,
}

impl Context {
    /// What the gate must know of new settings.
    pub(super) fn settings_changed(&self) {
        if let Some(hosts) = self.hosts.get() {
            hosts.set(host_names(&self.camera));
        }
    }
}

pub(super) fn host_names(camera: &Camera) -> Names {
    let set = camera.state().settings.config.web.host_names.iter().map(|h| h.0.clone()).collect();
    Names { set, announced: host_name::names(camera) }
}
