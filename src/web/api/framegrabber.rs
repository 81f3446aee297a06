//! The original's framegrabber: what is missing, its program out of a zip, its codec.

use serde::Deserialize;

use crate::camera::{codec, framegrabber, images};
use crate::web::asked::{Answer, Asked};
use crate::web::reply;

pub(in crate::web) fn show(asked: &Asked<'_>) -> Answer {
    Ok(reply::json(&framegrabber::shown(&asked.context.camera)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewFramegrabber {
    image: String,
}

pub(in crate::web) fn install(asked: &Asked<'_>) -> Answer {
    let NewFramegrabber { image } = asked.json()?;
    let camera = &asked.context.camera;
    let (_, path) = images::find(camera, &image)?;
    let found = framegrabber::install(camera, &path)?;
    // It was for this only; where it stays, the page lists it.
    let _ = images::remove(camera, &image);
    Ok(reply::json(&found))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Codec {
    codec: String,
}

pub(in crate::web) fn set(asked: &Asked<'_>) -> Answer {
    let Codec { codec } = asked.json()?;
    codec::set(&asked.context.camera, &codec).map_err(super::services::problem)?;
    show(asked)
}
