//! The API, one file for each kind of thing: requests become calls of [`crate::camera`], answers
//! become JSON.

pub(super) mod backups;
pub(super) mod config;
pub(super) mod downloads;
pub(super) mod flash;
pub(super) mod images;
pub(super) mod jobs;
pub(super) mod services;
pub(super) mod session;
pub(super) mod system;
pub(super) mod tokens;
pub(super) mod video;

use serde_json::json;

use super::reply::{self, Reply};

/// Done, and nothing more to say.
fn nothing(status: u16) -> Reply {
    reply::json_as(status, &json!({}))
}
