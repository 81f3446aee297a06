//! `programmer`: the chip clipped to this PC.

use std::fmt::Write as _;

use super::args::Args;
use super::bar::Bar;
use super::command::{Choice, ProgrammerAction};
use super::out::print;
use crate::error::Exit;
use crate::programmer::{self, Device, Protection, ReadDone, Status, Wish, WriteOutcome, Written};

const UNKNOWN_PROTECTION: &str = "this flashrom does not know it for this chip";

pub fn programmer(
    args: &Args,
    action: &ProgrammerAction,
    device: &Device,
) -> super::failure::Result {
    match action {
        ProgrammerAction::Status => {
            let status = programmer::status(device)?;
            print(args, &status, || status_text(&status))?;
            Ok(Exit::Done)
        }
        ProgrammerAction::Read { dir } => {
            let done = {
                let bar = Bar::new();
                programmer::read(device, dir, &bar)?
            };
            print(args, &done, || read_text(&done))?;
            Ok(Exit::Done)
        }
        ProgrammerAction::Write { image, choice } => write(args, device, image, choice),
    }
}

fn write(
    args: &Args,
    device: &Device,
    image: &std::path::Path,
    choice: &Choice,
) -> super::failure::Result {
    let wish = Wish { image, confirm: choice.confirm.as_deref(), did: choice.did.as_deref() };
    let written = {
        let bar = Bar::new();
        programmer::write(device, &wish, &bar)?
    };
    print(args, &written, || written_text(&written))?;
    Ok(match written.outcome {
        WriteOutcome::Planned => Exit::Refused,
        WriteOutcome::Unchanged | WriteOutcome::Done => Exit::Done,
    })
}

fn protection(protection: Option<&Protection>) -> String {
    protection.map_or_else(|| UNKNOWN_PROTECTION.to_owned(), Protection::words)
}

fn status_text(status: &Status) -> String {
    format!(
        "{} {}, {} bytes, on {}.\n\n  protection  {}\n  flashrom    {}\n\nNothing was changed.\n",
        status.found.vendor,
        status.found.name,
        status.found.size,
        status.device.programmer,
        protection(status.protection.as_ref()),
        status.flashrom,
    )
}

fn read_text(done: &ReadDone) -> String {
    let mut text = format!(
        "{} {} was read, {} readings. It is kept in {}.\n\n  sha256    {}\n",
        done.found.vendor,
        done.found.name,
        done.reading.readings,
        done.kept.display(),
        done.reading.sha256
    );
    for difference in &done.reading.differences {
        let _ = writeln!(text, "  readings differed: {difference}");
    }
    let _ = writeln!(text, "  identity  {}", done.inspected.identity.answer);
    text.push_str(if done.is_set {
        "\nNothing was changed on the chip. `mi360d inspect` on its chip.bin says what is alive.\n"
    } else {
        "\nNothing was changed on the chip. Its content names no flash map, so only chip.bin was \
         kept. If all of it reads as 0xFF, check the clip first: a bad contact reads the same.\n"
    });
    text.push_str("Never post these files: a camera's identity may be in them.\n");
    text
}

fn written_text(written: &Written) -> String {
    let mut text = format!(
        "{} {}. What the chip contained before is kept in {}.\n\n",
        written.found.vendor,
        written.found.name,
        written.kept.display()
    );
    for part in &written.plan.partitions {
        let _ = writeln!(
            text,
            "  {:<8} {:>3} blocks: {:>3} same, {:>3} to write, {:>3} to erase and write",
            part.name, part.total, part.same, part.program, part.erase
        );
    }
    for (mark, findings) in [("!!", &written.plan.blockers), ("! ", &written.plan.warnings)] {
        for f in findings {
            let partition = f.partition.as_ref().map(|p| format!("{p}: ")).unwrap_or_default();
            let _ = writeln!(text, "\n  {mark} {partition}{}", f.reason);
            if !f.hint.is_empty() {
                let _ = writeln!(text, "     {}", f.hint);
            }
        }
    }
    let before = protection(written.protection_before.as_ref());
    match written.outcome {
        WriteOutcome::Planned if !written.plan.blockers.is_empty() => {
            text.push_str("\nThis image is refused. Nothing was written.\n");
        }
        WriteOutcome::Planned => {
            let phrase = written.plan.confirm.as_deref().unwrap_or_default();
            let _ = writeln!(text, "\n  protection  {before}");
            let _ = writeln!(
                text,
                "\nNothing was written. To write the image, run this again with:\n\n  --confirm \
                 \"{phrase}\""
            );
        }
        WriteOutcome::Unchanged => {
            text.push_str("\nThe chip already contains this image. Nothing was written.\n");
        }
        WriteOutcome::Done => {
            text.push_str("\nThe image was written and read back: every byte is right.\n");
            let _ = writeln!(text, "  protection  {}", protection(written.protection.as_ref()));
            text.push_str(match written.protected_as_before {
                Some(true) => "The chip is protected as before.\n",
                Some(false) => {
                    "The chip is NOT protected as before. Run the same command again, or set it \
                     with flashrom: without it some cameras fail at their second start.\n"
                }
                None => {
                    "This flashrom cannot set the protection of this chip. Protect it with \
                     another program: without it some cameras fail at their second start.\n"
                }
            });
        }
    }
    text
}
