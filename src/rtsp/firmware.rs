//! The one thread that reads the firmware's own frames, of all endpoints: whole pictures with the
//! encoder's times go into the feeds, sound and snapshots to where they are asked for. The rules
//! that protect the vendor's process are the reader's.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::assemble::Assembler;
use super::feed::{Feed, Wake};
use super::snapshots::Snapshots;
use super::sound::{Pace, SoundForm, Transcoder};
use super::speaker::Speaker;
use super::timeline::{Newest, Timeline};
use crate::vendor::frames::{Endpoint, EndpointState, Event, Reader};

/// What becomes of an endpoint's frames.
#[derive(Debug)]
pub(super) enum Worker {
    /// Pictures of a stream.
    Pictures {
        /// The stream.
        feed: Arc<Feed>,
        /// Finds codec, parameter sets and key frames in the units.
        assembler: Box<Assembler>,
        /// By the encoder's clock.
        newest: Newest,
    },
    /// The microphone.
    Sound {
        /// Where pieces go.
        feed: Arc<Feed>,
        /// Into what clients play.
        transcoder: Transcoder,
        /// When each piece is heard.
        pace: Pace,
        /// By the encoder's clock.
        newest: Newest,
    },
    /// JPEG files.
    Snapshots(Arc<Snapshots>),
    /// What is played.
    Speaker(Arc<Speaker>),
}

/// See the module.
#[derive(Debug)]
pub(super) struct Firmware {
    reader: Reader,
    workers: Vec<Worker>,
    timeline: Timeline,
    wake: Arc<Wake>,
}

impl Firmware {
    /// `wake` ends a wait early.
    pub(super) fn new(wake: Arc<Wake>) -> Firmware {
        let (reader, timeline) = (Reader::new(Vec::new()), Timeline::default());
        Firmware { reader, workers: Vec::new(), timeline, wake }
    }

    /// One more endpoint.
    pub(super) fn add(&mut self, endpoint: Endpoint, worker: Worker) {
        self.reader.add(endpoint);
        self.workers.push(worker);
    }

    /// Reads until the server stops; the thread's body.
    pub(super) fn run(mut self, stop: &AtomicBool) {
        while !stop.load(Ordering::Acquire) {
            for worker in &self.workers {
                match worker {
                    Worker::Snapshots(snapshots) => {
                        if snapshots.is_wanted() && self.reader.request_snapshot() {
                            snapshots.requested();
                        }
                        snapshots.tidy();
                    }
                    Worker::Speaker(speaker) => {
                        let now = Instant::now();
                        while let Some(piece) = speaker.next(now) {
                            // One that is not taken is lost, as sound is.
                            self.reader.speak(&piece);
                        }
                        self.reader.wake_at(speaker.due(now));
                    }
                    Worker::Pictures { .. } | Worker::Sound { .. } => {}
                }
            }
            let (workers, timeline) = (&mut self.workers, &mut self.timeline);
            let woken = self.reader.turn(Some(self.wake.fd()), &mut |index, event| {
                if let Some(worker) = workers.get_mut(index) {
                    worker.take(event, timeline);
                }
            });
            if woken {
                self.wake.clear();
            }
        }
        self.reader.end();
    }
}

impl Worker {
    /// For the pictures of a stream.
    pub(super) fn pictures(feed: Arc<Feed>) -> Worker {
        Worker::Pictures { feed, assembler: Box::new(Assembler::new()), newest: Newest::default() }
    }

    /// For the microphone, in this form.
    pub(super) fn sound(feed: Arc<Feed>, form: SoundForm) -> Worker {
        let (pace, newest) = (Pace::default(), Newest::default());
        Worker::Sound { feed, transcoder: Transcoder::new(form), pace, newest }
    }

    fn take(&mut self, event: Event<'_>, timeline: &mut Timeline) {
        match (self, event) {
            (Worker::Pictures { feed, assembler, .. }, Event::State(state)) => {
                if *state != EndpointState::Live {
                    assembler.writer_gone();
                }
                feed.set_firmware(state);
            }
            (Worker::Pictures { feed, assembler, newest }, Event::Frame { payload, lost }) => {
                let now = feed.now();
                let time = timeline.at(newest, payload.micros, now);
                assembler.whole(payload.data, now, lost, &mut |picture| {
                    feed.push_at(picture, now, time);
                });
                feed.set_losses(assembler.losses());
            }
            (Worker::Sound { feed, .. }, Event::State(state)) => feed.set_firmware(state),
            (Worker::Sound { feed, transcoder, pace, newest }, Event::Frame { payload, .. }) => {
                let now = feed.now();
                // A driver that gives sound no time leaves 0: then the arrival counts.
                let taken = match payload.micros {
                    0 => now,
                    micros => timeline.at(newest, micros, now),
                };
                let time = pace.piece(taken, Transcoder::duration(payload.data.len()));
                if let Some(bytes) = transcoder.piece(payload.data) {
                    feed.push_sound(bytes, now, time);
                }
            }
            (Worker::Speaker(speaker), Event::State(state)) => speaker.set_state(state),
            (Worker::Speaker(_), Event::Frame { .. }) | (_, Event::Message(_)) => {}
            (Worker::Snapshots(snapshots), Event::State(state)) => snapshots.set_state(state),
            (Worker::Snapshots(snapshots), Event::Frame { payload, .. }) => {
                snapshots.came(payload.data);
            }
        }
    }
}
