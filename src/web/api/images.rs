//! Uploaded images. How one arrives is in [`crate::web::upload`].

use serde_json::json;

use super::nothing;
use crate::camera::images;
use crate::error::Code;
use crate::web::asked::{Answer, Asked};
use crate::web::problem::Problem;
use crate::web::reply;

pub(in crate::web) fn list(asked: &Asked<'_>) -> Answer {
    Ok(reply::json(&json!({ "images": images::list(&asked.context.camera) })))
}

pub(in crate::web) fn delete(asked: &Asked<'_>) -> Answer {
    images::remove(&asked.context.camera, asked.id())?;
    Ok(nothing(200))
}

/// The gate takes every upload that says how long it is; here comes one that does not.
pub(in crate::web) fn without_length(_: &Asked<'_>) -> Answer {
    Err(Problem::new(
        411,
        Code::LengthNeeded,
        "An upload needs a Content-Length.",
        "Send the file itself as the body, with its length.",
    ))
}
