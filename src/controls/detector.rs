//! Events made from single messages, answers and observations of the firmware. Pure: the time comes
//! in.

use std::time::{Duration, Instant};

use serde::Serialize;

/// How long a short press lasts at most: the firmware wipes its settings when the button is held
/// for two seconds.
const SHORT: Duration = Duration::from_millis(1900);

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum EventKind {
    /// The firmware's detector saw motion.
    MotionBegin,
    /// It saw none for some time, which can be set.
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

/// Motion, of the firmware's messages: fetch_av sends one at least each 0.4 s while something
/// moves.
#[derive(Debug, Default)]
pub(super) struct Motion {
    last: Option<Instant>,
    answers: bool,
}

impl Motion {
    /// A message came; whether motion begins.
    pub(super) fn seen(&mut self, now: Instant) -> bool {
        self.last.replace(now).is_none()
    }

    /// Whether the detector answers. A motion outlasts a restart of it that is shorter than the
    /// silence.
    pub(super) fn link(&mut self, answers: bool) {
        self.answers = answers;
    }

    /// Whether motion has ended by now, after so long a silence.
    pub(super) fn ended(&mut self, now: Instant, silence: Duration) -> bool {
        let over = self.last.is_some_and(|last| now.saturating_duration_since(last) >= silence);
        if over {
            self.last = None;
        }
        over
    }

    /// Whether something moves; `None` where the detector does not answer.
    pub(super) fn now(&self) -> Option<bool> {
        self.answers.then_some(self.last.is_some())
    }
}

/// Day and night, of fetch_av's answers. What it was before the firmware was away is remembered: a
/// change in the meantime is an event, too.
#[derive(Debug, Default)]
pub(super) struct Light(Option<bool>);

impl Light {
    /// fetch_av answered; the event, if it is another answer than the last.
    pub(super) fn seen(&mut self, night: bool) -> Option<EventKind> {
        let before = self.0.replace(night)?;
        (before != night).then_some(if night { EventKind::Night } else { EventKind::Day })
    }
}

/// What a press is made of single looks.
#[derive(Debug, Default)]
pub(super) struct Press(Option<Instant>);

impl Press {
    /// The button was looked at; whether a short press has ended.
    pub(super) fn look(&mut self, down: bool, now: Instant) -> bool {
        if down {
            self.0.get_or_insert(now);
            return false;
        }
        self.0.take().is_some_and(|since| now.saturating_duration_since(since) <= SHORT)
    }
}

#[cfg(test)]
mod tests {
    use super::super::events::Events;
    use super::*;

    const SILENCE: Duration = Duration::from_secs(10);

    fn at(begin: Instant, ms: u64) -> Instant {
        begin + Duration::from_millis(ms)
    }

    /// Numbers that are the same in each run (xorshift).
    struct Dice(u64);

    impl Dice {
        fn from(&mut self, low: u64, high: u64) -> u64 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            low + self.0 % (high - low)
        }
    }

    /// Spans of a day in ms: pauses and lengths between these.
    fn spans(dice: &mut Dice, pause: (u64, u64), length: (u64, u64)) -> Vec<(u64, u64)> {
        let (mut spans, mut now) = (Vec::new(), dice.from(pause.0, pause.1));
        while now < 86_300_000 {
            let end = now + dice.from(length.0, length.1);
            spans.push((now, end.min(86_350_000)));
            now = end + dice.from(pause.0, pause.1);
        }
        spans
    }

    #[test]
    fn a_day_with_services_that_restart_at_random_loses_and_doubles_no_event() {
        for seed in [0xBEEF, 0x1234_5678_9ABC] {
            let mut dice = Dice(seed);
            let moves = spans(&mut dice, (30_000, 900_000), (20_000, 200_000));
            let dark = spans(&mut dice, (3_000_000, 9_000_000), (3_000_000, 9_000_000));
            // fetch_av and mortoxd are away for seconds, a client of the events for minutes.
            let av = spans(&mut dice, (20_000, 300_000), (500, 4_000));
            let mortox = spans(&mut dice, (20_000, 300_000), (500, 20_000));
            let broker = spans(&mut dice, (60_000, 900_000), (1_000, 600_000));
            // Also just as something changes.
            let edges: Vec<_> = dark.iter().map(|(from, _)| (from - 2_000, from + 3_000)).collect();
            let within = |spans: &[(u64, u64)], ms| {
                let next = spans.partition_point(|(_, until)| *until <= ms);
                spans.get(next).is_some_and(|(from, _)| *from <= ms)
            };
            let (events, begin) = (Events::default(), Instant::now());
            let (mut motion, mut light) = (Motion::default(), Light::default());
            let (mut taken, mut seen, mut shown) = (Vec::new(), 0, None);
            for ms in (0..86_400_000).step_by(330) {
                let (now, answers) = (at(begin, ms), !within(&av, ms) && !within(&edges, ms));
                motion.link(answers);
                if answers && within(&moves, ms) && motion.seen(now) {
                    events.note(EventKind::MotionBegin);
                }
                if motion.ended(now, SILENCE) {
                    events.note(EventKind::MotionEnd);
                }
                // What is shown never says the contrary of the last event.
                if let Some(moves) = motion.now() {
                    shown = Some(moves);
                }
                // fetch_av is asked once a minute, and never while mortoxd is away.
                if ms % 59_400 == 0
                    && answers
                    && !within(&mortox, ms)
                    && let Some(kind) = light.seen(within(&dark, ms))
                {
                    events.note(kind);
                }
                if !within(&broker, ms) && events.seq() != seen {
                    for event in events.after(seen, Duration::ZERO, &|| true).events {
                        seen = event.seq;
                        taken.push((event.seq, event.kind));
                    }
                }
            }
            assert_eq!(shown, Some(false));
            assert!(taken.iter().map(|(seq, _)| *seq).eq(1..=taken.len() as u64), "none twice");
            let of = |kinds: [EventKind; 2]| -> Vec<EventKind> {
                taken.iter().map(|(_, kind)| *kind).filter(|kind| kinds.contains(kind)).collect()
            };
            let two = [EventKind::MotionBegin, EventKind::MotionEnd];
            assert_eq!(of(two), two.repeat(moves.len()), "{seed}");
            let two = [EventKind::Night, EventKind::Day];
            assert_eq!(of(two), two.repeat(dark.len()), "{seed}");
        }
    }

    #[test]
    fn a_pause_shorter_than_the_silence_ends_no_motion() {
        for seconds in [2, 10, 600] {
            let (silence, begin) = (Duration::from_secs(seconds), Instant::now());
            let (mut motion, ms) = (Motion::default(), seconds * 1000);
            assert!(motion.seen(begin));
            assert!(!motion.ended(at(begin, ms - 1), silence) && !motion.seen(at(begin, ms - 1)));
            assert!(!motion.ended(at(begin, 2 * ms - 2), silence));
            assert!(motion.ended(at(begin, 2 * ms - 1), silence));
            assert!(motion.seen(at(begin, 2 * ms)));
        }
    }

    #[test]
    fn a_motion_outlasts_a_short_restart_of_the_detector() {
        let (mut motion, begin) = (Motion::default(), Instant::now());
        assert_eq!(motion.now(), None);
        motion.link(true);
        assert!(motion.now() == Some(false) && motion.seen(begin));
        motion.link(false);
        assert_eq!(motion.now(), None);
        motion.link(true);
        assert!(!motion.seen(at(begin, 5000)) && motion.now() == Some(true));
    }

    #[test]
    fn only_a_short_press_is_one() {
        let (mut press, begin) = (Press::default(), Instant::now());
        let mut look = |down, ms| press.look(down, at(begin, ms));
        assert!(!look(false, 0) && !look(true, 100) && !look(true, 300) && look(false, 400));
        assert!(!look(false, 500));
        assert!(!look(true, 1000) && !look(true, 3000) && !look(false, 3100), "held: a reset");
    }
}
