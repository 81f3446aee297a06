//! The camera as a whole: status, log, restart, uninstall.

use serde::Deserialize;
use serde_json::json;

use super::nothing;
use crate::base::host;
use crate::camera::{facts, network, power, status, uninstall};
use crate::error::Code;
use crate::web::asked::{Answer, Asked};
use crate::web::problem::Problem;
use crate::web::reply;

/// Lines of the log where nobody says how many.
const LOG_LINES: u64 = 200;
/// The words that begin a line, the gravest first.
const LEVELS: [&str; 4] = ["error", "warn", "info", "debug"];

/// The gate answers before this: only who goes around it in a test gets here.
pub(in crate::web) fn health(_: &Asked<'_>) -> Answer {
    Ok(reply::bytes(200, "text/plain; charset=utf-8", b"ok".to_vec()))
}

pub(in crate::web) fn status(asked: &Asked<'_>) -> Answer {
    Ok(reply::json(&status::of(&asked.context.camera)))
}

pub(in crate::web) fn log(asked: &Asked<'_>) -> Answer {
    let count = asked.number("lines")?.unwrap_or(LOG_LINES);
    let least = match asked.word("level") {
        None => LEVELS.len(),
        Some(word) => {
            let at = LEVELS.iter().position(|level| *level == word);
            at.ok_or_else(|| {
                let message = "'level' must be error, warn, info or debug.";
                Problem::new(400, Code::BadQuery, message, "Correct the address.")
            })?
        }
    };
    let mut lines = asked.context.recent.with_times();
    lines.retain(|(_, line)| level(line) <= least);
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    let from = lines.len().saturating_sub(count);
    let (at, lines): (Vec<u64>, Vec<String>) = lines.into_iter().skip(from).unzip();
    Ok(reply::json(&json!({ "lines": lines, "at": at, "uptime": host::uptime_seconds() })))
}

/// How grave a line is, as an index into [`LEVELS`]; a line without a word is for all.
fn level(line: &str) -> usize {
    let word = line.trim_start().trim_start_matches('[').to_ascii_lowercase();
    LEVELS.iter().position(|level| word.starts_with(level)).unwrap_or(0)
}

pub(in crate::web) fn facts(asked: &Asked<'_>) -> Answer {
    let text = facts::shown(&asked.context.camera)?.into_bytes();
    let length = text.len();
    Ok(reply::download(Box::new(std::io::Cursor::new(text)), length, "mi360d-facts.txt"))
}

/// Seconds since 1970.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewClock {
    utc: u64,
}

pub(in crate::web) fn clock(asked: &Asked<'_>) -> Answer {
    let NewClock { utc } = asked.json()?;
    network::set_clock(&asked.context.camera, utc)?;
    Ok(nothing(200))
}

pub(in crate::web) fn reboot(asked: &Asked<'_>) -> Answer {
    power::restart(&asked.context.camera)?;
    Ok(nothing(202))
}

pub(in crate::web) fn uninstall_list(asked: &Asked<'_>) -> Answer {
    let changes = uninstall::list(&asked.context.camera);
    Ok(reply::json(&json!({ "confirm": uninstall::PHRASE, "changes": changes })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Confirm {
    confirm: String,
}

pub(in crate::web) fn uninstall(asked: &Asked<'_>) -> Answer {
    let Confirm { confirm } = asked.json()?;
    let changes = uninstall::run(&asked.context.camera, &confirm)?;
    Ok(reply::json(&json!({ "confirm": uninstall::PHRASE, "changes": changes })))
}
