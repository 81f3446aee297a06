//! Writing one partition of a plan: its first block is erased first and
//! written last, so that a half-written partition never looks whole; then all
//! of it is read from the chip and hashed.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use sha2::{Digest as _, Sha256};

use super::block::{BlockWriter, Verified};
use super::error::FlashError;
use super::plan::{Action, PartPlan, compare, read_chip};
use super::watch::{BlockState, Step, Watch};
use crate::backup::reading::{window_length, windows};
use crate::backup::{Digest, Silent};
use crate::chip::{Chip, ChipError};

/// How often a partition is compared and mended when its hash is wrong.
const ROUNDS: u32 = 3;
/// Stack of the thread that reads ahead, in bytes: its buffers are on the heap.
const READER_STACK: usize = 64 << 10;

/// What counts the blocks of a whole flash.
#[derive(Debug, Default)]
pub struct Tally {
    /// Blocks written.
    pub done: u32,
    /// Blocks that are to be written in all.
    pub total: u32,
    /// Whether anything was erased or programmed.
    pub touched: bool,
}

/// Writes a partition, and proves it.
///
/// # Errors
/// [`FlashError`]; then every block that was erased has its new content, unless
/// the chip itself refuses it or power is gone.
pub fn write(
    chip: &dyn Chip,
    plan: &PartPlan,
    watch: &dyn Watch,
    tally: &mut Tally,
) -> Result<(), FlashError> {
    let mut mend: Option<PartPlan> = None;
    for round in 1..=ROUNDS {
        let plan = mend.as_ref().unwrap_or(plan);
        if plan.changes() {
            watch.step(Step::Writing, Some(&plan.part));
            write_blocks(chip, plan, watch, tally)?;
        }
        watch.step(Step::Proving, Some(&plan.part));
        if hash(chip, plan, watch)? == plan.sha256 {
            return Ok(());
        }
        log::warn!("{} reads back wrong as a whole, round {round} of {ROUNDS}", plan.part.name);
        // Byte by byte this time: no reading is relied on.
        let again = compare(chip, &plan.part, plan.content.clone(), None, &Silent)?;
        if again.sha256 != plan.sha256 {
            let partition = plan.part.name.clone();
            return Err(FlashError::ContentChanged { partition, offset: 0 });
        }
        mend = Some(again);
    }
    Err(FlashError::NotProven { partition: plan.part.name.clone() })
}

/// SHA-256 of a whole partition, read from the chip; one window is read while
/// the one before is hashed.
fn hash(chip: &dyn Chip, plan: &PartPlan, watch: &dyn Watch) -> Result<Digest, FlashError> {
    let part = &plan.part;
    std::thread::scope(|threads| {
        let (out, read) = sync_channel::<Result<Vec<u8>, ChipError>>(2);
        let (give_back, spare) = sync_channel::<Vec<u8>>(4);
        std::thread::Builder::new()
            .name("read".to_owned())
            .stack_size(READER_STACK)
            .spawn_scoped(threads, move || {
                for offset in windows(part) {
                    let mut window = spare.try_recv().unwrap_or_default();
                    window.resize(window_length(part, offset), 0);
                    let done = read_chip(chip, part, offset, &mut window).map(|()| window);
                    let failed = done.is_err();
                    if out.send(done).is_err() || failed {
                        return;
                    }
                }
            })
            .map_err(FlashError::Thread)?;
        let mut hasher = Sha256::new();
        for _ in windows(part) {
            let window = read.recv().map_err(|_| FlashError::Interrupted)??;
            hasher.update(&window);
            watch.beat();
            let _ = give_back.try_send(window);
        }
        Ok(hasher.finalize().into())
    })
}

