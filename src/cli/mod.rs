//! The command line: arguments become calls of [`crate::camera`] and
//! [`crate::image`], answers become text or one JSON document. Decides nothing.

mod args;
mod backups;
mod bar;
mod brick;
mod command;
mod daemon;
mod facts;
mod failure;
mod flash;
mod help;
mod inspect;
mod lines;
mod map;
#[cfg(not(feature = "pc"))]
mod not_pc;
mod out;
mod passwd;
#[cfg(feature = "pc")]
mod programmer;
#[cfg(feature = "pc")]
mod recover;
mod rtsp;
mod sim;
mod topics;
mod verify;

use std::process::ExitCode;

use serde_json::json;

use crate::error::{Exit, Explain, chain};

use args::Args;
use command::Command;
use failure::{Failure, Result};

/// Runs the command that the process was started with.
pub fn main() -> ExitCode {
    // Refused only where something started threads before main; then they are larger.
    let _ = crate::sys::set_default_stack();
    let exit = match Args::parse(std::env::args_os()) {
        Ok(args) => match dispatch(&args) {
            Ok(exit) => exit,
            Err(Failure(error)) => report(args.json, error.as_ref()),
        },
        Err(error) => report(error.json, &error),
    };
    ExitCode::from(exit as u8)
}

fn dispatch(args: &Args) -> Result {
    match args.command {
        Command::Run { .. } | Command::Demo { .. } => {}
        // A server tells what happens to it; the supervisor keeps the last lines.
        Command::Rtsp(_) => daemon::log_to_terminal(args.verbose, log::LevelFilter::Info),
        _ => daemon::log_to_terminal(args.verbose, log::LevelFilter::Warn),
    }
    match &args.command {
        Command::Help(topic) => help::show(args, topic.as_deref()),
        Command::Version => version(args),
        Command::Run { config, listen } => daemon::run(args, config.as_deref(), *listen),
        Command::Demo { dir, listen } => daemon::demo(args, dir.as_deref(), *listen),
        Command::SimCreate { dir, model, from } => {
            sim::create(args, dir, model.as_deref(), from.as_deref())
        }
        Command::Map => map::map(args),
        Command::Facts => facts::facts(args),
        Command::Backup => backups::backup(args),
        Command::Backups => backups::list(args),
        Command::Verify { set } => verify::verify(args, set),
        Command::Inspect { file } => inspect::inspect(args, file),
        Command::Plan { source, only, did } => {
            flash::plan(args, source, only.as_ref(), did.as_ref())
        }
        Command::Flash { file, choice } => flash::flash(args, file, choice),
        Command::Restore { set, choice } => flash::restore(args, set, choice),
        Command::Resume => flash::resume(args),
        Command::Passwd => passwd::passwd(args),
        #[cfg(feature = "pc")]
        Command::Assemble { own, donor, out, factory, damaged_factory } => {
            brick::assemble(args, own, donor, out, factory.as_deref(), *damaged_factory)
        }
        #[cfg(feature = "pc")]
        Command::Recover { files, out, factory } => {
            recover::recover(args, files, out, factory.as_deref())
        }
        #[cfg(feature = "pc")]
        Command::Programmer { action, device } => programmer::programmer(args, action, device),
        #[cfg(not(feature = "pc"))]
        Command::Assemble { .. } | Command::Recover { .. } | Command::Programmer { .. } => {
            not_pc::refuse()
        }
        Command::Redact { dump, out } => brick::redact(args, dump, out),
        Command::Rtsp(words) => rtsp::rtsp(args, words),
    }
}

fn version(args: &Args) -> Result {
    let version = env!("CARGO_PKG_VERSION");
    let document = json!({ "program": "mi360d", "version": version });
    out::print(args, &document, || format!("mi360d {version}\n"))?;
    Ok(Exit::Done)
}

/// Shows an error: what, why, what next; with `--json` as a document.
fn report(as_json: bool, error: &dyn Explain) -> Exit {
    let hint = error.hint();
    let reason = chain(error);
    if as_json {
        let error = json!({ "code": error.code(), "message": reason, "hint": hint });
        // Where it cannot be said here either, the exit status still tells.
        let _ = out::document(&json!({ "error": error }));
    }
    out::complain(&reason, &hint);
    error.exit()
}
