//! The facts for a plan, found in one place: the source, the chip, the card, the machine. It reads
//! and changes nothing; [`decide`](crate::flash::decide) judges.

use std::sync::Arc;

use super::error::FlashingError;
use super::opened::Opened;
use super::planned::Read;
use super::same::{self, same_content};
use super::{lawful, live};
use crate::backup::{Progress, Reading, make, set};
use crate::base::hex;
use crate::camera::{self, Camera};
use crate::chip::{ChipError, Partition, Role};
use crate::flash::decide::{self, fits};
use crate::flash::facts::{
    CardFacts, Chosen, Compared, Facts, Left, OwnFacts, PartFacts, Settings, SourceFacts,
};
use crate::flash::journal::{self, Found};
use crate::flash::plan::compare;
use crate::flash::{Bytes, FlashError, NewContent, PartPlan, PlanRequest, PlanSource, protection};
use crate::image::genuine::Genuineness;
use crate::image::inspect::FileKind;
use crate::image::slices::{Slice, Slices, Target};
use crate::image::{OnChip, Source, uboot};
use crate::machine::Needs;

/// Finds the facts for a request, with a reading of the chip that was made just now.
///
/// # Errors
/// [`FlashingError`] where source or chip cannot be read, or names mean nothing.
pub fn gather(
    camera: &Camera,
    request: &PlanRequest,
    reading: Reading,
    progress: &dyn Progress,
) -> Result<(Facts, Read), FlashingError> {
    let own = lawful::own(camera);
    let map = camera.chip().map();
    let boot = map.by_role(Role::Boot).map(|part| OnChip { chip: camera.chip(), part });
    let boot = boot.as_ref().map(|boot| boot as &dyn Source);
    let opened = open(camera, request, &own, &reading, boot)?;
    let slices = Arc::clone(&opened.slices);
    let chosen = choose(camera, request, &slices)?;
    let look = Look { camera, reading: &reading, progress };
    let compared = Compared {
        source: source(&look, request, &opened, &chosen),
        own,
        chosen: chosen
            .iter()
            .map(|slice| look.chosen(&opened, slice))
            .collect::<Result<_, FlashingError>>()?,
    };
    let needs = Needs { data: compared.changes_data() };
    let settings = decide::needs_settings(&compared, request).then(|| look.settings());
    let boot = boot.filter(|_| decide::may_be_rescue(&compared));
    let facts = Facts {
        settings: settings.transpose()?,
        loader: boot.and_then(|boot| uboot::rescue_names(boot).ok()).unwrap_or_default(),
        family: live::family(camera, &reading),
        card: card(&look),
        obstacles: camera.machine().obstacles(needs),
        left: left(camera),
        is_device: matches!(camera.hardware(), camera::Hardware::Device),
        page_goes: camera.machine().page_goes(needs),
        compared,
    };
    let sha256 = slices.sha256.map(|digest| hex(&digest));
    Ok((facts, Read { what: slices.what.clone(), sha256, chip: reading }))
}

/// The source, taken apart for this camera.
fn open(
    camera: &Camera,
    request: &PlanRequest,
    own: &OwnFacts,
    reading: &Reading,
    boot: Option<&dyn Source>,
) -> Result<Opened, FlashingError> {
    let model = camera.model(&own.identity);
    let known = camera.known_images();
    let target = Target {
        map: camera.chip().map(),
        model: Some(model.as_str()).filter(|m| *m != "unknown"),
        family: live::family(camera, reading),
        identity: Some(&own.identity),
        firmware: None,
        kernel_load: live::kernel_load(camera, reading),
        known: &known,
    };
    Opened::open(&request.source, &target, boot)
}

/// The partitions that are asked for: a set brings all that it has, an image its firmware.
fn choose<'a>(
    camera: &Camera,
    request: &PlanRequest,
    slices: &'a Slices,
) -> Result<Vec<&'a Slice>, FlashingError> {
    Ok(match (&request.only, &request.source) {
        (Some(names), _) => slices.choose(names, camera.chip().map())?,
        (None, PlanSource::Set(_)) => slices.slices.iter().collect(),
        (None, PlanSource::Image(_)) => slices.firmware(),
    })
}

/// What is read.
struct Look<'a> {
    camera: &'a Camera,
    reading: &'a Reading,
    progress: &'a dyn Progress,
}

