//! Decides whether an interrupted flash may continue, from its journal and the camera. Pure. A
//! journal is a file on a card and can contain anything, so it may only ask for what a flash of
//! ours could have asked for. `tests/flash/resumable.rs` is the table of its decisions.

use std::path::{Component, Path};

use super::journal::{Job, JobPart, JobSource};
use crate::chip::Role;
use crate::identity::{Health, Judgement};
use crate::image::uboot::RESCUE_NAMES;

/// How often a start continues by itself before it waits for the owner.
const BY_ITSELF: u8 = 3;

/// What is known of the camera.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// Whether it is a camera, and no simulated one.
    pub is_device: bool,
    /// The partitions that the card's config.toml unlocks.
    pub unlocked: &'a [String],
    /// Whether the backup made before the flash is on the card, and is this camera's.
    pub has_backup: bool,
}

/// Whether a journal asks for what a flash of ours could have asked for.
///
/// # Errors
/// Why not, in words.
pub fn check(job: &Job, known: &Known<'_>) -> Result<(), &'static str> {
    let mut seen = Vec::new();
    for part in &job.partitions {
        let role = Role::of_name(&part.name);
        if role == Role::Other || seen.contains(&role) {
            return Err("it lists partitions that no flash writes");
        }
        seen.push(role);
        if part.carried && role != Role::Config {
            return Err("only CONFIG can contain settings that are kept");
        }
    }
    if job.rescue.as_deref().is_some_and(|name| !RESCUE_NAMES.contains(&name)) {
        return Err("it names a rescue image that no boot loader reads");
    }
    let (JobSource::Image { path, .. } | JobSource::Set { path }) = &job.source;
    let stays = Path::new(path).components().all(|c| matches!(c, Component::Normal(_)));
    if !stays && known.is_device {
        return Err("its source is not on the card");
    }
    // Nothing is before BOOT.
    for note in &job.neighbours {
        let role = Role::of_name(&note.name);
        if matches!(role, Role::Other | Role::Boot) || seen.contains(&role) {
            return Err("it names a partition that no erase of its own takes along");
        }
        seen.push(role);
    }
    let protected = |part: &&JobPart| Role::of_name(&part.name).is_protected() && !part.carried;
    let is_locked = |part: &JobPart| !known.unlocked.contains(&part.name);
    if matches!(job.source, JobSource::Image { .. })
        && job.partitions.iter().filter(protected).any(is_locked)
    {
        return Err("it writes a partition that comes from this camera's backups only");
    }
    if !known.has_backup {
        return Err("the backup made before it is missing or belongs to another camera");
    }
    Ok(())
}

/// Whether a FACTORY that was being written is written on: only where the new one can be this
/// camera's. A healthy live one is the same, a torn one does not contradict the WiFi's address.
pub fn is_own_factory(wanted: &Judgement, live: &Judgement, wifi_mac: Option<&str>) -> bool {
    if live.mark() == wanted.mark() {
        return true;
    }
    let healthy = wanted.health.is_healthy();
    let Some(new) = wanted.identity.as_ref().filter(|_| healthy) else { return false };
    match (&live.health, &live.identity, wifi_mac) {
        (Health::Healthy, Some(now), _) => new.same_as(now),
        (_, _, Some(mac)) => new.mac_matches(mac),
        // Agreed to at the beginning, by the only identity saved here or by the did.
        (_, _, None) => true,
    }
}

/// Whether a start that was `resumed` so often continues by itself once more.
pub fn goes_on_by_itself(resumed: u8) -> bool {
    resumed < BY_ITSELF
}
