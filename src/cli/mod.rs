//! The command line: words become calls of [`crate::camera`] and
//! [`crate::image`], answers become text or one JSON document. Decides nothing.

mod args;
mod backups;
mod bar;
mod daemon;
mod help;
mod inspect;
mod map;
mod sim;

use std::io::{self, Write};
use std::process::ExitCode;

use serde::Serialize;

use crate::error::{Exit, Explain};

use args::{Args, Command};

/// An error of any module, on its way to the terminal.
pub struct Failure(Box<dyn Explain>);

impl<E: Explain + 'static> From<E> for Failure {
    fn from(error: E) -> Failure {
        Failure(Box::new(error))
    }
}

type Result = std::result::Result<Exit, Failure>;

/// Runs the command that the process was started with.
pub fn main() -> ExitCode {
    // Refused only where something started threads before main; then they are larger.
    let _ = crate::sys::set_default_stack();
    let exit = match Args::parse(std::env::args_os()) {
        Ok(args) => match dispatch(&args) {
            Ok(exit) => exit,
            Err(Failure(error)) => report(&args, error.as_ref()),
        },
        Err(error) => report(&Args::default(), &error),
    };
    ExitCode::from(exit as u8)
}

fn dispatch(args: &Args) -> Result {
    if !matches!(args.command, Command::Run { .. } | Command::Demo { .. }) {
        daemon::log_to_terminal(args.verbose);
    }
    match &args.command {
        Command::Help(topic) => Ok(help::show(topic.as_deref())),
        Command::Version => {
            println!("mi360d {}", env!("CARGO_PKG_VERSION"));
            Ok(Exit::Done)
        }
        Command::Run { config, listen } => daemon::run(args, config.as_deref(), *listen),
        Command::Demo { dir, listen } => daemon::demo(args, dir.as_deref(), *listen),
        Command::SimCreate { dir, model, from } => {
            sim::create(args, dir, model.as_deref(), from.as_deref())
        }
        Command::Map => map::map(args),
        Command::Backup => backups::backup(args),
        Command::Backups => backups::list(args),
        Command::Verify { set } => backups::verify(args, set),
        Command::Inspect { file } => inspect::inspect(args, file),
    }
}

/// Shows an error: what, why, what next; with `--json` as a document.
fn report(args: &Args, error: &dyn Explain) -> Exit {
    let hint = error.hint();
    let mut reason = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !reason.ends_with(&cause_text) {
            reason = format!("{reason}: {cause_text}");
        }
        source = cause.source();
    }
    if args.json {
        let document = serde_json::json!({
            "error": { "code": error.code(), "message": reason, "hint": hint }
        });
        println!("{document}");
    }
    // Standard error may be closed; the exit status still tells.
    let _ = writeln!(io::stderr(), "mi360d: {reason}\n  {hint}");
    error.exit()
}

/// Prints a document for `--json`, else a text.
fn print<T: Serialize>(args: &Args, document: &T, text: impl FnOnce() -> String) {
    let mut out = io::stdout().lock();
    // A reader that went away (`| head`) is no failure of the command.
    let _ = if args.json {
        let json = serde_json::to_string_pretty(document).unwrap_or_default();
        writeln!(out, "{json}")
    } else {
        out.write_all(text().as_bytes())
    };
}
