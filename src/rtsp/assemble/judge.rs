//! Classification of each unit of the stream, as soon as enough of it is there: a parameter set, a
//! slice of this picture or of the next one, or nothing. Pure.

use std::ops::Range;

use super::assembler::Assembler;
use super::picture::{LossesAre, Open, Picture};
use crate::rtsp::annexb::unit_end;
use crate::rtsp::h265;
use crate::rtsp::params::Codec;
use crate::rtsp::unit::{Header, UnitKind, classify, header_of, slice264};

/// Bytes of a slice that surely contain what is read of its header. A slice may be shorter: one
/// that skips the whole picture has some ten bytes.
const SLICE_HEAD: usize = 48;

impl Assembler {
    /// Decides what the unit being received is, as soon as enough of it is there; `whole` says that
    /// it has just been closed and is the last of the units.
    pub(super) fn judge(&mut self, whole: bool, sink: &mut dyn FnMut(&Picture<'_>)) {
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
            UnitKind::Unknown => return,
            UnitKind::Drop => {
                if whole {
                    self.building.units.pop();
                } else {
                    // Not known to be useless before it is whole.
                    return;
                }
            }
            UnitKind::Set | UnitKind::Before => {
                if kind == UnitKind::Set && !whole {
                    return;
                }
                if self.building.has_slice && self.building.next_from.is_none() {
                    self.building.next_from = Some(unit_index);
                }
                if kind == UnitKind::Set {
                    let range = open.start..end;
                    self.take_set(range, sink);
                }
            }
            UnitKind::After => {}
            UnitKind::FirstSlice { key } => {
                self.first_slice(open.start..end, unit_index, key, sink);
            }
            UnitKind::OtherSlice => self.other_slice(open.start..end),
        }
        self.open = if whole { None } else { Some(Open { judged: true, ..open }) };
    }

    fn take_set(&mut self, range: Range<usize>, sink: &mut dyn FnMut(&Picture<'_>)) {
        let nal = self.buffer.get(range).unwrap_or_default().to_vec();
        // A set is kept apart and repeated from there.
        self.building.units.pop();
        // The picture before it still uses the old sets, and is sent before they change.
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
        matches!(classify(nal, &self.memory, false), UnitKind::FirstSlice { .. })
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
            // What is before a gap may have been cut itself.
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
}
