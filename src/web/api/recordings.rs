//! The firmware's recordings on the card: list by hour, play in parts, delete.

use std::io;

use serde_json::json;

use super::nothing;
use crate::camera::recordings;
use crate::card::file::open_past_cache;
use crate::card::pieces::Pieces;
use crate::error::{Chain, Code};
use crate::web::asked::{Answer, Asked};
use crate::web::problem::Problem;
use crate::web::range::{self, ByteRange};
use crate::web::reply;

pub(in crate::web) fn hours(asked: &Asked<'_>) -> Answer {
    Ok(reply::json(&json!({ "hours": recordings::hours(&asked.context.camera) })))
}

pub(in crate::web) fn hour(asked: &Asked<'_>) -> Answer {
    let found = recordings::of_hour(&asked.context.camera, asked.id()).ok_or_else(gone)?;
    Ok(reply::json(&json!({ "recordings": found })))
}

pub(in crate::web) fn play(asked: &Asked<'_>) -> Answer {
    let name = asked.parts.get(1).copied().unwrap_or_default();
    let path = recordings::find(&asked.context.camera, asked.id(), name).ok_or_else(gone)?;
    let file = open_past_cache(&path)?;
    let lost = |e: io::Error| {
        let message = format!("The recording cannot be read: {e}", e = Chain(&e));
        Problem::new(500, Code::CardGone, &message, "Check the card.")
    };
    let size = file.metadata().map_err(lost)?.len();
    let (status, from, length) = match range::of(asked.range, size) {
        ByteRange::Whole => (200, 0, size),
        ByteRange::Some(from, length) => (206, from, length),
        ByteRange::None => (416, 0, 0),
    };
    let body = Box::new(Pieces::new(path, from, from + length));
    let length_here = usize::try_from(length).unwrap_or(usize::MAX);
    let answer = reply::stream(status, "video/mp4", body, length_here);
    let answer = reply::with(answer, "Accept-Ranges", "bytes");
    let answer = reply::with(answer, "Cache-Control", "no-store");
    Ok(match status {
        206 => {
            let last = (from + length).saturating_sub(1);
            reply::with(answer, "Content-Range", &format!("bytes {from}-{last}/{size}"))
        }
        416 => reply::with(answer, "Content-Range", &format!("bytes */{size}")),
        _ => answer,
    })
}

pub(in crate::web) fn delete(asked: &Asked<'_>) -> Answer {
    let camera = &asked.context.camera;
    let _alone = camera.alone()?;
    if recordings::delete(camera, asked.id(), asked.parts.get(1).copied())? {
        Ok(nothing(200))
    } else {
        Err(gone())
    }
}

fn gone() -> Problem {
    Problem::new(404, Code::NoSuchFile, "This recording does not exist", "Reload the list.")
}
