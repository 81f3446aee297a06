//! Downloads of a set's files.

use std::io::{self, Read};
use std::sync::Arc;

use serde::Deserialize;
use serde_json::json;

use crate::access::login::{Caller, LoginError};
use crate::camera::Camera;
use crate::camera::downloads::{self, REDACTED, Wanted, ZIP};
use crate::card::file::open_past_cache;
use crate::card::pieces::Pieces;
use crate::error::{Chain, Code};
use crate::web::asked::{Answer, Asked};
use crate::web::problem::Problem;
use crate::web::reply;
use crate::web::zip::Zip;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Download {
    name: String,
    password: Option<String>,
}

pub(in crate::web) fn ticket(asked: &Asked<'_>) -> Answer {
    let Download { name, password } = asked.json()?;
    let camera = &asked.context.camera;
    if downloads::is_secret(&name) {
        if let Caller::Token { .. } = asked.caller {
            let hint = "Log in with the password; redacted.bin needs none.";
            let message = "Tokens have no access to secrets.";
            return Err(Problem::new(403, Code::NotByToken, message, hint));
        }
        let password = password.ok_or(LoginError::WrongPassword)?;
        camera.login().check_password(asked.source(), &password)?;
    }
    let ticket = downloads::ticket(camera, asked.id(), &name)?;
    Ok(reply::json(&json!({ "ticket": ticket })))
}

pub(in crate::web) fn file(asked: &Asked<'_>) -> Answer {
    let camera = &asked.context.camera;
    if asked.asking.method == "HEAD" {
        // It would use the ticket up.
        return Err(Problem::new(
            405,
            Code::MethodNotAllowed,
            "Only GET is supported here.",
            "Use GET.",
        ));
    }
    let wanted = downloads::redeem(camera, asked.id())?;
    let gone = |e: io::Error| {
        let message = format!("The backup's file cannot be read: {e}", e = Chain(&e));
        Problem::new(500, Code::CardGone, &message, "Check the card.")
    };
    let (body, length): (Box<dyn Read + Send>, u64) = match wanted.name.as_str() {
        ZIP => {
            let zip = Zip::of_folder(&wanted.set.path, &wanted.set.name.to_string());
            let zip = zip.map_err(gone)?;
            let length = zip.length();
            (Box::new(zip), length)
        }
        REDACTED => {
            let (reader, length) = downloads::redacted(&wanted)?;
            (Box::new(reader), length)
        }
        name => {
            let path = wanted.set.path.join(name);
            let length = open_past_cache(&path)?.metadata().map_err(gone)?.len();
            (Box::new(Pieces::new(path, 0, length)), length)
        }
    };
    log::info!("{} of {} is downloaded by {}", wanted.name, wanted.set.name, asked.asking.peer);
    let name = format!("mi360d-{}-{}", wanted.set.name, wanted.name);
    let length_here = usize::try_from(length).unwrap_or(usize::MAX);
    let body = Watched { body, left: length, camera: Arc::clone(camera), wanted };
    Ok(reply::download(Box::new(body), length_here, &name))
}

/// Tells the camera when it is over and the last byte has been taken.
struct Watched {
    body: Box<dyn Read + Send>,
    left: u64,
    camera: Arc<Camera>,
    wanted: Wanted,
}

impl Read for Watched {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let count = self.body.read(buf)?;
        self.left = self.left.saturating_sub(count as u64);
        Ok(count)
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if self.left == 0 {
            downloads::went_out(&self.camera, &self.wanted);
        }
    }
}
