//! The camera's speaker, between the clients that speak (on the server's thread) and the thread
//! that writes to the firmware. One speaks at a time. What is sent is bounded in rate and length:
//! 640 bytes, which are 40 ms, and never more than three of them ahead of what is heard.
//!
//! While the motors run nothing is played: the firmware mutes itself then, and for moves that the
//! firmware does not know of, the daemon says so.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::feed::{Wake, firmware_words};
use super::speech::Speech;
use crate::vendor::frames::EndpointState;

/// Bytes of one piece: A-law at 16 kHz. fetch_av takes no piece of this length for a command.
pub(super) const PIECE: usize = 640;
/// How long a piece lasts.
const LASTS: Duration = Duration::from_millis(40);
/// Pieces that may be ahead of what is heard.
const AHEAD: u32 = 3;
/// Bytes of the longest sound: 30 s.
pub const LONGEST: usize = 30 * 16_000;
/// Bytes of speech that may wait, two seconds; more is dropped: its sender is too fast.
const WAITING: usize = 2 * 16_000;
/// A piece that is not whole is filled up with silence after this time.
const FILL: Duration = Duration::from_millis(200);
/// Speech without a pause for so long is cut off, up to the next pause.
const SPEECH: Duration = Duration::from_secs(600);
/// So long without a packet, and it is a pause.
const PAUSE: Duration = Duration::from_secs(1);
/// So long without a packet, and another one may speak.
const IDLE: Duration = Duration::from_secs(10);
/// The longest rest for one move of the motors.
const LONGEST_MOVE: Duration = Duration::from_secs(30);
/// A-law's silence.
const SILENCE: u8 = 0xd5;

/// Why nothing is played.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The firmware's speaker is not there, and how far it is with it.
    Missing(String),
    /// Another one speaks, or a sound is played.
    Busy,
    /// The motors run.
    Motors,
}

/// The client that uses the speaker.
#[derive(Debug)]
enum Holder {
    /// A viewer, and what it has said so far.
    Viewer { id: String, speech: Box<Speech> },
    /// A sound that is played to its end.
    Sound,
}

#[derive(Debug, Default)]
struct Inner {
    state: EndpointState,
    holder: Option<Holder>,
    waiting: VecDeque<u8>,
    /// When the last byte came.
    heard: Option<Instant>,
    /// Since when it speaks without a pause.
    speaks: Option<Instant>,
    /// When all that was sent will have been played.
    plays_until: Option<Instant>,
    /// The motors run until then.
    motors: Option<Instant>,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Speaker {
    inner: Mutex<Inner>,
    /// Wakes the thread that writes.
    writer: Arc<Wake>,
}

impl Inner {
    fn is_there(&self) -> bool {
        matches!(self.state, EndpointState::Connected | EndpointState::Live)
    }

    fn motors_run(&self, now: Instant) -> bool {
        self.motors.is_some_and(|until| until > now)
    }

    /// Whether another one may speak.
    fn is_free(&self, now: Instant) -> bool {
        let idle = self.heard.is_none_or(|at| now.saturating_duration_since(at) >= IDLE);
        match self.holder {
            None => true,
            Some(Holder::Viewer { .. }) => idle && self.waiting.is_empty(),
            Some(Holder::Sound) => self.waiting.is_empty(),
        }
    }

    fn check(&self, now: Instant) -> Result<(), Refusal> {
        if !self.is_there() {
            return Err(Refusal::Missing(firmware_words(&self.state)));
        }
        if self.motors_run(now) {
            return Err(Refusal::Motors);
        }
        if self.is_free(now) { Ok(()) } else { Err(Refusal::Busy) }
    }

    /// When the next piece may be sent; none while there is nothing to send.
    fn due(&self, now: Instant) -> Option<Instant> {
        if self.waiting.is_empty() {
            return None;
        }
        let whole = match (&self.holder, self.heard) {
            (Some(Holder::Viewer { .. }), Some(heard)) if self.waiting.len() < PIECE => {
                heard + FILL
            }
            _ => now,
        };
        let room = self.plays_until.and_then(|until| until.checked_sub(AHEAD * LASTS));
        Some(room.map_or(whole, |room| room.max(whole)))
    }

