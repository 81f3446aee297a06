//! ONVIF: SOAP behind the streams' own login, which the call itself carries.

use std::time::{Duration, Instant};

use crate::camera::onvif::{self, Answered, Call};
use crate::camera::{controls, video};
use crate::rtsp::client::SnapshotForm;
use crate::web::asked::{Answer, Asked};
use crate::web::clients::{Hold, Presence};
use crate::web::problem::Problem;
use crate::web::reply::{self, Reply};

/// Longer than any pull waits.
const LONGEST: Duration = Duration::from_secs(60);
/// How long a pull waits that has no place.
const SHORT: Duration = Duration::from_secs(1);

fn call_of<'a>(asked: &'a Asked<'_>) -> Result<Call<'a>, Problem> {
    // Where it is off, only who is logged in gets here.
    if !onvif::is_on(&asked.context.camera) {
        return Err(Problem::not_found());
    }
    Ok(Call {
        method: asked.asking.method,
        service: asked.id(),
        body: asked.body,
        authorization: asked.asking.authorization,
        host: asked.asking.host,
        peer: asked.asking.peer,
    })
}

fn soap(answered: Answered) -> Reply {
    let kind = "application/soap+xml; charset=utf-8";
    let mut answer = reply::bytes(answered.status, kind, answered.body.into_bytes());
    if let Some(seconds) = answered.retry_after {
        answer = reply::with(answer, "Retry-After", &seconds.to_string());
    }
    for challenge in answered.challenges {
        answer = reply::with(answer, "WWW-Authenticate", &challenge);
    }
    answer
}

pub(in crate::web) fn call(asked: &Asked<'_>) -> Answer {
    // A pull that has no place among those that wait is answered after a second, so that its client
    // does not ask without a pause; where all are held, at once.
    let place = asked.client.hold(Hold::News);
    let wait = if place.is_some() { LONGEST } else { SHORT };
    let place = place.or_else(|| asked.client.hold(Hold::Stream));
    let until = Instant::now() + wait;
    let may = || place.is_some() && Instant::now() < until;
    let here = || asked.client.presence() == Presence::Here && may();
    Ok(soap(onvif::call(&asked.context.camera, &call_of(asked)?, &here)))
}

/// A JPEG file where the firmware makes one, else the last key frame: as `GET /api/v1/snapshot`. With
/// `form=jpeg` a JPEG file or an error.
pub(in crate::web) fn snapshot(asked: &Asked<'_>) -> Answer {
    let camera = &asked.context.camera;
    if let Err(refused) = onvif::may(camera, &call_of(asked)?) {
        return Ok(soap(refused));
    }
    controls::require_on(camera)?;
    let stream = asked.word("stream").unwrap_or("mainstream");
    // The address that GetSnapshotUri gives: a client saves it as what it expects.
    let picture = match asked.word("form") {
        Some("jpeg") => video::snapshot(camera, stream, SnapshotForm::Jpeg)?,
        _ => video::best_snapshot(camera, stream)?,
    };
    Ok(reply::bytes(200, &picture.media_type, picture.body))
}
