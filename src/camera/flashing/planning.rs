//! Making the plan of a flash. It changes nothing.

use std::sync::Arc;
use std::time::Duration;

use super::error::FlashingError;
use super::opened::Opened;
use super::planned::Planned;
use super::request::{PlanRequest, PlanSource};
use super::same::same_content;
use super::{conditions, lawful, rescue};
use crate::backup::{Progress, Reading};
use crate::base::hex;
use crate::camera::Camera;
use crate::chip::{Partition, Role};
use crate::flash::plan::compare;
use crate::flash::{Bytes, Heals, PartPlan, heal};
use crate::formats::flsh;
use crate::formats::uimage::Family;
use crate::image::slices::{Slice, Target};
use crate::image::{Finding, OnChip, Source, uboot};

/// How long WiFi, and the page with it, will be away, in seconds; `None` where they stay.
pub(super) fn away_seconds(camera: &Camera, planned: &Planned, is_held: bool) -> Option<u64> {
    let needs = conditions::needs(planned);
    camera.machine().page_goes(needs).then(|| away(planned.estimate(), is_held))
}

/// How long WiFi is away in a flash of DATA whose chip takes this long: DATA is released, what is
/// overwritten is saved, unless a set holds it already, and the camera starts again at the end.
fn away(chip: Duration, is_held: bool) -> u64 {
    const RELEASE: u64 = 60;
    const SAVE: u64 = 90;
    const START: u64 = 60;
    let saved = if is_held { 0 } else { SAVE };
    RELEASE + saved + chip.as_secs() + START
}

/// The family of the processor, by the kernel on the chip, else by its U-Boot.
pub(super) fn family(camera: &Camera, reading: &Reading) -> Option<Family> {
    [Role::Kernel, Role::Boot].into_iter().find_map(|role| {
        let part = camera.chip().map().by_role(role)?;
        let family = reading.of(part)?.content.facts.uimage.as_ref()?.family;
        (family != Family::Other).then_some(family)
    })
}

/// Where the kernel on the chip is loaded to, an address in memory.
pub(super) fn kernel_load(camera: &Camera, reading: &Reading) -> Option<u32> {
    let part = camera.chip().map().by_role(Role::Kernel)?;
    Some(reading.of(part)?.content.facts.uimage.as_ref()?.load)
}

/// Makes a plan; changes nothing.
///
/// # Errors
/// [`FlashingError`] where source or chip cannot be read, or names mean nothing.
pub fn plan(
    camera: &Camera,
    request: &PlanRequest,
    progress: &dyn Progress,
) -> Result<Planned, FlashingError> {
    let reading = camera.read(progress)?;
    plan_with(camera, request, reading, progress)
}

