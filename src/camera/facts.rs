//! The facts of this camera's firmware: gathered once for each firmware, when the start is over,
//! and kept on the card and for the page. What they are is in [`crate::facts`].

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use thiserror::Error;

use super::{Camera, Hardware, controls, video};
use crate::card::file::{make_dir, read_bounded, rename, replace};
use crate::card::{CardError, CardState, claim};
use crate::error::{Chain, Code, Exit, Explain};
use crate::facts::machine::Root;
use crate::facts::{FORMAT, FirmwareFacts, Inquiry, flash, scrub, text};
use crate::sys;

/// The file, in `mi360d/logs/`.
pub const FILE: &str = "facts.txt";
/// Where a PC's program finds the firmware's files, instead of at `/`.
const FIRMWARE: &str = "MI360D_FIRMWARE";
/// When the machine is read while it starts, in seconds.
const MOMENTS: [u64; 3] = [0, 5, 30];
/// How often it is looked whether the file is still on the card.
const LOOK: Duration = Duration::from_secs(20);
/// How often it is looked whether it can be gathered.
const SOON: Duration = Duration::from_secs(1);
/// How the RTSP server's words begin for frames that it cannot read.
const NOT_UNDERSTOOD: &str = "not understood";
/// Bytes of the file that are read.
const LIMIT: u64 = 0x4_0000;

/// The facts are not there.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FactsError {
    /// The camera has only just started.
    #[error("the facts of this firmware are not collected yet")]
    NotYet,
}

impl Explain for FactsError {
    fn code(&self) -> Code {
        Code::NotYet
    }

    fn hint(&self) -> String {
        "They are collected after the first backup. Try again in a few minutes.".to_owned()
    }

    fn exit(&self) -> Exit {
        Exit::Refused
    }
}

/// Gathers them now. Reads only.
pub fn gather(camera: &Camera) -> FirmwareFacts {
    let root = root(camera);
    let mut secrets = flash::secrets(camera.chip());
    if let Some(root) = &root {
        root.add_secrets(&mut secrets);
    }
    let mut machine = root.as_ref().map(Root::machine);
    if let Some(machine) = &mut machine {
        machine.services.extend(frames(camera));
    }
    let mut facts = FirmwareFacts {
        format: FORMAT,
        program: env!("CARGO_PKG_VERSION").to_owned(),
        firmware: flash::firmware(camera.chip()),
        model: camera.model(&camera.judge_identity()),
        simulated: matches!(camera.hardware(), Hardware::Simulated { .. }),
        start: camera.facts().inner().start.clone(),
        machine,
        flash: flash::of(camera.chip()),
    };
    if let (Some(machine), Ok(controls)) = (&mut facts.machine, controls::of(camera)) {
        let answers = controls.facts().into_iter();
        machine
            .services
            .extend(answers.map(|(id, answer)| Inquiry { name: format!("control {id}"), answer }));
    }
    scrub::clean(&facts, &secrets)
}

/// How far the RTSP server is with the firmware's own frames: what it did not understand, it says
/// why. Nothing where it does not run.
fn frames(camera: &Camera) -> Vec<Inquiry> {
    let Some(server) = video::document(camera).server else { return Vec::new() };
    let streams = server.get("streams").and_then(Value::as_array).into_iter().flatten();
    let streams = streams.map(|stream| {
        let name = stream.get("name").and_then(Value::as_str).unwrap_or_default();
        (format!("frames of {name}"), stream.get("firmware"))
    });
    let others =
        [("sound", "/sound/firmware"), ("snapshots", "/snapshots"), ("speaker", "/speaker")];
    let others =
        others.iter().map(|(name, at)| (format!("frames of the {name}"), server.pointer(at)));
    let words = streams.chain(others).filter_map(|(name, words)| Some((name, words?.as_str()?)));
    words.map(|(name, answer)| Inquiry { name, answer: answer.to_owned() }).collect()
}

/// The text for the page.
///
/// # Errors
/// [`FactsError::NotYet`].
pub fn shown(camera: &Camera) -> Result<String, FactsError> {
    camera.facts().inner().text.clone().ok_or(FactsError::NotYet)
}

fn root(camera: &Camera) -> Option<Root> {
    match camera.hardware() {
        Hardware::Device => Some(Root(PathBuf::from("/"))),
        Hardware::Simulated { .. } => std::env::var_os(FIRMWARE).map(|dir| Root(dir.into())),
    }
}

/// Looks at the start, gathers the facts when it is over and nothing else is done, and keeps the
/// file on the card. For a thread of its own.
pub fn keep(camera: &Arc<Camera>) {
    sys::process::lower_priority();
    observe(camera);
    let firmware = flash::firmware(camera.chip());
    loop {
        let quiet = camera.jobs().running().is_none() && !claim::is_claimed();
        let mut pause = SOON;
        if quiet && matches!(camera.card().state(), CardState::Ready { .. }) {
            pause = LOOK;
            if let Err(e) = keep_once(camera, &firmware) {
                log::warn!("{FILE} cannot be saved: {e}", e = Chain(&e));
            }
        }
        std::thread::sleep(pause);
    }
}

fn keep_once(camera: &Camera, firmware: &str) -> Result<(), CardError> {
    let folder = camera.card().logs();
    let path = folder.join(FILE);
    let there = read_bounded(&path, LIMIT).ok().map(|b| String::from_utf8_lossy(&b).into_owned());
    let about = there.as_deref().and_then(text::firmware_of).map(str::to_owned);
    // What was not understood may be known only once the RTSP server was switched on.
    let new = frames(camera).into_iter().find(|frames| {
        let known = || there.as_deref().unwrap_or_default().contains(&frames.answer);
        frames.answer.starts_with(NOT_UNDERSTOOD) && !known()
    });
    // Each reason is a reason once: what is kept may differ in words.
    let new = new.map(|frames| frames.answer);
    let new = new.filter(|reason| camera.facts().inner().reason.as_ref() != Some(reason));
    if new.is_some() {
        camera.facts().inner().reason.clone_from(&new);
    }
    if about.as_deref() == Some(firmware) && new.is_none() {
        // By an earlier start; the page shows that one.
        let mut known = camera.facts().inner();
        if known.text.is_none() {
            known.text = there;
        }
        return Ok(());
    }
    let gathered = camera.facts().inner().text.clone().filter(|_| new.is_none());
    let words = gathered.unwrap_or_else(|| text::of(&gather(camera)));
    camera.facts().inner().text = Some(words.clone());
    make_dir(&folder)?;
    if let Some(other) = about.filter(|about| about != firmware) {
        // Of another firmware: that may be the only one of its kind.
        rename(&path, &kept_name(&folder, &other))?;
    }
    replace(&path, words.as_bytes())?;
    log::debug!("the facts of firmware {firmware} are in logs/{FILE}");
    Ok(())
}

fn kept_name(folder: &Path, firmware: &str) -> PathBuf {
    folder.join(format!("facts-{firmware}.txt"))
}

/// Looks at the machine while it starts.
fn observe(camera: &Camera) {
    let Some(root) = root(camera) else { return };
    let began = Instant::now();
    for seconds in MOMENTS {
        std::thread::sleep(Duration::from_secs(seconds).saturating_sub(began.elapsed()));
        let moment = root.moment(seconds);
        camera.facts().inner().start.push(moment);
    }
}
