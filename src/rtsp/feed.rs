//! One stream between its source's thread, which pushes, and the server's thread, which looks. The
//! lock is held for moments only: neither waits for the other's work.

use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::assemble::{Losses, Picture};
use super::clock::Clock;
use super::frame::Frame;
use super::params::Params;
use super::ring::{Ring, Room};
use super::sound::SoundForm;
use super::stats::{Lost, SoundStats, StreamStats, Writer};
use crate::vendor::frames;

/// What is measured in, in microseconds.
const WINDOW: u64 = 2_000_000;
/// So long without a picture, and the writer counts as silent: microseconds.
const SILENT: u64 = 3_000_000;

/// So long without the firmware's endpoint, and another source takes over where there is one.
const FALLBACK: Duration = Duration::from_secs(20);

/// Wakes the server's thread out of its `poll`.
#[derive(Debug)]
pub(super) struct Wake {
    pending: AtomicBool,
    write: UnixStream,
    read: UnixStream,
}

impl Wake {
    pub(super) fn new() -> std::io::Result<Wake> {
        let (read, write) = UnixStream::pair()?;
        read.set_nonblocking(true)?;
        write.set_nonblocking(true)?;
        Ok(Wake { pending: AtomicBool::new(false), write, read })
    }

    pub(super) fn wake(&self) {
        if !self.pending.swap(true, Ordering::AcqRel) {
            let _ = (&self.write).write(&[0]);
        }
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.read.as_fd()
    }

    pub(super) fn clear(&self) {
        let _ = (&self.read).read(&mut [0; 8]);
        self.pending.store(false, Ordering::Release);
    }
}

/// What both sides know of a stream.
#[derive(Debug)]
pub(super) struct State {
    pub(super) ring: Ring,
    /// The newest parameter sets.
    pub(super) params: Option<Arc<Params>>,
    /// Grows when the SDP that viewers have is no longer true: another codec.
    pub(super) epoch: u64,
    writer: Writer,
    clock: Clock,
    last_time: u64,
    pipe: Option<usize>,
    /// Where the pictures come from the firmware's own frames.
    firmware: Option<Firmware>,
    lost: Lost,
    changes: u64,
    pictures: u64,
    key_pictures: u64,
    last_key_at: u64,
    group: u64,
    last_arrival: u64,
    /// The running measurement: since when, pictures, bytes.
    window: (u64, u64, u64),
    fps: f64,
    bits_per_second: u64,
}

/// What is known of the firmware's endpoint.
#[derive(Debug)]
struct Firmware {
    state: frames::EndpointState,
    since: Instant,
}

/// One stream. See the module.
#[derive(Debug)]
pub(super) struct Feed {
    pub(super) name: String,
    started: Instant,
    state: Mutex<State>,
    wake: Arc<Wake>,
    stop: Arc<AtomicBool>,
}

