//! Writing one partition of a plan: its first block is erased first and
//! written last, so that a half-written partition never looks whole. All of it
//! is read from the chip once, in its order: what was written for comparison,
//! what stays as it is too; and all that was read is hashed.

use super::block::{BlockWriter, Verified};
use super::error::FlashError;
use super::plan::{Action, PartPlan, compare, read_chip};
use super::proof::{AHEAD, Proof, Proven};
use super::watch::{BlockState, Step, Watch};
use crate::backup::Silent;
use crate::backup::reading::{window_length, windows};
use crate::chip::{Chip, ChipError, WINDOW};

/// How often a partition is compared and mended when its hash is wrong.
const ROUNDS: u32 = 3;

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
) -> Result<Proven, FlashError> {
    let mut mend: Option<PartPlan> = None;
    for round in 1..=ROUNDS {
        let plan = mend.as_ref().unwrap_or(plan);
        let proven = if plan.changes() {
            watch.step(Step::Writing, Some(&plan.part));
            write_blocks(chip, plan, watch, tally)?
        } else {
            watch.step(Step::Proving, Some(&plan.part));
            read_whole(chip, plan, watch)?
        };
        watch.step(Step::Proving, Some(&plan.part));
        if proven.sha256 == plan.sha256 && proven.still_holds(chip, &plan.part)? {
            return Ok(proven);
        }
        log::warn!("{} reads back wrong as a whole, round {round} of {ROUNDS}", plan.part.name);
        mend = Some(compare_again(chip, plan)?);
    }
    Err(FlashError::NotProven { partition: plan.part.name.clone() })
}

/// Makes sure that partitions still contain what they were verified to contain, and mends those
/// that do not: what is written later may take a part of them along.
///
/// # Errors
/// As [`write`].
pub fn hold_all(
    chip: &dyn Chip,
    mut proven: Vec<(&PartPlan, Proven)>,
    watch: &dyn Watch,
    tally: &mut Tally,
) -> Result<(), FlashError> {
    for _ in 0..ROUNDS {
        let mut all_hold = true;
        for (plan, proof) in &mut proven {
            watch.beat();
            if !proof.still_holds(chip, &plan.part)? {
                all_hold = false;
                log::warn!("{} has changed since it was verified: repairing it", plan.part.name);
                *proof = write(chip, &compare_again(chip, plan)?, watch, tally)?;
            }
        }
        if all_hold {
            return Ok(());
        }
    }
    let partition = proven.first().map_or_else(String::new, |(plan, _)| plan.part.name.clone());
    Err(FlashError::NotProven { partition })
}

/// The same partition compared byte by byte: no reading is relied on.
fn compare_again(chip: &dyn Chip, plan: &PartPlan) -> Result<PartPlan, FlashError> {
    let again = compare(chip, &plan.part, plan.content.clone(), None, &Silent)?;
    if again.sha256 != plan.sha256 {
        let partition = plan.part.name.clone();
        return Err(FlashError::ContentChanged { partition, offset: 0 });
    }
    Ok(again)
}

/// A whole partition, read from the chip; one window is read while the one
/// before is hashed.
fn read_whole(chip: &dyn Chip, plan: &PartPlan, watch: &dyn Watch) -> Result<Proven, FlashError> {
    let part = &plan.part;
    std::thread::scope(|threads| {
        let mut proof = Proof::begin(threads, plan)?;
        for offset in windows(part) {
            let mut window = proof.buffer(window_length(part, offset));
            read_chip(chip, part, offset, &mut window)?;
            watch.beat();
            proof.add(offset, window)?;
        }
        proof.end()
    })
}

fn write_blocks(
    chip: &dyn Chip,
    plan: &PartPlan,
    watch: &dyn Watch,
    tally: &mut Tally,
) -> Result<Proven, FlashError> {
    let part = &plan.part;
    let Some(first_plan) = plan.blocks.first().copied() else {
        return read_whole(chip, plan, watch);
    };
    let rest: Vec<u32> = (1..plan.blocks.len() as u32)
        .filter(|n| plan.blocks[*n as usize].action != Action::Same)
        .collect();
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
    let outcome = write_rest(chip, plan, &first, &rest, &mut writer, watch, tally);
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
    let proven = outcome?;
    last.map(|()| proven)
}

/// Writes all blocks but the first that change, each read and checked while the one before is
/// written; reads those that stay; and hashes what the chip gives back. The first block is in
/// that hash with what it is to contain: it is written last, and compared with exactly that.
fn write_rest(
    chip: &dyn Chip,
    plan: &PartPlan,
    first: &Verified,
    numbers: &[u32],
    writer: &mut BlockWriter<'_>,
    watch: &dyn Watch,
    tally: &mut Tally,
) -> Result<Proven, FlashError> {
    let part = &plan.part;
    std::thread::scope(|threads| {
        let mut proof = Proof::begin(threads, plan)?;
        let mut next = numbers.iter().copied();
        for number in next.by_ref().take(AHEAD) {
            proof.ask(number, Vec::new())?;
        }
        proof.add(0, first.bytes().to_vec())?;
        // One that cannot be read although it stays is no reason to leave others unwritten.
        let mut unread = None;
        let mut number = 1;
        while let Some(block) = plan.blocks.get(number as usize) {
            watch.beat();
            if block.action == Action::Same {
                let alike = plan.blocks[number as usize..]
                    .iter()
                    .take((WINDOW / part.erase_size).max(1) as usize)
                    .take_while(|block| block.action == Action::Same)
                    .count() as u32;
                let offset = number * part.erase_size;
                let mut bytes = proof.buffer((alike * part.erase_size) as usize);
                match read_chip(chip, part, offset, &mut bytes) {
                    Err(ChipError::PowerCut) => return Err(ChipError::PowerCut.into()),
                    done => unread = unread.or(done.err()),
                }
                proof.add(offset, bytes)?;
                number += alike;
                continue;
            }
            let new = proof.content()?;
            watch.block(part, number, BlockState::Active);
            let written = writer.put(&new, block);
            tally.touched |= !matches!(written, Err(FlashError::WriteProtected { .. }));
            let state = if written.is_ok() { BlockState::Written } else { BlockState::Failed };
            watch.block(part, number, state);
            written?;
            tally.done += 1;
            watch.progress(tally.done, tally.total);
            let back = writer.take_back(proof.buffer(part.erase_size as usize));
            proof.add(number * part.erase_size, back)?;
            if let Some(next) = next.next() {
                proof.ask(next, new.into_buffer())?;
            }
            number += 1;
        }
        let proven = proof.end()?;
        unread.map_or(Ok(proven), |e| Err(e.into()))
    })
}
