//! Errors of the controls: reasons why a control was not changed.

use std::time::Duration;

use thiserror::Error;

use crate::card::CardError;
use crate::error::{Code, Exit, Explain, FailureKind};
use crate::vendor::av::AvError;
use crate::vendor::mortox::shared::BusError;

/// Why a control was not changed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ControlError {
    /// There is no such control.
    #[error("the control '{0}' does not exist")]
    Unknown(String),
    /// This camera's firmware does not have it.
    #[error("this camera does not have '{id}': {reason}")]
    Absent {
        /// The control.
        id: &'static str,
        /// Why.
        reason: String,
    },
    /// The value is none that it takes.
    #[error("'{id}': {expected}")]
    Invalid {
        /// The control.
        id: &'static str,
        /// What it takes.
        expected: String,
    },
    /// The value that is set now is not known, so it could not be put back.
    #[error("'{id}' has a value that mi360d does not know, so it could not be put back")]
    NotUnderstood {
        /// The control.
        id: &'static str,
    },
    /// Privacy: the camera makes no pictures.
    #[error("the camera is switched off")]
    Off,
    /// mi360d was uninstalled, and everything put back.
    #[error("mi360d was uninstalled")]
    Uninstalled,
    /// Nothing was started yet: safe mode, or an interrupted flash.
    #[error("the controls have not started")]
    NotStarted,
    /// The bus.
    #[error(transparent)]
    Bus(#[from] BusError),
    /// fetch_av.
    #[error(transparent)]
    Av(#[from] AvError),
    /// The card: what was before could not be kept.
    #[error("the present value could not be saved to the card first")]
    Card(#[from] CardError),
}

impl Explain for ControlError {
    fn code(&self) -> Code {
        match self {
            ControlError::Unknown(_) => Code::NoSuchControl,
            ControlError::Absent { .. } => Code::ControlAbsent,
            ControlError::Invalid { .. } => Code::ControlValue,
            ControlError::NotUnderstood { .. } => Code::ControlUnknownValue,
            ControlError::Off => Code::CameraOff,
            ControlError::NotStarted | ControlError::Uninstalled => Code::ControlsOff,
            ControlError::Bus(BusError::Away) | ControlError::Av(_) => Code::FirmwareAway,
            ControlError::Bus(BusError::TooSoon(_) | BusError::TooMany) => Code::ControlTooSoon,
            ControlError::Bus(_) => Code::ControlUnconfirmed,
            ControlError::Card(e) => e.code(),
        }
    }

    fn hint(&self) -> String {
        match self {
            ControlError::Unknown(_) | ControlError::Absent { .. } => {
                "GET /api/v1/controls lists what this camera has.".to_owned()
            }
            ControlError::Invalid { .. } => "Nothing was changed. Correct the value.".to_owned(),
            ControlError::NotUnderstood { .. } => {
                "Nothing was changed. Change it once in the Mi Home app, then try again.".to_owned()
            }
            ControlError::Off => {
                "Turn it on with the control 'Camera on' or in the Mi Home app.".to_owned()
            }
            ControlError::Uninstalled => "Nothing was changed. Restart the camera.".to_owned(),
            ControlError::NotStarted => {
                "Restart the camera. In safe mode, find out first why three starts failed."
                    .to_owned()
            }
            ControlError::Bus(BusError::Away) | ControlError::Av(_) => {
                "Nothing was changed. The camera's own services may still be starting: try again \
                 in a minute."
                    .to_owned()
            }
            ControlError::Bus(BusError::TooSoon(_) | BusError::TooMany) => {
                "Nothing was changed. Wait a moment, then try again.".to_owned()
            }
            ControlError::Bus(_) => {
                "The value shown is what the camera reports. Try again, and restart the camera if \
                 it happens again."
                    .to_owned()
            }
            ControlError::Card(e) => e.hint(),
        }
    }

    fn kind(&self) -> FailureKind {
        match self {
            ControlError::Unknown(_) | ControlError::Absent { .. } => FailureKind::Missing,
            ControlError::Invalid { .. } => FailureKind::Invalid,
            ControlError::NotUnderstood { .. } | ControlError::Off | ControlError::Uninstalled => {
                FailureKind::Refused
            }
            ControlError::NotStarted | ControlError::Bus(BusError::Away) | ControlError::Av(_) => {
                FailureKind::Unavailable
            }
            ControlError::Bus(BusError::TooSoon(_) | BusError::TooMany) => FailureKind::TooMany,
            ControlError::Bus(_) => FailureKind::Unconfirmed,
            ControlError::Card(e) => e.kind(),
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            ControlError::Bus(BusError::TooSoon(left)) => {
                Some(Duration::from_secs(left.as_secs() + 1))
            }
            _ => None,
        }
    }

    fn exit(&self) -> Exit {
        match self {
            ControlError::Card(e) => e.exit(),
            ControlError::Unknown(_) | ControlError::Invalid { .. } => Exit::Usage,
            ControlError::Bus(_) | ControlError::Av(_) => Exit::Failed,
            _ => Exit::Refused,
        }
    }
}
