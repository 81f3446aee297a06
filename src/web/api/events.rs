//! Events, their pictures, and waiting for the next one.

use std::time::Duration;

use crate::camera::controls;
use crate::web::asked::{Answer, Asked};
use crate::web::clients::Presence;
use crate::web::problem::Problem;
use crate::web::reply;

pub(in crate::web) fn list(asked: &Asked<'_>) -> Answer {
    let (wait, _place) = asked.client.patience(asked.number("wait")?);
    let camera = &asked.context.camera;
    let events = controls::of(camera)?.events();
    let here = || asked.client.presence() == Presence::Here;
    let mut found = match asked.number("since")? {
        Some(since) => events.after(since, wait, &here),
        None => events.after(0, Duration::ZERO, &here),
    };
    // While the camera is off no picture is sent, an old one neither.
    if controls::require_on(camera).is_err() {
        found.pictures.clear();
    }
    Ok(reply::json(&found))
}

pub(in crate::web) fn picture(asked: &Asked<'_>) -> Answer {
    let camera = &asked.context.camera;
    controls::require_on(camera)?;
    let events = controls::of(camera)?.events();
    let seq = asked.parts.first().and_then(|part| part.parse().ok());
    let picture = seq.and_then(|seq| events.picture(seq)).ok_or_else(Problem::not_found)?;
    Ok(reply::bytes(200, "image/jpeg", picture.to_vec()))
}
