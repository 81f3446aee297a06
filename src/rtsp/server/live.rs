//! A live view as the page gets it: pictures as fragments of MP4, the microphone's sound as a
//! second track, or alone as WAV.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::rtsp::feed::Feed;
use crate::rtsp::flac;
use crate::rtsp::fmp4;
use crate::rtsp::params::Params;
use crate::rtsp::picture::Size;
use crate::rtsp::ring::RingCursor;
use crate::rtsp::sound::SoundForm;

/// Bytes of sound that are put together before they are sent.
const SOUND_AT_ONCE: usize = 16 * 1024;
/// Older pictures are not handed out: the camera may have been switched off since.
const OLDEST: Duration = Duration::from_secs(30);

/// The earliest arrival, in microseconds of the feed's time, that still counts.
pub(super) fn oldest(feed: &Feed) -> u64 {
    feed.now().saturating_sub(OLDEST.as_micros() as u64)
}

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

impl Head {
    /// Adds it as a line.
    pub(super) fn write(&self, output: &mut Vec<u8>) {
        output.extend_from_slice(&serde_json::to_vec(self).unwrap_or_default());
        output.push(b'\n');
    }
}

/// The microphone's sound on its way out.
#[derive(Debug)]
pub(super) struct Ear {
    place: RingCursor,
    form: SoundForm,
    /// Samples sent so far.
    samples: u64,
}

/// A live view on its way out.
#[derive(Debug)]
pub(super) struct Live {
    feed: usize,
    epoch: u64,
    place: RingCursor,
    /// The parameter sets of the header that was sent.
    params: Option<Arc<Params>>,
    number: u32,
    /// The time of the first picture, and of the last one.
    base: u64,
    last: u64,
}

/// What a try to write the next picture did.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Step {
    /// A picture was written.
    pub(super) picture: bool,
    /// Pictures lost before it.
    pub(super) lost: u64,
    /// The view is over: the camera's codec changed.
    pub(super) ends: bool,
}

/// An RTP-like time as a whole number, without the wrap of 32 bits.
fn ticks_of(rate: u32, micros: u64) -> u64 {
    (u128::from(micros) * u128::from(rate) / 1_000_000) as u64
}

impl Ear {
    /// Hears the microphone from this time of the server's clock on, or from now on; none where
    /// there is no sound.
    pub(super) fn new(sound: Option<&(Arc<Feed>, SoundForm)>, begins: Option<u64>) -> Option<Ear> {
        let (feed, form) = sound.filter(|(feed, _)| feed.has_sound())?;
        let place = feed.state().ring.at_time(begins.unwrap_or(u64::MAX));
        Some(Ear { place, form: *form, samples: 0 })
    }

    /// Samples per second.
    pub(super) fn rate(&self) -> u32 {
        self.form.rate()
    }

    /// Writes the pieces of sound that have come; false if none has. With a picture, those before
    /// the first one have no place in it.
    pub(super) fn write(
        &mut self,
        feed: &Feed,
        mut live: Option<&mut Live>,
        output: &mut Vec<u8>,
    ) -> bool {
        if live.as_ref().is_some_and(|live| live.params.is_none()) {
            return false;
        }
        let mut any = false;
        while output.len() < SOUND_AT_ONCE {
            let Some(next) = feed.state().ring.next(&mut self.place) else { break };
            let samples =
                self.form.samples(next.frame.packets().iter().map(|p| next.frame.piece(p)));
            match &mut live {
                Some(live) => {
                    let Some(since) = next.frame.time.checked_sub(live.base) else { continue };
                    live.number += 1;
                    let data = flac::frame(&samples, self.samples, self.rate());
                    let time = ticks_of(self.rate(), since);
                    let fragment =
                        fmp4::sound_fragment(&data, live.number, time, samples.len() as u32);
                    output.extend_from_slice(&fragment);
                }
                None => output.extend(samples.iter().flat_map(|sample| sample.to_le_bytes())),
            }
            self.samples += samples.len() as u64;
            any = true;
        }
        any
    }
}

impl Live {
    /// A view of the stream with this number, from its last key frame on; and the time at which it
    /// begins.
    pub(super) fn new(index: usize, feed: &Feed) -> (Live, Option<u64>) {
        let state = feed.state();
        let live = Live {
            feed: index,
            epoch: state.epoch,
            place: state.ring.at_key(oldest(feed)),
            params: None,
            number: 0,
            base: 0,
            last: 0,
        };
        let begins = state.ring.time_of(&live.place);
        (live, begins)
    }

    /// The number of its stream.
    pub(super) fn feed(&self) -> usize {
        self.feed
    }

    /// Its place among the frames.
    pub(super) fn place(&self) -> &RingCursor {
        &self.place
    }

    /// Writes the next picture, if there is one; `rate` is the sound's, if it has sound.
    pub(super) fn write(&mut self, feed: &Feed, rate: Option<u32>, output: &mut Vec<u8>) -> Step {
        let ended = Step { ends: true, ..Step::default() };
        let (next, epoch) = {
            let state = feed.state();
            (state.ring.next(&mut self.place), state.epoch)
        };
        if epoch != self.epoch {
            // Another codec: the page asks again and gets it.
            return ended;
        }
        let Some(next) = next else { return Step::default() };
        let lost = next.lost;
        let frame = next.frame;
        // Feeds of streams contain pictures only.
        let Some(params) = frame.params.clone() else { return Step { lost, ..Step::default() } };
        match &self.params {
            None => {
                let head = Head {
                    media_type: fmp4::media_type(&params, rate),
                    size: Some(params.size),
                    error: None,
                };
                head.write(output);
                output.extend_from_slice(&fmp4::header(&params, rate));
                self.base = frame.time;
                self.last = frame.time;
                self.params = Some(Arc::clone(&params));
            }
            Some(known) if !Arc::ptr_eq(known, &params) && **known != *params => {
                return Step { lost, ..ended };
            }
            Some(_) => {}
        }
        self.number += 1;
        // How long it is shown is known only when the next one comes; the last one's will do.
        let before = frame.time.saturating_sub(self.last);
        let duration = if (1..1_000_000).contains(&before) { before } else { 50_000 };
        self.last = frame.time;
        output.extend_from_slice(&fmp4::fragment(&frame, self.number, self.base, duration));
        Step { picture: true, lost, ends: false }
    }
}
