//! Rate limit of changes, for every caller: the page, MQTT, a recorder or a schedule. Pure. The
//! times are those that the hardware and the vendor's programs tolerate (docs/controls.md,
//! "Limits").

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::change::Change;
use super::key::Key;
use super::value::{Operation, Position};

/// Between two changes of the night mode: the filter's coil is driven for half a second each time.
pub const NIGHT: Duration = Duration::from_secs(5);
/// Between two changes of the power: each stops or starts the encoders.
pub const POWER: Duration = Duration::from_secs(2);
/// Between two changes of any other setting.
pub const SETTING: Duration = Duration::from_millis(500);
/// Between two pushes of a motor.
pub const PUSH: Duration = Duration::from_millis(250);
/// How long one push moves.
pub const MOVES: Duration = Duration::from_millis(350);
/// Between two calibrations: each drives against the mechanical ends.
pub const CALIBRATE: Duration = Duration::from_secs(120);
/// How long a calibration takes: 28 s of pauses in devicekit, and what is between them. It ignores a place
/// that comes sooner.
pub const CALIBRATES: Duration = Duration::from_secs(30);
/// From the last push to an absolute move: devicekit ignores it before.
pub const SETTLE: Duration = Duration::from_secs(5);
/// How long an absolute move takes at most; devicekit takes no command meanwhile.
pub const TRAVELS: Duration = Duration::from_secs(14);
/// How far from its target an absolute move may end, in the units of a position.
const NEAR: u8 = 2;
/// Between two sounds.
pub const SOUND: Duration = Duration::from_secs(1);

/// When what was sent last.
#[derive(Debug, Default)]
pub struct Pace {
    settings: BTreeMap<Key, Instant>,
    pushed: Option<Instant>,
    reported: Option<Instant>,
    calibrated: Option<Instant>,
    travels: Option<Instant>,
    target: Option<Position>,
    /// Where the camera is: the last report since the last command that moves it.
    stands: Option<Position>,
    sound: Option<Instant>,
}

impl Pace {
    /// Whether a change may be sent now.
    ///
    /// # Errors
    /// How long to wait.
    pub fn may(&self, change: &Change, now: Instant) -> Result<(), Duration> {
        let since = |at: Option<Instant>, pause: Duration| {
            let left = at.map_or(Duration::ZERO, |at| {
                pause.saturating_sub(now.saturating_duration_since(at))
            });
            if left.is_zero() { Ok(()) } else { Err(left) }
        };
        let idle = || {
            since(self.calibrated, CALIBRATES)?;
            since(self.travels, TRAVELS)
        };
        let key = change.key();
        match change {
            Change::NightMode(_) => since(self.settings.get(&key).copied(), NIGHT),
            Change::Power(_) => since(self.settings.get(&key).copied(), POWER),
            Change::FullColor(_)
            | Change::Wdr(_)
            | Change::Flip(_)
            | Change::Watermark(_)
            | Change::Light(_)
            | Change::MotionRegion(_)
            | Change::MotionRecord(_) => since(self.settings.get(&key).copied(), SETTING),
            // Parts of a change that was let through.
            Change::Lamp { .. } | Change::TrackStop => Ok(()),
            Change::Motor { operation: Operation::Calibrate, .. } => {
                idle()?;
                since(self.calibrated, CALIBRATE)
            }
            // devicekit answers it when it has arrived.
            Change::Motor { operation: Operation::Report, .. } => since(self.reported, PUSH),
            Change::Motor { .. } => {
                idle()?;
                since(self.pushed, PUSH)
            }
            // An equal target is not sent, so both are asked.
            Change::Target(_) | Change::TrackIdle(_) => {
                idle()?;
                since(self.pushed, SETTLE)
            }
            Change::Sound { .. } => {
                idle()?;
                since(self.pushed, MOVES)?;
                since(self.sound, SOUND)
            }
        }
    }

    /// Notes that a change was sent.
    pub fn sent(&mut self, change: &Change, now: Instant) {
        match change {
            Change::Motor { operation: Operation::Calibrate, .. } => {
                self.calibrated = Some(now);
                self.stands = None;
            }
            Change::Motor { operation: Operation::Report, .. } => self.reported = Some(now),
            Change::Motor { .. } => {
                self.pushed = Some(now);
                self.stands = None;
            }
            // It may be there already, and then reports nothing more.
            Change::TrackStop => {
                self.travels = (!self.is_at_target()).then_some(now);
                self.stands = None;
            }
            Change::Sound { .. } => self.sound = Some(now),
            Change::Target(at) => self.target = Some(*at),
            Change::TrackIdle(_) | Change::Lamp { .. } => {}
            setting => {
                self.settings.insert(setting.key(), now);
            }
        }
    }

    /// Notes a position that was reported: that of the target ends an absolute move.
    pub fn reported(&mut self, at: Position) {
        self.stands = Some(at);
        if self.is_at_target() {
            self.travels = None;
        }
    }