/// The same, with a reading of the chip that was made just now.
pub(super) fn plan_with(
    camera: &Camera,
    request: &PlanRequest,
    reading: Reading,
    progress: &dyn Progress,
) -> Result<Planned, FlashingError> {
    let identity = camera.judge_identity();
    let model = camera.model(&identity);
    let map = camera.chip().map();
    let known = camera.known_images();
    let target = Target {
        map,
        model: Some(model.as_str()).filter(|m| *m != "unknown"),
        family: family(camera, &reading),
        identity: Some(&identity),
        firmware: None,
        kernel_load: kernel_load(camera, &reading),
        known: &known,
    };
    let boot = map.by_role(Role::Boot).map(|part| OnChip { chip: camera.chip(), part });
    let boot = boot.as_ref().map(|boot| boot as &dyn Source);
    let opened = Opened::open(&request.source, &target, boot)?;
    let slices = Arc::clone(&opened.slices);
    let whole_set = matches!(request.source, PlanSource::Set(_)) && request.only.is_none();
    let chosen: Vec<&Slice> = match &request.only {
        Some(names) => slices.choose(names, map)?,
        None if whole_set => slices.slices.iter().collect(),
        None => slices.firmware(),
    };
    let mut planned = Planned {
        request: request.clone(),
        what: slices.what.clone(),
        sha256: slices.sha256.map(|digest| hex(&digest)),
        parts: Vec::new(),
        carried: None,
        blockers: slices.blockers_of(&chosen).cloned().collect(),
        warnings: slices.warnings_of(&chosen).cloned().collect(),
        notes: slices.notes.clone(),
        heals: Heals::NeedsPc,
        confirm: None,
        rescue: None,
        reading,
        identity,
    };
    if chosen.is_empty() && planned.blockers.is_empty() {
        planned.blockers.push(
            Finding::blocker("nothing-to-flash", "it contains nothing that can be flashed").hint(
                "`mi360d inspect` says what it is; --only takes partitions that it contains.",
            ),
        );
    }
    let ownership = lawful::check(camera, &opened, &chosen, &mut planned);
    for slice in &chosen {
        let Some(part) = map.by_name(&slice.name) else { continue };
        if part.erase_size == 0 || part.erase_size > crate::chip::WINDOW {
            planned.blockers.push(conditions::odd_erase_size(part));
            continue;
        }
        let content = opened.content(slice);
        let plan = compare_part(camera, part, content, &planned.reading, progress)?;
        let Some(plan) = plan else {
            planned.blockers.push(conditions::unreadable(part, &planned.reading));
            continue;
        };
        same_content(&plan, &slice.sha256)?;
        planned.parts.push(plan);
    }
    carry(camera, ownership, &mut planned, progress)?;
    planned.parts.sort_by_key(|plan| plan.part.offset);
    agree(camera, &opened, boot, &mut planned);
    if planned.parts.iter().any(PartPlan::changes) {
        conditions::check(camera, &mut planned);
    }
    Ok(planned)
}

/// `None` where the chip cannot be read: what cannot be read cannot be compared.
fn compare_part(
    camera: &Camera,
    part: &Partition,
    content: Arc<dyn crate::flash::NewContent>,
    reading: &Reading,
    progress: &dyn Progress,
) -> Result<Option<PartPlan>, FlashingError> {
    // Where a reading has gaps its sums are not the chip's.
    let known = reading.of(part).filter(|read| read.gaps.is_empty());
    match compare(camera.chip(), part, content, known, progress) {
        Err(crate::flash::FlashError::Chip(crate::chip::ChipError::Read { .. })) => Ok(None),
        done => Ok(Some(done?)),
    }
}

/// A DATA from elsewhere takes the WiFi settings with it: they go through
/// CONFIG, as the stock updater lets them.
fn carry(
    camera: &Camera,
    ownership: lawful::Ownership,
    planned: &mut Planned,
    progress: &dyn Progress,
) -> Result<(), FlashingError> {
    let data_changes = planned.parts.iter().any(|p| p.part.role == Role::Data && p.changes());
    let config_chosen = planned.parts.iter().any(|p| p.part.role == Role::Config);
    if !data_changes || config_chosen || ownership.is_own_set {
        return Ok(());
    }
    let wanted = camera.carries_wifi();
    let lost = |why: &str| {
        Finding::warning(
            "wifi-not-carried",
            format!(
                "the WiFi settings are in DATA, and {why}: the camera will not be on the \
                     network afterwards"
            ),
        )
        .of("DATA")
        .hint("Pair the camera again with the app, or put the settings on the card.")
    };
    if !wanted {
        planned.warnings.push(lost("config.toml says not to keep them"));
        return Ok(());
    }
    let Some(nvram) = camera.machine().nvram() else {
        if matches!(camera.source(), crate::camera::Source::Device) {
            planned.warnings.push(lost("they cannot be read"));
        }
        return Ok(());
    };
    let Some(config) = camera.chip().map().by_role(Role::Config) else { return Ok(()) };
    if !fits(config, &nvram) {
        planned.warnings.push(lost("they are not in the form that CONFIG needs"));
        return Ok(());
    }
    let content = Arc::new(Bytes(nvram.clone()));
    let plan = compare_part(camera, config, content, &planned.reading, progress)?;
    let Some(plan) = plan else {
        planned.blockers.push(conditions::unreadable(config, &planned.reading));
        return Ok(());
    };
    planned.parts.push(plan);
    planned.carried = Some(nvram);
    planned.notes.push(
        Finding::note(
            "wifi-carried",
            "The WiFi settings in DATA are kept through CONFIG, as the stock updater does.",
        )
        .of("CONFIG"),
    );
    Ok(())
}

