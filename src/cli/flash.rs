//! `plan`, `flash`, `restore`, `resume`.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use serde_json::json;

use super::args::Args;
use super::bar::Bar;
use super::command::Choice;
use super::lines;
use super::out::{self, complain, document, print};
use crate::backup::{BackupError, set};
use crate::camera::Camera;
use crate::camera::flashing::{Flashed, FlashingError, PlanDocument, Planned, WhatCame};
use crate::chip::WINDOW;
use crate::error::{Chain, Exit, Explain};
use crate::flash::{PlanRequest, PlanSource};
use crate::image::Finding;
use crate::settings::config;

/// How long the answer may take before the camera restarts anyway.
const LAST_WORDS: Duration = Duration::from_secs(3);

pub fn plan(
    args: &Args,
    source: &OsStr,
    only: Option<&Vec<String>>,
    did: Option<&String>,
) -> super::failure::Result {
    let camera = open(args)?;
    // A path that is not there is a file that is not there, not an unknown set.
    let is_path = source.to_string_lossy().contains(['/', '.']);
    let source = source_of(&camera, source, is_path)?;
    let request = PlanRequest { source, only: only.cloned(), did: did.cloned(), sha256: None };
    let planned = {
        let bar = Bar::new();
        camera.plan(&request, &bar)?
    };
    show(args, &camera, &planned)?;
    Ok(if planned.plan.blockers.is_empty() { Exit::Done } else { Exit::Refused })
}

pub fn flash(args: &Args, file: &Path, choice: &Choice) -> super::failure::Result {
    let camera = open(args)?;
    go(args, &camera, PlanSource::Image(file.to_owned()), choice)
}

pub fn restore(args: &Args, set: &OsStr, choice: &Choice) -> super::failure::Result {
    let camera = open(args)?;
    let source = source_of(&camera, set, false)?;
    go(args, &camera, source, choice)
}

pub fn resume(args: &Args) -> super::failure::Result {
    let camera = open(args)?;
    let flashed = {
        let bar = Bar::new();
        camera.resume(false, &bar, &bar)?
    };
    let Some(flashed) = flashed else {
        print(args, &json!({ "outcome": "unchanged" }), || "nothing to do\n".to_owned())?;
        return Ok(Exit::Done);
    };
    Ok(end(args, &camera, flashed))
}

fn open(args: &Args) -> Result<Camera, crate::chip::ChipError> {
    let camera = Camera::open(args.sim.as_deref())?;
    camera.state().settings = config::load(&camera.card().config());
    Ok(camera)
}

/// A file, a set of the card by its id, or a folder. What is neither is still
/// a path where it is there, or is meant as one.
fn source_of(camera: &Camera, wanted: &OsStr, is_path: bool) -> Result<PlanSource, BackupError> {
    let path = Path::new(wanted);
    if path.is_file() {
        return Ok(PlanSource::Image(path.to_owned()));
    }
    match set::find(&camera.card().backups(), &wanted.to_string_lossy()) {
        Ok(set) => Ok(PlanSource::Set(set.path)),
        Err(_) if is_path || path.exists() => Ok(PlanSource::of(path.to_owned())),
        Err(e) => Err(e),
    }
}

fn go(args: &Args, camera: &Camera, source: PlanSource, choice: &Choice) -> super::failure::Result {
    let (only, did) = (choice.only.clone(), choice.did.clone());
    let request = PlanRequest { source, only, did, sha256: None };
    let result = {
        let bar = Bar::new();
        camera.flash(&request, choice.confirm.as_deref(), &bar, &bar)
    };
    match result {
        Ok(flashed) => Ok(end(args, camera, flashed)),
        // The plan is the answer: what would be done, or why not.
        Err(e @ (FlashingError::Blocked(_) | FlashingError::Phrase(..))) => {
            let (FlashingError::Blocked(planned) | FlashingError::Phrase(planned, _)) = &e else {
                return Err(e.into());
            };
            show(args, camera, planned)?;
            complain(&Chain(&e), &e.hint());
            Ok(e.exit())
        }
        Err(e) => {
            if e.needs_restart() {
                // Said first: on a camera it does not come back.
                complain(&Chain(&e), &e.hint());
                camera.restart_for_programs();
                return Ok(e.exit());
            }
            Err(e.into())
        }
    }
}

