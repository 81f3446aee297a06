//! ONVIF for this camera: its switch, its login and its answers. The documents are in
//! [`crate::onvif`].
//!
//! | file | contents |
//! | --- | --- |
//! | `facts` | the facts about this camera |
//! | `deeds` | actions that recorders request |
//! | `discover` | answers to searches for cameras on the network |

pub mod discover;

mod deeds;
mod facts;

use std::net::IpAddr;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use super::{Camera, controls, services};
use crate::base::host;
use crate::controls::events::{EventKind, Events};
use crate::error::Explain;
use crate::onvif::control::TOKEN;
use crate::onvif::events;
use crate::onvif::login::Token;
use crate::onvif::{self, Fault, xml};
use crate::rtsp::auth::{Login, LoginCheck};
use crate::services::rtsp::ID;
use crate::services::setting;
use deeds::{act, go};
use facts::{facts, now};

/// A request.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// `POST`, `GET`.
    pub method: &'a str,
    /// `device`, `media`, `ptz`; also with `_service` behind it.
    pub service: &'a str,
    /// The document.
    pub body: &'a [u8],
    /// The header of HTTP's own login.
    pub authorization: Option<&'a str>,
    /// The name or address by which we were asked.
    pub host: Option<&'a str>,
    /// The client's address.
    pub peer: IpAddr,
}

/// What is answered.
#[derive(Debug)]
pub struct Answered {
    /// Of HTTP.
    pub status: u16,
    /// The document.
    pub body: String,
    /// What logins are taken, where one is needed.
    pub challenges: Vec<String>,
    /// After how many seconds to try again, where too many logins were wrong.
    pub retry_after: Option<u64>,
}

/// Whether it is on: with the RTSP server, unless its setting says no; never before the page has a
/// password.
pub fn is_on(camera: &Camera) -> bool {
    let Ok(view) = services::get(camera, ID) else { return false };
    let off = |s: &setting::SettingView| {
        s.name == "onvif" && s.value == Some(setting::Value::Bool(false))
    };
    view.enabled && !view.settings.iter().any(off) && camera.login().has_password()
}

/// Answers a request; waits for events only as long as `here`.
pub fn call(camera: &Camera, call: &Call<'_>, here: &dyn Fn() -> bool) -> Answered {
    let result = answer(camera, call, here);
    let fault = match result {
        Ok(body) => {
            return Answered { status: 200, body, challenges: Vec::new(), retry_after: None };
        }
        Err(fault) => fault,
    };
    refused(camera, fault)
}

fn refused(camera: &Camera, fault: Fault) -> Answered {
    let (challenges, retry_after) = match fault {
        Fault::NotAuthorized => (challenges(camera), None),
        Fault::TooMany { seconds } => (Vec::new(), Some(seconds)),
        _ => (Vec::new(), None),
    };
    Answered { status: fault.status(), body: onvif::fault(fault), challenges, retry_after }
}

/// Whether a call without a document, such as that for a snapshot, carries the streams' login.
pub fn may(camera: &Camera, call: &Call<'_>) -> Result<(), Answered> {
    enter(camera, call, None).map_err(|fault| refused(camera, fault))
}

fn answer(camera: &Camera, call: &Call<'_>, here: &dyn Fn() -> bool) -> Result<String, Fault> {
    let tree = std::str::from_utf8(call.body).ok().and_then(xml::parse);
    let tree = tree.ok_or(Fault::Malformed)?;
    if !onvif::is_open(call.service, &tree) {
        enter(camera, call, Some(&tree))?;
    }
    if let Some(ask) = events::ask(call.service, &tree, now().unwrap_or_default())? {
        return pull(camera, call, ask, here);
    }
    let outcome = onvif::answer(call.service, &tree, &facts(camera, call.host))?;
    if let Some(moved) = outcome.moved {
        go(camera, moved)?;
    }
    match outcome.deed {
        Some(deed) => Ok(outcome.body.replace(TOKEN, &act(camera, deed)?)),
        None => Ok(outcome.body),
    }
}

