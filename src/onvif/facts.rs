//! The facts for answers, and the result of a request: an answer and a wish.

use super::control::{Deed, Imaging, Motors};

/// One of the camera's streams.
#[derive(Clone, Debug)]
pub struct Stream {
    /// Its profile's token: `main`, `sub`.
    pub token: &'static str,
    /// What its address ends in.
    pub path: &'static str,
    /// `H264` or `H265`.
    pub codec: &'static str,
    /// Pixels in a row.
    pub width: u64,
    /// Rows.
    pub height: u64,
    /// Pictures in a second.
    pub fps: u64,
    /// Kilobits in a second.
    pub kbits: u64,
}

/// What is stated about the camera.
#[derive(Clone, Debug)]
pub struct OnvifFacts {
    /// `http://HOST:PORT`, as it was asked.
    pub base: String,
    /// `rtsp://HOST:PORT`.
    pub rtsp: String,
    /// Its name on the network.
    pub name: String,
    /// Its model.
    pub model: String,
    /// Of the WiFi; may be empty.
    pub mac: String,
    /// Its address.
    pub address: String,
    /// UTC as `2026-11-24T14:00:05Z`.
    pub utc: String,
    /// The page's port and the streams'.
    pub ports: [u16; 2],
    /// The user of the streams.
    pub user: String,
    /// IPv4 addresses of its name servers.
    pub dns: Vec<String>,
    /// Its time servers.
    pub ntp: Vec<String>,
    /// Whether it has motors that can be moved.
    pub ptz: bool,
    /// Whether its encoder makes JPEG files.
    pub jpeg: bool,
    /// Its microphone and speaker.
    pub sound: Sound,
    /// Whether its detector of motion answers.
    pub events: bool,
    /// Motors that know places, where these are such.
    pub motors: Option<Motors>,
    /// What imaging can be asked for.
    pub imaging: Imaging,
    /// The larger one first.
    pub streams: [Stream; 2],
}

/// Steps of the motors, to the right and up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moved {
    /// To the right; negative: to the left.
    pub pan: i64,
    /// Up; negative: down.
    pub tilt: i64,
}

/// An answer.
#[derive(Debug, PartialEq, Eq)]
pub struct Answered {
    /// The whole document.
    pub body: String,
    /// What is to be done before it is sent, by motors that only move.
    pub moved: Option<Moved>,
    /// What else is to be done before.
    pub deed: Option<Deed>,
}

/// What there is of sound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sound {
    /// The streams have sound, in a form that ONVIF has a word for.
    pub microphone: bool,
    /// The speaker can be spoken to.
    pub speaker: bool,
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A camera without motors of the firmware's.
    pub fn facts(ptz: bool) -> OnvifFacts {
        let stream = |token, path, width, height| Stream {
            token,
            path,
            codec: "H264",
            width,
            height,
            fps: 20,
            kbits: 2000,
        };
        OnvifFacts {
            base: "http://192.168.1.7:80".into(),
            rtsp: "rtsp://192.168.1.7:8554".into(),
            name: "a<b>&\"'".into(),
            model: "ipc009".into(),
            mac: "aa:bb:cc:dd:ee:ff".into(),
            address: "192.168.1.7".into(),
            utc: "2026-01-02T03:04:00Z".into(),
            ports: [80, 8554],
            user: "admin".into(),
            dns: vec!["192.168.1.1".into(), "9.9.9.9".into()],
            ntp: vec!["0.pool.ntp.org".into()],
            ptz,
            jpeg: true,
            sound: Sound::default(),
            events: true,
            motors: None,
            imaging: Imaging::default(),
            streams: [
                stream("main", "mainstream", 1920, 1080),
                stream("sub", "substream", 640, 360),
            ],
        }
    }
}
