//! A single move of the camera, while nothing is played, and why there is none. What is asked for
//! is in [`super::motors`].

use std::time::Duration;

use thiserror::Error;

use super::{Camera, video};
use crate::controls::motors::{Aim, Motors};
use crate::controls::presets::PresetError;
use crate::controls::{ControlError, Controls};
use crate::error::{Chain, Code, Exit, Explain, FailureKind};
use crate::rtsp::client;
use crate::services::ServiceError;
use crate::vendor::mortox::pace::{MOVES, TRAVELS};
use crate::vendor::mortox::shared::BusError;

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

    fn kind(&self) -> FailureKind {
        match self {
            MotorError::Control(e) => e.kind(),
            MotorError::Service(e) => e.kind(),
            MotorError::Preset(PresetError::Card(e)) => e.kind(),
            MotorError::Preset(PresetError::Name) | MotorError::Range(_) => FailureKind::Invalid,
            MotorError::NoPreset => FailureKind::Missing,
            MotorError::Preset(PresetError::TooMany) | MotorError::NoPosition => {
                FailureKind::Refused
            }
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

/// Where a preset is.
pub(super) fn place(controls: &Controls, id: u32) -> Option<Aim> {
    controls.presets().get(id).map(|preset| preset.at)
}

/// Moves straight to a place.
///
/// # Errors
/// [`MotorError`]; too soon after the last move, for example.
pub(super) fn go(camera: &Camera, motors: &Motors, place: Aim) -> Result<(), MotorError> {
    let position = place.position();
    let position = position.ok_or(MotorError::Range("pan and tilt are 0 to 100"))?;
    muted(camera, TRAVELS, &|| motors.go(position))
}

/// Moves the camera while nothing is played. A move that is refused mutes the speaker for a moment
/// only.
///
/// # Errors
/// [`MotorError`] of the move.
pub(super) fn muted(
    camera: &Camera,
    lasts: Duration,
    begin: &dyn Fn() -> Result<(), BusError>,
) -> Result<(), MotorError> {
    mute(camera, lasts.min(MOVES));
    begin().map_err(ControlError::from)?;
    mute(camera, lasts);
    Ok(())
}

/// Nothing is played for so long.
fn mute(camera: &Camera, lasts: Duration) {
    if !lasts.is_zero()
        && let Err(error) = client::motors(video::port(camera), lasts)
    {
        // Where no server runs, nobody speaks.
        log::debug!("the speaker: {error}", error = Chain(&error));
    }
}
