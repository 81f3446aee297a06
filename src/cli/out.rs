//! Standard output and standard error, without a panic where those
//! are closed or full. The commands decide what is printed.

use std::fmt::{Arguments, Display};
use std::io::{self, ErrorKind, Write};

use serde::Serialize;
use thiserror::Error;

use super::args::Args;
use crate::error::{Code, Explain};

/// The answer could not be given.
#[derive(Debug, Error)]
#[error("cannot write to standard output")]
pub struct OutputError(#[source] io::Error);

impl Explain for OutputError {
    fn code(&self) -> Code {
        Code::Output
    }

    fn hint(&self) -> String {
        "The command was done, but its output is incomplete. Send the output to a place with free \
         space."
            .to_owned()
    }
}

/// Prints a document for `--json`, else a text.
///
/// # Errors
/// [`OutputError`]; a reader that went away (`| head`) is none.
pub fn print<T: Serialize>(
    args: &Args,
    document: &T,
    text: impl FnOnce() -> String,
) -> Result<(), OutputError> {
    let text = if args.json { pretty(document) } else { visible(&text()) };
    write_out(&text)
}

/// Prints a document.
///
/// # Errors
/// As [`print`].
pub fn document<T: Serialize>(document: &T) -> Result<(), OutputError> {
    write_out(&pretty(document))
}

/// Prints words as they are.
///
/// # Errors
/// As [`print`].
pub fn words(text: &str) -> Result<(), OutputError> {
    write_out(text)
}

/// Prints to standard error, which may be closed: the work continues.
pub fn tell(words: Arguments<'_>) {
    let _ = writeln!(io::stderr(), "{}", visible(&words.to_string()));
}

/// Shows an error and its hint on standard error.
pub fn complain(reason: &dyn Display, hint: &str) {
    tell(format_args!("mi360d: {reason}\n  {hint}"));
}

/// The text with control characters written out: a file's name must not steer
/// a terminal.
fn visible(text: &str) -> String {
    let is_harmless = |c: char| !c.is_control() || matches!(c, '\n' | '\t');
    if text.chars().all(is_harmless) {
        return text.to_owned();
    }
    text.chars()
        .map(|c| if is_harmless(c) { c.to_string() } else { c.escape_default().to_string() })
        .collect()
}

pub fn pretty<T: Serialize>(document: &T) -> String {
    serde_json::to_string_pretty(document).unwrap_or_default() + "\n"
}

fn write_out(text: &str) -> Result<(), OutputError> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() != ErrorKind::BrokenPipe => Err(OutputError(e)),
        _ => Ok(()),
    }
}
