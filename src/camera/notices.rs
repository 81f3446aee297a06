//! All notices of a camera, the gravest first.

use super::card_view;
use super::flashing::words;
use super::memory::CardView;
use super::notice::{
    Notice, Severity, notice, of_backup, of_card, of_identity, of_keeping, of_map, of_page,
    of_proofs, one_each,
};
use super::{Camera, update};
use crate::error::Code;

/// Everything to tell now, the gravest first.
pub fn all(camera: &Camera) -> Vec<Notice> {
    let (on_card, card) = (card_view::of(camera), camera.card().state());
    let mut found = Vec::new();
    let state = camera.state();
    if let Some(vaulted) = &state.vaulted {
        found.extend(of_identity(vaulted));
        found.extend(of_keeping(&vaulted.kept));
    }
    found.extend(of_card(card));
    found.extend(of_map(&camera.chip().map().layout));
    found.extend(of_backup(&state));
    found.extend(of_proofs(&state));
    found.extend(of_page(&state));
    found.extend(update::of_update(state.update_failure.as_ref()));
    drop(state);
    found.extend(of_interruption(camera, &on_card));
    found.extend_from_slice(&on_card.notices);
    found.sort_by_key(|n| n.severity);
    one_each(found)
}

/// A flash that was cut short, unless it is being ended just now.
fn of_interruption(camera: &Camera, on_card: &CardView) -> Option<Notice> {
    let interrupted = on_card.interrupted.as_ref()?;
    if camera.jobs().running().is_some() {
        return None;
    }
    Some(notice(
        Severity::Danger,
        Code::FlashInterrupted,
        words(interrupted),
        "Keep the camera powered and continue on the page or with `mi360d resume`. If the image \
         is gone, the backup can replace it.",
    ))
}
