//! The server's state as a document: what the page shows of it. Names here are read by others.

use serde::Serialize;

use super::params::Codec;
use super::picture::Size;
use super::sound::SoundForm;

/// What is known of the program that writes into a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Writer {
    /// The FIFO or file is not there.
    Missing,
    /// Nobody has written yet.
    #[default]
    Waiting,
    /// Pictures come.
    Live,
    /// It is there, and sends nothing.
    Silent,
    /// It went away.
    Gone,
}

/// What was lost on the way into the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Lost {
    /// How often the stream broke.
    pub breaks: u64,
    /// Pictures that came and could not be shown.
    pub pictures: u64,
}

/// One stream.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StreamStats {
    /// Its name; its address ends in it.
    pub name: String,
    /// How its pictures are coded; none before the first one.
    pub codec: Option<Codec>,
    /// Its pictures.
    pub size: Option<Size>,
    /// Whether pictures come.
    pub writer: Writer,
    /// Pictures in a second, over the last seconds.
    pub fps: f64,
    /// Bits in a second, over the last seconds.
    pub bits_per_second: u64,
    /// Pictures since the start.
    pub pictures: u64,
    /// Of these, key frames.
    pub key_pictures: u64,
    /// Pictures from one key frame to the next, of the last group.
    pub group: u64,
    /// Losses at the FIFO.
    pub lost: Lost,
    /// Bytes that the FIFO contains at most; none where the stream is no FIFO.
    pub pipe: Option<usize>,
    /// How far it is with the firmware's own frames; none where the stream is not of them.
    pub firmware: Option<String>,
    /// Bytes of frames held for the viewers.
    pub held: usize,
    /// The viewers, the page's live view included.
    pub viewers: usize,
    /// How often the codec or the picture's size changed.
    pub changes: u64,
}

/// The microphone's sound.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SoundStats {
    /// What clients get.
    pub form: SoundForm,
    /// How far it is with the firmware's endpoint.
    pub firmware: Option<String>,
    /// Pieces since the start, of 40 ms as a rule.
    pub pieces: u64,
}

/// One viewer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ViewerStats {
    /// Its address.
    pub peer: String,
    /// The stream it watches.
    pub stream: String,
    /// `udp`, `tcp`, or `page`.
    pub transport: String,
    /// Whether it plays.
    pub playing: bool,
    /// Whether it gets sound, too.
    pub sound: bool,
    /// Whether it has the speaker.
    pub speaks: bool,
    /// Seconds since it came.
    pub seconds: u64,
    /// Pictures sent to it.
    pub pictures: u64,
    /// Bytes sent to it.
    pub bytes: u64,
    /// Pictures it was too slow for; always up to a key frame.
    pub lost: u64,
}

/// The whole document.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Stats {
    /// Where it listens.
    pub listen: String,
    /// Whether a login is needed.
    pub login: bool,
    /// Seconds since the start.
    pub seconds: u64,
    /// The streams.
    pub streams: Vec<StreamStats>,
    /// The microphone; none where there is none, or where it is switched off.
    pub sound: Option<SoundStats>,
    /// How far it is with the firmware's snapshots; none where they are not asked for.
    pub snapshots: Option<String>,
    /// How far it is with the firmware's speaker; none where it is not used.
    pub speaker: Option<String>,
    /// The viewers.
    pub viewers: Vec<ViewerStats>,
    /// Viewers that are let in at once.
    pub most_viewers: usize,
    /// Viewers that were refused, for there were too many.
    pub refused: u64,
    /// Logins with a wrong password.
    pub wrong_logins: u64,
}
