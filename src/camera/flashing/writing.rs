//! The part that a flash and its resumption share: the partitions in their
//! order, each written and verified, and what is where when that ends.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::behind::{self, Behind};
use super::outcome::{Flashed, PartFate, WhatCame};
use super::renamers;
use super::rescue::{self, Rescue};
use crate::camera::Camera;
use crate::card::fat;
use crate::chip::{ChipError, Partition};
use crate::error::{Chain, chain};
use crate::flash::journal::{self, Job, JobSource, Journal, Stage};
use crate::flash::protection::Lifted;
use crate::flash::writer::{self, Tally};
use crate::flash::{BlockState, FlashError, PartPlan, Step, Watch};
use crate::machine::Prepared;

/// How often it is checked whether the rescue image is still on the card.
const LOOK: Duration = Duration::from_secs(5);

/// A watcher that feeds the watchdog too, and looks after the rescue image.
struct Fed<'a> {
    watch: &'a dyn Watch,
    ready: &'a dyn Prepared,
    rescue: Option<Rescue>,
    looked: Mutex<Instant>,
}

impl Fed<'_> {
    fn look(&self, every: Duration) {
        // One thread looks for all of them.
        if let Some(rescue) = &self.rescue
            && let Ok(mut looked) = self.looked.try_lock()
            && looked.elapsed() >= every
        {
            rescue.look();
            *looked = Instant::now();
        }
    }
}

impl Watch for Fed<'_> {
    fn step(&self, step: Step, partition: Option<&Partition>) {
        self.ready.beat();
        if step != Step::Closing {
            self.look(Duration::ZERO);
        }
        self.watch.step(step, partition);
    }

    fn block(&self, partition: &Partition, number: u32, state: BlockState) {
        self.watch.block(partition, number, state);
    }

    fn progress(&self, done: u32, total: u32) {
        self.watch.progress(done, total);
    }

    fn beat(&self) {
        self.ready.beat();
        self.look(LOOK);
        self.watch.beat();
    }
}

/// What is recorded before the first erase, to be put back at the end.
pub struct Guards {
    /// The chip's protection.
    pub lifted: Lifted,
    /// The partitions behind those that are written.
    pub behind: Behind,
}

