//! A picture while it is received, and whole as it is handed on; and the losses.

use std::ops::Range;
use std::sync::Arc;

use crate::rtsp::params::Params;

/// One whole picture.
#[derive(Debug)]
pub struct Picture<'a> {
    /// The parameter sets in force.
    pub params: &'a Arc<Params>,
    /// A viewer can begin here.
    pub key: bool,
    /// When its first byte came, in microseconds of the caller's clock.
    pub arrived: u64,
    pub(super) bytes: &'a [u8],
    pub(super) units: &'a [Range<usize>],
}

impl<'a> Picture<'a> {
    /// Its units, each with its header, without start codes and without parameter sets, which are
    /// in [`Picture::params`].
    pub fn units(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let bytes = self.bytes;
        self.units.iter().map(move |range| bytes.get(range.clone()).unwrap_or_default())
    }
}

/// Losses since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Losses {
    /// How often the stream broke.
    pub breaks: u64,
    /// Pictures that came and were dropped: the broken ones, and those that built on them.
    pub dropped: u64,
}

/// The unit that is being received.
#[derive(Clone, Copy, Debug)]
pub(super) struct Open {
    pub(super) start: usize,
    /// What it is has been decided.
    pub(super) judged: bool,
}

/// The picture that is being received.
#[derive(Debug, Default)]
pub(super) struct Building {
    /// Units of this picture and, behind it, of the next.
    pub(super) units: Vec<Range<usize>>,
    /// Where the next picture's begin in `units`.
    pub(super) next_from: Option<usize>,
    pub(super) has_slice: bool,
    pub(super) key: bool,
    pub(super) broken: bool,
    pub(super) arrived: u64,
    pub(super) next_arrived: u64,
    /// Of its first slice, to know the others by.
    pub(super) frame_num: Option<u32>,
}

/// How it is known that pictures are missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LossesAre {
    /// By the numbers in the pictures.
    Guessed,
    /// The source says so.
    Reported,
}