/// Lets the owner of the streams' password in.
fn enter(camera: &Camera, call: &Call<'_>, tree: Option<&xml::Tree<'_>>) -> Result<(), Fault> {
    let services = services::of(camera).ok_or(Fault::NotAuthorized)?;
    let password = services.streams_password().map_err(|_| Fault::NotAuthorized)?;
    let token = tree.map_or(Ok(None), Token::of)?;
    let mut fresh = true;
    let right = || match (&token, call.authorization) {
        (Some(token), _) => token.proves(&password),
        (None, None) => false,
        (None, value) => {
            let login = Login::new(password.clone(), secret(camera), false);
            match login.judge(value, call.method, host::uptime_seconds()) {
                LoginCheck::Good => true,
                LoginCheck::Stale => {
                    fresh = false;
                    true
                }
                LoginCheck::Missing | LoginCheck::Wrong => false,
            }
        }
    };
    if token.is_none() && call.authorization.is_none() {
        return Err(Fault::NotAuthorized);
    }
    camera.login().try_streams(call.peer, right).map_err(|error| match error.retry_after() {
        Some(wait) => Fault::TooMany { seconds: wait.as_secs() },
        None => Fault::NotAuthorized,
    })?;
    if let Some(token) = token {
        let now = host::clock().and_then(|_| now());
        let mut memory = camera.onvif.memory.lock().unwrap_or_else(PoisonError::into_inner);
        fresh = memory.take(token, now);
    }
    if fresh { Ok(()) } else { Err(Fault::NotAuthorized) }
}

/// What concerns events.
fn pull(
    camera: &Camera,
    call: &Call<'_>,
    ask: events::Ask,
    here: &dyn Fn() -> bool,
) -> Result<String, Fault> {
    let controls = controls::of(camera).map_err(|_| Fault::Unknown)?;
    let log = controls.events();
    let points = || camera.onvif.points.lock().unwrap_or_else(PoisonError::into_inner);
    let (at, mut messages) = (Instant::now(), Vec::new());
    let id = match ask {
        events::Ask::Capabilities | events::Ask::Properties => 0,
        events::Ask::Create(seconds) => points().create(seconds, log.seq(), at)?,
        events::Ask::Renew(id, seconds) => points().renew(id, seconds, at).map(|()| id)?,
        events::Ask::Unsubscribe(id) => points().remove(id, at).map(|()| id)?,
        events::Ask::Synchronize(id) => points().synchronize(id, at).map(|()| id)?,
        events::Ask::Pull { id, wait, most } => {
            let begun = points().begin(id, wait, at)?;
            let seen = pulled(log, begun, most, here, &mut messages);
            points().end(id, seen);
            id
        }
    };
    let left = points().left(id, Instant::now());
    let now = now().unwrap_or_default();
    let base = format!("http://{}", call.host.unwrap_or_default());
    Ok(events::answer(ask, &base, id, [host::utc(now), host::utc(now + left)], &messages))
}

/// Waits for motion, or for its end; the number of the last event that was checked.
fn pulled(
    log: &Events,
    begun: events::Begun,
    most: usize,
    here: &dyn Fn() -> bool,
    messages: &mut Vec<events::Message>,
) -> u64 {
    let until = Instant::now() + begun.wait;
    let utc = |at: Option<String>| at.unwrap_or_else(|| host::utc(now().unwrap_or_default()));
    let mut seen = begun.seen;
    if begun.initial
        && let Some(motion) = log.motion()
    {
        messages.push(events::Message { at: utc(None), initial: true, motion });
    }
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let wait = if messages.is_empty() { left } else { Duration::ZERO };
        for event in log.after(seen, wait, here).events {
            if messages.len() >= most {
                break;
            }
            seen = event.seq;
            if matches!(event.kind, EventKind::MotionBegin | EventKind::MotionEnd) {
                let motion = event.kind == EventKind::MotionBegin;
                messages.push(events::Message { at: utc(event.at), initial: false, motion });
            }
        }
        if !messages.is_empty() || left.is_zero() || !here() {
            return seen;
        }
    }
}

fn secret(camera: &Camera) -> [u8; 32] {
    let made = || crate::base::random().unwrap_or_default();
    *camera.onvif.secret.get_or_init(made)
}

fn challenges(camera: &Camera) -> Vec<String> {
    // What is asked for depends on no password.
    Login::new(String::new(), secret(camera), false).challenges(host::uptime_seconds(), false)
}
