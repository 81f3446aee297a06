//! Login and logout.

use serde::Deserialize;
use serde_json::json;

use super::nothing;
use crate::access::login::{Caller, LIFETIME, Opened};
use crate::error::Chain;
use crate::web::asked::{Answer, Asked};
use crate::web::guard::COOKIE;
use crate::web::problem::Problem;
use crate::web::reply::{self, Reply};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Setup {
    code: String,
    password: String,
}

pub(in crate::web) fn setup(asked: &Asked<'_>) -> Answer {
    let Setup { code, password } = asked.json()?;
    let opened = asked.context.camera.login().setup(asked.asking.peer, &code, &password)?;
    log::info!("the first password was set from {}", asked.asking.peer);
    Ok(opened_reply(&opened))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Login {
    password: String,
}

pub(in crate::web) fn login(asked: &Asked<'_>) -> Answer {
    let Login { password } = asked.json()?;
    let result = asked.context.camera.login().login(asked.asking.peer, &password);
    let opened = result
        .inspect_err(|e| log::warn!("login from {}: {e}", asked.asking.peer, e = Chain(&e)))?;
    log::info!("login from {}", asked.asking.peer);
    Ok(opened_reply(&opened))
}

pub(in crate::web) fn logout(asked: &Asked<'_>) -> Answer {
    asked.context.camera.login().logout(asked.asking.session());
    Ok(reply::with(nothing(200), "Set-Cookie", &cookie("", 0)))
}

pub(in crate::web) fn session(asked: &Asked<'_>) -> Answer {
    match asked.caller {
        Caller::Session { csrf } => Ok(reply::json(&json!({ "csrf": csrf }))),
        _ => Err(Problem::not_found()),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewPassword {
    #[serde(alias = "old", alias = "current_password", alias = "old_password")]
    current: String,
    #[serde(alias = "new", alias = "new_password")]
    password: String,
}

pub(in crate::web) fn password(asked: &Asked<'_>) -> Answer {
    let NewPassword { current, password } = asked.json()?;
    let login = asked.context.camera.login();
    let opened = login.change(asked.source(), &current, &password)?;
    log::info!("the password was changed from {}; all sessions ended", asked.asking.peer);
    Ok(opened_reply(&opened))
}

fn opened_reply(opened: &Opened) -> Reply {
    let answer = reply::json(&json!({ "csrf": opened.csrf }));
    reply::with(answer, "Set-Cookie", &cookie(&opened.cookie, LIFETIME.as_secs()))
}

/// The page has no TLS, so `Secure` would only keep the cookie away. Without a Path it belongs to the
/// folder of the login as the browser sees it: so two cameras behind one proxy, each below a path of
/// its own, do not take each other's session.
fn cookie(value: &str, seconds: u64) -> String {
    format!("{COOKIE}={value}; Max-Age={seconds}; HttpOnly; SameSite=Strict")
}
