//! A newer mi360d. What a release is: [`crate::update`].

use serde::Deserialize;

use crate::camera::update;
use crate::web::asked::{Answer, Asked};
use crate::web::problem::Problem;
use crate::web::reply;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewUpdate {
    image: String,
    confirm: Option<String>,
}

pub(in crate::web) fn update(asked: &Asked<'_>) -> Answer {
    let NewUpdate { image, confirm } = asked.json()?;
    let camera = &asked.context.camera;
    let offer = update::update::<Problem>(camera, &image, confirm.as_deref())?;
    Ok(reply::json(&offer))
}
