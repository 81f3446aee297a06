//! The documents of the API, and the files of a set.

use serde_json::json;

use super::reply::{self, Reply};
use super::routes::Asked;
use crate::backup::set;
use crate::backup::sums::is_plain_name;
use crate::camera::{flash_view, set_view, status};
use crate::card::file::open_past_cache;

/// Lines of `GET /api/v1/log`.
const LOG_LINES: usize = 200;

pub(super) fn status(asked: &Asked<'_>) -> Reply {
    reply::json(&status::of(&asked.context.camera))
}

pub(super) fn flash(asked: &Asked<'_>) -> Reply {
    let camera = &asked.context.camera;
    let reading = camera.state().reading.clone();
    reply::json(&flash_view::of(camera, reading.as_ref()))
}

pub(super) fn log(asked: &Asked<'_>) -> Reply {
    reply::json(&json!({ "lines": asked.context.recent.last(LOG_LINES) }))
}

pub(super) fn backups(asked: &Asked<'_>) -> Reply {
    let mut sets = set_view::all(&asked.context.camera);
    for set in &mut sets {
        set.partitions.clear();
    }
    reply::json(&json!({ "backups": sets }))
}

pub(super) fn backup(asked: &Asked<'_>) -> Reply {
    let sets = set_view::all(&asked.context.camera);
    match sets.iter().find(|set| Some(&set.id.as_str()) == asked.parts.first()) {
        Some(set) => reply::json(set),
        None => no_such_backup(),
    }
}

pub(super) fn file(asked: &Asked<'_>) -> Reply {
    let &[id, name] = asked.parts.as_slice() else { return no_such_backup() };
    let backups = asked.context.camera.card().backups();
    let found = set::list(&backups).into_iter().find(|set| set.name.to_string() == id);
    let Some(set) = found else { return no_such_backup() };
    let missing = || {
        reply::error(404, "no-such-file", "That backup has no such file.", "Its `files` name them.")
    };
    if !is_plain_name(name) {
        return missing();
    }
    match open_past_cache(&set.path.join(name)) {
        Ok(file) => reply::file(file, name).unwrap_or_else(|_| missing()),
        Err(_) => missing(),
    }
}

fn no_such_backup() -> Reply {
    let hint = "GET /api/v1/backups lists them.";
    reply::error(404, "no-such-backup", "There is no such backup on this card.", hint)
}
