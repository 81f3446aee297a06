//! The last frames of one stream, shared by all its viewers, and each viewer's place among them. A
//! viewer that cannot keep up falls off the ring's end and continues at a key frame: it loses whole
//! groups of pictures, never parts, and delays nobody. Pure.

use std::collections::VecDeque;
use std::sync::Arc;

use super::frame::Frame;

/// What the ring contains at most.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// Bytes of frames; the newest one stays whatever it takes.
    pub bytes: usize,
    /// Microseconds from the oldest to the newest.
    pub time: u64,
}

impl Default for Room {
    /// 768 KiB and 5 s: at a camera's 2 Mbit/s three seconds, of a small stream all five.
    fn default() -> Room {
        Room { bytes: 768 * 1024, time: 5_000_000 }
    }
}

/// See the module.
#[derive(Debug)]
pub struct Ring {
    room: Room,
    frames: VecDeque<Arc<Frame>>,
    /// The number of the oldest frame here.
    first: u64,
    bytes: usize,
    last_key: Option<Arc<Frame>>,
}

/// A viewer's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RingCursor {
    /// The frame that is next.
    next: u64,
    /// Only a key frame will do.
    wants_key: bool,
    /// It has had a frame: what it misses from now on is lost.
    began: bool,
    lost: u64,
}

/// What is next for a viewer.
#[derive(Debug)]
pub struct Next {
    /// The frame.
    pub frame: Arc<Frame>,
    /// Frames that it lost before this one.
    pub lost: u64,
}

impl RingCursor {
    fn at(next: u64) -> RingCursor {
        RingCursor { next, wants_key: true, began: false, lost: 0 }
    }
}

impl Ring {
    /// Empty.
    pub fn new(room: Room) -> Ring {
        Ring { room, frames: VecDeque::new(), first: 0, bytes: 0, last_key: None }
    }

    /// Takes the newest frame in, and lets the oldest go.
    pub fn push(&mut self, frame: Arc<Frame>) {
        self.bytes += frame.held();
        if frame.key {
            self.last_key = Some(Arc::clone(&frame));
        }
        let oldest_time = frame.time.saturating_sub(self.room.time);
        self.frames.push_back(frame);
        while self.frames.len() > 1
            && (self.bytes > self.room.bytes
                || self.frames.front().is_some_and(|frame| frame.time < oldest_time))
        {
            if let Some(gone) = self.frames.pop_front() {
                self.bytes -= gone.held();
                self.first += 1;
            }
        }
    }

    /// Forgets all: what comes is of another kind.
    pub fn clear(&mut self) {
        self.first = self.end();
        self.frames.clear();
        self.bytes = 0;
        self.last_key = None;
    }

    /// The number that the next frame will have.
    fn end(&self) -> u64 {
        self.first + self.frames.len() as u64
    }

    /// A viewer that comes now: at the newest key frame if that arrived at `since`, in
    /// microseconds of the stream's clock, or later; else it waits for the next one.
    pub fn at_key(&self, since: u64) -> RingCursor {
        let fresh = |frame: &Arc<Frame>| frame.key && frame.arrived >= since;
        RingCursor::at(self.newest(fresh).unwrap_or_else(|| self.end()))
    }

    /// A viewer that comes now: at the first frame that is shown at `time` or later, in
    /// microseconds of the stream's clock; else it waits for the next one.
    pub fn at_time(&self, time: u64) -> RingCursor {
        let index = self.frames.partition_point(|frame| frame.time < time);
        RingCursor::at(self.first + index as u64)
    }

    /// When the frame is shown that is next for a viewer; none while it is not there.
    pub fn time_of(&self, place: &RingCursor) -> Option<u64> {
        let index = usize::try_from(place.next.checked_sub(self.first)?).ok()?;
        self.frames.get(index).map(|frame| frame.time)
    }

    fn newest(&self, wanted: impl Fn(&Arc<Frame>) -> bool) -> Option<u64> {
        let index = self.frames.iter().rposition(wanted)?;
        Some(self.first + index as u64)
    }

    /// The next frame for a viewer, if it is there.
    pub fn next(&self, place: &mut RingCursor) -> Option<Next> {
        if place.next < self.first {
            let to = self.newest(|frame| frame.key).unwrap_or_else(|| self.end());
            place.lost += to - place.next;
            place.next = to;
            place.wants_key = true;
        }
        while let Ok(index) = usize::try_from(place.next - self.first) {
            let frame = self.frames.get(index)?;
            place.next += 1;
            if frame.key || !place.wants_key {
                let lost = if place.began { place.lost } else { 0 };
                *place = RingCursor { next: place.next, wants_key: false, began: true, lost: 0 };
                return Some(Next { frame: Arc::clone(frame), lost });
            }
            place.lost += 1;
        }
        None
    }

    /// Frames that a viewer at this place has lost since its last one.
    pub fn missed(&self, place: &RingCursor) -> u64 {
        if place.began { place.lost + self.first.saturating_sub(place.next) } else { 0 }
    }

    /// The newest key frame.
    pub fn last_key(&self) -> Option<&Arc<Frame>> {
        self.last_key.as_ref()
    }

    /// Bytes held.
    pub fn held(&self) -> usize {
        self.bytes
    }
}
