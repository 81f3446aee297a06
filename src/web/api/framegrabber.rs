//! The original's framegrabber: what is missing, its program out of a zip, its codec.

use crate::camera::{codec, framegrabber, images};
use crate::web::asked::{Answer, Asked};
use crate::web::reply;

pub(in crate::web) fn show(asked: &Asked<'_>) -> Answer {
    Ok(reply::json(&framegrabber::shown(&asked.context.camera)))
}

pub(in crate::web) fn install(asked: &Asked<'_>) -> Answer {
    let image = asked.text("image")?;
    let camera = &asked.context.camera;
    let (_, path) = images::find(camera, &image)?;
    let found = framegrabber::install(camera, &path)?;
    // It was for this only; where it stays, the page lists it.
    let _ = images::remove(camera, &image);
    Ok(reply::json(&found))
}

pub(in crate::web) fn set(asked: &Asked<'_>) -> Answer {
    let codec = asked.text("codec")?;
    codec::set(&asked.context.camera, &codec).map_err(super::services::problem)?;
    show(asked)
}
