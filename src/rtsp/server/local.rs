//! The daemon's questions: one line in, a line of JSON out, then bytes to the end. On an abstract
//! Unix socket, which has no mode: so the asker's user must be ours.
//!
//! | line | answer |
//! | --- | --- |
//! | `stats` | the document of [`crate::rtsp::stats`] |
//! | `snapshot NAME mp4` or `snapshot NAME annexb` | a line with its type; the last key frame |
//! | `snapshot NAME jpeg` | the same, of the firmware's encoder; NAME has no part in it |
//! | `live NAME` | a line with its type; fragmented MP4 until one side closes |
//! | `live NAME sound` | the same with the microphone's sound as a second track |
//! | `sound` | a line with its type; the microphone's sound as WAV until one side closes |
//! | `speak BYTES`, then so many bytes of A-law at 16 kHz | a line, once they are taken to be played |
//! | `motors MS` | a line; nothing is played for so many milliseconds |
//! | `power off` or `power on` | a line; no picture and no sound leave while it is off |

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::base::is_later;
use crate::formats::wav;
use crate::rtsp::feed::Feed;
use crate::rtsp::fmp4;
use crate::rtsp::message::OFF;
use crate::rtsp::ring::RingCursor;
use crate::rtsp::server::live::{Ear, Head, Live, oldest};
use crate::rtsp::snapshots::{SnapshotAnswer, Snapshots};
use crate::rtsp::sound::SoundForm;
use crate::rtsp::speaker::{self, Refusal, Speaker};
use nix::sys::socket::{getsockopt, sockopt};
use nix::unistd::geteuid;

/// The answer where the stream does not exist.
pub const NO_STREAM: &str = "this stream does not exist";
/// How a refusal begins where there is no JPEG to be had.
pub const NO_JPEG: &str = "no JPEG: ";
/// The answer where there is no sound.
pub const NO_SOUND: &str = "there is no sound";
/// The answer where no more can watch or listen.
pub const TOO_MANY: &str = "too many viewers already";
/// How a refusal begins where the firmware's speaker cannot be had.
pub const NO_SPEAKER: &str = "no speaker: ";
/// The answer where another client speaks.
pub const SPEAKER_BUSY: &str = "the speaker is in use";
/// The answer where the motors run.
pub const MOTORS_RUN: &str = "the motors are running";
/// What stands for a question whose bytes are all there: no line begins so.
const WHOLE: &str = "\nwhole";
/// Bytes of one read of a sound.
const PIECE: usize = 4096;
/// Bytes of a question.
const LONGEST: usize = 256;
/// From accept to the whole question, and from one byte taken to the next.
const PATIENCE: Duration = Duration::from_secs(20);

/// What answers are made of.
pub(super) struct Parts<'a> {
    pub(super) feeds: &'a [Arc<Feed>],
    pub(super) sound: Option<&'a (Arc<Feed>, SoundForm)>,
    pub(super) snapshots: Option<&'a Snapshots>,
    pub(super) speaker: Option<&'a Speaker>,
    /// The camera is switched off.
    pub(super) off: bool,
}