    fn hush(&mut self) {
        self.waiting.clear();
        if matches!(self.holder, Some(Holder::Sound)) {
            self.holder = None;
        }
    }
}

impl Speaker {
    pub(super) fn new(writer: Arc<Wake>) -> Speaker {
        Speaker { inner: Mutex::default(), writer }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How far it is with the firmware's endpoint, in words.
    pub(super) fn words(&self) -> String {
        firmware_words(&self.inner().state)
    }

    /// Whether the firmware has one.
    pub(super) fn is_there(&self) -> bool {
        self.inner().is_there()
    }

    /// The endpoint has a new state.
    pub(super) fn set_state(&self, state: &EndpointState) {
        let mut inner = self.inner();
        if let EndpointState::NotUnderstood(fault) = state {
            log::warn!("the firmware's speaker is not understood: {fault}");
        }
        inner.state = state.clone();
        if !inner.is_there() {
            inner.hush();
        }
    }

    /// A viewer wants to speak.
    pub(super) fn claim(&self, id: &str, now: Instant) -> Result<(), Refusal> {
        let mut inner = self.inner();
        if !inner.is_there() {
            return Err(Refusal::Missing(firmware_words(&inner.state)));
        }
        let own = matches!(&inner.holder, Some(Holder::Viewer { id: of, .. }) if of == id);
        if !own && !inner.is_free(now) {
            return Err(Refusal::Busy);
        }
        inner.holder = Some(Holder::Viewer { id: id.to_owned(), speech: Box::default() });
        inner.heard = Some(now);
        inner.speaks = None;
        Ok(())
    }

    /// Lets the speaker go, where its viewer is none of these.
    pub(super) fn release(&self, is_here: impl Fn(&str) -> bool) {
        let mut inner = self.inner();
        if matches!(&inner.holder, Some(Holder::Viewer { id, .. }) if !is_here(id)) {
            inner.holder = None;
            inner.waiting.clear();
        }
    }

    /// Takes an RTP packet of a viewer. Packets of a viewer that has not claimed the speaker are
    /// dropped.
    pub(super) fn hear(&self, viewer: &str, packet: &[u8], now: Instant) {
        let mut inner = self.inner();
        let silent = !inner.is_there() || inner.motors_run(now);
        let Some(Holder::Viewer { id, speech }) = &mut inner.holder else { return };
        if id != viewer {
            return;
        }
        let Some(bytes) = speech.packet(packet) else { return };
        let paused = inner.heard.is_none_or(|at| now.saturating_duration_since(at) >= PAUSE);
        inner.heard = Some(now);
        if paused {
            inner.speaks = None;
        }
        let since = *inner.speaks.get_or_insert(now);
        let room = WAITING.saturating_sub(inner.waiting.len());
        if silent || now.saturating_duration_since(since) >= SPEECH || bytes.len() > room {
            return;
        }
        inner.waiting.extend(bytes);
        drop(inner);
        self.writer.wake();
    }

    /// Plays a sound of A-law at 16 kHz, cut to 30 s.
    pub(super) fn play(&self, mut sound: Vec<u8>, now: Instant) -> Result<(), Refusal> {
        let mut inner = self.inner();
        inner.check(now)?;
        sound.truncate(LONGEST);
        inner.holder = (!sound.is_empty()).then_some(Holder::Sound);
        inner.waiting = sound.into();
        inner.heard = Some(now);
        drop(inner);
        self.writer.wake();
        Ok(())
    }

    /// The motors run for so long from now on: what waits is dropped.
    pub(super) fn motors(&self, lasts: Duration, now: Instant) {
        let mut inner = self.inner();
        let until = now + lasts.min(LONGEST_MOVE);
        inner.motors = Some(inner.motors.map_or(until, |before| before.max(until)));
        inner.hush();
    }

    /// When the next piece may be sent.
    pub(super) fn due(&self, now: Instant) -> Option<Instant> {
        self.inner().due(now)
    }

    /// The next piece, if it is time for it.
    pub(super) fn next(&self, now: Instant) -> Option<Vec<u8>> {
        let mut inner = self.inner();
        if inner.motors_run(now) {
            inner.hush();
        }
        if inner.due(now)? > now {
            return None;
        }
        let count = PIECE.min(inner.waiting.len());
        let mut piece: Vec<u8> = inner.waiting.drain(..count).collect();
        piece.resize(PIECE, SILENCE);
        let from = inner.plays_until.map_or(now, |until| until.max(now));
        inner.plays_until = Some(from + LASTS);
        if inner.waiting.is_empty() {
            // Its memory, too.
            inner.waiting = VecDeque::new();
            if matches!(inner.holder, Some(Holder::Sound)) {
                inner.holder = None;
            }
        }
        Some(piece)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn speaker() -> Speaker {
        let speaker = Speaker::new(Arc::new(Wake::new().unwrap()));
        speaker.set_state(&EndpointState::Connected);
        speaker
    }

    fn packet(number: u16, bytes: usize) -> Vec<u8> {
        let [high, low] = number.to_be_bytes();
        [&[0x80, 8, high, low, 0, 0, 0, 0, 1, 2, 3, 4][..], &vec![0x55; bytes]].concat()
    }

    /// All that is sent within so many milliseconds.
    fn sent(speaker: &Speaker, start: Instant, from: u64, to: u64) -> Vec<Vec<u8>> {
        let at = |ms| start + Duration::from_millis(ms);
        (from..to).filter_map(|ms| speaker.next(at(ms))).collect()
    }

    #[test]
    fn a_sound_is_sent_as_it_is_and_never_more_than_three_pieces_ahead() {
        let (speaker, start) = (speaker(), Instant::now());
        let sound: Vec<u8> = (0..16_100u32).map(|n| (n % 251) as u8).collect();
        speaker.play(sound.clone(), start).unwrap();
        assert_eq!(speaker.play(sound.clone(), start), Err(Refusal::Busy));
        assert_eq!(speaker.claim("a", start), Err(Refusal::Busy));
        let mut count = 0;
        let mut all = Vec::new();
        for ms in 0..1_100 {
            if let Some(piece) = speaker.next(start + Duration::from_millis(ms)) {
                count += 1;
                all.extend(piece);
            }
            assert!(count <= ms / 40 + 4, "{count} pieces in {ms} ms");
        }
        assert_eq!(all.len(), 26 * PIECE);
        assert_eq!(all[..16_100], sound);
        assert!(all[16_100..].iter().all(|byte| *byte == SILENCE));
        speaker.claim("a", start + Duration::from_secs(2)).unwrap();
    }

    #[test]
    fn one_speaks_at_a_time_and_too_much_is_dropped() {
        let (speaker, start) = (speaker(), Instant::now());
        speaker.claim("a", start).unwrap();
        assert_eq!(speaker.claim("b", start), Err(Refusal::Busy));
        speaker.hear("b", &packet(1, 320), start);
        assert!(speaker.due(start).is_none(), "b has not claimed it");
        // Ten seconds of speech at once: two of them wait.
        for number in 0..250 {
            speaker.hear("a", &packet(number, 320), start);
        }
        assert_eq!(sent(&speaker, start, 0, 10_000).len(), 50);
        // A piece that is not whole is filled up.
        let later = start + Duration::from_secs(11);
        speaker.hear("a", &packet(300, 160), later);
        assert!(speaker.next(later).is_none());
        assert_eq!(speaker.next(later + FILL).map(|piece| piece.len()), Some(PIECE));
        // A client that says nothing for long, or is gone, makes room.
        assert_eq!(speaker.claim("b", later + IDLE / 2), Err(Refusal::Busy));
        speaker.claim("b", later + 2 * IDLE).unwrap();
        speaker.release(|id| id != "b");
        speaker.claim("c", later + 2 * IDLE).unwrap();
    }

    #[test]
    fn law_nothing_is_played_while_the_motors_run() {
        let (speaker, start) = (speaker(), Instant::now());
        let second = Duration::from_secs(1);
        speaker.play(vec![0; 16_000], start).unwrap();
        assert!(speaker.next(start).is_some());
        speaker.motors(second, start);
        assert_eq!(sent(&speaker, start, 0, 900).len(), 0);
        assert_eq!(speaker.play(vec![0; 16_000], start), Err(Refusal::Motors));
        speaker.claim("a", start).unwrap();
        speaker.hear("a", &packet(1, 320), start);
        assert_eq!(sent(&speaker, start, 0, 3_000).len(), 0);
        speaker.hear("a", &packet(2, 320), start + second);
        assert!(speaker.next(start + 2 * second).is_some());
    }

    #[test]
    fn speech_without_an_end_is_cut_off_until_a_pause() {
        let (speaker, start) = (speaker(), Instant::now());
        speaker.claim("a", start).unwrap();
        let mut number = 0;
        let mut speak = |at: Instant| {
            number += 1;
            speaker.hear("a", &packet(number, 320), at);
            speaker.next(at).is_some()
        };
        let last = (0..700 * 25u32).filter(|n| speak(start + *n * LASTS)).max();
        let last = last.map(|n| n * LASTS).unwrap();
        assert!(last + 2 * LASTS >= SPEECH && last <= SPEECH + LASTS, "{last:?}");
        assert!(speak(start + Duration::from_secs(702)));
    }

    #[test]
    fn without_the_firmware_s_speaker_nothing_waits() {
        let (speaker, start) = (speaker(), Instant::now());
        speaker.play(vec![0; 16_000], start).unwrap();
        speaker.set_state(&EndpointState::Gone);
        assert!(speaker.next(start).is_none());
        assert_eq!(speaker.play(vec![0], start), Err(Refusal::Missing("gone".to_owned())));
        assert!(matches!(speaker.claim("a", start), Err(Refusal::Missing(_))));
    }
}