    fn is_at_target(&self) -> bool {
        let near = |a: u8, b: u8| a.abs_diff(b) <= NEAR;
        let (Some(to), Some(at)) = (self.target, self.stands) else { return false };
        near(to.pan(), at.pan()) && near(to.tilt(), at.tilt())
    }

    /// Whether a setting may be unset now: that drives the hardware as a change does.
    ///
    /// # Errors
    /// How long to wait.
    pub fn may_unset(&self, key: Key, now: Instant) -> Result<(), Duration> {
        let pause = match key {
            Key::NightMode => NIGHT,
            Key::Power => POWER,
            _ => SETTING,
        };
        let last = self.settings.get(&key);
        let left = last
            .map_or(Duration::ZERO, |at| pause.saturating_sub(now.saturating_duration_since(*at)));
        if left.is_zero() { Ok(()) } else { Err(left) }
    }

    /// Notes that a setting was unset.
    pub fn unset(&mut self, key: Key, now: Instant) {
        self.settings.insert(key, now);
    }
}

#[cfg(test)]
mod tests {
    use super::super::value::{Night, Sound};
    use super::*;

    fn motor(operation: Operation) -> Change {
        Change::Motor { operation, counter: 1 }
    }

    #[test]
    fn no_change_is_sent_more_often_than_the_hardware_takes_it() {
        let target = Change::Target(Position::new(50, 50).unwrap());
        let sound = Change::Sound { sound: Sound::new(4).unwrap(), counter: 1 };
        let (left, up) = (motor(Operation::Left), motor(Operation::Up));
        let calibrate = motor(Operation::Calibrate);
        let (auto, night) = (Change::NightMode(Night::Auto), Change::NightMode(Night::Night));
        // First this is sent, then that is asked for: the pause in ms.
        let table = [
            (night, auto, 5000),
            (night, Change::Flip(true), 0),
            (Change::Flip(true), Change::Flip(false), 500),
            (Change::Power(false), Change::Power(true), 2000),
            (left, left, 250),
            (left, up, 250),
            (left, target, 5000),
            (left, sound, 350),
            (left, calibrate, 0),
            (calibrate, calibrate, 120_000),
            (calibrate, left, 30_000),
            (calibrate, target, 30_000),
            (calibrate, sound, 30_000),
            (Change::TrackStop, left, 14_000),
            (Change::TrackStop, target, 14_000),
            (Change::TrackStop, Change::TrackIdle(1), 14_000),
            (Change::TrackStop, motor(Operation::Report), 0),
            (left, Change::TrackIdle(1), 5000),
            (sound, sound, 1000),
            (sound, left, 0),
            (target, Change::TrackIdle(1), 0),
            (Change::TrackIdle(1), Change::TrackStop, 0),
        ];
        for (first, second, ms) in table {
            let (mut pace, begin) = (Pace::default(), Instant::now());
            pace.may(&first, begin).unwrap();
            pace.sent(&first, begin);
            let pause = Duration::from_millis(ms);
            if ms > 0 {
                let almost = begin + pause.saturating_sub(Duration::from_millis(1));
                let left = pace.may(&second, almost).unwrap_err();
                assert_eq!(left, Duration::from_millis(1), "{first:?}, then {second:?}");
            }
            pace.may(&second, begin + pause).unwrap();
        }
        // An absolute move ends early where its target was reported, and only there.
        let (mut pace, begin) = (Pace::default(), Instant::now());
        pace.sent(&target, begin);
        pace.sent(&Change::TrackStop, begin);
        pace.reported(Position::new(50, 90).unwrap());
        pace.may(&left, begin).unwrap_err();
        pace.reported(Position::new(51, 49).unwrap());
        pace.may(&left, begin).unwrap();
        // Also where it was reported before the stop was sent; not by a report of before a push.
        let (mut pace, begin) = (Pace::default(), Instant::now());
        pace.sent(&target, begin);
        pace.reported(Position::new(50, 50).unwrap());
        pace.sent(&Change::TrackStop, begin);
        pace.may(&left, begin).unwrap();
        pace.sent(&left, begin);
        pace.sent(&Change::TrackStop, begin + SETTLE);
        pace.may(&left, begin + SETTLE).unwrap_err();
    }

    #[test]
    fn unsetting_has_the_same_pause_as_setting() {
        let (mut pace, begin) = (Pace::default(), Instant::now());
        pace.unset(Key::NightMode, begin);
        let change = Change::NightMode(Night::Auto);
        assert_eq!(pace.may(&change, begin), Err(NIGHT));
        pace.may(&change, begin + NIGHT).unwrap();
        pace.sent(&change, begin + NIGHT);
        assert_eq!(pace.may_unset(Key::NightMode, begin + NIGHT), Err(NIGHT));
        pace.may_unset(Key::NightMode, begin + 2 * NIGHT).unwrap();
    }
}
