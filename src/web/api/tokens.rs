//! Tokens for scripts.

use serde::Deserialize;
use serde_json::json;

use super::nothing;
use crate::web::asked::{Answer, Asked};
use crate::web::reply;

pub(in crate::web) fn list(asked: &Asked<'_>) -> Answer {
    Ok(reply::json(&json!({ "tokens": asked.context.camera.login().tokens() })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewToken {
    name: String,
}

pub(in crate::web) fn make(asked: &Asked<'_>) -> Answer {
    let NewToken { name } = asked.json()?;
    let made = asked.context.camera.login().make_token(&name)?;
    log::info!("token {} was made", made.id);
    Ok(reply::json_as(201, &made))
}

pub(in crate::web) fn revoke(asked: &Asked<'_>) -> Answer {
    asked.context.camera.login().revoke_token(asked.id())?;
    log::info!("token {} was revoked", asked.id());
    Ok(nothing(200))
}
