//! Client of this machine's RTSP server, for the daemon: its state, its last key frame, a live
//! view.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::time::Duration;

use serde_json::Value;

use super::error::RtspError;
use super::picture::Size;
use super::server::local_name;
pub use super::server::{
    Head, MOTORS_RUN, NO_JPEG, NO_SOUND, NO_SPEAKER, NO_STREAM, SPEAKER_BUSY, TOO_MANY,
};
use crate::formats::document;

/// The port that is asked where nothing else was set.
pub const PORT: u16 = 8554;
/// How long an answer may take to begin. A live view begins with the first picture.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long one read of a live view waits for a picture.
pub const LOOK: Duration = Duration::from_secs(1);
/// The same for a snapshot of the firmware's: it is given up after 5 s.
const SNAPSHOT: Duration = Duration::from_secs(8);
/// Bytes of the document, of a picture.
const LARGEST: u64 = 4 * 1024 * 1024;
/// Bytes of the first line.
const LONGEST_HEAD: u64 = 4096;

/// A picture, or the beginning of a live view.
#[derive(Debug)]
pub struct Media<B> {
    /// `video/mp4; codecs="avc1.64001f"`, or `application/octet-stream`.
    pub media_type: String,
    /// Pixels.
    pub size: Option<Size>,
    /// The bytes.
    pub body: B,
}

/// The form of a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapshotForm {
    /// An MP4 file of one frame.
    Mp4,
    /// The Annex-B bytes.
    AnnexB,
    /// A JPEG file of the firmware's own encoder.
    Jpeg,
}

fn ask(port: u16, question: &str, more: &[u8]) -> Result<BufReader<UnixStream>, RtspError> {
    let ask = || -> io::Result<UnixStream> {
        let address = SocketAddr::from_abstract_name(local_name(port))?;
        let mut stream = UnixStream::connect_addr(&address)?;
        let jpeg = question.ends_with(" jpeg");
        stream.set_read_timeout(Some(if jpeg { SNAPSHOT } else { PATIENCE }))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.write_all(format!("{question}\n").as_bytes())?;
        stream.write_all(more)?;
        Ok(stream)
    };
    Ok(BufReader::new(ask().map_err(RtspError::Ask)?))
}

fn broken(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> RtspError {
    RtspError::Ask(io::Error::new(io::ErrorKind::InvalidData, error))
}

fn begin(
    port: u16,
    question: &str,
    more: &[u8],
) -> Result<(Head, BufReader<UnixStream>), RtspError> {
    let mut reader = ask(port, question, more)?;
    let mut line = String::new();
    (&mut reader).take(LONGEST_HEAD).read_line(&mut line).map_err(RtspError::Ask)?;
    let head: Head = document::from_json(line.as_bytes()).map_err(broken)?;
    match head.error {
        Some(why) if why == NO_STREAM => Err(RtspError::NoStream),
        Some(why) if why.starts_with(NO_JPEG) => Err(RtspError::NoJpeg(why)),
        Some(why) if why == NO_SOUND => Err(RtspError::NoSound),
        Some(why) if why.starts_with(NO_SPEAKER) => Err(RtspError::NoSpeaker(why)),
        Some(why) if why == SPEAKER_BUSY || why == MOTORS_RUN => Err(RtspError::SpeakerBusy(why)),
        Some(why) => Err(RtspError::Refused(why)),
        None => Ok((head, reader)),
    }
}

/// What the server at this port is doing: a [`super::stats::Stats`] as it came.
///
/// # Errors
/// [`RtspError::Ask`] where none runs.
pub fn stats(port: u16) -> Result<Value, RtspError> {
    let mut text = Vec::new();
    ask(port, "stats", &[])?.take(LARGEST).read_to_end(&mut text).map_err(RtspError::Ask)?;
    document::from_json(&text).map_err(broken)
}

/// The last key frame of a stream, or a JPEG file of the firmware's encoder.
///
/// # Errors
/// [`RtspError::Ask`] where no server runs, [`RtspError::NoStream`], [`RtspError::Refused`] where
/// there is no picture yet, [`RtspError::NoJpeg`] where the firmware makes no snapshot.
pub fn snapshot(port: u16, stream: &str, form: SnapshotForm) -> Result<Media<Vec<u8>>, RtspError> {
    let form = match form {
        SnapshotForm::Mp4 => "mp4",
        SnapshotForm::AnnexB => "annexb",
        SnapshotForm::Jpeg => "jpeg",
    };
    let (head, reader) = begin(port, &format!("snapshot {stream} {form}"), &[])?;
    let mut body = Vec::new();
    reader.take(LARGEST).read_to_end(&mut body).map_err(RtspError::Ask)?;
    Ok(Media { media_type: head.media_type, size: head.size, body })
}

/// A live view of a stream, with the microphone's sound if that is wanted and there: its body is
/// fragmented MP4 that ends when the stream changes (then ask again) or the server stops. A read
/// that gets no picture within [`LOOK`] is a timeout, and may be tried again; dropping it ends the
/// view.
///
/// # Errors
/// As [`snapshot`].
pub fn live(
    port: u16,
    stream: &str,
    sound: bool,
) -> Result<Media<impl Read + Send + 'static>, RtspError> {
    let sound = if sound { " sound" } else { "" };
    endless(port, &format!("live {stream}{sound}"))
}

/// The microphone's sound as a WAV file without an end; its reads as those of [`live`].
///
/// # Errors
/// [`RtspError::Ask`] where no server runs, [`RtspError::NoSound`] where it has no sound,
/// [`RtspError::Refused`] where too many listen or watch.
pub fn sound(port: u16) -> Result<Media<impl Read + Send + 'static>, RtspError> {
    endless(port, "sound")
}

fn endless(port: u16, question: &str) -> Result<Media<BufReader<UnixStream>>, RtspError> {
    let (head, reader) = begin(port, question, &[])?;
    reader.get_ref().set_read_timeout(Some(LOOK)).map_err(RtspError::Ask)?;
    Ok(Media { media_type: head.media_type, size: head.size, body: reader })
}

/// Has the camera's speaker play a sound: A-law at 16 kHz, 30 s at most. It is played after this
/// returns.
///
/// # Errors
/// [`RtspError::Ask`] where no server runs, [`RtspError::NoSpeaker`] where the firmware has none,
/// [`RtspError::SpeakerBusy`] where another client speaks or the motors run.
pub fn speak(port: u16, sound: &[u8]) -> Result<(), RtspError> {
    begin(port, &format!("speak {}", sound.len()), sound).map(drop)
}

/// Says that the motors run for so long from now on: nothing is played then.
///
/// # Errors
/// [`RtspError::Ask`] where no server runs: then nobody speaks either.
pub fn motors(port: u16, lasts: Duration) -> Result<(), RtspError> {
    begin(port, &format!("motors {}", lasts.as_millis()), &[]).map(drop)
}

/// Says whether the camera is switched on: while it is off, no picture and no sound leave.
///
/// # Errors
/// [`RtspError::Ask`] where no server runs.
pub fn power(port: u16, on: bool) -> Result<(), RtspError> {
    begin(port, if on { "power on" } else { "power off" }, &[]).map(drop)
}
