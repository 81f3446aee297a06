//! A newer mi360d. What a release is: [`crate::update`].

use crate::camera::update;
use crate::web::asked::{Answer, Asked};
use crate::web::problem::Problem;
use crate::web::reply;

pub(in crate::web) fn update(asked: &Asked<'_>) -> Answer {
    let (image, confirm) = asked.pair("image", "?confirm")?;
    let camera = &asked.context.camera;
    let offer = update::update::<Problem>(camera, &image, confirm.as_deref())?;
    Ok(reply::json(&offer))
}
