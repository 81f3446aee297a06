//! Files whose bytes were mangled on their way: swapped, turned, doubled,
//! logged as text, sent as text. Each change is recognized and undone: a
//! [`Source`] reads the bytes as they were before. `detect` recognizes, `view`
//! undoes by calculation, `log` reads texts of numbers with addresses, `plain`
//! those without, `lines` undoes line ends.

mod detect;
mod kind;
mod lines;
mod log;
mod log_fault;
mod log_line;
mod plain;
mod plain_decoder;
mod stuck;
mod utf16;
mod view;

use std::io;

use super::finding::Finding;
use super::source::Source;

pub use detect::{detect, ends_like_a_chip, lost_bytes};
pub use kind::{Note, Transform};
pub use stuck::of_dump;

pub use lines::{Ends, count};

/// The most bytes that a text of numbers may stand for: one short line can be repeated for long,
/// and on a camera there is little memory. A partition's text fits.
pub const MOST: usize = if cfg!(feature = "pc") { 64 << 20 } else { 2 << 20 };
/// The longest text that is read in memory: on a camera there is little of it.
pub const LONGEST_TEXT: u64 = if cfg!(feature = "pc") { 1 << 32 } else { 8 << 20 };
const _: () = assert!(MOST as u64 <= LONGEST_TEXT, "what a text stands for is in memory, too");

/// A file as it was before.
pub struct Undone<'a> {
    /// Its bytes.
    pub source: Box<dyn Source + 'a>,
    /// What of it could not be read.
    pub lost: Vec<Finding>,
}

/// As [`undo`], or `None` where that takes more memory than there is.
///
/// # Errors
/// Where the file cannot be read.
pub fn read_in_memory<'a>(
    source: &'a dyn Source,
    transform: &Transform,
) -> io::Result<Option<Undone<'a>>> {
    if transform.is_text() && source.len() > LONGEST_TEXT {
        return Ok(None);
    }
    let undone = undo(source, transform)?;
    // What reaches the limit was cut there.
    Ok((!transform.is_text() || undone.source.len() < MOST as u64).then_some(undone))
}

/// The bytes as they were before, to be read as a file is.
///
/// # Errors
/// Where the file cannot be read.
pub fn undo<'a>(source: &'a dyn Source, transform: &Transform) -> io::Result<Undone<'a>> {
    let mut lost = Vec::new();
    let source: Box<dyn Source + 'a> = match transform {
        Transform::LineEnds => Box::new(lines::LineFeeds::new(source)?),
        Transform::Log(form) => {
            let (bytes, faults) = log::read(source, *form, MOST)?;
            lost = faults.findings(form.is_records());
            Box::new(bytes)
        }
        Transform::Plain(form) => Box::new(form.read(source, MOST)?),
        other => Box::new(view::View::new(source, other.clone())),
    };
    Ok(Undone { source, lost })
}
