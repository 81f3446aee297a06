//! Sounds for the camera's speaker. A WAV file as body never comes here: the gate gives it to
//! [`crate::web::upload`].

use serde::Deserialize;

use crate::camera::sounds;
use crate::web::asked::{Answer, Asked};
use crate::web::reply;

/// The body of `POST /api/v1/sounds`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PlaySound {
    /// One of the firmware's sounds.
    id: String,
}

pub(in crate::web) fn list(asked: &Asked<'_>) -> Answer {
    Ok(reply::json(&sounds::list(&asked.context.camera)))
}

pub(in crate::web) fn play(asked: &Asked<'_>) -> Answer {
    let wanted: PlaySound = asked.json()?;
    Ok(reply::json_as(202, &sounds::play(&asked.context.camera, &wanted.id)?))
}
