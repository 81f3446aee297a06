//! The chip: its map, plans for it, and flashes.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{nothing, on_a_thread};
use crate::backup::set;
use crate::camera::flashing::PlanDocument;
use crate::camera::{card_view, flash_ended, flash_jobs, flash_view, images};
use crate::error::Code;
use crate::flash::{PlanRequest, PlanSource};
use crate::web::asked::{Answer, Asked};
use crate::web::problem::Problem;
use crate::web::reply;

#[derive(Serialize)]
struct Plan {
    id: String,
    #[serde(flatten)]
    document: PlanDocument,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewPlan {
    image: Option<String>,
    backup: Option<String>,
    only: Option<Only>,
    /// Whose FACTORY is to be written, where nothing else tells.
    did: Option<String>,
}

/// Names in a list, or with commas between them as on the command line.
#[derive(Deserialize)]
#[serde(untagged, expecting = "expected names in a list, or in a text with commas between them")]
enum Only {
    Text(String),
    List(Vec<String>),
}

pub(in crate::web) fn map(asked: &Asked<'_>) -> Answer {
    let camera = &asked.context.camera;
    let reading = camera.state().reading.clone();
    Ok(reply::json(&flash_view::of(camera, reading.as_ref())))
}

pub(in crate::web) fn plan(asked: &Asked<'_>) -> Answer {
    let NewPlan { image, backup, only, did } = asked.json()?;
    let only = only.map(|only| match only {
        Only::Text(text) => text.split(',').map(|name| name.trim().to_owned()).collect(),
        Only::List(names) => names,
    });
    let camera = Arc::clone(&asked.context.camera);
    let (source, name) = match (image, backup) {
        (Some(id), None) => {
            let (view, path) = images::find(&camera, &id)?;
            (PlanSource::Image(path), view.name)
        }
        (None, Some(id)) => {
            let set = set::find(&camera.card().backups(), &id)?;
            (PlanSource::Set(set.path), set.name.to_string())
        }
        _ => {
            let message = "Either 'image' or 'backup' must be named.";
            return Err(Problem::new(422, Code::BadBody, message, "Send one of them."));
        }
    };
    let request = PlanRequest { source, only, did, sha256: None };
    let made = on_a_thread(move || flash_jobs::plan(&camera, request))?;
    let (id, mut document) = made?;
    document.source.name = name;
    Ok(reply::json(&Plan { id, document }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Agreed {
    plan: String,
    confirm: String,
}

pub(in crate::web) fn begin(asked: &Asked<'_>) -> Answer {
    let Agreed { plan, confirm } = asked.json()?;
    Ok(reply::json_as(202, &flash_jobs::begin(&asked.context.camera, &plan, &confirm)?))
}

/// The owner has read how a flash ended that a start continued.
pub(in crate::web) fn ended_is_read(asked: &Asked<'_>) -> Answer {
    let camera = &asked.context.camera;
    flash_ended::read(camera.card())?;
    card_view::renew(camera);
    Ok(nothing(200))
}

pub(in crate::web) fn resume(asked: &Asked<'_>) -> Answer {
    Ok(reply::json_as(202, &flash_jobs::begin_resume(&asked.context.camera)?))
}
