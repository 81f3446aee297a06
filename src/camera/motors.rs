//! The motors of this camera: by devicekit's own keys where the firmware has them, else by the
//! original's motord. What the page, MQTT and ONVIF ask for comes here.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{Camera, controls, services, sounds, video};
use crate::controls::motors::{LONGEST, Place};
use crate::controls::presets::{Preset, PresetError};
use crate::controls::{ControlError, Controls};
use crate::error::{Code, Exit, Explain, Kind};
use crate::rtsp::client;
use crate::services::ServiceError;
use crate::services::ptz::{self, Direction, STEPS, Steps, Wish};
use crate::vendor::mortox::bus::BusError;
use crate::vendor::mortox::pace::{CALIBRATES, MOVES, TRAVELS};

/// One of motord's steps, in ms of devicekit's moves: 146 of them are the whole way.
const STEP_MS: u64 = 45;

/// The body of `POST /api/v1/ptz`: exactly one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Ask {
    /// A move for some time; one axis, the larger one.
    Move {
        /// -100 to 100; right is positive.
        #[serde(default)]
        pan: i8,
        /// -100 to 100; up is positive.
        #[serde(default)]
        tilt: i8,
        /// 1 to 10,000 ms.
        ms: u16,
    },
    /// Straight to a place.
    Goto(Place),
    /// Straight to a preset.
    Preset(u32),
    /// Straight to the preset that is home.
    Home(bool),
    /// To both ends and to the middle.
    Calibrate(bool),
    /// Ends a move.
    Stop(bool),
}

/// `GET /api/v1/ptz`.
#[allow(clippy::struct_excessive_bools)] // the API's own form
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Document {
    /// Whether the motors can be asked.
    pub available: bool,
    /// Why not.
    pub reason: Option<String>,
    /// Whether they can be asked for a place, and not only to move.
    pub absolute: bool,
    /// Where the camera looks.
    pub position: Option<Place>,
    /// Whether a motor runs.
    pub moving: bool,
    /// Whether the last move ran into an end.
    pub at_end: bool,
    /// Positions with names.
    pub presets: Vec<Preset>,
}

/// The body of `POST /api/v1/ptz/presets`: without a place, where the camera looks now.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewPreset {
    /// What it is called.
    pub name: String,
    /// Where it is.
    #[serde(default)]
    pub at: Option<Place>,
    /// Whether it is home.
    #[serde(default)]
    pub home: bool,
}

