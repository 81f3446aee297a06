//! Events of the firmware: motion begins and ends, day and night, the button, its services. The
//! last ones are kept in memory, and a client may wait for the next.

use std::collections::VecDeque;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde::Serialize;

pub use super::detector::EventKind;
use super::detector::{Motion, Press};
use crate::base::host;
use crate::vendor::frames::{
    Endpoint, EndpointKind, EndpointState as Link, Event as Frame, Reader,
};

/// Events that are kept.
const KEPT: usize = 256;
/// Pictures of events that are kept, and their bytes together. The firmware's have 1920x1080 pixels
/// and at most 819,200 bytes; a camera has some 15 MiB to spare.
const PICTURES: usize = 8;
const PICTURE_BYTES: usize = 768 << 10;
/// Motion has ended after so many seconds without a message, where no other number is set.
const SILENCE: u32 = 10;
/// The longest wait for news, and how often a wait is checked.
const LONGEST_WAIT: Duration = Duration::from_secs(25);
const WANTED: Duration = Duration::from_secs(1);
/// How often the button is looked at.
const LOOK: Duration = Duration::from_millis(200);
/// Stack of each thread.
const STACK: usize = 96 << 10;

/// One event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Event {
    /// Its number: one more than that of the event before.
    pub seq: u64,
    /// What happened.
    pub kind: EventKind,
    /// UTC; null where the clock is not set.
    pub at: Option<String>,
    /// Seconds since the camera started.
    pub uptime_seconds: u64,
}

/// `GET /api/v1/events`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EventsView {
    /// The number of the newest.
    pub seq: u64,
    /// Those after `since`, the oldest first.
    pub events: Vec<Event>,
    /// Whether something moves now; null where the firmware's detector does not answer.
    pub motion: Option<bool>,
    /// The numbers of all events that have a picture.
    pub pictures: Vec<u64>,
}

#[derive(Debug, Default)]
struct Inner {
    seq: u64,
    events: VecDeque<Event>,
    /// JPEG files with the numbers of their events, the oldest first.
    pictures: VecDeque<(u64, Arc<[u8]>)>,
    motion: Option<bool>,
}

/// All events of a camera.
#[derive(Debug)]
pub struct Events {
    inner: Mutex<Inner>,
    changed: Condvar,
    stopped: AtomicBool,
    /// In seconds; see [`Events::set_silence`].
    silence: AtomicU32,
    reader: Mutex<Option<JoinHandle<()>>>,
}

impl Default for Events {
    fn default() -> Events {
        Events {
            inner: Mutex::default(),
            changed: Condvar::new(),
            stopped: AtomicBool::new(false),
            silence: AtomicU32::new(SILENCE),
            reader: Mutex::default(),
        }
    }
}

impl Events {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes an event.
    pub fn note(&self, kind: EventKind) {
        let mut inner = self.inner();
        inner.seq += 1;
        let (at, uptime_seconds) = (host::clock(), host::uptime_seconds());
        let event = Event { seq: inner.seq, kind, at, uptime_seconds };
        inner.events.push_back(event);
        if inner.events.len() > KEPT {
            inner.events.pop_front();
        }
        drop(inner);
        self.changed.notify_all();
    }

    /// Keeps the picture of an event; the oldest are dropped where there are too many.
    pub fn keep_picture(&self, seq: u64, jpeg: Vec<u8>) {
        let mut inner = self.inner();
        inner.pictures.push_back((seq, jpeg.into()));
        let bytes =
            |all: &VecDeque<(u64, Arc<[u8]>)>| all.iter().map(|(_, p)| p.len()).sum::<usize>();
        while inner.pictures.len() > PICTURES || bytes(&inner.pictures) > PICTURE_BYTES {
            inner.pictures.pop_front();
        }
    }

    /// The picture of an event.
    pub fn picture(&self, seq: u64) -> Option<Arc<[u8]>> {
        let inner = self.inner();
        inner.pictures.iter().find(|(of, _)| *of == seq).map(|(_, jpeg)| Arc::clone(jpeg))
    }

    /// Whether something moves; `None` where the firmware's detector does not answer.
    pub fn motion(&self) -> Option<bool> {
        self.inner().motion
    }

    /// Sets after how many seconds without a message motion has ended.
    pub fn set_silence(&self, seconds: u64) {
        self.silence.store(u32::try_from(seconds).unwrap_or(SILENCE), Ordering::Relaxed);
    }

