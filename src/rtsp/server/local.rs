//! The daemon's questions: one line in, a line of JSON out, then bytes to the end. On an abstract
//! Unix socket, which has no mode: so the asker's user must be ours.
//!
//! | line | answer |
//! | --- | --- |
//! | `stats` | the document of [`crate::rtsp::stats`] |
//! | `snapshot NAME mp4` or `snapshot NAME annexb` | a line with its type; the last key frame |
//! | `snapshot NAME jpeg` | the same, of the firmware's encoder; NAME has no part in it |
//! | `live NAME` | a line with its type; fragmented MP4 until one side closes |

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::sys::socket::{getsockopt, sockopt};
use nix::unistd::geteuid;
use serde::{Deserialize, Serialize};

use crate::rtsp::feed::Feed;
use crate::rtsp::fmp4;
use crate::rtsp::params::Params;
use crate::rtsp::picture::Size;
use crate::rtsp::ring::Place;
use crate::rtsp::server::conn::is_later;
use crate::rtsp::snapshots::{Answer, Snapshots};

/// What is said where the stream does not exist.
pub const NO_STREAM: &str = "there is no such stream";
/// How a refusal begins where there is no JPEG to be had.
pub const NO_JPEG: &str = "no JPEG: ";
/// Bytes of a question.
const LONGEST: usize = 256;
/// From accept to the whole question, and from one byte taken to the next.
const PATIENCE: Duration = Duration::from_secs(20);

/// The first line of an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Why there is nothing, if so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The media type of what follows, its codecs with it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub media_type: String,
    /// The picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<Size>,
}

/// A live view on its way out.
#[derive(Debug)]
struct Live {
    feed: usize,
    epoch: u64,
    place: Place,
    /// The parameter sets of the header that was sent.
    params: Option<Arc<Params>>,
    number: u32,
    /// The time of the first picture, and of the last one.
    base: u64,
    last: u64,
}

/// One asker.
#[derive(Debug)]
pub(super) struct Asker {
    pub(super) stream: UnixStream,
    input: Vec<u8>,
    output: Vec<u8>,
    sent: usize,
    live: Option<Live>,
    /// It waits for a snapshot, since then.
    jpeg: Option<Instant>,
    pub(super) since: Instant,
    moved: Instant,
    /// It closes when all is sent.
    ending: bool,
    pub(super) closed: bool,
    pub(super) pictures: u64,
    pub(super) bytes: u64,
    pub(super) lost: u64,
}

fn same_user(stream: &UnixStream) -> bool {
    getsockopt(stream, sockopt::PeerCredentials)
        .is_ok_and(|peer| peer.uid() == geteuid().as_raw() || peer.uid() == 0)
}

impl Asker {
    /// None if it is not ours to answer.
    pub(super) fn new(stream: UnixStream, now: Instant) -> Option<Asker> {
        if !same_user(&stream) || stream.set_nonblocking(true).is_err() {
            log::warn!("another user asked for the pictures: refused");
            return None;
        }
        Some(Asker {
            stream,
            input: Vec::new(),
            output: Vec::new(),
            sent: 0,
            live: None,
            jpeg: None,
            since: now,
            moved: now,
            ending: false,
            closed: false,
            pictures: 0,
            bytes: 0,
            lost: 0,
        })
    }

    /// The stream it watches, if it does.
    pub(super) fn watches(&self) -> Option<usize> {
        self.live.as_ref().map(|live| live.feed)
    }

    /// Its place among the frames.
    pub(super) fn place(&self) -> Option<&Place> {
        self.live.as_ref().map(|live| &live.place)
    }

    pub(super) fn wants_output(&self) -> bool {
        self.sent < self.output.len()
    }

    /// When it is given up. A view without pictures waits for them as long as it likes.
    pub(super) fn deadline(&self) -> Option<Instant> {
        (self.live.is_none() || self.wants_output()).then_some(self.moved + PATIENCE)
    }

    /// The whole question, once it is there.
    pub(super) fn receive(&mut self, now: Instant) -> Option<String> {
        let mut piece = [0; LONGEST];
        match self.stream.read(&mut piece) {
            Ok(0) => self.closed = true,
            Ok(count) if self.live.is_none() && !self.ending => {
                self.moved = now;
                self.input.extend_from_slice(piece.get(..count).unwrap_or_default());
            }
            Ok(_) => {}
            Err(error) if is_later(&error) => {}
            Err(_) => self.closed = true,
        }
        if let Some(end) = self.input.iter().position(|byte| *byte == b'\n') {
            let line = String::from_utf8_lossy(self.input.get(..end).unwrap_or_default());
            let line = line.trim().to_owned();
            self.input = Vec::new();
            return Some(line);
        }
        if self.input.len() > LONGEST {
            self.closed = true;
        }
        None
    }

    fn say(&mut self, head: &Head) {
        self.output.extend_from_slice(&serde_json::to_vec(head).unwrap_or_default());
        self.output.push(b'\n');
    }

    fn refuse(&mut self, why: &str) {
        self.say(&Head { error: Some(why.to_owned()), ..Head::default() });
        self.ending = true;
    }

