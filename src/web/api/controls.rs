//! The controls: list, change, restore.

use serde::Deserialize;
use serde_json::Value;

use crate::camera::controls;
use crate::controls::ControlError;
use crate::web::asked::{Answer, Asked};
use crate::web::clients::Presence;
use crate::web::problem::Problem;
use crate::web::reply;

pub(in crate::web) fn list(asked: &Asked<'_>) -> Answer {
    let controls = controls::of(&asked.context.camera)?;
    let since = asked.number("since")?;
    let (wait, _place) = asked.client.patience(asked.number("wait")?.filter(|_| since.is_some()));
    let here = || asked.client.presence() == Presence::Here;
    Ok(reply::json(&match since {
        Some(since) => controls.list_after(since, wait, &here),
        None => controls.list(),
    }))
}

pub(in crate::web) fn one(asked: &Asked<'_>) -> Answer {
    Ok(reply::json(&controls::of(&asked.context.camera)?.get(asked.id())?))
}

/// The body of `PUT /api/v1/controls/{id}`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewValue {
    value: Value,
}

pub(in crate::web) fn set(asked: &Asked<'_>) -> Answer {
    let NewValue { value } = asked.json()?;
    let controls = controls::of(&asked.context.camera)?;
    Ok(reply::json(&controls.set(asked.id(), &value).map_err(problem)?))
}

pub(in crate::web) fn restore(asked: &Asked<'_>) -> Answer {
    Ok(reply::json(&controls::of(&asked.context.camera)?.restore(asked.id())?))
}

pub(in crate::web) fn restore_all(asked: &Asked<'_>) -> Answer {
    let controls = controls::of(&asked.context.camera)?;
    match controls.restore_all().into_iter().next() {
        Some((_, error)) => Err(error.into()),
        None => Ok(reply::json(&controls.list())),
    }
}

fn problem(error: ControlError) -> Problem {
    let field = matches!(error, ControlError::Invalid { .. }).then(|| "value".to_owned());
    Problem { field, ..Problem::from(error) }
}