    /// Whether the threads end.
    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }

    /// The number of the newest.
    pub fn seq(&self) -> u64 {
        self.inner().seq
    }

    /// Events after `since`; waits for one, no longer than `wait`, and only as long as `wanted`. The
    /// caller bounds how many wait: each holds one of the page's handlers.
    pub fn after(&self, since: u64, wait: Duration, wanted: &dyn Fn() -> bool) -> EventsView {
        let until = Instant::now() + wait.min(LONGEST_WAIT);
        let mut inner = self.inner();
        while inner.seq == since && Instant::now() < until && wanted() {
            let left = until.saturating_duration_since(Instant::now()).min(WANTED);
            let waited = self.changed.wait_timeout(inner, left);
            inner = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        // A number of an earlier start is none of ours.
        let since = if since > inner.seq { 0 } else { since };
        let events = inner.events.iter().filter(|event| event.seq > since).cloned().collect();
        let pictures = inner.pictures.iter().map(|(seq, _)| *seq).collect();
        EventsView { seq: inner.seq, events, motion: inner.motion, pictures }
    }

    /// Watches the firmware's motion detector and its button, below the firmware's root.
    ///
    /// # Errors
    /// Where no thread can be had.
    pub fn watch(self: &Arc<Events>, root: PathBuf) -> std::io::Result<()> {
        let button = root.join("sys/class/gpio/gpio66/value");
        let thread =
            |name: &str| std::thread::Builder::new().name(name.to_owned()).stack_size(STACK);
        let mine = Arc::clone(self);
        let body = move || mine.watch_motion(root.join("run/md_event"));
        let handle = thread("motion").spawn(body)?;
        *self.reader.lock().unwrap_or_else(PoisonError::into_inner) = Some(handle);
        if button.exists() {
            let mine = Arc::clone(self);
            thread("button").spawn(move || mine.watch_button(button))?;
        }
        Ok(())
    }

    /// Ends the threads. fetch_av is left politely, which takes some seconds at most.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        let reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(reader) = reader {
            let _ = reader.join();
        }
    }

    fn watch_motion(&self, folder: PathBuf) {
        let mut reader = Reader::new(vec![Endpoint { folder, kind: EndpointKind::Messages }]);
        let mut motion = Motion::default();
        while !self.is_stopped() {
            let mut begins = false;
            reader.turn(None, &mut |_, frame| match frame {
                Frame::Message(_) => begins |= motion.seen(Instant::now()),
                Frame::State(state) => {
                    motion.link(matches!(state, Link::Connected | Link::Live));
                }
                Frame::Frame { .. } => {}
            });
            let silence = Duration::from_secs(self.silence.load(Ordering::Relaxed).into());
            let ends = motion.ended(Instant::now(), silence);
            self.inner().motion = motion.now();
            if begins {
                self.note(EventKind::MotionBegin);
            }
            if ends {
                self.note(EventKind::MotionEnd);
            }
        }
        reader.end();
    }

    fn watch_button(&self, path: PathBuf) {
        let (mut press, mut file) = (Press::default(), None);
        while !self.is_stopped() {
            // Kept open: each look is one read.
            if file.is_none() {
                file = std::fs::File::open(&path).ok();
            }
            let mut first = [0];
            let read = file.as_ref().is_some_and(|file| file.read_at(&mut first, 0).is_ok());
            if !read {
                file = None;
            }
            // Active low.
            let down = read && first == *b"0";
            if press.look(down, Instant::now()) {
                self.note(EventKind::Button);
            }
            std::thread::sleep(LOOK);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_bounded_by_their_number_and_their_bytes() {
        let events = Events::default();
        let kept = || events.after(0, Duration::ZERO, &|| true).pictures;
        for seq in 1..=10 {
            events.keep_picture(seq, vec![1; 10]);
        }
        assert_eq!(kept(), (3..=10).collect::<Vec<_>>());
        events.keep_picture(11, vec![2; PICTURE_BYTES - 15]);
        assert_eq!(kept(), [10, 11]);
        assert_eq!(events.picture(10).as_deref(), Some(&[1; 10][..]));
        assert_eq!(events.picture(9), None);
        // One that is too large alone leaves nothing.
        events.keep_picture(12, vec![3; PICTURE_BYTES + 1]);
        assert_eq!(kept(), [0; 0]);
    }

    #[test]
    fn events_are_numbered_bounded_and_waited_for() {
        let events = Arc::new(Events::default());
        for _ in 0..KEPT + 10 {
            events.note(EventKind::Button);
        }
        let all = events.after(0, Duration::ZERO, &|| true);
        assert_eq!((all.seq, all.events.len()), (KEPT as u64 + 10, KEPT));
        assert!(all.events.windows(2).all(|two| two[1].seq == two[0].seq + 1));
        let waiting = std::thread::spawn({
            let events = Arc::clone(&events);
            move || events.after(all.seq, LONGEST_WAIT, &|| true)
        });
        events.note(EventKind::Night);
        let news = waiting.join().unwrap();
        assert_eq!(news.events.iter().map(|e| e.kind).collect::<Vec<_>>(), [EventKind::Night]);
        // Of an earlier start: answered at once, with all there is.
        assert_eq!(events.after(99_999, LONGEST_WAIT, &|| true).events.len(), KEPT);
    }
}
