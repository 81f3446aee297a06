//! The hacks of one camera: started, ended, and the documents of
//! `/api/v1/services` and `/api/v1/ssh/keys`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Camera, Hardware};
use crate::services::ptz::{Moved, Wish};
use crate::services::ssh::{folder, host_key, keys};
use crate::services::{
    LogView, Pace, ServiceBrief, ServiceError, ServiceView, Services, Values, World,
};

/// Where hacks have their folders in memory, on a camera.
const RUN: &str = "/tmp/mi360d/run";

/// `GET /api/v1/services`.
#[derive(Clone, Debug, Serialize)]
pub struct ServicesView {
    /// All hacks of the card.
    pub services: Vec<ServiceView>,
    /// Why none of them runs, if so.
    pub off: Option<&'static str>,
}

/// The body of `PUT /api/v1/services/{id}`: what is not said stays.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Put {
    /// Whether it is to run.
    pub enabled: Option<bool>,
    /// Settings to change.
    #[serde(default)]
    pub settings: Values,
}

/// `GET /api/v1/ssh/keys`.
#[derive(Clone, Debug, Serialize)]
pub struct SshKeys {
    /// The keys that may log in.
    pub keys: Vec<keys::Key>,
    /// The same as a text, to be edited and sent back.
    pub authorized_keys: String,
    /// The camera's own key, as a client shows it at the first connection.
    pub host_key: Option<String>,
}

/// Starts the hacks. To be called once, when the identity is safe, and not in
/// safe mode.
pub fn start(camera: &Camera, config: &Path) {
    let run = match camera.hardware() {
        Hardware::Device => Path::new(RUN).to_owned(),
        Hardware::Simulated { dir, .. } => dir.join("run/hacks"),
    };
    let judgement = camera.state().vaulted.as_ref().map(|v| v.judgement.clone());
    let model = judgement.map_or_else(|| "unknown".to_owned(), |j| camera.model(&j));
    let world = World {
        card: absolute(camera.card().root()),
        config: absolute(config),
        run: absolute(&run),
        program: std::env::current_exe().unwrap_or_default(),
        model,
        time_zone: camera.state().settings.config.camera.time_zone.0.clone(),
        pace: Pace::default(),
    };
    match Services::start(world) {
        Ok(services) => {
            // Called once; a second call would end what it started.
            if let Err(second) = camera.services.set(services) {
                second.stop();
            }
        }
        Err(e) => log::error!("the hacks cannot be supervised: {e}"),
    }
}

/// How long a hack has to end before a flash.
const BEFORE_A_FLASH: Duration = Duration::from_secs(70);

/// The hacks, held back while a flash runs: they use the ROOTFS that it rewrites.
pub struct Held<'a> {
    services: Option<&'a Services>,
}

/// Ends all hacks for a flash. They run again once the value is gone, unless the
/// flash has begun to write: then the next start brings them back.
pub fn hold<'a>(camera: &'a Camera) -> Held<'a> {
    let services = camera.services.get();
    if services.is_some_and(|services| !services.hold("a flash is running", BEFORE_A_FLASH)) {
        log::warn!("some hacks did not end before the flash");
    }
    Held { services }
}

impl Held<'_> {
    /// The flash writes: on a camera nothing is started any more until it restarts.
    pub fn for_good(mut self, camera: &Camera) {
        if matches!(camera.hardware(), Hardware::Device) {
            self.services = None;
        }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        if let Some(services) = self.services {
            services.release();
        }
    }
}

/// Ends all hacks because the firmware wants the card; whether all have ended in time.
pub fn give_way(camera: &Camera, patience: Duration) -> bool {
    let Some(services) = camera.services.get() else { return true };
    services.hold("the camera's own app formats or ejects the card", patience)
}

/// Starts the hacks again that are on the card, which may be another one.
pub fn come_back(camera: &Camera) {
    if let Some(services) = camera.services.get() {
        services.release();
        services.reload();
    }
}

/// Ends all hacks, and waits for that.
pub fn stop(camera: &Camera) {
    if let Some(services) = camera.services.get() {
        services.stop();
    }
}

/// Reads settings and folders again.
pub fn reload(camera: &Camera) {
    if let Some(services) = camera.services.get() {
        services.reload();
    }
}

/// The same place, however this process's folder changes.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

fn running(camera: &Camera) -> Result<&Services, ServiceError> {
    camera.services.get().ok_or(ServiceError::NotRunning(off(camera)))
}

fn off(camera: &Camera) -> &'static str {
    if camera.state().safe_mode {
        "three starts in a row failed, so this is safe mode"
    } else {
        "they have not started yet"
    }
}

/// What looks after the hacks, once they are started.
pub fn of(camera: &Camera) -> Option<&Services> {
    camera.services.get()
}

/// All hacks.
pub fn list(camera: &Camera) -> ServicesView {
    match camera.services.get() {
        Some(services) => ServicesView { services: services.list(), off: None },
        None => ServicesView { services: Vec::new(), off: Some(off(camera)) },
    }
}

/// All hacks, in short, for the status.
pub fn brief(camera: &Camera) -> Vec<ServiceBrief> {
    camera.services.get().map(Services::brief).unwrap_or_default()
}

/// One hack.
///
/// # Errors
/// [`ServiceError`].
pub fn get(camera: &Camera, id: &str) -> Result<ServiceView, ServiceError> {
    running(camera)?.get(id)
}

/// Switches a hack, and sets its settings.
///
/// # Errors
/// [`ServiceError`]; nothing was changed then.
pub fn put(camera: &Camera, id: &str, put: &Put) -> Result<ServiceView, ServiceError> {
    let services = running(camera)?;
    camera.card().require_writable()?;
    services.put(id, put.enabled, &put.settings)
}

/// Starts a hack again.
///
/// # Errors
/// [`ServiceError`].
pub fn restart(camera: &Camera, id: &str) -> Result<ServiceView, ServiceError> {
    running(camera)?.restart(id)
}

/// The last lines that a hack printed.
///
/// # Errors
/// [`ServiceError`].
pub fn log(camera: &Camera, id: &str) -> Result<LogView, ServiceError> {
    running(camera)?.log(id)
}

/// Moves the camera.
///
/// # Errors
/// [`ServiceError::Unavailable`] where no motors can be had, with the reason.
pub fn ptz(camera: &Camera, wish: Wish) -> Result<Moved, ServiceError> {
    running(camera)?.move_camera(wish)
}

/// The keys that may log in by SSH.
pub fn ssh_keys(camera: &Camera) -> SshKeys {
    let card = camera.card().root();
    let text = keys::read(card).unwrap_or_default();
    SshKeys {
        keys: keys::parse(&text).unwrap_or_default(),
        authorized_keys: text,
        host_key: host_key::shown(&folder(card)),
    }
}

/// Sets the keys that may log in by SSH from now on: one a line; an empty text takes all of them
/// away.
///
/// # Errors
/// [`ServiceError::Key`] with the line that is wrong; nothing was changed then.
pub fn put_ssh_keys(camera: &Camera, lines: &str) -> Result<SshKeys, ServiceError> {
    keys::parse(lines)?;
    camera.card().require_writable()?;
    keys::store(camera.card().root(), lines)?;
    if let Some(services) = camera.services.get() {
        services.keys_changed();
    }
    Ok(ssh_keys(camera))
}
