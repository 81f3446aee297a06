//! Hacks: list, switch, settings, restart; and the SSH keys.

use serde::Deserialize;

use crate::camera::services::{self, Put};
use crate::services::ServiceError;
use crate::web::asked::{Answer, Asked};
use crate::web::problem::Problem;
use crate::web::reply;

pub(in crate::web) fn list(asked: &Asked<'_>) -> Answer {
    Ok(reply::json(&services::list(&asked.context.camera)))
}

pub(in crate::web) fn one(asked: &Asked<'_>) -> Answer {
    Ok(reply::json(&services::get(&asked.context.camera, asked.id())?))
}

pub(in crate::web) fn change(asked: &Asked<'_>) -> Answer {
    let wanted: Put = asked.json()?;
    let service = services::put(&asked.context.camera, asked.id(), &wanted).map_err(problem)?;
    log::info!("hack '{}' was changed by its owner", service.id);
    Ok(reply::json(&service))
}

pub(in crate::web) fn restart(asked: &Asked<'_>) -> Answer {
    Ok(reply::json(&services::restart(&asked.context.camera, asked.id())?))
}

pub(in crate::web) fn log(asked: &Asked<'_>) -> Answer {
    Ok(reply::json(&services::log(&asked.context.camera, asked.id())?))
}

pub(in crate::web) fn ssh_keys(asked: &Asked<'_>) -> Answer {
    Ok(reply::json(&services::ssh_keys(&asked.context.camera)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PutSshKeys {
    authorized_keys: String,
}

pub(in crate::web) fn put_ssh_keys(asked: &Asked<'_>) -> Answer {
    let PutSshKeys { authorized_keys } = asked.json()?;
    let keys = services::put_ssh_keys(&asked.context.camera, &authorized_keys).map_err(problem)?;
    log::info!("{} SSH keys may log in now", keys.keys.len());
    Ok(reply::json(&keys))
}

/// The setting that is wrong is named, so that the form can show it.
pub(super) fn problem(error: ServiceError) -> Problem {
    let field = match &error {
        ServiceError::Setting { name, .. } => Some(name.clone()),
        ServiceError::Key { .. } => Some("authorized_keys".to_owned()),
        _ => None,
    };
    Problem { field, ..Problem::from(error) }
}
