//! Settings: show, change, export, import.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::camera::settings::{self, FIELDS, SettingsError};
use crate::camera::{mqtt, schedule, web_hook};
use crate::web::asked::{Answer, Asked};
use crate::web::problem::Problem;
use crate::web::reply;

pub(in crate::web) fn show(asked: &Asked<'_>) -> Answer {
    Ok(reply::json(&settings::shown(&asked.context.camera)))
}

pub(in crate::web) fn fields(_: &Asked<'_>) -> Answer {
    Ok(reply::json(&json!({ "fields": FIELDS })))
}

pub(in crate::web) fn schedule(asked: &Asked<'_>) -> Answer {
    Ok(reply::json(&json!({ "times": schedule::list(&asked.context.camera) })))
}

pub(in crate::web) fn change(asked: &Asked<'_>) -> Answer {
    let wanted: Value = asked.json()?;
    let changed =
        settings::change(&asked.context.camera, wanted.as_object().unwrap_or(&Map::new()))
            .map_err(problem)?;
    asked.context.settings_changed();
    Ok(reply::json(&changed))
}

pub(in crate::web) fn export(asked: &Asked<'_>) -> Answer {
    let answer = reply::json(&settings::export(&asked.context.camera));
    let name = "attachment; filename=\"mi360d-settings.json\"";
    Ok(reply::with(answer, "Content-Disposition", name))
}

pub(in crate::web) fn import(asked: &Asked<'_>) -> Answer {
    let file: Value = asked.json()?;
    let changed = settings::import(&asked.context.camera, &file).map_err(problem)?;
    asked.context.settings_changed();
    Ok(reply::json(&changed))
}

/// What is typed; what is missing is as it is set.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TestMqtt {
    broker: Option<String>,
    user: Option<String>,
    password: Option<String>,
}

/// Tries a broker with what is typed in the form.
pub(in crate::web) fn test_mqtt(asked: &Asked<'_>) -> Answer {
    let TestMqtt { broker, user, password } = asked.json()?;
    let tried = mqtt::test(&asked.context.camera, broker, user, password).map_err(problem)?;
    Ok(reply::json(&json!({ "connected": tried.is_none(), "problem": tried })))
}

/// What is typed; without it the address that is set.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TestWebHook {
    address: Option<String>,
}

/// Sends a test event to a web hook.
pub(in crate::web) fn test_web_hook(asked: &Asked<'_>) -> Answer {
    let TestWebHook { address } = asked.json()?;
    let tried = web_hook::test(&asked.context.camera, address).map_err(problem)?;
    Ok(reply::json(&json!({ "connected": tried.is_none(), "problem": tried })))
}

fn problem(error: SettingsError) -> Problem {
    let field = error.field().map(str::to_owned);
    Problem { field, ..Problem::from(error) }
}