impl Look<'_> {
    fn chosen(&self, opened: &Opened, slice: &Slice) -> Result<Chosen, FlashingError> {
        let part = self.camera.chip().map().by_name(&slice.name);
        let on_chip = part.map(|part| self.part(part, Some(opened.content(slice))));
        let on_chip = on_chip.transpose()?;
        if let Some(plan) = on_chip.as_ref().and_then(|part| part.plan.as_ref()) {
            same_content(plan, &slice.sha256)?;
        }
        Ok(Chosen {
            name: slice.name.clone(),
            role: slice.role,
            is_unlocked: slice.role.is_protected() && self.camera.is_unlocked(&slice.name),
            identity: slice.content.facts.identity.clone(),
            on_chip,
        })
    }

    /// A partition, compared with its new content where there is any.
    fn part(
        &self,
        part: &Partition,
        content: Option<Arc<dyn NewContent>>,
    ) -> Result<PartFacts, FlashingError> {
        let compare = |new| compare_part(self.camera, part, new, self.reading, self.progress);
        let gaps = self.reading.of(part).map(|read| &read.gaps);
        Ok(PartFacts {
            plan: content.filter(|_| !decide::is_odd(part)).map(compare).transpose()?.flatten(),
            gap: gaps.and_then(|gaps| gaps.first()).map(|gap| gap.offset),
            is_writable: self.camera.chip().is_writable(part),
            is_protected: !protection::scan(self.camera.chip(), part).is_empty(),
            part: part.clone(),
        })
    }

    fn settings(&self) -> Result<Settings, FlashingError> {
        let is_wanted = self.camera.carries_wifi();
        let nvram = if is_wanted { self.camera.machine().nvram() } else { None };
        let config = self.camera.chip().map().by_role(Role::Config).map(|config| {
            let fitting = nvram.clone().filter(|nvram| fits(config, nvram));
            self.part(config, fitting.map(|nvram| Arc::new(Bytes(nvram)) as _))
        });
        Ok(Settings { is_wanted, config: config.transpose()?, nvram })
    }
}

/// `None` where the chip cannot be read: what cannot be read cannot be compared.
pub fn compare_part(
    camera: &Camera,
    part: &Partition,
    content: Arc<dyn NewContent>,
    reading: &Reading,
    progress: &dyn Progress,
) -> Result<Option<PartPlan>, FlashingError> {
    // Where a reading has gaps its sums are not the chip's.
    let known = reading.of(part).filter(|read| read.gaps.is_empty());
    match compare(camera.chip(), part, content, known, progress) {
        Err(FlashError::Chip(ChipError::Read { .. })) => Ok(None),
        done => Ok(Some(done?)),
    }
}

fn source(
    look: &Look<'_>,
    request: &PlanRequest,
    opened: &Opened,
    chosen: &[&Slice],
) -> SourceFacts {
    let (camera, slices) = (look.camera, &opened.slices);
    let findings = slices.blockers_of(chosen).chain(slices.warnings_of(chosen));
    let live = camera.chip().map().by_role(Role::Boot).and_then(|part| look.reading.of(part));
    let boots = live.zip(slices.by_role(Role::Boot));
    let path = request.source.path();
    let images = camera.card().home().join("images").canonicalize();
    let whole = path.canonicalize();
    let is_kept = whole.is_ok_and(|path| images.is_ok_and(|images| path.starts_with(images)));
    let to_copy = match request.source {
        // It is copied as the one chip that its files make.
        PlanSource::Image(_) if path.is_dir() => slices.bytes,
        PlanSource::Image(_) if !is_kept => std::fs::metadata(path).map_or(0, |meta| meta.len()),
        _ => 0,
    };
    SourceFacts {
        findings: findings.chain(&slices.notes).cloned().collect(),
        factory: opened.factory.clone(),
        has_live_boot: boots.is_some_and(|(live, theirs)| live.sha256 == theirs.sha256),
        is_whole_tf: slices.kind == FileKind::TfImage && slices.trailer.is_some(),
        is_genuine: slices.genuine.as_ref().is_some_and(Genuineness::is_genuine),
        is_on_card: same::below_card(camera, path).is_some(),
        to_copy,
    }
}

fn card(look: &Look<'_>) -> CardFacts {
    let camera = look.camera;
    let state = camera.state();
    let lacks_identity = state.vaulted.as_ref().is_some_and(|vaulted| !vaulted.kept.is_safe());
    drop(state);
    CardFacts {
        state: camera.card().state(),
        held_by: held_by(look),
        chip_size: camera.chip().map().chip_size,
        lacks_identity,
    }
}

/// Whether some set contains what the chip contains now, exactly.
fn held_by(look: &Look<'_>) -> Option<String> {
    let chip = look.camera.chip();
    let sets = set::list(&look.camera.card().backups());
    let newest = sets.into_iter().rev().find(|set| {
        set.closed().is_some_and(|manifest| make::holds(manifest, chip, look.reading, true))
    });
    newest.map(|set| set.name.to_string())
}

fn left(camera: &Camera) -> Left {
    match journal::find(camera.card()) {
        Found::Open(job, _) if same::check_camera(camera, &job).is_err() => Left::OtherCameras,
        Found::Open(job, _) => Left::Interrupted {
            partitions: job.partitions.into_iter().map(|part| part.name).collect(),
        },
        Found::Damaged { reason } => Left::Damaged { reason },
        Found::Nothing => Left::Nothing,
    }
}
