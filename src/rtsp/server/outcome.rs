//! Outcome of a request: an answer, or a wait.

use std::time::Instant;

use crate::rtsp::message::RtspResponse;
use crate::rtsp::server::conn::Wait;

/// What becomes of a request.
#[derive(Debug)]
pub(super) enum Outcome {
    /// It is answered.
    Answer(RtspResponse),
    /// It is checked again when this is over.
    Wait(Wait, Instant),
}
