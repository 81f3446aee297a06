//! Pictures of events: when motion begins or the button is pressed, one JPEG file of the firmware's
//! encoder is kept in memory, the last few of them. None is written to the card, and a restart
//! forgets them.

use std::time::Duration;

use super::{Camera, controls, video};
use crate::controls::events::EventKind;
use crate::error::Chain;
use crate::rtsp::client::SnapshotForm;

/// The longest wait for an event.
const LOOK: Duration = Duration::from_secs(10);
/// Between two pictures: the firmware's encoder does nothing else for 0.8 s and more.
const SPACING: Duration = Duration::from_secs(10);

/// Takes them until the controls end; only while the RTSP server runs, which has the picture.
pub fn keep(camera: &Camera) {
    let Ok(controls) = controls::of(camera) else { return };
    let events = controls.events();
    let mut seen = events.seq();
    while !events.is_stopped() {
        let news = events.after(seen, LOOK, &|| !events.is_stopped());
        seen = news.seq;
        let shown = |kind| matches!(kind, EventKind::MotionBegin | EventKind::Button);
        let Some(event) = news.events.iter().rfind(|event| shown(event.kind)) else { continue };
        // A flash has the memory for itself.
        if controls.is_off() || camera.jobs.running().is_some() {
            continue;
        }
        match video::snapshot(camera, "mainstream", SnapshotForm::Jpeg) {
            Ok(picture) => events.keep_picture(event.seq, picture.body),
            Err(e) => log::debug!("no picture of an event: {e}", e = Chain(&e)),
        }
        std::thread::sleep(SPACING);
    }
}
