//! Sounds for the camera's speaker: those that its firmware has, and an owner's own. They are
//! played by the RTSP server, which alone speaks to the firmware's speaker.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;
use thiserror::Error;

use super::{Camera, Hardware, services, video};
use crate::card::file::read_bounded;
use crate::error::{Chain, Code, Exit, Explain, FailureKind};
use crate::formats::wav::{self, WavError};
use crate::rtsp::{RtspError, client, sound, speaker};
use crate::services::ServiceError;
use crate::services::ptz::{Direction, Moved, Wish};

/// Where the firmware has its sounds, below its root: one folder for each language, files of A-law
/// at 16 kHz.
const FOLDERS: [&str; 2] = ["mnt/data/sound/en", "mnt/data/sound/cn"];
/// Sounds that are listed.
const MOST: usize = 64;
/// Bytes of a second of them.
const SECOND: u64 = 16_000;
/// The longest sound, in seconds.
const LONGEST: usize = speaker::LONGEST / SECOND as usize;
/// Bytes of a WAV file: the longest sound of two channels at 96 kHz, and a head.
pub const LARGEST: u64 = LONGEST as u64 * 96_000 * 4 + 0x1_0000;
/// Bytes of one read.
const PIECE: usize = 0x4000;
/// How long the motors take for one step, the slower way, and to come to rest.
const STEP: Duration = Duration::from_millis(40);
/// See [`STEP`].
const REST: Duration = Duration::from_millis(500);
/// How long a calibration takes.
const CALIBRATION: Duration = Duration::from_secs(28);

/// A sound of the firmware's.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Sound {
    /// Its name, which is its file's.
    pub id: String,
    /// How long it is.
    pub seconds: f64,
}

/// `GET /api/v1/sounds`.
#[derive(Clone, Debug, Serialize)]
pub struct Sounds {
    /// The firmware's.
    pub sounds: Vec<Sound>,
    /// Whether the speaker can be used.
    pub speaker: bool,
}

/// What is played.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Playing {
    /// How long it takes.
    pub seconds: f64,
}

/// Why a sound is not played.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SoundError {
    /// The firmware has no such sound.
    #[error("the firmware has no sound '{0}'")]
    Unknown(String),
    /// The file is larger than any sound that can be played.
    #[error("the file has {0} bytes; at most {LARGEST} are accepted")]
    TooLarge(u64),
    /// It is no such file.
    #[error(transparent)]
    Wav(#[from] WavError),
    /// It broke off.
    #[error("the upload ended after {0} bytes")]
    Broken(u64),
    /// The speaker is not to be had.
    #[error(transparent)]
    Rtsp(#[from] RtspError),
}

impl Explain for SoundError {
    fn code(&self) -> Code {
        match self {
            SoundError::Unknown(_) => Code::NoSuchSound,
            SoundError::TooLarge(_) | SoundError::Wav(WavError::Long(_)) => Code::SoundTooLong,
            SoundError::Wav(_) => Code::NotASound,
            SoundError::Broken(_) => Code::UploadBrokeOff,
            SoundError::Rtsp(error) => error.code(),
        }
    }

    fn hint(&self) -> String {
        match self {
            SoundError::Unknown(_) => "GET /api/v1/sounds lists the sounds.".to_owned(),
            SoundError::TooLarge(_) | SoundError::Wav(WavError::Long(_)) => {
                format!("Cut it to {LONGEST} s.")
            }
            SoundError::Wav(_) => {
                "Save it as WAV: PCM, 16 bit, one channel. ffmpeg -i IN -ac 1 -ar 16000 OUT.wav"
                    .into()
            }
            SoundError::Broken(_) => "Send it again.".to_owned(),
            SoundError::Rtsp(error) => error.hint(),
        }
    }

    fn kind(&self) -> FailureKind {
        match self {
            SoundError::Unknown(_) => FailureKind::Missing,
            SoundError::TooLarge(_) => FailureKind::TooLarge,
            SoundError::Wav(_) => FailureKind::Invalid,
            SoundError::Broken(_) => FailureKind::Usage,
            SoundError::Rtsp(error) => error.kind(),
        }
    }

    fn exit(&self) -> Exit {
        Exit::Failed
    }
}

/// The folder with the firmware's sounds.
fn folder(camera: &Camera) -> Option<PathBuf> {
    let root = match camera.hardware() {
        Hardware::Device => PathBuf::from("/"),
        Hardware::Simulated { .. } => PathBuf::from(std::env::var_os("MI360D_FIRMWARE")?),
    };
    FOLDERS.iter().map(|folder| root.join(folder)).find(|folder| folder.is_dir())
}

fn seconds(bytes: u64) -> f64 {
    // At most 30 s: far from where precision ends.
    #[allow(clippy::cast_precision_loss)]
    let hundredths = (bytes * 100 / SECOND) as f64;
    hundredths / 100.0
}

/// The firmware's sounds, by name.
pub fn list(camera: &Camera) -> Sounds {
    let entries = folder(camera).and_then(|folder| fs::read_dir(folder).ok());
    let mut sounds: Vec<Sound> = entries
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let facts = entry.metadata().ok().filter(fs::Metadata::is_file)?;
            let fits = (1..=speaker::LONGEST as u64).contains(&facts.len());
            let id = entry.file_name().into_string().ok().filter(|id| is_name(id) && fits)?;
            Some(Sound { id, seconds: seconds(facts.len()) })
        })
        .take(MOST)
        .collect();
    sounds.sort_by(|a, b| a.id.cmp(&b.id));
    Sounds { sounds, speaker: video::document(camera).has_speaker() }
}