impl Feed {
    pub(super) fn new(
        name: String,
        started: Instant,
        room: Room,
        wake: Arc<Wake>,
        stop: Arc<AtomicBool>,
    ) -> Feed {
        let state = State {
            ring: Ring::new(room),
            params: None,
            epoch: 0,
            writer: Writer::default(),
            clock: Clock::new(None),
            last_time: 0,
            pipe: None,
            firmware: None,
            lost: Lost::default(),
            changes: 0,
            pictures: 0,
            key_pictures: 0,
            last_key_at: 0,
            group: 0,
            last_arrival: 0,
            window: (0, 0, 0),
            fps: 0.0,
            bits_per_second: 0,
        };
        Feed { name, started, state: Mutex::new(state), wake, stop }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn stopped(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    /// Microseconds since the server started: the clock of all frames.
    pub(super) fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// A whole picture has come, from a source that does not say when it was taken.
    pub(super) fn push(&self, picture: &Picture<'_>, arrived: u64) {
        let time = {
            let mut state = self.state();
            state.take_params(picture, &self.name);
            let time = state.clock.picture(arrived);
            state.grow(time)
        };
        self.add(picture, arrived, time);
    }

    /// A whole picture has come, which was taken at `time` of the server's clock.
    pub(super) fn push_at(&self, picture: &Picture<'_>, arrived: u64, time: u64) {
        let time = {
            let mut state = self.state();
            state.take_params(picture, &self.name);
            state.grow(time)
        };
        self.add(picture, arrived, time);
    }

    fn add(&self, picture: &Picture<'_>, arrived: u64, time: u64) {
        // The copy is made without the lock.
        let frame = Arc::new(Frame::new(picture, time));
        let mut state = self.state();
        state.measure(&frame, arrived);
        state.ring.push(frame);
        drop(state);
        self.wake.wake();
    }

    /// A piece of sound, which was taken at `time` of the server's clock. It wakes nobody: it goes
    /// out with the next picture, or when the server looks for it.
    pub(super) fn push_sound(&self, bytes: Vec<u8>, arrived: u64, time: u64) {
        let frame = Arc::new(Frame::sound(bytes, time, arrived));
        let mut state = self.state();
        state.pictures += 1;
        state.ring.push(frame);
    }

    /// Whether sound has come at all: else clients would wait for it.
    pub(super) fn has_sound(&self) -> bool {
        let state = self.state();
        let live = state.firmware.as_ref().map(|firmware| &firmware.state);
        state.pictures > 0 && live == Some(&frames::EndpointState::Live)
    }

    /// The microphone's part of the document.
    pub(super) fn sound_stats(&self, form: SoundForm) -> SoundStats {
        let state = self.state();
        let firmware = state.firmware.as_ref().map(|firmware| firmware_words(&firmware.state));
        SoundStats { form, firmware, pieces: state.pictures }
    }

    pub(super) fn set_writer(&self, writer: Writer) {
        let mut state = self.state();
        if state.writer != writer {
            log::info!("stream {}: its writer is {}", self.name, words(writer));
            state.writer = writer;
        }
    }

    /// How far it is with the firmware's endpoint of this stream.
    pub(super) fn set_firmware(&self, new: &frames::EndpointState) {
        let writer = match new {
            frames::EndpointState::Missing | frames::EndpointState::NotUnderstood(_) => {
                Writer::Missing
            }
            frames::EndpointState::Connecting | frames::EndpointState::Connected => Writer::Waiting,
            frames::EndpointState::Live => Writer::Live,
            frames::EndpointState::Gone => Writer::Gone,
        };
        let mut state = self.state();
        state.firmware = Some(Firmware { state: new.clone(), since: Instant::now() });
        drop(state);
        match new {
            frames::EndpointState::NotUnderstood(fault) => {
                log::warn!(
                    "stream {}: the firmware's frames are not understood: {fault}",
                    self.name
                );
            }
            frames::EndpointState::Live => {
                log::info!("stream {}: frames of the firmware", self.name);
            }
            _ => {}
        }
        self.set_writer(writer);
    }

    /// Whether the firmware's own frames are to be used. Where they are missing or not understood,
    /// or have been away for long, another source may take over.
    pub(super) fn has_firmware(&self) -> bool {
        match &self.state().firmware {
            Some(Firmware {
                state: frames::EndpointState::NotUnderstood(_) | frames::EndpointState::Missing,
                ..
            })
            | None => false,
            Some(Firmware { state: frames::EndpointState::Gone, since }) => {
                since.elapsed() < FALLBACK
            }
            Some(_) => true,
        }
    }

    pub(super) fn set_pipe(&self, bytes: usize) {
        self.state().pipe = Some(bytes);
    }

    pub(super) fn set_losses(&self, losses: Losses) {
        let mut state = self.state();
        if losses.breaks > state.lost.breaks {
            log::warn!("stream {}: broken {} times so far", self.name, losses.breaks);
        }
        state.lost = Lost { breaks: losses.breaks, pictures: losses.dropped };
    }

    /// The stream's part of the document.
    pub(super) fn stats(&self, viewers: usize) -> StreamStats {
        let now = self.now();
        let state = self.state();
        let silent = now.saturating_sub(state.last_arrival) > SILENT;
        let writer = match state.writer {
            Writer::Live if silent => Writer::Silent,
            other => other,
        };
        let quiet = silent || writer == Writer::Gone;
        StreamStats {
            name: self.name.clone(),
            codec: state.params.as_ref().map(|params| params.codec),
            size: state.params.as_ref().map(|params| params.size),
            writer,
            fps: if quiet { 0.0 } else { state.fps },
            bits_per_second: if quiet { 0 } else { state.bits_per_second },
            pictures: state.pictures,
            key_pictures: state.key_pictures,
            group: state.group,
            lost: state.lost,
            pipe: state.pipe,
            firmware: state.firmware.as_ref().map(|firmware| firmware_words(&firmware.state)),
            held: state.ring.held(),
            viewers,
            changes: state.changes,
        }
    }
}

impl State {
    /// Times of a stream only grow, whichever source they are of.
    fn grow(&mut self, time: u64) -> u64 {
        self.last_time = time.max(self.last_time + 1);
        self.last_time
    }

    fn take_params(&mut self, picture: &Picture<'_>, name: &str) {
        let Some(known) = &self.params else {
            self.clock = Clock::new(picture.params.rate.map(super::picture::Rate::per_second));
            self.params = Some(Arc::clone(picture.params));
            return;
        };
        if Arc::ptr_eq(known, picture.params) {
            return;
        }
        if known.codec != picture.params.codec {
            log::info!("stream {name}: the codec changed; disconnecting its viewers");
            self.epoch += 1;
            self.ring.clear();
            self.changes += 1;
        } else if known.size != picture.params.size {
            self.changes += 1;
        }
        self.params = Some(Arc::clone(picture.params));
    }

    fn measure(&mut self, frame: &Frame, arrived: u64) {
        self.writer = Writer::Live;
        self.last_arrival = arrived;
        self.pictures += 1;
        if frame.key {
            self.key_pictures += 1;
            self.group = self.pictures - self.last_key_at;
            self.last_key_at = self.pictures;
        }
        let (since, pictures, bytes) = self.window;
        let length = arrived.saturating_sub(since);
        if length >= WINDOW {
            if length < 3 * WINDOW {
                // Counts of two seconds: far from where precision ends.
                #[allow(clippy::cast_precision_loss)]
                let fps = pictures as f64 * 1e6 / length as f64;
                self.fps = (fps * 100.0).round() / 100.0;
                self.bits_per_second = bytes * 8 * 1_000_000 / length;
            }
            self.window = (arrived, 1, frame.held() as u64);
        } else {
            self.window = (since, pictures + 1, bytes + frame.held() as u64);
        }
    }
}

pub(super) fn firmware_words(state: &frames::EndpointState) -> String {
    match state {
        frames::EndpointState::Missing => "missing".to_owned(),
        frames::EndpointState::Connecting => "connecting".to_owned(),
        frames::EndpointState::Connected => "connected".to_owned(),
        frames::EndpointState::Live => "live".to_owned(),
        frames::EndpointState::Gone => "gone".to_owned(),
        frames::EndpointState::NotUnderstood(fault) => format!("not understood: {fault}"),
    }
}

fn words(writer: Writer) -> &'static str {
    match writer {
        Writer::Missing => "missing: there is no such FIFO or file",
        Writer::Waiting => "awaited",
        Writer::Live => "here",
        Writer::Silent => "silent",
        Writer::Gone => "gone",
    }
}
