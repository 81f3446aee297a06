//! Events, and waiting for the next one.

use std::time::Duration;

use crate::camera::controls;
use crate::web::asked::{Answer, Asked};
use crate::web::clients::Presence;
use crate::web::reply;

pub(in crate::web) fn list(asked: &Asked<'_>) -> Answer {
    let wait = Duration::from_secs(asked.number("wait")?.unwrap_or(0));
    let events = controls::of(&asked.context.camera)?.events();
    let here = || asked.client.presence() == Presence::Here;
    Ok(reply::json(&match asked.number("since")? {
        Some(since) => events.after(since, wait, &here),
        None => events.after(0, Duration::ZERO, &here),
    }))
}