/// Whether settings are in the form that CONFIG takes.
fn fits(config: &Partition, nvram: &[u8]) -> bool {
    nvram.len() <= config.size as usize && flsh::parse(nvram).is_ok()
}

/// The settings as they were when DATA was released take the place of those that were there when
/// the plan was made: the vendor's daemon writes them late.
pub(super) fn take_settings(
    camera: &Camera,
    planned: &mut Planned,
    now: Option<Vec<u8>>,
    progress: &dyn Progress,
) -> Result<(), FlashingError> {
    let Some(now) = now.filter(|now| planned.carried.as_ref().is_some_and(|then| then != now))
    else {
        return Ok(());
    };
    let place = planned.parts.iter().position(|plan| plan.part.role == Role::Config);
    let Some(place) = place.filter(|place| fits(&planned.parts[*place].part, &now)) else {
        log::warn!(
            "the settings in DATA are not in the form that CONFIG needs: older ones are \
            deleted"
        );
        return Ok(());
    };
    let part = planned.parts[place].part.clone();
    let content = Arc::new(Bytes(now.clone()));
    if let Some(plan) = compare_part(camera, &part, content, &planned.reading, progress)? {
        planned.parts[place] = plan;
        planned.carried = Some(now);
    }
    Ok(())
}

/// What a power cut would cost, and the phrase.
fn agree(camera: &Camera, opened: &Opened, boot: Option<&dyn Source>, planned: &mut Planned) {
    let roles: Vec<Role> = planned.changing().iter().map(|p| p.part.role).collect();
    let is_rescue = rescue::is_possible(opened, &planned.parts);
    let is_genuine =
        opened.slices.genuine.as_ref().is_some_and(crate::image::genuine::Genuineness::is_genuine);
    // No name in this camera's own U-Boot, or none that can be read: no promise.
    let boot = boot.filter(|_| is_rescue);
    let known = boot.and_then(|boot| uboot::rescue_names(boot).ok()).unwrap_or_default();
    planned.rescue = rescue::name(&known, family(camera, &planned.reading));
    planned.heals = Heals::of(&roles, planned.rescue.is_some() && is_genuine);
    let names: Vec<&str> = planned.changing().iter().map(|p| p.part.name.as_str()).collect();
    planned.confirm = heal::phrase(&names, planned.heals);
    if planned.heals == Heals::NeedsPc && planned.confirm.is_some() {
        let why = if roles.contains(&Role::Boot) {
            "only a PC can repair a half-written BOOT"
        } else if is_rescue && known.is_empty() {
            "this camera's boot loader names no image that it accepts from a card"
        } else if is_rescue {
            "it is not certain that the boot loader accepts this image"
        } else {
            "the boot loader writes only a whole vendor image, and this is not one"
        };
        let hint = if is_rescue && known.is_empty() {
            "Make sure that the power is reliable, and have a flash programmer ready: no image on \
             the card helps."
        } else {
            "Flash a rescue image (the vendor's own tf image) instead, or make sure that the \
             power is reliable and have a flash programmer ready."
        };
        planned.warnings.push(
            Finding::warning(
                "without-rescue",
                format!("if the power fails while writing, only a PC can repair the camera: {why}"),
            )
            .hint(hint),
        );
    }
}
