//! Bytes of an Annex-B stream become whole pictures, and nothing else does: a picture that was cut
//! or that follows a lost one is dropped, and all behind it up to the next key frame. Pure: bytes
//! and instants come in, pictures go out.
//!
//! How loss shows, since a cut picture looks like any other (docs/rtsp.md, "What was lost"):
//!
//! 1. The reader says where the pipe had been full ([`Assembler::cut`]): if a start code stands
//!    right there, the writer gave up in the middle of what it was writing.
//! 2. The numbers of pictures have a gap. Then the picture before the gap is not trusted either.
//! 3. A slice that begins nothing, of another picture than the one before it, or of parameter sets
//!    that never came.

use std::ops::Range;
use std::sync::Arc;

use super::annexb::{begins_with_start_code, find_start_code, unit_end};
use super::params::{Codec, Memory, Params};
use super::unit::{Header, Kind, classify, header_of, slice264};
use super::{h264, h265};

/// Bytes of one picture. A key frame of 1080p at a camera's rate has 50 to 300 KiB.
pub const LARGEST_PICTURE: usize = 1024 * 1024;
/// Bytes of room that are kept from picture to picture.
const ROOM: usize = 64 * 1024;
/// Units of one picture.
const MOST_UNITS: usize = 512;
/// Bytes of a slice that surely contain what is read of its header. A slice may be shorter: one that
/// skips the whole picture has some ten bytes.
const SLICE_HEAD: usize = 48;

/// One whole picture.
#[derive(Debug)]
pub struct Picture<'a> {
    /// The parameter sets in force.
    pub params: &'a Arc<Params>,
    /// A viewer can begin here.
    pub key: bool,
    /// When its first byte came, in microseconds of the caller's clock.
    pub arrived: u64,
    bytes: &'a [u8],
    units: &'a [Range<usize>],
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
struct Open {
    start: usize,
    /// What it is has been decided.
    judged: bool,
}

/// The picture that is being received.
#[derive(Debug, Default)]
struct Building {
    /// Units of this picture and, behind it, of the next.
    units: Vec<Range<usize>>,
    /// Where the next picture's begin in `units`.
    next_from: Option<usize>,
    has_slice: bool,
    key: bool,
    broken: bool,
    arrived: u64,
    next_arrived: u64,
    /// Of its first slice, to know the others by.
    frame_num: Option<u32>,
}

/// How it is known that pictures are missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LossesAre {
    /// By the numbers in the pictures.
    Guessed,
    /// The source says so.
    Reported,
}

/// See the module.
#[derive(Debug)]
pub struct Assembler {
    buffer: Vec<u8>,
    /// The search for start codes goes on here.
    scanned: usize,
    open: Option<Open>,
    building: Building,
    memory: Memory,
    /// Where in `buffer` the pipe was full.
    cut_at: Option<usize>,
    /// Something is missing: nothing goes out before the next key frame.
    waits_for_key: bool,
    /// A break has been counted and nothing has gone out since.
    in_break: bool,
    began: bool,
    losses_are: LossesAre,
    continuity264: h264::Continuity,
    continuity265: h265::Continuity,
    losses: Losses,
}

impl Default for Assembler {
    fn default() -> Self {
        Self::new()
    }
}

impl Assembler {
    /// At the start of a stream.
    pub fn new() -> Assembler {
        Assembler {
            buffer: Vec::new(),
            scanned: 0,
            open: None,
            building: Building::default(),
            memory: Memory::default(),
            cut_at: None,
            waits_for_key: true,
            in_break: false,
            began: false,
            losses_are: LossesAre::Guessed,
            continuity264: h264::Continuity::default(),
            continuity265: h265::Continuity::default(),
            losses: Losses::default(),
        }
    }

    /// The losses so far.
    pub fn losses(&self) -> Losses {
        self.losses
    }

    /// The codec, once it is known.
    pub fn codec(&self) -> Option<Codec> {
        self.memory.codec()
    }

