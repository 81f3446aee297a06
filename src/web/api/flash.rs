//! The chip.

use crate::camera::flash_view;
use crate::web::reply;
use crate::web::routes::{Answer, Asked};

pub(in crate::web) fn map(asked: &Asked<'_>) -> Answer {
    let camera = &asked.context.camera;
    let reading = camera.state().reading.clone();
    Ok(reply::json(&flash_view::of(camera, reading.as_ref())))
}
