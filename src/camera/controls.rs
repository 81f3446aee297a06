//! The controls of this camera: where its firmware is, and a fake of it for a simulated camera.

use std::path::PathBuf;
use std::sync::PoisonError;
use std::time::Duration;

use super::{Camera, Hardware};
use crate::controls::originals::Store;
use crate::controls::presets::Presets;
use crate::controls::{ControlError, Controls, Firmware, NEVER};
use crate::error::Chain;
use crate::vendor::av::Address;
use crate::vendor::pretend::Pretend;

/// Where a PC's program finds the firmware's sockets and files, instead of the fake's.
const FIRMWARE: &str = "MI360D_FIRMWARE";

/// `none`: a simulated camera whose firmware does not answer, as one that is not understood.
const SERVICES: &str = "MI360D_SIM_SERVICES";

/// Connects to the firmware's services. To be called once, when the identity is safe, and not in
/// safe mode.
pub fn start(camera: &Camera) {
    match connect(camera) {
        Ok(controls) => drop(camera.controls.set(controls)),
        Err(e) => log::error!("the controls cannot be started: {e}", e = Chain(&e)),
    }
}

fn connect(camera: &Camera) -> std::io::Result<Controls> {
    let firmware = std::env::var_os(FIRMWARE).map(PathBuf::from);
    let (firmware, fake) = match (camera.hardware(), firmware) {
        (Hardware::Device, _) => {
            let root = PathBuf::from("/");
            (Firmware { root, av: Address::Firmware, never: NEVER }, None)
        }
        (Hardware::Simulated { .. }, Some(root)) => {
            (Firmware { root, av: Address::Firmware, never: NEVER }, None)
        }
        (Hardware::Simulated { dir, .. }, None)
            if std::env::var_os(SERVICES).is_some_and(|services| services == "none") =>
        {
            let root = dir.join("no-firmware");
            // None will come, so nobody need wait for them.
            let never = Duration::from_secs(1);
            (Firmware { av: Address::File(root.join("av.socket")), root, never }, None)
        }
        (Hardware::Simulated { dir, .. }, None) => {
            let fake = Pretend::with(Some(dir.join("motion")))?;
            let av = Address::File(fake.av());
            (Firmware { root: fake.root().to_owned(), av, never: NEVER }, Some(fake))
        }
    };
    let mark = {
        let state = camera.state();
        let judgement = state.vaulted.as_ref().map(|vaulted| &vaulted.judgement);
        judgement.and_then(|judgement| judgement.mark()).map(str::to_owned)
    };
    let mark = mark.as_deref().unwrap_or("unknown");
    let store = Store::new(camera.card(), mark);
    let presets = Presets::load(camera.card(), mark);
    *camera.fake.lock().unwrap_or_else(PoisonError::into_inner) = fake;
    let controls = Controls::start(firmware, store, presets)?;
    controls.events().set_silence(camera.state().settings.config.camera.motion_seconds.0);
    Ok(controls)
}

/// After how many seconds of silence motion has ended, from now on.
pub fn set_silence(camera: &Camera, seconds: u64) {
    if let Ok(controls) = of(camera) {
        controls.events().set_silence(seconds);
    }
}

/// The controls, once they are started.
///
/// # Errors
/// [`ControlError::NotStarted`].
pub fn of(camera: &Camera) -> Result<&Controls, ControlError> {
    camera.controls.get().ok_or(ControlError::NotStarted)
}

/// Ends what watches the firmware, politely, and the fake.
pub fn stop(camera: &Camera) {
    let Some(controls) = camera.controls.get() else { return };
    controls.stop();
    drop(camera.fake.lock().unwrap_or_else(PoisonError::into_inner).take());
}

/// That the camera is not switched off: then no picture is handed out, an older one neither.
///
/// # Errors
/// [`ControlError::Off`].
pub fn require_on(camera: &Camera) -> Result<(), ControlError> {
    if of(camera).is_ok_and(Controls::is_off) { Err(ControlError::Off) } else { Ok(()) }
}
