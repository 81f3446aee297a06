//! A newer mi360d. What a release is: [`crate::update`].

use crate::camera::update;
use crate::formats::toml::{Fault, Fields, Node, Read};
use crate::web::problem::Problem;
use crate::web::reply;
use crate::web::routes::{Answer, Asked};

struct Update {
    image: String,
    confirm: Option<String>,
}

impl Read for Update {
    fn read(node: Node) -> Result<Update, Fault> {
        let mut fields = Fields::known(node, &["image", "confirm"])?;
        Ok(Update { image: fields.required("image")?, confirm: fields.optional("confirm")? })
    }
}

pub(in crate::web) fn update(asked: &Asked<'_>) -> Answer {
    let wanted: Update = asked.json()?;
    let camera = &asked.context.camera;
    let offer = update::update::<Problem>(camera, &wanted.image, wanted.confirm.as_deref())?;
    Ok(reply::json(&offer))
}
