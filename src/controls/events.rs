//! What happened: motion begins and ends, day and night, the button, the firmware's services. The
//! last ones are kept in memory, and a client may wait for the next.

use std::collections::VecDeque;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::base::host;
use crate::vendor::frames::{Endpoint, Event as Frame, Kind as Frames, Reader, State as Link};

/// Events that are kept.
const KEPT: usize = 256;
/// Motion has ended after so long without a message: fetch_av sends one at least each 0.4 s while
/// something moves.
pub const SILENCE: Duration = Duration::from_secs(10);
/// The longest wait for news, how many wait at once, and how often a wait is looked at.
const LONGEST_WAIT: Duration = Duration::from_secs(25);
const MOST_WAITERS: usize = 2;
const WANTED: Duration = Duration::from_secs(1);
/// How often the button is looked at, and how long a short press lasts at most: the firmware wipes
/// its settings when the button is held for two seconds.
const LOOK: Duration = Duration::from_millis(200);
const SHORT: Duration = Duration::from_millis(1900);
/// Stack of each thread.
const STACK: usize = 96 << 10;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The firmware's detector saw motion.
    MotionBegin,
    /// It saw none for [`SILENCE`].
    MotionEnd,
    /// The picture is that of the day again.
    Day,
    /// The picture is that of the night.
    Night,
    /// The button was pressed for a moment.
    Button,
    /// The firmware's settings service cannot be reached.
    FirmwareAway,
    /// It can be reached again.
    FirmwareBack,
}

/// One event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Event {
    /// Its number: one more than that of the event before.
    pub seq: u64,
    /// What happened.
    pub kind: Kind,
    /// UTC; null where the clock is not set.
    pub at: Option<String>,
    /// Seconds since the camera started.
    pub uptime_seconds: u64,
}

/// `GET /api/v1/events`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Document {
    /// The number of the newest.
    pub seq: u64,
    /// Those after `since`, the oldest first.
    pub events: Vec<Event>,
    /// Whether something moves now; null where the firmware's detector does not answer.
    pub motion: Option<bool>,
}

#[derive(Debug, Default)]
struct Inner {
    seq: u64,
    events: VecDeque<Event>,
    waiters: usize,
    motion: Option<bool>,
}

/// All events of a camera.
#[derive(Debug, Default)]
pub struct Events {
    inner: Mutex<Inner>,
    changed: Condvar,
    stopped: AtomicBool,
    reader: Mutex<Option<JoinHandle<()>>>,
}

/// What motion is made of single messages. Pure.
#[derive(Debug, Default)]
struct Motion(Option<Instant>);

impl Motion {
    /// A message came; whether motion begins.
    fn seen(&mut self, now: Instant) -> bool {
        self.0.replace(now).is_none()
    }

    /// Whether motion has ended by now.
    fn ended(&mut self, now: Instant) -> bool {
        let over = self.0.is_some_and(|last| now.saturating_duration_since(last) >= SILENCE);
        if over {
            self.0 = None;
        }
        over
    }
}

/// What a press is made of single looks. Pure.
#[derive(Debug, Default)]
struct Press(Option<Instant>);

impl Press {
    /// The button was looked at; whether a short press has ended.
    fn look(&mut self, down: bool, now: Instant) -> bool {
        if down {
            self.0.get_or_insert(now);
            return false;
        }
        self.0.take().is_some_and(|since| now.saturating_duration_since(since) <= SHORT)
    }
}

impl Events {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes an event.
    pub fn note(&self, kind: Kind) {
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

    /// Whether something moves; `None` where the firmware's detector does not answer.
    pub fn motion(&self) -> Option<bool> {
        self.inner().motion
    }

    /// Whether the threads end.
    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }

    /// The number of the newest.
    pub fn seq(&self) -> u64 {
        self.inner().seq
    }

    /// Events after `since`; waits for one, no longer than `wait`, and only as long as `wanted`. Few
    /// wait at once, for each holds one of the page's handlers: the others are answered at once.
    pub fn after(&self, since: u64, wait: Duration, wanted: &dyn Fn() -> bool) -> Document {
        let mut inner = self.inner();
        let may = inner.waiters < MOST_WAITERS;
        inner.waiters += usize::from(may);
        drop(inner);
        let found = self.awaited(since, if may { wait } else { Duration::ZERO }, wanted);
        self.inner().waiters -= usize::from(may);
        found
    }

