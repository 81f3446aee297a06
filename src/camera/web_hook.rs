//! The owner's web hook: each event of the camera as one POST ([`crate::network::web_hook`]). Off
//! while no address is set.

use std::time::Duration;

use serde_json::json;

use super::{Camera, controls, host_name};
use crate::network::web_hook::{Outcome, post};

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
            std::thread::sleep(LOOK);
            seen = events.seq();
            continue;
        }
        for event in events.awaited(seen, LOOK, &|| !events.is_stopped()).events {
            seen = event.seq;
            let document = json!({ "camera": host_name::host_name(camera), "event": event });
            let mut pause = PAUSE;
            for left in (0..tries).rev() {
                let Some(address) = address() else { break };
                let why = match post(&address.0, &document.to_string()) {
                    Outcome::Taken => {
                        tries = TRIES;
                        break;
                    }
                    Outcome::Later(_) if left > 0 && !events.is_stopped() => {
                        std::thread::sleep(pause);
                        pause *= 2;
                        continue;
                    }
                    Outcome::Later(why) | Outcome::Never(why) => why,
                };
                log::warn!("the web hook rejected an event: {why}");
                tries = 1;
                break;
            }
        }
    }
}