fn write_blocks(
    chip: &dyn Chip,
    plan: &PartPlan,
    watch: &dyn Watch,
    tally: &mut Tally,
) -> Result<(), FlashError> {
    let part = &plan.part;
    let rest: Vec<u32> = (1..plan.blocks.len() as u32)
        .filter(|n| plan.blocks[*n as usize].action != Action::Same)
        .collect();
    let Some(first_plan) = plan.blocks.first().copied() else { return Ok(()) };
    if rest.is_empty() && first_plan.action == Action::Same {
        return Ok(());
    }
    let first = Verified::read(part, plan.content.as_ref(), 0, &first_plan, Vec::new())?;
    let mut writer = BlockWriter::new(chip, part);
    let mut first_plan = first_plan;
    if !rest.is_empty() {
        watch.block(part, 0, BlockState::Active);
        watch.beat();
        if let Err(e) = writer.clear(&first, &first_plan) {
            // A block that an erase changed nothing of is as it was.
            let is_as_before = matches!(e, FlashError::WriteProtected { .. });
            tally.touched |= !is_as_before;
            if !is_as_before && !matches!(e, FlashError::Chip(ChipError::PowerCut)) {
                // It may be half erased: its content is in memory, and is tried at least.
                first_plan.action = Action::Erase;
                let _ = writer.put(&first, &first_plan);
            }
            watch.block(part, 0, BlockState::Failed);
            return Err(e);
        }
        tally.touched = true;
        first_plan.action = Action::Program;
        first_plan.old_crc32 = crate::backup::reading::erased_crc(part.erase_size);
        watch.block(part, 0, BlockState::Waiting);
    }
    let outcome = write_rest(plan, &rest, &mut writer, watch, tally);
    if matches!(outcome, Err(FlashError::Chip(ChipError::PowerCut))) {
        return outcome;
    }
    // Also after a failure: what was erased is not left so while its content is in memory.
    watch.block(part, 0, BlockState::Active);
    watch.beat();
    let last = writer.put(&first, &first_plan);
    tally.touched |= !matches!(last, Err(FlashError::WriteProtected { .. }));
    if last.is_ok() {
        tally.done += 1;
    }
    watch.block(part, 0, if last.is_ok() { BlockState::Written } else { BlockState::Failed });
    watch.progress(tally.done, tally.total);
    outcome.and(last)
}

/// Writes all blocks but the first, each read and checked while the one before is written.
fn write_rest(
    plan: &PartPlan,
    numbers: &[u32],
    writer: &mut BlockWriter<'_>,
    watch: &dyn Watch,
    tally: &mut Tally,
) -> Result<(), FlashError> {
    if numbers.is_empty() {
        return Ok(());
    }
    std::thread::scope(|threads| {
        let (out, ready) = sync_channel(1);
        let (give_back, spare) = sync_channel(4);
        std::thread::Builder::new()
            .name("content".to_owned())
            .stack_size(READER_STACK)
            .spawn_scoped(threads, move || read_ahead(plan, numbers, &out, &spare))
            .map_err(FlashError::Thread)?;
        for number in numbers {
            let new: Verified = ready.recv().map_err(|_| FlashError::Interrupted)??;
            watch.block(&plan.part, *number, BlockState::Active);
            watch.beat();
            let written = writer.put(&new, &plan.blocks[*number as usize]);
            tally.touched |= !matches!(written, Err(FlashError::WriteProtected { .. }));
            let state = if written.is_ok() { BlockState::Written } else { BlockState::Failed };
            watch.block(&plan.part, *number, state);
            written?;
            tally.done += 1;
            watch.progress(tally.done, tally.total);
            let _ = give_back.try_send(new.into_buffer());
        }
        Ok(())
    })
}

/// Reads new content in order; ends early where nobody wants it any more.
fn read_ahead(
    plan: &PartPlan,
    numbers: &[u32],
    out: &SyncSender<Result<Verified, FlashError>>,
    spare: &Receiver<Vec<u8>>,
) {
    for number in numbers {
        let block = &plan.blocks[*number as usize];
        let buffer = spare.try_recv().unwrap_or_default();
        let read = Verified::read(&plan.part, plan.content.as_ref(), *number, block, buffer);
        let failed = read.is_err();
        if out.send(read).is_err() || failed {
            return;
        }
    }
}
