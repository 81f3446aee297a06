//! `assemble` and `redact`: show what was made, from which files, and the next step.

use std::fmt::Write as _;
use std::path::Path;

use super::args::Args;
use super::out::print;
use crate::error::Exit;
use crate::image::Finding;
#[cfg(feature = "pc")]
use crate::repair::brick::Assembled;
use crate::repair::brick::{self, Redacted};

#[cfg(feature = "pc")]
pub fn assemble(
    args: &Args,
    own: &Path,
    donor: &Path,
    out: &Path,
    factory: Option<&Path>,
    damaged_factory: bool,
) -> super::failure::Result {
    let made = brick::assemble(own, donor, out, factory, damaged_factory)?;
    print(args, &made, || assembled(&made))?;
    Ok(Exit::Done)
}

#[cfg(feature = "pc")]
fn assembled(made: &Assembled) -> String {
    let mut text = String::new();
    let model = made.model.as_deref().unwrap_or("an unknown model");
    let _ = writeln!(text, "{}: {} bytes, for {model}.\n", made.out, made.bytes);
    for part in &made.parts {
        let _ = writeln!(
            text,
            "  {:#08x}  {:<8} from {}: {}",
            part.to,
            part.slice.name,
            made.source_of(part),
            part.slice.content.kind
        );
    }
    let _ = writeln!(text, "\n  sha256    {}", made.sha256);
    findings(&mut text, &made.warnings);
    text.push_str(
        "\nIt was read back and inspected: every part is as it was in its source.\n\nUnplug the \
         camera. With the programmer, read the chip twice and keep both files. Then\nunprotect, \
         erase, write this file, verify, and protect the chip again. Without the\nlast step the \
         camera fails at its second start.\n\nNever post this file: it contains your camera's \
         identity.\n",
    );
    text
}

pub fn redact(args: &Args, dump: &Path, out: &Path) -> super::failure::Result {
    let made = brick::redact(dump, out)?;
    print(args, &made, || redacted(&made))?;
    Ok(Exit::Done)
}

fn redacted(made: &Redacted) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "{}: {} bytes, safe to post.\n", made.out, made.bytes);
    let _ = writeln!(text, "  erased       {}", made.summary.blanked.join(", "));
    if let Some(env) = &made.summary.environment {
        let replaced =
            if env.replaced.is_empty() { "nothing".to_owned() } else { env.replaced.join(", ") };
        let crc = if env.crc_ok {
            "its checksum is right, as it was"
        } else {
            "its checksum is wrong, as it was"
        };
        let _ = writeln!(text, "  environment  replaced: {replaced}; {crc}");
    }
    let _ = writeln!(text, "  sha256       {}", made.sha256);
    findings(&mut text, &made.findings);
    text.push_str("\nIt was read back: it contains no plain text from FACTORY, CONFIG or DATA.\n");
    text
}

fn findings(text: &mut String, findings: &[Finding]) {
    if !findings.is_empty() {
        text.push('\n');
    }
    for f in findings {
        let partition = f.partition.as_ref().map(|p| format!("{p}: ")).unwrap_or_default();
        let _ = writeln!(text, "  !  {partition}{}", f.reason);
        if !f.hint.is_empty() {
            let _ = writeln!(text, "     {}", f.hint);
        }
    }
}
