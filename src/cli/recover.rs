//! `recover`: shows what was made, from which files, and what is still missing.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::args::Args;
use super::out::print;
use crate::error::Exit;
use crate::image::Health;
use crate::image::recover::Differences;
use crate::repair::recover::{self, Made};

/// Letters in a row of the map: 2 MiB.
const ROW: usize = 32;
/// Differing bytes that are shown; with `--json` there are more.
const SHOWN: usize = 16;

pub fn recover(
    args: &Args,
    files: &[PathBuf],
    out: &Path,
    factory: Option<&Path>,
) -> super::failure::Result {
    let made = recover::recover(files, out, factory)?;
    print(args, &made, || text_of(&made))?;
    Ok(if made.whole { Exit::Done } else { Exit::Damaged })
}

fn text_of(made: &Made) -> String {
    let mut text = String::new();
    let whole = if made.whole { "nothing is missing" } else { "NOT WHOLE" };
    let _ = writeln!(text, "{}: {} bytes, {whole}.\n\nWhat was done", made.out, made.bytes);
    for did in &made.did {
        let _ = writeln!(text, "  {did}");
    }
    text.push('\n');
    for part in &made.parts {
        let health = match part.health {
            Health::Damaged => "DAMAGED",
            other => other.name(),
        };
        let from = part.from.as_deref().unwrap_or("no file");
        let _ = writeln!(
            text,
            "  {:#08x}  {:<8} {health:<8} {}, from {from}",
            part.to, part.name, part.kind
        );
    }
    if let Some(differences) = &made.differences {
        differ(&mut text, differences);
    }
    if !made.missing.is_empty() {
        text.push_str("\nStill missing or damaged\n");
        for missing in &made.missing {
            let _ = writeln!(text, "  {missing}");
        }
    }
    let _ = writeln!(text, "\n  sha256    {}", made.sha256);
    if made.whole {
        text.push_str(
            "\nIt was read back and inspected. With the programmer, read the chip twice and keep \
             both\nfiles. Then unprotect, erase, write this file, verify, and protect the chip \
             again.\n",
        );
    } else {
        text.push_str("\nDo not write it to a chip yet: find what is missing first.\n");
    }
    text.push_str("\nNever post this file: it may contain your camera's identity.\n");
    text
}

fn differ(text: &mut String, differences: &Differences) {
    let _ = writeln!(
        text,
        "\nWhere the {} readings differ: {} bytes",
        differences.readings, differences.bytes
    );
    for (i, row) in differences.cells.as_bytes().chunks(ROW).enumerate() {
        let row = String::from_utf8_lossy(row);
        let _ = writeln!(text, "  {:#08x}  {row}", i * ROW * 0x1_0000);
    }
    text.push_str(
        "  . equal   m settled by majority   c by a checksum   ? not settled; 64 KiB each\n",
    );
    for place in differences.places.iter().take(SHOWN) {
        let bits: Vec<String> = place.bits.iter().map(u8::to_string).collect();
        let _ = writeln!(
            text,
            "  {:#08x}  bit {}  {}",
            place.offset,
            bits.join(", "),
            match place.settled {
                crate::image::recover::merge::Settled::Majority => "by majority",
                crate::image::recover::merge::Settled::Checksum => "by a checksum",
                crate::image::recover::merge::Settled::No => "not settled",
            }
        );
    }
    if differences.bytes > SHOWN as u64 {
        text.push_str("  ...\n");
    }
}