    /// Answers a question; `stats` makes the document, if that is what is asked.
    pub(super) fn answer(
        &mut self,
        line: &str,
        feeds: &[Arc<Feed>],
        snapshots: Option<&Snapshots>,
        may_watch: bool,
        stats: impl FnOnce() -> Vec<u8>,
    ) {
        let mut words = line.split(' ');
        let (what, name, form) = (words.next(), words.next(), words.next());
        let feed = feeds.iter().position(|feed| Some(feed.name.as_str()) == name);
        let found = feed.and_then(|index| Some((index, feeds.get(index)?)));
        match (what, found) {
            (Some("stats"), _) => {
                self.output = stats();
                self.ending = true;
            }
            (Some("snapshot" | "live"), None) => self.refuse(NO_STREAM),
            (Some("snapshot"), _) if form == Some("jpeg") => {
                let now = Instant::now();
                self.jpeg = Some(now);
                self.pump(feeds, snapshots, now);
            }
            (Some("snapshot"), Some((_, feed))) => {
                let frame = feed.state().ring.last_key().cloned();
                let params = frame.as_ref().and_then(|frame| frame.params.clone());
                let (Some(frame), Some(params)) = (frame, params) else {
                    return self.refuse("no picture has come yet");
                };
                let annex_b = form == Some("annexb");
                let media_type = if annex_b {
                    "application/octet-stream".to_owned()
                } else {
                    fmp4::media_type(&params)
                };
                self.say(&Head { media_type, size: Some(params.size), error: None });
                let bytes = if annex_b { frame.annex_b() } else { fmp4::snapshot(&frame) };
                self.output.extend_from_slice(&bytes);
                self.ending = true;
            }
            (Some("live"), Some(_)) if !may_watch => self.refuse("too many watch already"),
            (Some("live"), Some((index, feed))) => {
                let state = feed.state();
                let live = Live {
                    feed: index,
                    epoch: state.epoch,
                    place: state.ring.at_key(0),
                    params: None,
                    number: 0,
                    base: 0,
                    last: 0,
                };
                drop(state);
                self.live = Some(live);
                self.pump(feeds, snapshots, Instant::now());
            }
            _ => self.refuse("that is no question"),
        }
    }

    /// Sends what waits, and fragments behind it, as far as they go.
    pub(super) fn pump(
        &mut self,
        feeds: &[Arc<Feed>],
        snapshots: Option<&Snapshots>,
        now: Instant,
    ) {
        self.look_for_jpeg(snapshots, now);
        loop {
            while self.wants_output() {
                match self.stream.write(self.output.get(self.sent..).unwrap_or_default()) {
                    Ok(0) => self.closed = true,
                    Ok(count) => {
                        self.sent += count;
                        self.bytes += count as u64;
                        self.moved = now;
                        continue;
                    }
                    Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                    Err(error) if is_later(&error) => {}
                    Err(_) => self.closed = true,
                }
                return;
            }
            self.output.clear();
            self.sent = 0;
            if self.ending {
                self.closed = true;
                return;
            }
            if !self.next_fragment(feeds) {
                return;
            }
        }
    }

    fn look_for_jpeg(&mut self, snapshots: Option<&Snapshots>, now: Instant) {
        let Some(since) = self.jpeg else { return };
        let answer = snapshots.map_or_else(
            || Answer::None("this server has no snapshots of the firmware".to_owned()),
            |snapshots| snapshots.ask(since, now),
        );
        match answer {
            Answer::Later => return,
            Answer::None(why) => self.refuse(&format!("{NO_JPEG}{why}")),
            Answer::Picture(jpeg) => {
                self.say(&Head { media_type: "image/jpeg".to_owned(), ..Head::default() });
                self.output.extend_from_slice(&jpeg);
                self.ending = true;
            }
        }
        self.jpeg = None;
    }

    fn next_fragment(&mut self, feeds: &[Arc<Feed>]) -> bool {
        let Some(live) = &mut self.live else { return false };
        let Some(feed) = feeds.get(live.feed) else { return false };
        let (next, epoch) = {
            let state = feed.state();
            (state.ring.next(&mut live.place), state.epoch)
        };
        if epoch != live.epoch {
            // Another codec: the page asks again and is told.
            self.ending = true;
            return true;
        }
        let Some(next) = next else { return false };
        self.lost += next.lost;
        let frame = next.frame;
        // Feeds of streams contain pictures only.
        let Some(params) = frame.params.clone() else { return false };
        let mut head = None;
        match &live.params {
            None => {
                head = Some(Head {
                    media_type: fmp4::media_type(&params),
                    size: Some(params.size),
                    error: None,
                });
                live.base = frame.time;
                live.last = frame.time;
                live.params = Some(Arc::clone(&params));
            }
            Some(known) if !Arc::ptr_eq(known, &params) && **known != *params => {
                self.ending = true;
                return true;
            }
            Some(_) => {}
        }
        live.number += 1;
        // How long it is shown is known only when the next one comes; the last one's will do.
        let before = frame.time.saturating_sub(live.last);
        let duration = if (1..1_000_000).contains(&before) { before } else { 50_000 };
        live.last = frame.time;
        let fragment = fmp4::fragment(&frame, live.number, live.base, duration);
        if let Some(head) = head {
            self.say(&head);
            self.output.extend_from_slice(&fmp4::header(&params));
        }
        self.output.extend_from_slice(&fragment);
        self.pictures += 1;
        true
    }
}
