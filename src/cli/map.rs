//! `map`: draws the chip, readable also without colour.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::args::Args;
use super::bar::Bar;
use super::out::print;
use crate::camera::Camera;
use crate::camera::flash_view::{self, Block, FlashView, PartView};
use crate::error::Exit;

/// Bytes that one letter stands for.
const CELL: u32 = 0x1_0000;
/// Letters in a row: 2 MiB.
const ROW: usize = 32;

pub fn map(args: &Args) -> super::failure::Result {
    let camera = Camera::open(args.sim.as_deref())?;
    let reading = {
        let bar = Bar::new();
        camera.read_deep(&bar)?
    };
    let view = flash_view::of(&camera, Some(&reading));
    print(args, &view, || draw(&view))?;
    Ok(Exit::Done)
}

/// The drawing.
fn draw(view: &FlashView) -> String {
    let mut text = String::new();
    let size = view.chip_size.map_or_else(|| "size unknown".into(), |s| format!("{} MiB", s >> 20));
    let fingerprint = view.fingerprint.as_deref().map(|f| format!(" ({f})")).unwrap_or_default();
    let _ = writeln!(
        text,
        "{}, {size}, {}, identity {}{fingerprint}",
        view.model,
        erase_blocks(&view.partitions),
        view.identity
    );
    if let Some(problem) = &view.map_problem {
        let _ = writeln!(text, "Unknown map: {problem}. It is backed up but never written.");
    }
    text.push('\n');
    grid(&mut text, view);
    let against = view.compared_with.as_deref().map_or_else(
        || "no backup to compare with yet".to_owned(),
        |id| format!("* changed since backup {id}"),
    );
    let _ = writeln!(text, "\n  letter: data   . erased   x unreadable   {against}\n");
    table(&mut text, view);
    text
}

/// `256 erase blocks of 64 KiB`; a chip may have blocks of several sizes.
fn erase_blocks(partitions: &[PartView]) -> String {
    let mut counts: BTreeMap<u32, usize> = BTreeMap::new();
    for part in partitions {
        *counts.entry(part.erase_size).or_default() += part.blocks.len();
    }
    let words: Vec<String> = counts
        .into_iter()
        .map(|(size, count)| {
            let blocks = if count == 1 { "block" } else { "blocks" };
            match size {
                _ if size >= 1024 && size.is_multiple_of(1024) => {
                    format!("{count} erase {blocks} of {} KiB", size >> 10)
                }
                _ => format!("{count} erase {blocks} of {size} bytes"),
            }
        })
        .collect();
    if words.is_empty() { "no erase blocks".to_owned() } else { words.join(" and ") }
}

fn grid(text: &mut String, view: &FlashView) {
    let placed = view.partitions.iter().all(|p| p.offset.is_some());
    if placed {
        let mut cells: Vec<(u32, char)> =
            view.partitions.iter().flat_map(|p| part_cells(p, p.offset.unwrap_or(0))).collect();
        cells.sort_by_key(|(offset, _)| *offset);
        for row in cells.chunks(ROW) {
            let letters: String = row
                .chunks(8)
                .map(|eight| eight.iter().map(|(_, c)| *c).collect::<String>() + " ")
                .collect();
            let start = row.first().map_or(0, |(offset, _)| *offset);
            let _ = writeln!(text, "  {start:#08x}  {}", letters.trim_end());
        }
        return;
    }
    for part in &view.partitions {
        let letters: String = part_cells(part, 0).into_iter().map(|(_, c)| c).collect();
        let _ = writeln!(text, "  {:<10} {letters}", part.name);
    }
}

/// One letter for each 64 KiB of a partition.
fn part_cells(part: &PartView, start: u32) -> Vec<(u32, char)> {
    let letter = part.name.chars().next().unwrap_or('?').to_ascii_uppercase();
    let blocks_per_cell = (CELL / part.erase_size.max(1)).max(1) as usize;
    let cells_per_block = (part.erase_size / CELL).max(1);
    part.blocks
        .chunks(blocks_per_cell)
        .flat_map(|blocks| {
            let has = |kind| blocks.contains(&kind);
            let shown = if has(Block::Unreadable) {
                'x'
            } else if has(Block::Changed) {
                '*'
            } else if blocks.iter().all(|b| *b == Block::Erased) {
                '.'
            } else if has(Block::Unknown) {
                '?'
            } else {
                letter
            };
            std::iter::repeat_n(shown, cells_per_block as usize)
        })
        .zip(0u32..)
        .map(|(shown, i)| (start + i * CELL, shown))
        .collect()
}

fn table(text: &mut String, view: &FlashView) {
    let _ = writeln!(
        text,
        "  {:<8} {:>10} {:>10}  {:<8} what it holds",
        "name", "offset", "size", "health"
    );
    for part in &view.partitions {
        let offset = part.offset.map_or_else(|| "?".to_owned(), |o| format!("{o:#08x}"));
        let mark = if part.protected { ", protected" } else { "" };
        let _ = writeln!(
            text,
            "  {:<8} {offset:>10} {:>#10x}  {:<8} {}: {}{mark}",
            part.name, part.size, part.health, part.meaning, part.content
        );
        for finding in &part.findings {
            let at = finding.at.map(|at| format!(" at {at:#x}")).unwrap_or_default();
            let _ = writeln!(text, "           - {}{at}", finding.reason);
        }
    }
}
