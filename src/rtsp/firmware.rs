//! The one thread that reads the firmware's own frames, of all endpoints: whole pictures with the
//! encoder's times go into the feeds. The rules that protect the vendor's process are the reader's.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::assemble::Assembler;
use super::feed::Feed;
use super::timeline::Timeline;
use crate::vendor::frames::{Endpoint, Event, Reader};

/// One endpoint's way to its feed.
#[derive(Debug)]
struct Worker {
    feed: Arc<Feed>,
    assembler: Assembler,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Firmware {
    reader: Reader,
    workers: Vec<Worker>,
    timeline: Timeline,
}

impl Firmware {
    pub(super) fn new(targets: Vec<(Endpoint, Arc<Feed>)>) -> Firmware {
        let mut reader = Reader::new(Vec::new());
        let mut workers = Vec::new();
        for (endpoint, feed) in targets {
            reader.add(endpoint);
            workers.push(Worker { feed, assembler: Assembler::new() });
        }
        Firmware { reader, workers, timeline: Timeline::default() }
    }

    /// Reads until the server stops; the thread's body.
    pub(super) fn run(mut self, stop: &AtomicBool) {
        while !stop.load(Ordering::Acquire) {
            let (workers, timeline) = (&mut self.workers, &mut self.timeline);
            self.reader.turn(None, &mut |index, event| {
                if let Some(worker) = workers.get_mut(index) {
                    worker.take(event, timeline);
                }
            });
        }
        self.reader.end();
    }
}

impl Worker {
    fn take(&mut self, event: Event<'_>, timeline: &mut Timeline) {
        match event {
            Event::State(state) => {
                if !matches!(state, crate::vendor::frames::State::Live) {
                    self.assembler.writer_gone();
                }
                self.feed.set_firmware(state);
            }
            Event::Frame { payload, lost } => {
                let now = self.feed.now();
                let time = timeline.at(payload.micros, now);
                let feed = &self.feed;
                self.assembler.whole(payload.data, now, lost, &mut |picture| {
                    feed.push_at(picture, now, time);
                });
                feed.set_losses(self.assembler.losses());
            }
        }
    }
}
