//! The camera's streams as the page shows them: the RTSP server is a process of its own, and is
//! asked. What it answers is in [`crate::rtsp`].

use std::io::Read;

use serde::Serialize;
use serde_json::Value as Json;

use super::{Camera, services};
use crate::error::chain;
use crate::rtsp::client::{self, Media, SnapshotForm};
use crate::rtsp::{RtspError, auth};
use crate::services::ServiceError;
use crate::services::rtsp::ID;
use crate::services::setting::Value;

/// `GET /api/v1/video`.
#[derive(Clone, Debug, Serialize)]
pub struct VideoView {
    /// The streams' port.
    pub port: u16,
    /// The user of their login.
    pub user: &'static str,
    /// What the server is doing ([`crate::rtsp::stats::Stats`]); none where it does not run.
    pub server: Option<Json>,
    /// Why it does not, in words.
    pub reason: Option<String>,
}

impl VideoView {
    /// Whether the firmware's encoder makes JPEG files.
    pub fn has_jpeg(&self) -> bool {
        self.is_there("snapshots")
    }

    /// Whether the firmware's speaker can be spoken to.
    pub fn has_speaker(&self) -> bool {
        self.is_there("speaker")
    }

    fn is_there(&self, name: &str) -> bool {
        let words = self.server.as_ref().and_then(|server| server.get(name)?.as_str());
        matches!(words, Some("connected" | "live"))
    }
}

/// The streams' login.
#[derive(Clone, Debug, Serialize)]
pub struct StreamLogin {
    /// The user.
    pub user: &'static str,
    /// The password.
    pub password: String,
}

/// The port that is set for the server.
pub(super) fn port(camera: &Camera) -> u16 {
    let view = services::get(camera, ID).ok();
    let setting = view.and_then(|view| view.settings.into_iter().find(|s| s.name == "port"));
    match setting.and_then(|setting| setting.value) {
        Some(Value::Integer(port)) => u16::try_from(port).unwrap_or(client::PORT),
        _ => client::PORT,
    }
}

/// The streams and their viewers.
pub fn document(camera: &Camera) -> VideoView {
    let port = port(camera);
    let (server, reason) = match client::stats(port) {
        Ok(stats) => (Some(stats), None),
        Err(error) => {
            let service = services::get(camera, ID).map(|view| view.reason);
            let words = service.ok().filter(|reason| !reason.is_empty());
            (None, Some(words.unwrap_or_else(|| chain(&error))))
        }
    };
    VideoView { port, user: auth::USER, server, reason }
}

/// A picture of a stream in this form.
///
/// # Errors
/// [`RtspError`], where there is none.
pub fn snapshot(
    camera: &Camera,
    stream: &str,
    form: SnapshotForm,
) -> Result<Media<Vec<u8>>, RtspError> {
    client::snapshot(port(camera), stream, form)
}

/// A JPEG file of the firmware's encoder; where it makes none, the last key frame of the stream as
/// an MP4 file. The media type tells which.
///
/// # Errors
/// [`RtspError`], where there is neither.
pub fn best_snapshot(camera: &Camera, stream: &str) -> Result<Media<Vec<u8>>, RtspError> {
    match snapshot(camera, stream, SnapshotForm::Jpeg) {
        Err(RtspError::NoJpeg(why)) => {
            log::debug!("{why}");
            snapshot(camera, stream, SnapshotForm::Mp4)
        }
        other => other,
    }
}

/// A live view of a stream, as fragmented MP4; with the microphone's sound if that is wanted and
/// there.
///
/// # Errors
/// [`RtspError`], where there is none.
pub fn live(
    camera: &Camera,
    stream: &str,
    sound: bool,
) -> Result<Media<impl Read + Send + 'static>, RtspError> {
    client::live(port(camera), stream, sound)
}

/// The microphone's sound, as a WAV file without an end.
///
/// # Errors
/// [`RtspError`], where there is none.
pub fn sound(camera: &Camera) -> Result<Media<impl Read + Send + 'static>, RtspError> {
    client::sound(port(camera))
}

/// The streams' login, for their owner.
///
/// # Errors
/// [`ServiceError`] where there is no RTSP server on the card.
pub fn login(camera: &Camera) -> Result<StreamLogin, ServiceError> {
    let services = services::of(camera).ok_or_else(|| ServiceError::Unknown(ID.to_owned()))?;
    Ok(StreamLogin { user: auth::USER, password: services.streams_password()? })
}
