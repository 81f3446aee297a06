//! The chip: its map, plans for it, and flashes.

use std::sync::Arc;

use serde::Serialize;

use super::on_a_thread;
use crate::backup::set;
use crate::camera::flashing::{PlanDocument, PlanRequest, PlanSource};
use crate::camera::{flash_jobs, flash_view, images};
use crate::formats::toml::{Fault, Fields, Kind, Node, Read};
use crate::web::problem::Problem;
use crate::web::reply;
use crate::web::routes::{Answer, Asked};

struct Wish {
    image: Option<String>,
    backup: Option<String>,
    only: Option<Names>,
    /// Whose FACTORY is to be written, where nothing else tells.
    did: Option<String>,
}

impl Read for Wish {
    fn read(node: Node) -> Result<Wish, Fault> {
        let mut fields = Fields::known(node, &["image", "backup", "only", "did"])?;
        Ok(Wish {
            image: fields.optional("image")?,
            backup: fields.optional("backup")?,
            only: fields.optional("only")?,
            did: fields.optional("did")?,
        })
    }
}

/// Names in a list, or with commas between them as on the command line.
enum Names {
    List(Vec<String>),
    Text(String),
}

impl Read for Names {
    fn read(node: Node) -> Result<Names, Fault> {
        match node.as_ref() {
            Kind::List(_) => Vec::read(node).map(Names::List),
            _ => String::read(node).map(Names::Text),
        }
    }
}

struct Agreed {
    plan: String,
    confirm: String,
}

impl Read for Agreed {
    fn read(node: Node) -> Result<Agreed, Fault> {
        let mut fields = Fields::known(node, &["plan", "confirm"])?;
        Ok(Agreed { plan: fields.required("plan")?, confirm: fields.required("confirm")? })
    }
}

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
    let Wish { image, backup, only, did } = asked.json()?;
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
    let only = only.map(|only| match only {
        Names::List(names) => names,
        Names::Text(text) => text.split(',').map(|name| name.trim().to_owned()).collect(),
    });
    let request = PlanRequest { source, only, did };
    let made = on_a_thread(move || flash_jobs::plan(&camera, request))?;
    let (id, mut document) = made?;
    document.source.name = name;
    Ok(reply::json(&Plan { id, document }))
}

pub(in crate::web) fn begin(asked: &Asked<'_>) -> Answer {
    let Agreed { plan, confirm } = asked.json()?;
    Ok(reply::json_as(202, &flash_jobs::begin(&asked.context.camera, &plan, &confirm)?))
}

pub(in crate::web) fn resume(asked: &Asked<'_>) -> Answer {
    Ok(reply::json_as(202, &flash_jobs::begin_resume(&asked.context.camera)?))
}
