//! The owner's web hook: each event of the camera as one POST ([`crate::network::web_hook`]). Off
//! while no address is set. A test sends an event of the kind `test`, also to an address that is not
//! saved yet.

use std::time::Duration;

use serde_json::{Value, json};

use super::settings::{MASK, SettingsError};
use super::{Camera, controls, host_name};
use crate::base::host;
use crate::network::web_hook::{Delivery, post};
use crate::settings::values::WebHook;

/// How often it is looked whether an address is set, and the longest wait for an event.
const LOOK: Duration = Duration::from_secs(10);
/// From the first try to the second; doubles with each.
const PAUSE: Duration = Duration::from_secs(1);
/// Tries for one event, until one was given up: then one for each.
const TRIES: u32 = 5;

/// Sends what happens, until the controls end.
pub fn keep(camera: &Camera) {
    let Ok(controls) = controls::of(camera) else { return };
    let events = controls.events();
    let (mut seen, mut tries) = (events.seq(), TRIES);
    let address = || camera.state().settings.config.camera.web_hook.clone();
    while !events.is_stopped() {
        if address().is_none() {
            camera.state().network.web_hook = None;
            std::thread::sleep(LOOK);
            seen = events.seq();
            continue;
        }
        for event in events.after(seen, LOOK, &|| !events.is_stopped()).events {
            seen = event.seq;
            let document = document(camera, &json!(event));
            let mut pause = PAUSE;
            for left in (0..tries).rev() {
                let Some(address) = address() else { break };
                let why = match post(&address.0, &document) {
                    Delivery::Taken => {
                        tries = TRIES;
                        camera.state().network.web_hook = None;
                        break;
                    }
                    Delivery::Later(_) if left > 0 && !events.is_stopped() => {
                        std::thread::sleep(pause);
                        pause *= 2;
                        continue;
                    }
                    Delivery::Later(why) | Delivery::Never(why) => why,
                };
                log::warn!("the web hook rejected an event: {why}");
                camera.state().network.web_hook = Some(why);
                tries = 1;
                break;
            }
        }
    }
}

/// What is sent.
fn document(camera: &Camera, event: &Value) -> String {
    json!({ "camera": host_name::host_name(camera), "event": event }).to_string()
}

/// Sends a test event once, to an address or to the one that is set. `None`: it was taken; else why
/// not.
///
/// # Errors
/// [`SettingsError`] where the address is none.
pub fn test(camera: &Camera, address: Option<String>) -> Result<Option<String>, SettingsError> {
    let wrong =
        |reason: String| SettingsError::Field { field: "camera.web_hook".to_owned(), reason };
    let address = match address.filter(|given| given != MASK) {
        Some(given) => Some(WebHook::try_from(given).map_err(wrong)?),
        None => camera.state().settings.config.camera.web_hook.clone(),
    };
    let address = address.ok_or_else(|| wrong("expected a host name or an address".to_owned()))?;
    let (at, uptime) = (host::clock(), host::uptime_seconds());
    let event = json!({ "seq": 0, "kind": "test", "at": at, "uptime_seconds": uptime });
    Ok(match post(&address.0, &document(camera, &event)) {
        Delivery::Taken => None,
        Delivery::Later(why) | Delivery::Never(why) => Some(why),
    })
}
