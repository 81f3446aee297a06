//! Jobs, and news of them.

use std::time::Duration;

use serde_json::json;

use crate::error::Code;
use crate::web::asked::{Answer, Asked};
use crate::web::clients::Presence;
use crate::web::problem::Problem;
use crate::web::reply;

pub(in crate::web) fn list(asked: &Asked<'_>) -> Answer {
    Ok(reply::json(&json!({ "jobs": asked.context.camera.jobs().all() })))
}

pub(in crate::web) fn one(asked: &Asked<'_>) -> Answer {
    let (wait, _place) = asked.client.patience(asked.number("wait")?);
    // A client that does not say what it knows waits for the next news.
    let since = match asked.number("since")? {
        Some(since) => Some(since),
        None if !wait.is_zero() => {
            asked.context.camera.jobs().get(asked.id(), None, Duration::ZERO).map(|job| job.seq)
        }
        None => None,
    };
    // One that has closed its half gets what is known now: most likely it is gone.
    let here = || asked.client.presence() == Presence::Here;
    match asked.context.camera.jobs().get_while(asked.id(), since, wait, here) {
        Some(job) => Ok(reply::json(&job)),
        None => Err(Problem::new(
            404,
            Code::NoSuchJob,
            "This job does not exist.",
            "GET /api/v1/jobs lists the jobs since the last restart.",
        )),
    }
}
