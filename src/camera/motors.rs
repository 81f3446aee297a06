//! The motors of this camera: by devicekit's own keys where the firmware has them, else by the
//! original's motord. What the page, MQTT and ONVIF ask for comes here.

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use super::turn::MotorError;
use super::{Camera, controls, patrol, services, sounds, turn};
use crate::controls::motors::{Aim, LONGEST, Motors};
use crate::controls::patrol::Patrol;
use crate::controls::presets::Preset;
use crate::controls::{ControlError, Controls};
use crate::error::chain;
use crate::services::ptz::{self, Direction, STEPS, Steps, Wish};
use crate::vendor::mortox::pace::{CALIBRATES, MOVES};
use crate::vendor::mortox::shared::BusError;

/// One of motord's steps, in ms of devicekit's moves: 146 of them are the whole way.
const STEP_MS: u64 = 45;

/// The body of `POST /api/v1/ptz`: exactly one of these.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
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
    Goto(Aim),
    /// Straight to a preset.
    Preset(u32),
    /// Straight to the preset that is home.
    Home(bool),
    /// To both ends and to the middle.
    Calibrate(bool),
    /// From preset to preset, until somebody else moves the camera.
    Patrol {
        /// Their numbers; none: all.
        #[serde(default)]
        presets: Vec<u32>,
        /// Seconds at each, 5 to 3600.
        pause: u16,
    },
    /// Ends a move, and a patrol.
    Stop(bool),
}

/// `GET /api/v1/ptz`.
#[allow(clippy::struct_excessive_bools)] // the API's own form
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MotorsView {
    /// Whether the motors can be asked.
    pub available: bool,
    /// Why not.
    pub reason: Option<String>,
    /// Whether they can be asked for a place, and not only to move.
    pub absolute: bool,
    /// Where the camera looks.
    pub position: Option<Aim>,
    /// Whether a motor runs.
    pub moving: bool,
    /// Whether the last move ran into an end.
    pub at_end: bool,
    /// Whether it is on patrol.
    pub patrol: bool,
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
    pub at: Option<Aim>,
    /// Whether it is home.
    #[serde(default)]
    pub home: bool,
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
pub fn document(camera: &Camera) -> MotorsView {
    let presets = controls::of(camera).map(|controls| controls.presets().all().to_vec());
    let empty = MotorsView {
        available: false,
        reason: None,
        absolute: false,
        position: None,
        moving: false,
        at_end: false,
        patrol: false,
        presets: presets.unwrap_or_default(),
    };
    let patrol = controls::of(camera).is_ok_and(|controls| controls.patrol().is_some());
    match controls::of(camera).and_then(Controls::motors) {
        Ok(motors) => {
            let motion = motors.motion();
            MotorsView {
                available: true,
                absolute: true,
                position: motion.position,
                moving: motion.moving,
                at_end: motion.refused,
                patrol,
                ..empty
            }
        }
        Err(_) if has_motord(camera) => MotorsView { available: true, ..empty },
        Err(e) => MotorsView { reason: Some(chain(&e)), ..empty },
    }
}

/// Does what was asked by a person. A move that comes too soon ends a patrol all the same: the next
/// try finds the motors free.
///
/// # Errors
/// [`MotorError`].
pub fn ask(camera: &Camera, ask: Ask) -> Result<MotorsView, MotorError> {
    move_by(camera, ask, true)
}

/// The same by the schedule: nobody waits for it, so a patrol goes on where it is refused.
///
/// # Errors
/// [`MotorError`].
pub fn by_schedule(camera: &Camera, ask: Ask) -> Result<MotorsView, MotorError> {
    move_by(camera, ask, false)
}

fn move_by(camera: &Camera, ask: Ask, by_hand: bool) -> Result<MotorsView, MotorError> {
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
    // Held until the move has begun: no step of a patrol comes after it.
    let mut patrolling = controls.patrol();
    if matches!(ask, Ask::Home(false) | Ask::Calibrate(false) | Ask::Stop(false)) {
        drop(patrolling);
        return Ok(document(camera));
    }
    let before = patrolling.take();
    let done = act(camera, controls, motors, ask, &mut patrolling);
    if let Err(error) = done {
        let too_soon =
            matches!(error, MotorError::Control(ControlError::Bus(BusError::TooSoon(_))));
        if !(too_soon && by_hand) {
            *patrolling = before;
        }
        return Err(error);
    }
    drop(patrolling);
    Ok(document(camera))
}

/// Begins a move; `patrolling` is where a new patrol goes.
fn act(
    camera: &Camera,
    controls: &Controls,
    motors: &Motors,
    ask: Ask,
    patrolling: &mut Option<Patrol>,
) -> Result<(), MotorError> {
    let preset = |place: Option<Aim>| place.ok_or(MotorError::NoPreset);
    match ask {
        Ask::Move { pan, tilt, ms } => {
            let time = Duration::from_millis(ms.into());
            turn::muted(camera, time + MOVES, &|| motors.push(pan.into(), tilt.into(), time))?;
        }
        Ask::Goto(place) => turn::go(camera, motors, place)?,
        Ask::Preset(id) => turn::go(camera, motors, preset(turn::place(controls, id))?)?,
        Ask::Home(true) => {
            let home = controls.presets().home().map(|preset| preset.at);
            turn::go(camera, motors, preset(home)?)?;
        }
        Ask::Patrol { presets, pause } => {
            *patrolling = Some(patrol::new(controls, presets, pause)?);
            patrol::step(camera, controls, motors, patrolling)?;
        }
        Ask::Calibrate(true) => turn::muted(camera, CALIBRATES, &|| motors.calibrate())?,
        Ask::Stop(true) => motors.stop(),
        Ask::Home(false) | Ask::Calibrate(false) | Ask::Stop(false) => {}
    }
    Ok(())
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
        Ask::Goto(_) | Ask::Preset(_) | Ask::Home(true) | Ask::Patrol { .. } => {
            return Err(MotorError::NoPosition);
        }
    };
    sounds::move_camera(camera, wish)?;
    Ok(())
}

/// A wish in motord's words, as earlier versions took it.
///
/// # Errors
/// [`MotorError`].
pub fn wish(camera: &Camera, wish: Wish) -> Result<MotorsView, MotorError> {
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
