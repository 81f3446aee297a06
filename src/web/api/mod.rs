//! The API, one file for each kind of thing: requests become calls of [`crate::camera`], answers
//! become JSON.

pub(super) mod backups;
pub(super) mod config;
pub(super) mod controls;
pub(super) mod downloads;
pub(super) mod events;
pub(super) mod flash;
pub(super) mod framegrabber;
pub(super) mod images;
pub(super) mod jobs;
pub(super) mod onvif;
pub(super) mod ptz;
pub(super) mod recordings;
pub(super) mod services;
pub(super) mod session;
pub(super) mod sounds;
pub(super) mod system;
pub(super) mod tokens;
pub(super) mod update;
pub(super) mod video;

use serde_json::json;

use super::problem::Problem;
use super::reply::{self, Reply};
use crate::error::Code;

/// Stack of work that goes deeper than a handler's: signatures, inspections.
const STACK: usize = 256 << 10;

/// Does something on a thread of its own, and waits for it.
fn on_a_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
    let thread = std::thread::Builder::new().name("deep".into()).stack_size(STACK).spawn(work);
    let thread = thread.map_err(|e| {
        Problem::new(503, Code::NoThread, &format!("No thread could be started: {e}"), "Try again.")
    })?;
    thread.join().map_err(|_| {
        Problem::new(
            500,
            Code::Internal,
            "the program had an internal error",
            "Report this with the log.",
        )
    })
}

/// Done, and nothing more to say.
fn nothing(status: u16) -> Reply {
    reply::json_as(status, &json!({}))
}
