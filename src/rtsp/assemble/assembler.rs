//! The assembler: bytes come in, are cut into units at their start codes, and leave as whole
//! pictures. Pure.

use super::picture::{Building, Losses, LossesAre, Open, Picture};
use crate::rtsp::annexb::{begins_with_start_code, find_start_code, unit_end};
use crate::rtsp::params::{Codec, Memory};
use crate::rtsp::{h264, h265};

/// Bytes of one picture. A key frame of 1080p at a camera's rate has 50 to 300 KiB.
pub const LARGEST_PICTURE: usize = 1024 * 1024;
/// Bytes of room that are kept from picture to picture.
const ROOM: usize = 64 * 1024;
/// Units of one picture.
const MOST_UNITS: usize = 512;

/// Takes bytes, gives whole pictures; see [the module](super).
#[derive(Debug)]
pub struct Assembler {
    pub(super) buffer: Vec<u8>,
    /// The search for start codes continues here.
    scanned: usize,
    pub(super) open: Option<Open>,
    pub(super) building: Building,
    pub(super) memory: Memory,
    /// Where in `buffer` the pipe was full.
    cut_at: Option<usize>,
    /// Something is missing: nothing is sent before the next key frame.
    pub(super) waits_for_key: bool,
    /// A break has been counted and nothing has gone out since.
    in_break: bool,
    began: bool,
    pub(super) losses_are: LossesAre,
    pub(super) continuity264: h264::Continuity,
    pub(super) continuity265: h265::Continuity,
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
    /// be known, so it is dropped as well, and is no loss of the pipe's.
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

    pub(super) fn count_break(&mut self) {
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

    /// The picture is whole: it is sent, or is dropped. What belongs to the next one stays.
    pub(super) fn release(&mut self, sink: &mut dyn FnMut(&Picture<'_>)) {
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
        // One large picture must not keep its room forever.
        if self.buffer.capacity() > 2 * ROOM && self.buffer.len() < ROOM {
            self.buffer.shrink_to(ROOM);
        }
    }
}