fn is_name(text: &str) -> bool {
    text.len() <= 64 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Plays one of the firmware's sounds.
///
/// # Errors
/// [`SoundError`].
pub fn play(camera: &Camera, id: &str) -> Result<Playing, SoundError> {
    let unknown = || SoundError::Unknown(id.chars().take(64).collect());
    let path = folder(camera).filter(|_| is_name(id)).ok_or_else(unknown)?.join(id);
    let bytes = read_bounded(&path, speaker::LONGEST as u64).map_err(|_| unknown())?;
    speak(camera, &bytes)
}

/// Plays a WAV file of `size` bytes, which `next` gives piece by piece, 0 at its end.
///
/// # Errors
/// [`SoundError`].
pub fn take(
    camera: &Camera,
    size: u64,
    next: &mut dyn FnMut(&mut [u8]) -> usize,
) -> Result<Playing, SoundError> {
    if size > LARGEST {
        return Err(SoundError::TooLarge(size));
    }
    let (mut reader, mut came) = (wav::Reader::default(), 0);
    let mut piece = vec![0; PIECE];
    while came < size {
        let most = usize::try_from(size - came).unwrap_or(PIECE).min(PIECE);
        let count = next(piece.get_mut(..most).unwrap_or_default());
        if count == 0 {
            return Err(SoundError::Broken(came));
        }
        came += count as u64;
        reader.take(piece.get(..count).unwrap_or_default(), LONGEST)?;
    }
    let bytes: Vec<u8> = reader.end()?.into_iter().map(sound::encode).collect();
    speak(camera, &bytes)
}

fn speak(camera: &Camera, bytes: &[u8]) -> Result<Playing, SoundError> {
    client::speak(video::port(camera), bytes)?;
    log::info!("the camera's speaker plays {} bytes", bytes.len());
    Ok(Playing { seconds: seconds(bytes.len() as u64) })
}

/// Moves the camera; nothing is played meanwhile.
///
/// # Errors
/// As [`services::ptz`].
pub fn move_camera(camera: &Camera, wish: Wish) -> Result<Moved, ServiceError> {
    let lasts = match wish {
        Wish::Calibrate => CALIBRATION,
        Wish::Move { steps, direction } => {
            let slow = matches!(direction, Direction::Up | Direction::Down);
            let step = if slow { STEP } else { STEP / 2 };
            step * u32::from(steps.count()) + REST
        }
    };
    if let Err(error) = client::motors(video::port(camera), lasts) {
        // Where no server runs, nobody speaks.
        log::debug!("the speaker: {error}", error = Chain(&error));
    }
    services::ptz(camera, wish)
}
