//! The motors: where they are, moves, presets.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::nothing;
use crate::camera::motors::{self, Ask, MotorError, NewPreset};
use crate::error::Code;
use crate::services::ptz::Wish;
use crate::web::asked::{Answer, Asked};
use crate::web::problem::Problem;
use crate::web::reply;

pub(in crate::web) fn show(asked: &Asked<'_>) -> Answer {
    Ok(reply::json(&motors::document(&asked.context.camera)))
}

pub(in crate::web) fn ask(asked: &Asked<'_>) -> Answer {
    let body: Value = asked.json()?;
    let camera = &asked.context.camera;
    if body.get("do").is_some() {
        // As earlier versions took it, in motord's steps.
        let wish: Wish = typed(body)?;
        return Ok(reply::json(&motors::wish(camera, wish)?));
    }
    let ask: Ask = typed(body)?;
    Ok(reply::json(&motors::ask(camera, ask)?))
}

pub(in crate::web) fn presets(asked: &Asked<'_>) -> Answer {
    let presets = motors::document(&asked.context.camera).presets;
    Ok(reply::json(&serde_json::json!({ "presets": presets })))
}

pub(in crate::web) fn keep(asked: &Asked<'_>) -> Answer {
    let new: NewPreset = asked.json()?;
    Ok(reply::json_as(201, &motors::keep(&asked.context.camera, None, &new)?))
}

pub(in crate::web) fn forget(asked: &Asked<'_>) -> Answer {
    let id = asked.id().parse().map_err(|_| MotorError::NoPreset)?;
    motors::forget(&asked.context.camera, id)?;
    Ok(nothing(200))
}

fn typed<T: DeserializeOwned>(body: Value) -> Result<T, Problem> {
    serde_json::from_value(body).map_err(|e| wrong(&e.to_string()))
}

fn wrong(words: &str) -> Problem {
    let words: String = words.chars().take(200).collect();
    let message = format!("The body is not understood: {words}");
    let hint = "/api/v1/openapi.json describes this call.";
    Problem::new(422, Code::BadBody, &message, hint)
}
