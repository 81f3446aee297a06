//! An endpoint of the firmware, the state of the connection to it, and its events.

use std::path::PathBuf;

use super::error::FrameError;
use super::payload::Payload;

/// What an endpoint sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndpointKind {
    /// Pictures of one stream.
    Picture,
    /// Sound from the microphone.
    Sound,
    /// A JPEG file for each request.
    Jpeg,
    /// The speaker: it sends nothing, and plays what it is sent.
    Speaker,
    /// Messages without frames: motion.
    Messages,
}

/// One endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The folder that contains `control`.
    pub folder: PathBuf,
    /// What it sends.
    pub kind: EndpointKind,
}

/// How far it is with an endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum EndpointState {
    /// There is no socket, or nobody listens on it.
    #[default]
    Missing,
    /// Connected; the other side has not answered yet.
    Connecting,
    /// The other side described itself as known. No frame has come yet.
    Connected,
    /// Frames come and are understood.
    Live,
    /// The other side ended.
    Gone,
    /// It speaks otherwise than what is known. Tried again once a minute.
    NotUnderstood(FrameError),
}

/// What is reported of an endpoint.
#[derive(Debug)]
pub enum Event<'a> {
    /// A whole frame.
    Frame {
        /// Its content.
        payload: Payload<'a>,
        /// At least one frame between the last one and this was lost.
        lost: bool,
    },
    /// A message of an endpoint that sends these.
    Message(&'a [u8]),
    /// A new state.
    State(&'a EndpointState),
}

/// Where events go: the endpoint's number, and the event.
pub type Sink<'a> = &'a mut dyn FnMut(usize, Event<'_>);