    /// The same, where the caller bounds how many wait.
    pub fn awaited(&self, since: u64, wait: Duration, wanted: &dyn Fn() -> bool) -> Document {
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
        Document { seq: inner.seq, events, motion: inner.motion }
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
        let mut reader = Reader::new(vec![Endpoint { folder, kind: Frames::Messages }]);
        let mut motion = Motion::default();
        while !self.is_stopped() {
            let mut begins = false;
            reader.turn(None, &mut |_, frame| match frame {
                Frame::Message(_) => begins |= motion.seen(Instant::now()),
                Frame::State(state) => {
                    let answers = matches!(state, Link::Connected | Link::Live);
                    let mut inner = self.inner();
                    inner.motion = answers.then(|| inner.motion.unwrap_or(false));
                }
                Frame::Frame { .. } => {}
            });
            if begins {
                self.inner().motion = Some(true);
                self.note(Kind::MotionBegin);
            }
            if motion.ended(Instant::now()) {
                let mut inner = self.inner();
                inner.motion = inner.motion.map(|_| false);
                drop(inner);
                self.note(Kind::MotionEnd);
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
                self.note(Kind::Button);
            }
            std::thread::sleep(LOOK);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(begin: Instant, ms: u64) -> Instant {
        begin + Duration::from_millis(ms)
    }

    #[test]
    fn a_day_of_motion_is_one_begin_and_one_end_for_each_time() {
        let (mut motion, begin) = (Motion::default(), Instant::now());
        let (mut begins, mut ends) = (0, 0);
        // 24 hours: each ten minutes something moves for 45 seconds, with a message each 330 ms.
        for second in 0..86_400u64 {
            let moves = second % 600 < 45;
            for part in [0, 330, 660] {
                let now = at(begin, second * 1000 + part);
                begins += u32::from(moves && motion.seen(now));
                ends += u32::from(motion.ended(now));
            }
        }
        assert_eq!((begins, ends), (144, 144));
        // A pause shorter than the silence is none.
        let mut motion = Motion::default();
        assert!(motion.seen(begin));
        assert!(!motion.ended(at(begin, 9_999)) && !motion.seen(at(begin, 9_999)));
        assert!(!motion.ended(at(begin, 19_998)) && motion.ended(at(begin, 19_999)));
        assert!(motion.seen(at(begin, 20_000)));
    }

    #[test]
    fn only_a_short_press_is_one() {
        let (mut press, begin) = (Press::default(), Instant::now());
        let mut look = |down, ms| press.look(down, at(begin, ms));
        assert!(!look(false, 0) && !look(true, 100) && !look(true, 300) && look(false, 400));
        assert!(!look(false, 500));
        assert!(!look(true, 1000) && !look(true, 3000) && !look(false, 3100), "held: a reset");
    }

    #[test]
    fn events_are_numbered_bounded_and_waited_for() {
        let events = Arc::new(Events::default());
        for _ in 0..KEPT + 10 {
            events.note(Kind::Button);
        }
        let all = events.after(0, Duration::ZERO, &|| true);
        assert_eq!((all.seq, all.events.len()), (KEPT as u64 + 10, KEPT));
        assert!(all.events.windows(2).all(|two| two[1].seq == two[0].seq + 1));
        let waiting = std::thread::spawn({
            let events = Arc::clone(&events);
            move || events.after(all.seq, LONGEST_WAIT, &|| true)
        });
        while events.inner().waiters == 0 {
            std::thread::yield_now();
        }
        events.note(Kind::Night);
        let news = waiting.join().unwrap();
        assert_eq!(news.events.iter().map(|e| e.kind).collect::<Vec<_>>(), [Kind::Night]);
        // Of an earlier start: answered at once, with all there is.
        assert_eq!(events.after(99_999, LONGEST_WAIT, &|| true).events.len(), KEPT);
    }
}
