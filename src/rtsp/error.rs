//! Errors of the RTSP server: reasons why it does not start, or cannot be asked.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use thiserror::Error;

use crate::error::{Code, Exit, Explain, FailureKind};

/// See the module.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RtspError {
    /// No stream, one twice, or a name that cannot be in an address.
    #[error("{0}")]
    Streams(String),
    /// The address cannot be had.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The system's reason.
        source: io::Error,
    },
    /// Everybody in the network would see the pictures.
    #[error("{0} can be reached from the network, but no password is set")]
    NoPassword(SocketAddr),
    /// The password cannot be read.
    #[error("{} cannot be read", path.display())]
    Password {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// There is none in its file.
    #[error("{}: it contains no password", .0.display())]
    EmptyPassword(PathBuf),
    /// A thread, a socket pair, or random bytes.
    #[error("the server cannot start")]
    Start(#[source] io::Error),
    /// The server is not there, or broke off.
    #[error("the RTSP server does not answer")]
    Ask(#[source] io::Error),
    /// The server has no such stream.
    #[error("this stream does not exist")]
    NoStream,
    /// The firmware makes no snapshot.
    #[error("{0}")]
    NoJpeg(String),
    /// There is no sound, or it is switched off.
    #[error("there is no sound")]
    NoSound,
    /// The firmware's speaker is not there or not understood.
    #[error("{0}")]
    NoSpeaker(String),
    /// Another one speaks, a sound is played, or the motors run.
    #[error("{0}")]
    SpeakerBusy(String),
    /// No picture has come yet, or too many watch.
    #[error("{0}")]
    Refused(String),
}

impl Explain for RtspError {
    fn code(&self) -> Code {
        match self {
            RtspError::Streams(_) => Code::RtspStreams,
            RtspError::Listen { .. } => Code::RtspListen,
            RtspError::NoPassword(_) => Code::RtspNoPassword,
            RtspError::Password { .. } => Code::RtspPassword,
            RtspError::EmptyPassword(_) => Code::RtspPasswordEmpty,
            RtspError::Start(_) => Code::RtspStart,
            RtspError::Ask(_) => Code::RtspNotRunning,
            RtspError::NoStream => Code::NoSuchStream,
            RtspError::NoJpeg(_) => Code::RtspNoJpeg,
            RtspError::NoSound => Code::RtspNoSound,
            RtspError::NoSpeaker(_) => Code::RtspNoSpeaker,
            RtspError::SpeakerBusy(_) => Code::SpeakerBusy,
            RtspError::Refused(_) => Code::RtspNoPicture,
        }
    }

    fn hint(&self) -> String {
        match self {
            RtspError::Streams(_) => {
                "Give each stream once, with letters, digits, - and _: --stream mainstream=PATH."
            }
            RtspError::Listen { .. } => {
                "Another program uses this port, or the address is not this machine's. Choose \
                 another with --listen."
            }
            RtspError::NoPassword(_) => {
                "Write one into a file and name it with --password-file, or listen on 127.0.0.1."
            }
            RtspError::Password { .. } | RtspError::EmptyPassword(_) => {
                "Write the streams' password into the file's first line."
            }
            RtspError::Start(_) => "Stop other programs to free memory, then start again.",
            RtspError::Ask(_) => "Turn RTSP on, or see its log for why it is not running.",
            RtspError::NoStream => "Use one of the streams that the server lists.",
            RtspError::NoJpeg(_) => {
                "Use the last key frame instead: form=mp4. Docs: RTSP, Snapshots."
            }
            RtspError::NoSound => {
                "Set the sound of the hack RTSP to g711 or l16. If it is set, its state on the \
                 page shows what the firmware sends."
            }
            RtspError::NoSpeaker(_) => {
                "Only the firmware's own speaker is used. Without it, nothing is played."
            }
            RtspError::SpeakerBusy(_) => "Try again when the other sound has finished.",
            RtspError::Refused(_) => {
                "Wait for the camera's first key frame. If none comes, check that its \
                 framegrabber is running."
            }
        }
        .to_owned()
    }

    fn kind(&self) -> FailureKind {
        match self {
            RtspError::Ask(_)
            | RtspError::Refused(_)
            | RtspError::NoJpeg(_)
            | RtspError::NoSound
            | RtspError::NoSpeaker(_) => FailureKind::Unavailable,
            RtspError::SpeakerBusy(_) => FailureKind::Refused,
            RtspError::NoStream => FailureKind::Missing,
            _ => FailureKind::of(self.exit()),
        }
    }

    fn exit(&self) -> Exit {
        match self {
            RtspError::Streams(_) => Exit::Usage,
            RtspError::NoPassword(_) => Exit::Refused,
            _ => Exit::Failed,
        }
    }
}