    /// Takes the next bytes, which came at `now` (microseconds); whole pictures go to `sink`.
    pub fn feed(&mut self, bytes: &[u8], now: u64, sink: &mut dyn FnMut(&Picture<'_>)) {
        self.buffer.extend_from_slice(bytes);
        self.look_at_cut(sink);
        while let Some(code) = find_start_code(&self.buffer, self.scanned) {
            self.close_unit(code);
            self.judge(true, sink);
            self.open = Some(Open { start: code + 3, judged: false });
            self.scanned = code + 3;
            if !self.building.has_slice && self.building.units.is_empty() {
                self.building.arrived = now;
            }
            self.building.next_arrived = now;
            if self.building.units.len() >= MOST_UNITS {
                self.give_up();
            }
        }
        self.scanned = self.scanned.max(self.buffer.len().saturating_sub(2));
        self.judge(false, sink);
        if self.buffer.len() > LARGEST_PICTURE {
            self.give_up();
        }
        self.compact();
    }

    /// Says that the pipe was full when the last of the bytes so far stood at its end: the writer
    /// may have given up there.
    pub fn cut(&mut self) {
        self.cut_at = Some(self.buffer.len());
    }

    /// Takes one whole access unit of a source that says itself what it lost: nothing is guessed
    /// from the numbers of pictures. `lost` says that something is missing before this one.
    pub fn whole(
        &mut self,
        bytes: &[u8],
        now: u64,
        lost: bool,
        sink: &mut dyn FnMut(&Picture<'_>),
    ) {
        self.forget_bytes();
        if lost {
            self.count_break();
        }
        self.losses_are = LossesAre::Reported;
        self.feed(bytes, now, sink);
        self.close_unit(self.buffer.len());
        self.judge(true, sink);
        self.release(sink);
        self.losses_are = LossesAre::Guessed;
        self.forget_bytes();
    }

    /// The writer is gone: what is not whole never will be. That its last picture is whole cannot
    /// be known, so it goes with it, and is no loss of the pipe's.
    pub fn writer_gone(&mut self) {
        self.forget_input();
    }

    /// The end of a file, which was not cut: the last picture is whole.
    pub fn end(&mut self, sink: &mut dyn FnMut(&Picture<'_>)) {
        self.close_unit(self.buffer.len());
        self.judge(true, sink);
        self.release(sink);
        self.forget_input();
    }

    fn forget_bytes(&mut self) {
        self.buffer.clear();
        self.buffer.shrink_to(2 * ROOM);
        self.scanned = 0;
        self.open = None;
        self.building = Building::default();
        self.cut_at = None;
    }

    fn forget_input(&mut self) {
        self.forget_bytes();
        self.waits_for_key = true;
        self.continuity264.reset();
        self.continuity265.reset();
    }

    fn count_break(&mut self) {
        self.losses.dropped += u64::from(self.building.has_slice);
        if self.began && !self.in_break {
            self.losses.breaks += 1;
            self.in_break = true;
        }
        self.waits_for_key = true;
    }

    /// Too large, or of too many units: dropped up to the next start code.
    fn give_up(&mut self) {
        self.count_break();
        self.forget_input();
    }

    fn look_at_cut(&mut self, sink: &mut dyn FnMut(&Picture<'_>)) {
        let Some(at) = self.cut_at else { return };
        match begins_with_start_code(self.buffer.get(at..).unwrap_or_default()) {
            None => {}
            // The writer waited for room, and went on where it had stopped.
            Some(false) => self.cut_at = None,
            Some(true) => {
                if self.building.next_from.is_some() {
                    // The picture before the one that was cut had come whole.
                    self.release(sink);
                }
                let rest = self.buffer.split_off(at);
                self.count_break();
                self.forget_input();
                self.buffer = rest;
            }
        }
    }

    /// Ends the unit that is being received at the start code that begins at `end`.
    fn close_unit(&mut self, end: usize) {
        let Some(open) = self.open else { return };
        let end = unit_end(&self.buffer, open.start, end);
        if end > open.start {
            self.building.units.push(open.start..end);
        } else {
            self.open = None;
        }
    }

    /// Decides what the unit being received is, as soon as enough of it is there; `whole` says that
    /// it has just been closed and is the last of the units.
    fn judge(&mut self, whole: bool, sink: &mut dyn FnMut(&Picture<'_>)) {
        let Some(open) = self.open else { return };
        if open.judged {
            if whole {
                self.open = None;
            }
            return;
        }
        let last = self.building.units.last().filter(|_| whole);
        let end = last.map_or(self.buffer.len(), |range| range.end);
        let end = if !whole && end < open.start + SLICE_HEAD {
            // A picture of fewer bytes may be there in full. If it waited for the next one, the
            // picture before it would be sent late. Zeros may belong to the next start code.
            let known = unit_end(&self.buffer, open.start, end);
            if !self.is_known_first_slice(open.start..known) {
                return;
            }
            known
        } else {
            end
        };
        let unit_index = self.building.units.len() - usize::from(whole);
        let kind =
            classify(self.buffer.get(open.start..end).unwrap_or_default(), &self.memory, whole);
        match kind {
            Kind::Unknown => return,
            Kind::Drop => {
                if whole {
                    self.building.units.pop();
                } else {
                    // Not known to be useless before it is whole.
                    return;
                }
            }
            Kind::Set | Kind::Before => {
                if kind == Kind::Set && !whole {
                    return;
                }
                if self.building.has_slice && self.building.next_from.is_none() {
                    self.building.next_from = Some(unit_index);
                }
                if kind == Kind::Set {
                    let range = open.start..end;
                    self.take_set(range, sink);
                }
            }
            Kind::After => {}
            Kind::FirstSlice { key } => self.first_slice(open.start..end, unit_index, key, sink),
            Kind::OtherSlice => self.other_slice(open.start..end),
        }
        self.open = if whole { None } else { Some(Open { judged: true, ..open }) };
    }

    fn take_set(&mut self, range: Range<usize>, sink: &mut dyn FnMut(&Picture<'_>)) {
        let nal = self.buffer.get(range).unwrap_or_default().to_vec();
        // A set is kept apart and repeated from there.
        self.building.units.pop();
        // The picture before it still goes by the old sets, and out before they change.
        if self.building.next_from.is_some() {
            self.release(sink);
        }
        if self.memory.announces_codec(&nal) {
            self.waits_for_key = true;
            self.continuity264.reset();
            self.continuity265 = h265::Continuity::default();
        }
        self.memory.keep(&nal);
    }

    /// Whether these bytes already contain all that is read of a picture's first slice.
    fn is_known_first_slice(&self, range: Range<usize>) -> bool {
        let nal = self.buffer.get(range).unwrap_or_default();
        matches!(classify(nal, &self.memory, false), Kind::FirstSlice { .. })
            && header_of(nal, &self.memory).is_some()
    }

    fn first_slice(
        &mut self,
        range: Range<usize>,
        unit_index: usize,
        key: bool,
        sink: &mut dyn FnMut(&Picture<'_>),
    ) {
        let nal = self.buffer.get(range).unwrap_or_default();
        let mut frame_num = None;
        let missing = header_of(nal, &self.memory).map(|header| match header {
            Header::H264(slice, sps) => {
                frame_num = Some(slice.frame_num);
                self.continuity264.missing(key, &slice, sps)
            }
            Header::H265(order, sps) => self.continuity265.missing(key, order, sps),
        });
        let missing = match self.losses_are {
            LossesAre::Guessed => missing,
            LossesAre::Reported => missing.map(|_| false),
        };
        if self.building.has_slice {
            self.building.next_from.get_or_insert(unit_index);
            // What stands before a gap may have been cut itself.
            self.building.broken |= missing == Some(true);
            self.release(sink);
        }
        if missing == Some(true) {
            self.count_break();
        }
        self.building.has_slice = true;
        self.building.key = key;
        self.building.broken = missing.is_none();
        self.building.frame_num = frame_num;
    }

    fn other_slice(&mut self, range: Range<usize>) {
        let nal = self.buffer.get(range).unwrap_or_default();
        let well = self.building.has_slice
            && self.building.next_from.is_none()
            && nal.first().is_some_and(|header| header & 0x80 == 0)
            && match self.memory.codec() {
                Some(Codec::H264) => {
                    slice264(nal, &self.memory).map(|(slice, _)| slice.frame_num)
                        == self.building.frame_num
                }
                _ => true,
            };
        if !well {
            self.building.broken = true;
            self.building.has_slice = true;
        }
    }

    /// The picture is whole: it goes out, or is dropped. What belongs to the next one stays.
    fn release(&mut self, sink: &mut dyn FnMut(&Picture<'_>)) {
        let from = self.building.next_from.unwrap_or(self.building.units.len());
        let rest = self.building.units.split_off(from.min(self.building.units.len()));
        let next_arrived = self.building.next_arrived;
        let next =
            Building { units: rest, arrived: next_arrived, next_arrived, ..Building::default() };
        let done = std::mem::replace(&mut self.building, next);
        if !done.has_slice {
            return;
        }
        if done.broken {
            self.building.has_slice = true; // it is counted as one that came
            self.count_break();
            self.building.has_slice = false;
            return;
        }
        if self.waits_for_key && !done.key {
            self.losses.dropped += u64::from(self.began);
            return;
        }
        let Some(params) = self.memory.params() else {
            self.losses.dropped += 1;
            return;
        };
        self.waits_for_key = false;
        self.in_break = false;
        self.began = true;
        sink(&Picture {
            params: &params,
            key: done.key,
            arrived: done.arrived,
            bytes: &self.buffer,
            units: &done.units,
        });
    }

    /// Moves what is still needed to the buffer's front.
    fn compact(&mut self) {
        let first = self.building.units.first().map(|range| range.start);
        let open = self.open.map(|open| open.start);
        let keep = first.or(open).unwrap_or(self.scanned).min(self.cut_at.unwrap_or(usize::MAX));
        if keep == 0 {
            return;
        }
        self.buffer.drain(..keep.min(self.buffer.len()));
        for range in &mut self.building.units {
            *range = range.start - keep..range.end - keep;
        }
        if let Some(open) = &mut self.open {
            open.start -= keep;
        }
        self.scanned = self.scanned.saturating_sub(keep);
        self.cut_at = self.cut_at.map(|at| at - keep);
        // One large picture must not keep its room for ever.
        if self.buffer.capacity() > 2 * ROOM && self.buffer.len() < ROOM {
            self.buffer.shrink_to(ROOM);
        }
    }
}
