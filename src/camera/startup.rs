//! The order of a start: the identity before anything else, then, next to the
//! page, the backup and the proof of what is on the card.

use super::notices;
use std::sync::Arc;

use super::job::JobKind;
use super::state::BackupState;
use super::{Camera, flash_jobs, mend, sets, status_txt};
use crate::backup::retention::{Standing, standings};
use crate::backup::vault::Kept;
use crate::backup::{room, set, verify};
use crate::card::{CardState, claim};
use crate::error::{Chain, Code};
use crate::machine::boots::Boots;
use crate::settings::config;
use crate::sys;

/// What comes before the page: the identity, then the settings and the count of starts. Before
/// that nothing is written but what makes the card fit for it.
pub fn before_serving(camera: &Camera, config_path: &std::path::Path) {
    mend::at_start(camera);
    camera.secure_identity();
    // The vendor's start continues next to this one.
    camera.keep_renamers_off();
    let settings = config::load(config_path);
    let boots = Boots::count_start(camera.card());
    camera.login().start();
    let mut state = camera.state();
    state.settings = settings;
    state.settings_path = Some(config_path.to_owned());
    state.boot_count = boots.count;
    state.safe_mode = boots.is_safe_mode();
}

/// What runs next to the page, on a thread of its own, below everything else.
pub fn beside_serving(camera: &Arc<Camera>) {
    status_txt::write(camera);
    // Before the priority is lowered: a half-written camera is in a hurry.
    if flash_jobs::resume_at_start(camera) {
        return; // the camera restarts
    }
    camera.remove_leftovers();
    sys::process::lower_priority();
    let keep = sets::keep(camera);
    let at_start = camera.state().settings.config.backup.at_start;
    if at_start {
        match camera.jobs().begin(JobKind::Backup) {
            Ok(job) => sets::back_up(camera, keep, false, job),
            Err(e) => log::info!("no backup at this start: {e}", e = Chain(&e)),
        }
    } else {
        camera.state().backup = BackupState::Off;
    }
    if camera.state().vaulted.as_ref().is_some_and(|v| matches!(v.kept, Kept::MemoryOnly { .. })) {
        // The backup may have made room.
        camera.secure_identity();
    }
    prove(camera);
    status_txt::write(camera);
    for n in notices::all(camera) {
        log::warn!("{}: {}. {}", n.code, n.message, n.hint);
    }
}

/// Looks whether what was saved is still there: a card can be changed while the
/// camera runs. If not, everything is saved again.
pub fn look_again(camera: &Arc<Camera>) {
    if claim::is_claimed() || camera.jobs().running().is_some() {
        return; // the job at the card reports its result
    }
    camera.look_after_rescue();
    let gone = {
        let state = camera.state();
        let identity = match state.vaulted.as_ref().map(|v| &v.kept) {
            Some(Kept::Already(path) | Kept::Saved(path)) => !path.exists(),
            _ => false,
        };
        let set = match &state.backup {
            BackupState::Done { set, .. } => !camera.card().backups().join(set).exists(),
            _ => false,
        };
        identity || set
    };
    if gone && matches!(camera.card().state(), CardState::Ready { .. }) {
        log::warn!("the saved data is no longer on the card: saving it again");
        save_again(camera);
    } else {
        status_txt::write(camera);
    }
}

/// The card was ejected or formatted, and there is one again: the identity first, then the login,
/// which an empty card does not know, then the backup.
pub fn card_is_back(camera: &Arc<Camera>) {
    log::info!("there is a card again: {}", camera.card().state().words());
    save_again(camera);
}

fn save_again(camera: &Arc<Camera>) {
    mend::at_start(camera);
    camera.secure_identity();
    camera.login().card_changed();
    camera.state().proofs.clear();
    beside_serving(camera);
}

/// The work ended by a mistake of the program: that is reported, and the page stays.
pub fn work_panicked(camera: &Camera) {
    camera.state().backup = BackupState::Failed {
        code: Code::Internal,
        message: "the program had an internal error during the backup".to_owned(),
        hint: "Restart the camera; if it happens again, report it with mi360d/logs.".to_owned(),
    };
    status_txt::write(camera);
}

/// Reads the newest and the pristine set of every identity again, whole.
fn prove(camera: &Camera) {
    let sets = set::list(&camera.card().backups());
    let standings = standings(&sets, 1, &|_| false);
    let newest_incomplete = standings.iter().rposition(|s| *s == Standing::Incomplete);
    for (i, (set, standing)) in sets.iter().zip(&standings).enumerate() {
        let due = matches!(standing, Standing::Pristine | Standing::NewestHealthy | Standing::Kept)
            || newest_incomplete == Some(i);
        if !due || camera.state().proofs.contains_key(&set.name) {
            continue;
        }
        match verify::verify(&set.path, &crate::backup::Silent) {
            Ok(verdict) => {
                for damage in &verdict.damage {
                    log::error!("backup {} is damaged: {damage}", set.name);
                }
                if verdict.is_whole() && camera.card().require_writable().is_ok() {
                    room::unmark(set);
                }
                camera.state().proofs.insert(set.name.clone(), verdict);
            }
            Err(e) => log::warn!("backup {} could not be read: {e}", set.name, e = Chain(&e)),
        }
    }
}