/// Writes a job's partitions, which are in the order of writing, and closes
/// its journal if it ends.
pub fn write(
    camera: &Camera,
    job: &Job,
    parts: &[PartPlan],
    mut journal: Journal,
    ready: Box<dyn Prepared>,
    guards: &Guards,
    watch: &dyn Watch,
) -> Flashed {
    let chip = camera.chip();
    let rescue = Rescue::of(camera.card(), job);
    let fed = Fed { watch, ready: ready.as_ref(), rescue, looked: Mutex::new(Instant::now()) };
    let mut tally = Tally { total: parts.iter().map(PartPlan::writes).sum(), ..Tally::default() };
    show(&fed, parts);
    // What was counted before, of a copy or a backup, is over.
    fed.progress(0, tally.total);
    let before = chip.spent();
    let (mut begun, mut ended): (Option<Instant>, Option<Instant>) = (None, None);
    let mut fates: Vec<PartFate> = Vec::new();
    let mut error = None;
    let mut proven = Vec::new();
    // What an earlier run wrote counts: nothing is "as it was" that it may have touched.
    let before_now = journal.begun_before;
    let untouched = |plan: &PartPlan| match (before_now, plan.changes()) {
        (true, true) => "partly",
        (true, false) => "new",
        (false, _) => "as-before",
    };
    for (i, plan) in parts.iter().enumerate() {
        let fate = |holds| PartFate { name: plan.part.name.clone(), holds };
        if error.is_some() {
            fates.push(fate(untouched(plan)));
            continue;
        }
        note(&mut journal, Stage::Writing(i as u8));
        let touched_before = std::mem::take(&mut tally.touched);
        begun.get_or_insert_with(Instant::now);
        let written = writer::write(chip, plan, &fed, &mut tally);
        ended = Some(Instant::now());
        fates.push(match &written {
            Ok(_) => fate("new"),
            Err(_) if tally.touched => fate("partly"),
            Err(_) => fate(untouched(plan)),
        });
        tally.touched |= touched_before;
        match written {
            Ok(proof) => {
                proven.push((plan, proof));
                note(&mut journal, Stage::Proven(i as u8));
            }
            Err(e) => {
                log::error!("{}", chain(&e));
                error = Some(e);
            }
        }
    }
    let mut warnings = Vec::new();
    if begun.is_some() && !is_power_cut(error.as_ref()) {
        if error.is_none() {
            // A chip that erases more than it should ruins what was good when it was read.
            error = writer::hold_all(chip, proven, &fed, &mut tally).err();
        }
        if !is_power_cut(error.as_ref()) {
            let (lost, power_cut) = put_back(camera, job, &guards.behind, &mut warnings);
            fates.extend(lost.iter().map(|e| PartFate { name: e.lost(), holds: "lost" }));
            for lost in power_cut.into_iter().chain(lost) {
                log::error!("{}", chain(&lost));
                match &error {
                    None => error = Some(lost),
                    Some(_) => warnings.push(format!(
                        "{}. {}",
                        chain(&lost),
                        crate::error::Explain::hint(&lost)
                    )),
                }
            }
        }
        ended = Some(Instant::now());
    }
    let seconds = begun.zip(ended).map_or(0.0, |(from, to)| (to - from).as_secs_f64());
    let chip_time = chip.spent().zip(before).map(|(now, before)| now.since(before));
    let outcome = match (&error, tally.touched || before_now) {
        (None, _) => WhatCame::Done,
        (Some(_), true) => WhatCame::Partly,
        (Some(_), false) => WhatCame::Unchanged,
    };
    let mut may_restart = true;
    if !is_power_cut(error.as_ref()) {
        fed.step(Step::Closing, None);
        if let Err(e) = guards.lifted.put_back(chip) {
            warnings.push(format!("{}. {}", chain(&e), crate::error::Explain::hint(&e)));
        }
        if outcome != WhatCame::Partly {
            may_restart = close(camera, job, journal, outcome, &mut warnings);
        } else if matches!(error, Some(FlashError::NeighbourLost { .. })) {
            warnings.extend(without_rescue(camera, job));
        }
    }
    Flashed {
        outcome,
        partitions: fates,
        error,
        warnings,
        put_back: false,
        before: Some(job.before.clone()),
        blocks: tally.done,
        chip_time_before: before,
        chip_time,
        seconds,
        may_restart,
        ready: Some(ready),
    }
}

fn is_power_cut(error: Option<&FlashError>) -> bool {
    matches!(error, Some(FlashError::Chip(ChipError::PowerCut)))
}

/// Looks at what is behind the partitions written, and puts back what was lost; what is still
/// lost then, and where the power failed.
fn put_back(
    camera: &Camera,
    job: &Job,
    behind: &Behind,
    warnings: &mut Vec<String>,
) -> (Vec<FlashError>, Option<FlashError>) {
    let mut lost: Vec<FlashError> =
        behind.lost.iter().map(|(name, why)| behind::lost(camera, job, name, why)).collect();
    match behind.held.put_back(camera.chip()) {
        Ok(found) => {
            warnings.extend(found.back.iter().map(|name| {
                format!(
                    "The chip also erased a block of {name}. The block was restored and verified. \
                     This chip is failing: keep a backup on a PC."
                )
            }));
            let why = "the chip does not accept it, or cannot be read there";
            lost.extend(found.lost.iter().map(|name| behind::lost(camera, job, name, why)));
            (lost, None)
        }
        Err(power_cut) => (lost, Some(power_cut)),
    }
}

/// The card may be gone: the chip still tells how far it is.
fn note(journal: &mut Journal, stage: Stage) {
    if let Err(e) = journal.note(stage) {
        log::warn!("the journal: {e}", e = Chain(&e));
    }
}

