//! The documents of `/api/v1/controls`.

use serde::Serialize;
use serde_json::Value as Json;

use super::table::{ControlForm, Id};

/// All controls of this camera.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ControlsView {
    /// Whether the firmware's settings service can be reached.
    pub connected: bool,
    /// Grows with each change; `?since=` waits for the next one.
    pub seq: u64,
    /// What can be set.
    pub controls: Vec<View>,
    /// What this camera's firmware does not have.
    pub absent: Vec<Absent>,
}

/// A control.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct View {
    /// Its stable name.
    pub id: &'static str,
    /// What it is called, in English.
    pub title: &'static str,
    /// `switch`, `choice`, `number` or `region`.
    #[serde(rename = "type")]
    pub form: &'static str,
    /// The words of a choice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub choices: Option<&'static [&'static str]>,
    /// The least of a number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min: Option<i64>,
    /// The most of a number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<i64>,
    /// The unit of a number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<&'static str>,
    /// The value now; null where it is not set, or none that is known.
    pub value: Json,
    /// UTC of when this value was first seen; null where the clock is not set.
    pub since: Option<String>,
    /// Whether mi360d changed it since the camera was as it was.
    pub changed: bool,
    /// What it was before; null where it was not set, or nothing was changed.
    pub original: Json,
    /// For the night mode: what the picture is now, `day` or `night`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<&'static str>,
}

/// A control that this camera does not have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Absent {
    /// Its stable name.
    pub id: &'static str,
    /// Why.
    pub reason: String,
}

impl View {
    /// A control without its values.
    pub fn of(id: Id) -> View {
        let form = id.form();
        let number = match form {
            ControlForm::Number { min, max, unit } => Some((min, max, unit)),
            _ => None,
        };
        View {
            id: id.name(),
            title: id.title(),
            form: form.name(),
            choices: match form {
                ControlForm::Choice(words) => Some(words),
                _ => None,
            },
            min: number.map(|(min, ..)| min),
            max: number.map(|(_, max, _)| max),
            unit: number.map(|(.., unit)| unit),
            value: Json::Null,
            since: None,
            changed: false,
            original: Json::Null,
            state: None,
        }
    }
}
