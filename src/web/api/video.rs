//! The camera's streams: their state, the last key frame, a live view, sound, their login.

use std::io::{self, ErrorKind, Read};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Deserialize;

use crate::access::login::Caller;
use crate::camera::{Camera, controls, video};
use crate::error::Code;
use crate::rtsp::client::{Media, SnapshotForm, TOO_MANY};
use crate::rtsp::error::RtspError;
use crate::web::asked::{Answer, Asked};
use crate::web::clients::{Client, Held, Hold, Presence};
use crate::web::problem::Problem;
use crate::web::reply;

/// The stream that is shown where none is named.
const USUAL: &str = "mainstream";
/// A live view without a picture for so long ends: the page asks again.
const NO_PICTURE: Duration = Duration::from_secs(60);

pub(in crate::web) fn show(asked: &Asked<'_>) -> Answer {
    Ok(reply::json(&video::document(&asked.context.camera)))
}

pub(in crate::web) fn snapshot(asked: &Asked<'_>) -> Answer {
    let form = match asked.word("form") {
        None => None,
        Some("jpeg") => Some(SnapshotForm::Jpeg),
        Some("mp4") => Some(SnapshotForm::Mp4),
        Some("annexb") => Some(SnapshotForm::AnnexB),
        Some(_) => {
            let message = "'form' must be jpeg, mp4 or annexb.";
            return Err(Problem::new(400, Code::BadQuery, message, "Correct the address."));
        }
    };
    let stream = asked.word("stream").unwrap_or(USUAL);
    let camera = &asked.context.camera;
    controls::require_on(camera)?;
    let picture = match form {
        Some(form) => video::snapshot(camera, stream, form)?,
        None => video::best_snapshot(camera, stream)?,
    };
    Ok(reply::bytes(200, &picture.media_type, picture.body))
}

pub(in crate::web) fn live(asked: &Asked<'_>) -> Answer {
    let stream = asked.word("stream").unwrap_or(USUAL);
    let sound = asked.number("sound")?.is_some_and(|wanted| wanted != 0);
    controls::require_on(&asked.context.camera)?;
    let place = place(asked)?;
    let view = video::live(&asked.context.camera, stream, sound)?;
    endless(asked, view, place)
}

pub(in crate::web) fn sound(asked: &Asked<'_>) -> Answer {
    controls::require_on(&asked.context.camera)?;
    let place = place(asked)?;
    let sound = video::sound(&asked.context.camera)?;
    endless(asked, sound, place)
}

/// A place for a stream that does not end; ordinary requests keep theirs.
fn place(asked: &Asked<'_>) -> Result<Held, Problem> {
    let held = asked.client.hold(Hold::Stream);
    held.ok_or_else(|| RtspError::Refused(TOO_MANY.to_owned()).into())
}

fn endless(asked: &Asked<'_>, view: Media<impl Read + Send + 'static>, place: Held) -> Answer {
    if asked.asking.method == "HEAD" {
        return Ok(reply::bytes(200, &view.media_type, Vec::new()));
    }
    let camera = Arc::clone(&asked.context.camera);
    let body = WhileHere { body: view.body, client: asked.client.clone(), camera, _place: place };
    Ok(reply::endless(&view.media_type, Box::new(body)))
}

/// A live view that ends when nobody takes it any more, also while no picture comes, and when the
/// camera is switched off.
struct WhileHere<B> {
    body: B,
    client: Client,
    camera: Arc<Camera>,
    _place: Held,
}

impl<B: Read> Read for WhileHere<B> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let began = Instant::now();
        loop {
            if controls::require_on(&self.camera).is_err() {
                return Ok(0);
            }
            match self.body.read(buf) {
                // No picture within client::LOOK.
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    if self.client.presence() == Presence::Gone || began.elapsed() > NO_PICTURE {
                        return Err(ErrorKind::TimedOut.into());
                    }
                }
                other => return other,
            }
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Password {
    password: String,
}

/// The streams' password, to one who has typed the page's again.
pub(in crate::web) fn login(asked: &Asked<'_>) -> Answer {
    let Password { password } = asked.json()?;
    if let Caller::Token { .. } = asked.caller {
        let hint = "Log in with the password.";
        let message = "Tokens have no access to secrets.";
        return Err(Problem::new(403, Code::NotByToken, message, hint));
    }
    let camera = &asked.context.camera;
    camera.login().check_password(asked.source(), &password)?;
    Ok(reply::json(&video::login(camera)?))
}
