//! A DATA from elsewhere takes the WiFi settings with it: they go through CONFIG, as the stock
//! updater lets them.

use super::conditions::not_compared;
use super::ownership::is_own_set;
use crate::chip::{Partition, Role};
use crate::flash::facts::{Compared, Facts};
use crate::flash::request::PlanRequest;
use crate::formats::flsh;
use crate::image::Finding;

/// Whether the WiFi settings in DATA matter: DATA changes and is not this camera's own, and no
/// CONFIG was chosen.
pub fn needs_settings(compared: &Compared, request: &PlanRequest) -> bool {
    compared.changes_data()
        && compared.plan(Role::Config).is_none()
        && !is_own_set(compared, request)
}

/// The settings that are carried over in CONFIG, and what is to be said of it.
pub fn carry<'a>(facts: &'a Facts, request: &PlanRequest) -> (Option<&'a [u8]>, Option<Finding>) {
    let settings = facts.settings.as_ref().filter(|_| needs_settings(&facts.compared, request));
    let Some(settings) = settings else { return (None, None) };
    if !settings.is_wanted {
        return (None, Some(lost("config.toml says not to keep them")));
    }
    let Some(nvram) = settings.nvram.as_deref() else {
        return (None, facts.is_device.then(|| lost("they cannot be read")));
    };
    let Some(config) = &settings.config else { return (None, None) };
    if !fits(&config.part, nvram) {
        return (None, Some(lost("they are not in the form that CONFIG needs")));
    }
    if config.plan.is_none() {
        return (None, Some(not_compared(config)));
    }
    let note = Finding::note(
        "wifi-carried",
        "The WiFi settings in DATA are kept through CONFIG, as the stock updater does.",
    );
    (Some(nvram), Some(note.of("CONFIG")))
}

/// Whether settings are in the form that CONFIG takes.
pub fn fits(config: &Partition, nvram: &[u8]) -> bool {
    nvram.len() <= config.size as usize && flsh::parse(nvram).is_ok()
}

fn lost(why: &str) -> Finding {
    Finding::warning(
        "wifi-not-carried",
        format!(
            "the WiFi settings are in DATA, and {why}: the camera will not be on the network \
             afterwards"
        ),
    )
    .of("DATA")
    .hint("Pair the camera again with the app, or put the settings on the card.")
}
