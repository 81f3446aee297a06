//! Privacy at the RTSP server: it is a process of its own, so it gets a message when the camera is
//! switched off and on. While off, the message is repeated, since it may have restarted.

use std::io::ErrorKind;
use std::time::Duration;

use super::{Camera, controls, video};
use crate::rtsp::{RtspError, client};

/// How often the message is repeated while the camera is off, or where it did not answer.
const AGAIN: Duration = Duration::from_secs(2);
/// The longest sleep otherwise.
const LONG: Duration = Duration::from_secs(3600);

/// Keeps the RTSP server informed until the controls end.
pub fn keep(camera: &Camera) {
    let Ok(controls) = controls::of(camera) else { return };
    // Whether a server that runs may withhold the pictures.
    let mut told = false;
    let mut failed = false;
    loop {
        let off = controls.is_off();
        let mut patience = LONG;
        if off || told {
            patience = AGAIN;
            let before = std::mem::take(&mut failed);
            match client::power(video::port(camera), !off) {
                Ok(()) => told = off,
                // No server runs: the next one begins switched on.
                Err(RtspError::Ask(e)) if e.kind() == ErrorKind::ConnectionRefused => told = off,
                Err(e) => {
                    (told, failed) = (true, true);
                    if !before {
                        let e = crate::error::chain(&e);
                        log::warn!("cannot send the power state to the RTSP server: {e}");
                    }
                }
            }
            if !off && !told {
                patience = LONG;
            }
        }
        if !controls.wait_off(off, patience) {
            return;
        }
    }
}
