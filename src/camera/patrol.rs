//! The patrol: its presets, and its steps. The thread of [`super::schedule`] continues it,
//! and [`super::motors`] ends it when somebody else moves the camera.

use std::time::{Duration, Instant};

use super::turn::{MotorError, go, place};
use super::{Camera, controls};
use crate::controls::motors::Motors;
use crate::controls::patrol::Patrol;
use crate::controls::{ControlError, Controls};
use crate::error::chain;
use crate::vendor::mortox::shared::BusError;

/// A patrol over these presets, or all.
///
/// # Errors
/// [`MotorError`] where one is not there, or a number is out of range.
pub(super) fn new(
    controls: &Controls,
    mut presets: Vec<u32>,
    pause: u16,
) -> Result<Patrol, MotorError> {
    if presets.is_empty() {
        presets = controls.presets().all().iter().map(|preset| preset.id).collect();
    }
    if !(2..=32).contains(&presets.len()) || !(5..=3600).contains(&pause) {
        return Err(MotorError::Range(
            "'patrol' takes 2 to 32 presets, and a pause from 5 to 3600 seconds",
        ));
    }
    if presets.iter().any(|id| place(controls, *id).is_none()) {
        return Err(MotorError::NoPreset);
    }
    Ok(Patrol::new(presets, Duration::from_secs(pause.into()), Instant::now()))
}

/// The next step of a patrol, if it is due. A step that is too early is due again; while the camera
/// is off the patrol pauses.
///
/// # Errors
/// [`MotorError`]; the patrol has ended then.
pub(super) fn step(
    camera: &Camera,
    controls: &Controls,
    motors: &Motors,
    patrol: &mut Option<Patrol>,
) -> Result<(), MotorError> {
    let Some(now) = patrol else { return Ok(()) };
    let due = now.due(motors.motion().moving, Instant::now());
    let Some(id) = due.filter(|_| !controls.is_off()) else { return Ok(()) };
    let Some(place) = place(controls, id) else {
        if !now.forget(id) {
            *patrol = None;
        }
        return Ok(());
    };
    match go(camera, motors, place) {
        Ok(()) => now.went(Instant::now()),
        Err(MotorError::Control(ControlError::Bus(BusError::TooSoon(_) | BusError::Away))) => {}
        Err(e) => {
            *patrol = None;
            return Err(e);
        }
    }
    Ok(())
}

/// Goes on with the patrol; whether there is one.
pub fn go_on(camera: &Camera) -> bool {
    let Ok(controls) = controls::of(camera) else { return false };
    let mut patrol = controls.patrol();
    if let Ok(motors) = controls.motors()
        && let Err(e) = step(camera, controls, motors, &mut patrol)
    {
        log::warn!("the patrol ends: {}", chain(&e));
    }
    patrol.is_some()
}