/// Why the motors do not do it.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum MotorError {
    /// The firmware's side.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// motord's side.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// The presets' file.
    #[error(transparent)]
    Preset(#[from] PresetError),
    /// There is no such preset.
    #[error("this preset does not exist")]
    NoPreset,
    /// Nothing is known of where the camera looks.
    #[error("the camera has not reported its position yet")]
    NoPosition,
    /// A number is out of range.
    #[error("{0}")]
    Range(&'static str),
}

impl Explain for MotorError {
    fn code(&self) -> Code {
        match self {
            MotorError::Control(e) => e.code(),
            MotorError::Service(e) => e.code(),
            MotorError::Preset(PresetError::Card(e)) => e.code(),
            MotorError::Preset(PresetError::TooMany) => Code::TooManyPresets,
            MotorError::Preset(PresetError::Name) => Code::PresetName,
            MotorError::NoPreset => Code::NoSuchPreset,
            MotorError::NoPosition => Code::NoPosition,
            MotorError::Range(_) => Code::PtzRange,
        }
    }

    fn hint(&self) -> String {
        match self {
            MotorError::Control(e) => e.hint(),
            MotorError::Service(e) => e.hint(),
            MotorError::Preset(PresetError::Card(e)) => e.hint(),
            MotorError::Preset(PresetError::TooMany) => "Delete a preset first.".to_owned(),
            MotorError::Preset(PresetError::Name) | MotorError::Range(_) => {
                "Nothing was changed. Correct the value.".to_owned()
            }
            MotorError::NoPreset => "GET /api/v1/ptz lists the presets.".to_owned(),
            MotorError::NoPosition => "Move the camera once, then try again.".to_owned(),
        }
    }

    fn kind(&self) -> Kind {
        match self {
            MotorError::Control(e) => e.kind(),
            MotorError::Service(e) => e.kind(),
            MotorError::Preset(PresetError::Card(e)) => e.kind(),
            MotorError::Preset(PresetError::Name) | MotorError::Range(_) => Kind::Invalid,
            MotorError::NoPreset => Kind::Missing,
            MotorError::Preset(PresetError::TooMany) | MotorError::NoPosition => Kind::Refused,
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            MotorError::Control(e) => e.retry_after(),
            _ => None,
        }
    }

    fn exit(&self) -> Exit {
        match self {
            MotorError::Control(e) => e.exit(),
            MotorError::Service(e) => e.exit(),
            _ => Exit::Refused,
        }
    }
}

/// Whether devicekit's motors can be asked.
fn own(camera: &Camera) -> Option<&Controls> {
    controls::of(camera).ok().filter(|controls| controls.motors().is_ok())
}

/// Whether motord runs in their place.
fn has_motord(camera: &Camera) -> bool {
    services::brief(camera).iter().any(|service| service.id == ptz::HACK && service.enabled)
}

/// Whether there are motors that can be asked, one way or the other.
pub fn available(camera: &Camera) -> bool {
    own(camera).is_some() || has_motord(camera)
}

/// What is known of the motors.
pub fn document(camera: &Camera) -> Document {
    let presets = controls::of(camera).map(|controls| controls.presets().all().to_vec());
    let empty = Document {
        available: false,
        reason: None,
        absolute: false,
        position: None,
        moving: false,
        at_end: false,
        presets: presets.unwrap_or_default(),
    };
    match controls::of(camera).and_then(Controls::motors) {
        Ok(motors) => {
            let motion = motors.motion();
            Document {
                available: true,
                absolute: true,
                position: motion.position,
                moving: motion.moving,
                at_end: motion.refused,
                ..empty
            }
        }
        Err(_) if has_motord(camera) => Document { available: true, ..empty },
        Err(e) => Document { reason: Some(e.to_string()), ..empty },
    }
}

/// Does what was asked.
///
/// # Errors
/// [`MotorError`].
pub fn ask(camera: &Camera, ask: Ask) -> Result<Document, MotorError> {
    if let Ask::Move { pan, tilt, ms } = ask {
        let fits = |n: i8| (-100..=100).contains(&n);
        if !fits(pan) || !fits(tilt) || ms == 0 || Duration::from_millis(ms.into()) > LONGEST {
            return Err(MotorError::Range(
                "'move' needs pan and tilt from -100 to 100, and ms from 1 to 10000",
            ));
        }
    }
    let controls = own(camera);
    let Some(controls) = controls else {
        // While it is not known whether devicekit runs, motord must not move as well.
        if controls::of(camera).is_ok_and(|controls| !controls.is_settled()) {
            return Err(ControlError::from(BusError::Away).into());
        }
        if !has_motord(camera) {
            controls::of(camera)?.motors()?;
        }
        by_motord(camera, ask)?;
        return Ok(document(camera));
    };
    let motors = controls.motors()?;
    let go = |place: Place| {
        let position = place.position();
        let position = position.ok_or(MotorError::Range("pan and tilt are 0 to 100"))?;
        motors.go(position).map_err(|e| MotorError::from(ControlError::from(e)))
    };
    let lasts = match ask {
        Ask::Move { ms, .. } => Duration::from_millis(ms.into()) + MOVES,
        Ask::Goto(_) | Ask::Preset(_) | Ask::Home(true) => TRAVELS,
        Ask::Calibrate(true) => CALIBRATES,
        Ask::Stop(_) | Ask::Home(false) | Ask::Calibrate(false) => Duration::ZERO,
    };
    // A move that is refused mutes the speaker for a moment only.
    mute(camera, lasts.min(MOVES));
    match ask {
        Ask::Move { pan, tilt, ms } => motors
            .push(pan.into(), tilt.into(), Duration::from_millis(ms.into()))
            .map_err(ControlError::from)?,
        Ask::Goto(place) => go(place)?,
        Ask::Preset(id) => {
            let place = controls.presets().get(id).map(|preset| preset.at);
            go(place.ok_or(MotorError::NoPreset)?)?;
        }
        Ask::Home(true) => {
            let place = controls.presets().home().map(|preset| preset.at);
            go(place.ok_or(MotorError::NoPreset)?)?;
        }
        Ask::Calibrate(true) => motors.calibrate().map_err(ControlError::from)?,
        Ask::Stop(true) => motors.stop(),
        Ask::Home(false) | Ask::Calibrate(false) | Ask::Stop(false) => {}
    }
    mute(camera, lasts);
    Ok(document(camera))
}

/// Nothing is played for so long.
fn mute(camera: &Camera, lasts: Duration) {
    if !lasts.is_zero()
        && let Err(error) = client::motors(video::port(camera), lasts)
    {
        // Where no server runs, nobody speaks.
        log::debug!("the speaker: {error}");
    }
}

/// motord moves by steps and knows no places.
fn by_motord(camera: &Camera, ask: Ask) -> Result<(), MotorError> {
    let wish = match ask {
        Ask::Move { pan, tilt, ms } => {
            let steps = i64::try_from(u64::from(ms) / STEP_MS).unwrap_or(1);
            let steps = Steps::try_from(steps.clamp(1, STEPS.into()));
            let steps = steps.map_err(|_| MotorError::Range("too far"))?;
            let direction = match (pan, tilt) {
                (0, 0) => return Ok(()),
                (pan, tilt) if pan.unsigned_abs() >= tilt.unsigned_abs() => {
                    if pan < 0 {
                        Direction::Left
                    } else {
                        Direction::Right
                    }
                }
                (_, tilt) => {
                    if tilt < 0 {
                        Direction::Down
                    } else {
                        Direction::Up
                    }
                }
            };
            Wish::Move { direction, steps }
        }
        Ask::Calibrate(true) => Wish::Calibrate,
        Ask::Stop(_) | Ask::Home(false) | Ask::Calibrate(false) => return Ok(()),
        Ask::Goto(_) | Ask::Preset(_) | Ask::Home(true) => return Err(MotorError::NoPosition),
    };
    sounds::move_camera(camera, wish)?;
    Ok(())
}

/// A wish in motord's words, as earlier versions took it.
///
/// # Errors
/// [`MotorError`].
pub fn wish(camera: &Camera, wish: Wish) -> Result<Document, MotorError> {
    let Wish::Move { direction, steps } = wish else { return ask(camera, Ask::Calibrate(true)) };
    if own(camera).is_none() && has_motord(camera) {
        sounds::move_camera(camera, wish)?;
        return Ok(document(camera));
    }
    let (pan, tilt) = match direction {
        Direction::Left => (-1, 0),
        Direction::Right => (1, 0),
        Direction::Up => (0, 1),
        Direction::Down => (0, -1),
    };
    let ms = (u64::from(steps.count()) * STEP_MS).clamp(1, 10_000) as u16;
    ask(camera, Ask::Move { pan, tilt, ms })
}

/// Keeps a preset.
///
/// # Errors
/// [`MotorError`].
pub fn keep(camera: &Camera, id: Option<u32>, new: &NewPreset) -> Result<Preset, MotorError> {
    let controls = controls::of(camera)?;
    let at = match new.at {
        Some(place) => place,
        None => controls.motors()?.motion().position.ok_or(MotorError::NoPosition)?,
    };
    if at.position().is_none() {
        return Err(MotorError::Range("pan and tilt are 0 to 100"));
    }
    Ok(controls.presets().keep(id, &new.name, at, new.home)?)
}

/// Deletes a preset.
///
/// # Errors
/// [`MotorError`].
pub fn forget(camera: &Camera, id: u32) -> Result<(), MotorError> {
    let deleted = controls::of(camera)?.presets().delete(id)?;
    if deleted { Ok(()) } else { Err(MotorError::NoPreset) }
}
