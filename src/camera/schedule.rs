//! The table of times at work: what is due is done, and tried again while something is in its way.
//! Nothing by a clock that is not set, and no restart while something continues that it would cut
//! off. What is due is decided in [`crate::settings::due`].

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::job::JobKind;
use super::motors::Ask;
use super::{Camera, Hardware, controls, motors, patrol, power};
use crate::base::host;
use crate::card::CardError;
use crate::card::file::{make_dir, read_bounded, replace};
use crate::controls::{Controls, Id, Value};
use crate::error::chain;
use crate::machine::Updates;
use crate::network::zone;
use crate::settings::due::{Due, Watch};
use crate::settings::schedule::{Deed, Entry, next};

/// How often it is looked, and how often while the camera is on patrol.
const LOOK: Duration = Duration::from_secs(5);
const STEP: Duration = Duration::from_secs(1);
/// What a later start must know, in the card's folder of states.
const NOTE: &str = "schedule";

/// A line of the table.
#[derive(Clone, Debug, Serialize)]
pub struct Time {
    /// As it is in `config.toml`.
    entry: String,
    /// UTC of its next time; null where the clock is not set.
    next: Option<String>,
    /// The same in the camera's zone, without a mark of the zone.
    local: Option<String>,
}

/// Seconds of UTC since the beginning of 2026, if the clock is set.
fn utc() -> Option<i32> {
    host::seconds().and_then(|now| i32::try_from(now - zone::BEGIN).ok())
}

/// The table, with the next time of each line.
pub fn list(camera: &Camera) -> Vec<Time> {
    let config = camera.state().settings.config.camera.clone();
    let (zone, now) = (config.time_zone.0.as_str(), utc());
    let text = |moment: i32| host::utc(zone::BEGIN + u64::try_from(moment).unwrap_or_default());
    let time = |entry: Entry| {
        let next = now.and_then(|now| next(zone, &entry, now));
        let local = next.map(|next| text(next + zone::offset(zone, next)));
        let local = local.map(|text| text.trim_end_matches('Z').to_owned());
        Time { entry: entry.0, next: next.map(text), local }
    };
    config.times().into_iter().map(time).collect()
}

/// Runs the table, a patrol, and the vendor's updater, forever.
pub fn keep(camera: &Arc<Camera>) {
    let note = read_bounded(&camera.card().state_dir().join(NOTE), 256).unwrap_or_default();
    let mut watch = Watch::new(&String::from_utf8_lossy(&note));
    let mut noted = watch.note();
    let (mut updates, mut said) = (Updates::default(), String::new());
    loop {
        let config = camera.state().settings.config.camera.clone();
        // The programs of a simulated camera are the PC's own.
        if matches!(camera.hardware(), Hardware::Device) {
            let problem = updates.look(config.hold_updates, &Updates::is_it);
            camera.state().network.updates_problem = problem;
        }
        let mut trouble = String::new();
        let held = |id: &str| held(camera, id);
        // Uninstalled: nothing is done any more, and nothing is left on the card.
        let is_over = controls::of(camera).is_ok_and(Controls::is_closed);
        let times = if is_over { Vec::new() } else { config.times() };
        for due in watch.look(&config.time_zone.0, &times, utc(), &held) {
            match act(camera, due, &watch) {
                Ok(()) => watch.done(due),
                Err(reason) => trouble = format!("{}: {reason}", due.1.words()),
            }
        }
        let now = watch.note();
        if now != noted {
            match keep_note(camera, &now) {
                Ok(()) => noted = now,
                Err(e) => trouble = chain(&e),
            }
        }
        if said != trouble && !trouble.is_empty() {
            log::warn!("the schedule waits: {trouble}");
        }
        said = trouble;
        std::thread::sleep(if patrol::go_on(camera) { STEP } else { LOOK });
    }
}

fn held(camera: &Camera, id: &str) -> Option<&'static str> {
    match controls::of(camera).ok()?.value(Id::of(id)?)? {
        Value::On(on) => Some(if on { "on" } else { "off" }),
        Value::Word(word) => Some(word),
        _ => None,
    }
}

fn keep_note(camera: &Camera, note: &str) -> Result<(), CardError> {
    let folder = camera.card().state_dir();
    camera.card().require_writable()?;
    make_dir(&folder).and_then(|()| replace(&folder.join(NOTE), note.as_bytes()))
}

/// Does what is due. Nothing during a flash: mortoxd would write to DATA, and motors and filter draw
/// power. It is due again until its patience is over.
///
/// # Errors
/// What is in the way.
pub fn act(camera: &Arc<Camera>, due: Due, watch: &Watch) -> Result<(), String> {
    let flash =
        camera.jobs().running().filter(|job| matches!(job.kind, JobKind::Flash | JobKind::Restore));
    if let Some(flash) = flash {
        return Err(flash.step);
    }
    match due.1 {
        Deed::Set(id, word) => {
            let controls = controls::of(camera).map_err(|e| chain(&e))?;
            let value = match word {
                "on" | "off" => Value::On(word == "on"),
                word => Value::Word(word),
            };
            let id = Id::of(id).ok_or("no such control")?;
            controls.put(id, value).map_err(|e| chain(&e))?;
        }
        Deed::Preset(id) => {
            motors::by_schedule(camera, Ask::Preset(id)).map_err(|e| chain(&e))?;
        }
        Deed::Restart => {
            // Held until the restart: no job begins between the note and the restart.
            let quiet = camera.quiet().map_err(|busy| busy.step)?;
            // Without the note it could be done again and again.
            let mut after = watch.clone();
            after.done(due);
            keep_note(camera, &after.note()).map_err(|e| chain(&e))?;
            log::warn!("the scheduled restart begins");
            power::begin(camera, quiet).map_err(|e| chain(&e))?;
        }
    }
    log::info!("by the schedule: {}", due.1.words());
    Ok(())
}