/// Says what came of it, and restarts the camera where it is one.
fn end(args: &Args, camera: &Camera, flashed: Flashed) -> Exit {
    let exit = flashed.exit();
    let answer = flashed.document();
    let text = if args.json { out::pretty(&answer) } else { ended(&flashed) };
    let mut remarks: Vec<String> =
        flashed.warnings.iter().map(|warning| format!("Warning: {warning}.\n")).collect();
    if let Some(error) = &flashed.error {
        let reason = answer["error"]["message"].as_str().unwrap_or_default();
        remarks.push(format!("mi360d: {reason}\n  {}\n", error.hint()));
    }
    if flashed.restarts() {
        remarks.push("The camera restarts.\n".to_owned());
    }
    // A terminal that takes nothing does not hold up the restart.
    lines::within(LAST_WORDS, move || {
        let _ = out::words(&text);
        for remark in remarks {
            let _ = std::io::Write::write_all(&mut std::io::stderr(), remark.as_bytes());
        }
    });
    if flashed.conclude(false) {
        camera.restart_for_programs();
    }
    exit
}

fn ended(flashed: &Flashed) -> String {
    let mut text = String::new();
    let headline = match flashed.outcome {
        WhatCame::Done => "Done: the chip contains what you chose, read back and verified.",
        WhatCame::Unchanged if flashed.error.is_none() => "nothing to do",
        WhatCame::Unchanged => "Nothing was changed.",
        WhatCame::Partly => "Partly written. `mi360d resume` continues it.",
    };
    let _ = writeln!(text, "{headline}");
    for fate in &flashed.partitions {
        let _ = writeln!(text, "  {}", fate.words());
    }
    if let Some(spent) = &flashed.chip_time {
        let _ = writeln!(
            text,
            "  a real chip would have taken {:.1} s from the first erase to the last read-back",
            spent.seconds()
        );
    } else if flashed.blocks > 0 {
        let _ = writeln!(text, "  {} blocks in {:.1} s", flashed.blocks, flashed.seconds);
    }
    if let Some(before) = &flashed.before {
        let _ = writeln!(text, "  the previous content is in backup {before}");
    }
    text
}

fn show(args: &Args, camera: &Camera, planned: &Planned) -> Result<(), super::out::OutputError> {
    let plan = planned.document(camera);
    if args.json {
        return document(&plan);
    }
    print(args, &plan, || describe(&plan))
}

/// The plan in words.
fn describe(plan: &PlanDocument) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "{}: {}\n", plan.source.name, plan.source.what.trim_end_matches('.'));
    for part in &plan.partitions {
        let b = &part.blocks;
        let _ = writeln!(
            text,
            "  {:<8} {:>3} of {:>3} blocks change: {} erased, {} only programmed{}",
            part.name,
            b.program + b.erase,
            b.total,
            b.erase,
            b.program,
            if part.carried { " (settings kept)" } else { "" }
        );
        // With smaller blocks one letter stands for all within 64 KiB that change most.
        let per_cell = (WINDOW / part.erase_size.max(1)).max(1) as usize;
        let cells: Vec<char> = part
            .cells
            .as_bytes()
            .chunks(per_cell)
            .map(|blocks| match () {
                () if blocks.contains(&b'e') => 'E',
                () if blocks.contains(&b'p') => 'p',
                () => '.',
            })
            .collect();
        for row in cells.chunks(64) {
            let _ = writeln!(text, "           {}", row.iter().collect::<String>());
        }
    }
    if !plan.partitions.is_empty() {
        text.push_str("           E erased and written   p only programmed   . stays as it is\n");
    }
    list(&mut text, "Refused", &plan.blockers);
    list(&mut text, "Warning", &plan.warnings);
    list(&mut text, "Note", &plan.notes);
    if plan.blockers.is_empty() {
        match &plan.confirm {
            None => text.push_str("\nnothing to do\n"),
            Some(phrase) => {
                let held = match &plan.held_by {
                    Some(set) => format!("What would be overwritten is in backup {set}."),
                    None => "What would be overwritten is backed up first.".to_owned(),
                };
                let _ = writeln!(text, "\n{held}");
                let _ = writeln!(text, "{}", plan.heals_words);
                let _ = writeln!(text, "Writing takes about {:.0} s.", plan.estimate_s.ceil());
                if let Some(seconds) = plan.away_s {
                    let _ = writeln!(
                        text,
                        "To write DATA, the camera's own programs are stopped: WiFi, video and \
                         the page are not\navailable for about {} minutes, until the camera has \
                         restarted.",
                        seconds.div_ceil(60)
                    );
                }
                let _ = writeln!(text, "\nThe phrase is: {phrase}");
            }
        }
    }
    text
}

fn list(text: &mut String, what: &str, findings: &[Finding]) {
    for finding in findings {
        let of = finding.partition.as_ref().map(|p| format!("{p}: ")).unwrap_or_default();
        let reason = finding.reason.trim_end_matches('.');
        let _ = writeln!(text, "\n{what} ({}): {of}{reason}.", finding.code);
        if !finding.hint.is_empty() {
            let _ = writeln!(text, "  {}", finding.hint);
        }
    }
}