/// One asker.
#[derive(Debug)]
pub(super) struct Asker {
    pub(super) stream: UnixStream,
    input: Vec<u8>,
    output: Vec<u8>,
    sent: usize,
    live: Option<Live>,
    /// It hears the microphone, alone or with the live view.
    ear: Option<Ear>,
    /// So many bytes of a sound are awaited.
    expects: Option<usize>,
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
            log::warn!("another user requested the pictures: refused");
            return None;
        }
        Some(Asker {
            stream,
            input: Vec::new(),
            output: Vec::new(),
            sent: 0,
            live: None,
            ear: None,
            expects: None,
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
        self.live.as_ref().map(Live::feed)
    }

    /// Whether its answer has no end.
    pub(super) fn is_endless(&self) -> bool {
        self.live.is_some() || self.ear.is_some()
    }

    /// Whether it gets sound.
    pub(super) fn hears(&self) -> bool {
        self.ear.is_some()
    }

    /// Its place among the frames.
    pub(super) fn place(&self) -> Option<&RingCursor> {
        self.live.as_ref().map(Live::place)
    }

    pub(super) fn wants_output(&self) -> bool {
        self.sent < self.output.len()
    }

    /// When it is given up. A view without pictures waits for them as long as it likes.
    pub(super) fn deadline(&self) -> Option<Instant> {
        (!self.is_endless() || self.wants_output()).then_some(self.moved + PATIENCE)
    }

    /// The whole question, once it is there.
    pub(super) fn receive(&mut self, now: Instant) -> Option<String> {
        let mut piece = [0; PIECE];
        match self.stream.read(&mut piece) {
            Ok(0) => self.closed = true,
            Ok(count) if !self.is_endless() && !self.ending => {
                self.moved = now;
                self.input.extend_from_slice(piece.get(..count).unwrap_or_default());
            }
            Ok(_) => {}
            Err(error) if is_later(&error) => {}
            Err(_) => self.closed = true,
        }
        if let Some(expected) = self.expects {
            return (self.input.len() >= expected).then(|| WHOLE.to_owned());
        }
        if let Some(end) = self.input.iter().position(|byte| *byte == b'\n') {
            let rest = self.input.split_off(end + 1);
            let line = String::from_utf8_lossy(self.input.get(..end).unwrap_or_default());
            let line = line.trim().to_owned();
            self.input = rest;
            return Some(line);
        }
        if self.input.len() > LONGEST {
            self.closed = true;
        }
        None
    }

    /// Ends what it watches, hears or waits for: the camera is switched off.
    pub(super) fn darken(&mut self) {
        if self.is_endless() {
            self.closed = true;
        } else if self.jpeg.take().is_some() {
            self.refuse(OFF);
        }
    }

    fn say(&mut self, head: &Head) {
        head.write(&mut self.output);
    }

    fn refuse(&mut self, why: &str) {
        self.say(&Head { error: Some(why.to_owned()), ..Head::default() });
        self.ending = true;
    }

    /// Answers a question; `stats` makes the document, if that is what is asked.
    pub(super) fn answer(
        &mut self,
        line: &str,
        parts: &Parts<'_>,
        may_watch: bool,
        stats: impl FnOnce() -> Vec<u8>,
    ) {
        let mut words = line.split(' ');
        let (what, name, form) = (words.next(), words.next(), words.next());
        let feed = parts.feeds.iter().position(|feed| Some(feed.name.as_str()) == name);
        let found = feed.and_then(|index| Some((index, parts.feeds.get(index)?)));
        let now = Instant::now();
        match (what, found) {
            (Some("stats"), _) => {
                self.output = stats();
                self.ending = true;
            }
            (Some("snapshot" | "live" | "sound"), _) if parts.off => self.refuse(OFF),
            (Some("snapshot" | "live"), None) => self.refuse(NO_STREAM),
            (Some("snapshot"), _) if form == Some("jpeg") => {
                self.jpeg = Some(now);
                self.pump(parts, now);
            }
            (Some("snapshot"), Some((_, feed))) => self.snapshot(feed, form == Some("annexb")),
            (Some("live" | "sound"), _) if !may_watch => self.refuse(TOO_MANY),
            (Some("live"), Some((index, feed))) => {
                let (live, begins) = Live::new(index, feed);
                self.live = Some(live);
                // Without sound there is the picture alone.
                self.ear = Ear::new(parts.sound.filter(|_| form == Some("sound")), begins);
                self.pump(parts, now);
            }
            (Some("sound"), _) => match Ear::new(parts.sound, None) {
                Some(ear) => {
                    let media_type = "audio/wav".to_owned();
                    self.say(&Head { media_type, ..Head::default() });
                    self.output.extend_from_slice(&wav::endless(ear.rate()));
                    self.ear = Some(ear);
                }
                None => self.refuse(NO_SOUND),
            },
            (Some("speak"), _) => match name.and_then(|count| count.parse().ok()) {
                Some(count) if count <= speaker::LONGEST => {
                    self.expects = Some(count);
                    if self.input.len() >= count {
                        self.speak(parts, now);
                    }
                }
                _ => self.refuse("the request is too long"),
            },
            (Some(WHOLE), _) => self.speak(parts, now),
            (Some("motors"), _) => {
                let lasts = name.and_then(|ms| ms.parse().ok()).unwrap_or(0);
                if let Some(speaker) = parts.speaker {
                    speaker.motors(Duration::from_millis(lasts), now);
                }
                self.say(&Head::default());
                self.ending = true;
            }
            (Some("power"), _) => {
                self.say(&Head::default());
                self.ending = true;
            }
            _ => self.refuse("the request is not understood"),
        }
    }

    /// Has the bytes played that came.
    fn speak(&mut self, parts: &Parts<'_>, now: Instant) {
        let mut sound = std::mem::take(&mut self.input);
        sound.truncate(self.expects.take().unwrap_or(0));
        let played = match parts.speaker {
            Some(speaker) => speaker.play(sound, now),
            None => Err(Refusal::Missing("not read by this server".to_owned())),
        };
        match played {
            Ok(()) => {
                self.say(&Head::default());
                self.ending = true;
            }
            Err(Refusal::Missing(words)) => self.refuse(&format!("{NO_SPEAKER}it is {words}")),
            Err(Refusal::Busy) => self.refuse(SPEAKER_BUSY),
            Err(Refusal::Motors) => self.refuse(MOTORS_RUN),
        }
    }

    /// The last key frame.
    fn snapshot(&mut self, feed: &Feed, annex_b: bool) {
        let frame = feed.state().ring.last_key().filter(|key| key.arrived >= oldest(feed)).cloned();
        let params = frame.as_ref().and_then(|frame| frame.params.clone());
        let (Some(frame), Some(params)) = (frame, params) else {
            return self.refuse("no picture yet");
        };
        let media_type = if annex_b {
            "application/octet-stream".to_owned()
        } else {
            fmp4::media_type(&params, None)
        };
        self.say(&Head { media_type, size: Some(params.size), error: None });
        let bytes = if annex_b { frame.annex_b() } else { fmp4::snapshot(&frame) };
        self.output.extend_from_slice(&bytes);
        self.ending = true;
    }

    /// Sends what waits, and fragments behind it, as far as they go.
    pub(super) fn pump(&mut self, parts: &Parts<'_>, now: Instant) {
        self.look_for_jpeg(parts.snapshots, now);
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
            let heard = self.next_sound(parts.sound);
            if !self.next_fragment(parts.feeds) && !heard {
                return;
            }
        }
    }

    fn look_for_jpeg(&mut self, snapshots: Option<&Snapshots>, now: Instant) {
        let Some(since) = self.jpeg else { return };
        let answer = snapshots.map_or_else(
            || SnapshotAnswer::None("this server has no snapshots of the firmware".to_owned()),
            |snapshots| snapshots.ask(since, now),
        );
        match answer {
            SnapshotAnswer::Later => return,
            SnapshotAnswer::None(why) => self.refuse(&format!("{NO_JPEG}{why}")),
            SnapshotAnswer::Picture(jpeg) => {
                self.say(&Head { media_type: "image/jpeg".to_owned(), ..Head::default() });
                self.output.extend_from_slice(&jpeg);
                self.ending = true;
            }
        }
        self.jpeg = None;
    }

    /// The sound that has come, with the picture or alone; false if none has.
    fn next_sound(&mut self, sound: Option<&(Arc<Feed>, SoundForm)>) -> bool {
        let (Some(ear), Some((feed, _))) = (&mut self.ear, sound) else { return false };
        ear.write(feed, self.live.as_mut(), &mut self.output)
    }

    /// The next picture; false if there is none yet.
    fn next_fragment(&mut self, feeds: &[Arc<Feed>]) -> bool {
        let rate = self.ear.as_ref().map(Ear::rate);
        let Some(live) = &mut self.live else { return false };
        let Some(feed) = feeds.get(live.feed()) else { return false };
        let step = live.write(feed, rate, &mut self.output);
        self.lost += step.lost;
        self.pictures += u64::from(step.picture);
        self.ending |= step.ends;
        step.picture || step.ends
    }
}
