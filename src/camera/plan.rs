//! The restart that an owner has planned: at a time of his own, on one day of the week or on
//! all. Once a day at most, never while something goes on that it would cut off, and never by a
//! clock that is not set.

use std::sync::Arc;
use std::time::Duration;

use super::{Camera, Source, power};
use crate::base::host;
use crate::card::file::{make_dir, read_bounded, replace};
use crate::machine::Updates;
use crate::network::zone;
use crate::settings::restart::{DAY, Watch};

/// How often it is looked.
const LOOK: Duration = Duration::from_secs(5);

/// Looks after the plan, and after the vendor's updater, for ever.
pub fn keep(camera: &Arc<Camera>) {
    let (mut watch, mut updates, mut said) = (Watch::default(), Updates::default(), String::new());
    loop {
        let config = camera.state().settings.config.camera.clone();
        // The programs of a simulated camera are the PC's own.
        if matches!(camera.source(), Source::Device) {
            let problem = updates.look(config.hold_updates, &Updates::is_it);
            camera.state().network.updates_problem = problem;
        }
        let utc = host::seconds().and_then(|now| i32::try_from(now - zone::BEGIN).ok());
        let local = utc.map(|utc| utc + zone::offset(&config.time_zone.0, utc));
        if watch.is_due(config.reboot.as_ref(), local) {
            let said_now = match go(camera, local.unwrap_or_default() / DAY) {
                Ok(()) => String::new(),
                Err(reason) => reason,
            };
            if said != said_now && !said_now.is_empty() {
                log::warn!("the scheduled restart waits: {said_now}");
            }
            said = said_now;
        }
        std::thread::sleep(LOOK);
    }
}

/// Restarts, where that cuts nothing off and it was not done on this day already.
fn go(camera: &Arc<Camera>, day: i32) -> Result<(), String> {
    drop(camera.quiet().map_err(|busy| busy.step)?);
    let (folder, day) = (camera.card().state_dir(), format!("{day}\n"));
    let note = folder.join("planned-restart");
    if read_bounded(&note, 32).is_ok_and(|done| done == day.as_bytes()) {
        return Ok(());
    }
    // Without the note it could be done again and again.
    make_dir(&folder).and_then(|()| replace(&note, day.as_bytes())).map_err(|e| e.to_string())?;
    log::warn!("the scheduled restart begins");
    power::restart(camera).map_err(|e| e.to_string())
}