/// Tells what each block waits for.
fn show(watch: &dyn Watch, parts: &[PartPlan]) {
    for plan in parts {
        for (number, block) in plan.blocks.iter().enumerate() {
            let first = number == 0 && plan.rewrites_first();
            let state = if block.action == crate::flash::Action::Same && !first {
                BlockState::Same
            } else {
                BlockState::Waiting
            };
            watch.block(&plan.part, number as u32, state);
        }
    }
}

/// All that was to be written is written, and the journal stays open only for what an erase took
/// along: the boot loader must not flash the image again, and erase next to it, at every start.
fn without_rescue(camera: &Camera, job: &Job) -> Option<String> {
    let name = job.rescue.as_deref()?;
    let removed = rescue::remove(camera.card(), name).and_then(|()| {
        let job = Job { rescue: None, ..job.clone() };
        Journal::open(camera.card(), &job).map(drop)
    });
    removed.err().map(|e| format!("{}: {name} is still on the card; remove it on a PC.", chain(&e)))
}

/// Takes back what was laid down for a flash that does not begin.
pub fn abandon(camera: &Camera, job: &Job, journal: Journal) {
    if journal.begun_before {
        return; // an older flash needs it
    }
    let mut warnings = Vec::new();
    close(camera, job, journal, WhatCame::Unchanged, &mut warnings);
    remove_copy(camera, job);
    for warning in warnings {
        log::warn!("{warning}");
    }
}

/// Takes away what was only for the flash. Whether a restart does no harm: with
/// the rescue image still there the boot loader would write it once more.
fn close(
    camera: &Camera,
    job: &Job,
    journal: Journal,
    outcome: WhatCame,
    warnings: &mut Vec<String>,
) -> bool {
    let mut may_restart = true;
    let card = camera.card();
    if let Some(name) = &job.rescue
        && let Err(e) = rescue::remove(card, name)
    {
        may_restart = false;
        log::warn!("{e}", e = Chain(&e));
        warnings.push(format!(
            "{name} could not be removed from the card. Take the card out and remove it on a PC \
             before the camera restarts, or the boot loader flashes it at every start"
        ));
    }
    if let Some(rescue) = Rescue::of(card, job) {
        rescue.remove_bak();
    }
    if let Err(e) = journal.close(card) {
        warnings.push(format!(
            "the journal could not be closed ({e}): the next start does that",
            e = Chain(&e)
        ));
        return may_restart;
    }
    renamers::let_go(camera);
    if outcome == WhatCame::Done {
        remove_copy(camera, job);
    }
    may_restart
}

/// The copy of an image that was made for this job only.
fn remove_copy(camera: &Camera, job: &Job) {
    let JobSource::Image { path, .. } = &job.source else { return };
    let at = camera.card().root().join(path);
    let is_copy = at
        .file_name()
        .and_then(|name| name.to_str())
        .is_some_and(|name| name == copy_name(&job.id));
    if is_copy && let Err(e) = fat::remove_file(&at) {
        log::warn!("{e}", e = Chain(&e));
    }
}

/// The copy of an image for a flash that was refused after all, unless the
/// journal names it: then a later start needs it.
pub fn remove_unused_copy(camera: &Camera, id: &str) {
    if matches!(journal::find(camera.card()), journal::Found::Open(job, _) if job.id == id) {
        return;
    }
    let at = camera.card().home().join("images").join(copy_name(id));
    if let Err(e) = fat::remove_if_there(&at) {
        log::warn!("{e}", e = Chain(&e));
    }
}

/// The name of the copy that is made for a job.
pub fn copy_name(id: &str) -> String {
    format!("job-{id}.img")
}

/// Whether a file in `images/` has such a name.
pub fn is_copy_name(name: &str) -> bool {
    let id = name.strip_prefix("job-").and_then(|rest| rest.strip_suffix(".img"));
    id.is_some_and(|id| id.len() == 16 && id.bytes().all(|b| b.is_ascii_hexdigit()))
}
