//! The chip: its map, plans for it, and flashes.

use std::sync::Arc;

use serde::Serialize;
use serde_json::{Map, Value};

use super::on_a_thread;
use crate::backup::set;
use crate::camera::flashing::{PlanDocument, PlanRequest, PlanSource};
use crate::camera::{flash_jobs, flash_view, images};
use crate::web::asked::{Answer, Asked, not_these, texts};
use crate::web::problem::Problem;
use crate::web::reply;

#[derive(Serialize)]
struct Plan {
    id: String,
    #[serde(flatten)]
    document: PlanDocument,
}

pub(in crate::web) fn map(asked: &Asked<'_>) -> Answer {
    let camera = &asked.context.camera;
    let reading = camera.state().reading.clone();
    Ok(reply::json(&flash_view::of(camera, reading.as_ref())))
}

pub(in crate::web) fn plan(asked: &Asked<'_>) -> Answer {
    let mut body: Map<String, Value> = asked.json()?;
    let only = only(body.remove("only"))?;
    // `did`: whose FACTORY is to be written, where nothing else tells.
    let mut wish = texts(body, &["?image", "?backup", "?did"])?;
    let (did, backup, image) = (wish.pop().flatten(), wish.pop().flatten(), wish.pop().flatten());
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
            return Err(Problem::new(422, "bad-body", message, "Name one of them."));
        }
    };
    let request = PlanRequest { source, only, did };
    let made = on_a_thread(move || flash_jobs::plan(&camera, request))?;
    let (id, mut document) = made?;
    document.source.name = name;
    Ok(reply::json(&Plan { id, document }))
}

/// Names in a list, or with commas between them as on the command line.
fn only(given: Option<Value>) -> Result<Option<Vec<String>>, Problem> {
    let wrong = || not_these(&["only"]);
    Ok(Some(match given {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) => text.split(',').map(|name| name.trim().to_owned()).collect(),
        Some(Value::Array(names)) => {
            let texts = names.iter().map(|name| name.as_str().map(str::to_owned));
            texts.collect::<Option<_>>().ok_or_else(wrong)?
        }
        Some(_) => return Err(wrong()),
    }))
}

pub(in crate::web) fn begin(asked: &Asked<'_>) -> Answer {
    let (plan, confirm) = asked.pair("plan", "confirm")?;
    let confirm = confirm.unwrap_or_default();
    Ok(reply::json_as(202, &flash_jobs::begin(&asked.context.camera, &plan, &confirm)?))
}

pub(in crate::web) fn resume(asked: &Asked<'_>) -> Answer {
    Ok(reply::json_as(202, &flash_jobs::begin_resume(&asked.context.camera)?))
}
