//! Sounds for the camera's speaker. A WAV file as body never comes here: the gate gives it to
//! [`crate::web::upload`].

use crate::camera::sounds;
use crate::web::asked::{Answer, Asked};
use crate::web::reply;

pub(in crate::web) fn list(asked: &Asked<'_>) -> Answer {
    Ok(reply::json(&sounds::list(&asked.context.camera)))
}

pub(in crate::web) fn play(asked: &Asked<'_>) -> Answer {
    let playing = sounds::play(&asked.context.camera, &asked.text("id")?)?;
    Ok(reply::json_as(202, &playing))
}
