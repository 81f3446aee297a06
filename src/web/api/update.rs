//! A newer mi360d. What a release is: [`crate::update`].

use serde::Deserialize;

use crate::camera::update;
use crate::web::problem::Problem;
use crate::web::reply;
use crate::web::routes::{Answer, Asked};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Update {
    image: String,
    #[serde(default)]
    confirm: Option<String>,
}

pub(in crate::web) fn update(asked: &Asked<'_>) -> Answer {
    let wanted: Update = asked.json()?;
    let camera = &asked.context.camera;
    let offer = update::update::<Problem>(camera, &wanted.image, wanted.confirm.as_deref())?;
    Ok(reply::json(&offer))
}
