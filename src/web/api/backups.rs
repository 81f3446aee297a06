//! Backups: list, make, verify, delete.

use crate::camera::card_view;
use serde_json::json;

use super::nothing;
use crate::camera::sets;
use crate::error::Code;
use crate::web::asked::{Answer, Asked};
use crate::web::problem::Problem;
use crate::web::reply;

pub(in crate::web) fn list(asked: &Asked<'_>) -> Answer {
    let mut sets = card_view::sets(&asked.context.camera);
    for set in &mut sets {
        set.partitions.clear();
    }
    Ok(reply::json(&json!({ "backups": sets })))
}

pub(in crate::web) fn one(asked: &Asked<'_>) -> Answer {
    let sets = card_view::sets(&asked.context.camera);
    match sets.iter().find(|set| set.id == asked.id()) {
        Some(set) => Ok(reply::json(set)),
        None => Err(Problem::new(
            404,
            Code::NoSuchBackup,
            "This backup does not exist.",
            "GET /api/v1/backups lists the backups.",
        )),
    }
}

pub(in crate::web) fn make(asked: &Asked<'_>) -> Answer {
    Ok(reply::json_as(202, &sets::begin_backup(&asked.context.camera)?))
}

pub(in crate::web) fn verify(asked: &Asked<'_>) -> Answer {
    Ok(reply::json_as(202, &sets::begin_verify(&asked.context.camera, asked.id())?))
}

pub(in crate::web) fn delete(asked: &Asked<'_>) -> Answer {
    sets::delete(&asked.context.camera, asked.id())?;
    Ok(nothing(200))
}
