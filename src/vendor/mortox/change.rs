//! The changes that this program may send: a type, so that no text from outside becomes a value.
//! Facts: docs/controls.md, "Keys".

use super::key::Key;
use super::value::{Lamp, Night, Operation, Position, Record, Region, Sound};

/// A change that may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// [`Key::Power`].
    Power(bool),
    /// [`Key::NightMode`].
    NightMode(Night),
    /// [`Key::FullColor`].
    FullColor(bool),
    /// [`Key::Wdr`].
    Wdr(bool),
    /// [`Key::Flip`].
    Flip(bool),
    /// [`Key::Watermark`].
    Watermark(bool),
    /// [`Key::Light`].
    Light(bool),
    /// [`Key::MotionRegion`].
    MotionRegion(Region),
    /// [`Key::MotionRecord`].
    MotionRecord(Record),
    /// [`Key::LedCommand`]: the lamp is lit or not, whatever the state of the cloud.
    Lamp {
        /// Which one.
        lamp: Lamp,
        /// Whether it is lit.
        lit: bool,
        /// Differs from that of the last command.
        counter: u32,
    },
    /// [`Key::MotorCommand`].
    Motor {
        /// Which push.
        operation: Operation,
        /// Differs from that of the last command.
        counter: u32,
    },
    /// [`Key::Motor`]: the target of the next absolute move. Nothing moves yet.
    Target(Position),
    /// [`Key::Track`]: after another value, `stop` makes devicekit move to the target.
    TrackIdle(u32),
    /// [`Key::Track`].
    TrackStop,
    /// [`Key::SoundPlay`].
    Sound {
        /// Which one.
        sound: Sound,
        /// Differs from that of the last command.
        counter: u32,
    },
}

impl Change {
    /// The key that it sets.
    pub const fn key(&self) -> Key {
        match self {
            Change::Power(_) => Key::Power,
            Change::NightMode(_) => Key::NightMode,
            Change::FullColor(_) => Key::FullColor,
            Change::Wdr(_) => Key::Wdr,
            Change::Flip(_) => Key::Flip,
            Change::Watermark(_) => Key::Watermark,
            Change::Light(_) => Key::Light,
            Change::MotionRegion(_) => Key::MotionRegion,
            Change::MotionRecord(_) => Key::MotionRecord,
            Change::Lamp { .. } => Key::LedCommand,
            Change::Motor { .. } => Key::MotorCommand,
            Change::Target(_) => Key::Motor,
            Change::TrackIdle(_) | Change::TrackStop => Key::Track,
            Change::Sound { .. } => Key::SoundPlay,
        }
    }

    /// The value, as the firmware writes it: always below 120 bytes.
    pub fn value(&self) -> String {
        let switch = |on: &bool| if *on { "on" } else { "off" }.to_owned();
        match self {
            Change::Power(on)
            | Change::FullColor(on)
            | Change::Wdr(on)
            | Change::Flip(on)
            | Change::Watermark(on)
            | Change::Light(on) => switch(on),
            Change::NightMode(Night::Auto) => "0".to_owned(),
            Change::NightMode(Night::Day) => "1".to_owned(),
            Change::NightMode(Night::Night) => "2".to_owned(),
            Change::MotionRegion(region) => region.to_string(),
            Change::MotionRecord(Record::Always) => "off".to_owned(),
            Change::MotionRecord(Record::Motion) => "on".to_owned(),
            Change::MotionRecord(Record::Never) | Change::TrackStop => "stop".to_owned(),
            Change::Lamp { lamp, lit, counter } => {
                let lamp = i32::from(*lamp == Lamp::Yellow);
                let (bright, command) = if *lit { (50, 0) } else { (0, 1) };
                format!("[{lamp},{bright},{command},0,{counter}]")
            }
            Change::Motor { operation, counter } => {
                let operation = match operation {
                    Operation::Left => 1,
                    Operation::Right => 2,
                    Operation::Up => 3,
                    Operation::Down => 4,
                    Operation::Calibrate => 5,
                    Operation::Report => 6,
                };
                format!("[0,{operation},{counter}]")
            }
            Change::Target(at) => format!("[{},{}]", at.pan(), at.tilt()),
            Change::TrackIdle(counter) => format!("idle{counter}"),
            Change::Sound { sound, counter } => format!("[{},1,{counter}]", sound.0),
        }
    }

    /// The change that would set this value of a setting; `None` where the value is none that is
    /// known, or the key is a command and no setting.
    pub fn read(key: Key, value: &str) -> Option<Change> {
        let switch = || match value {
            "on" => Some(true),
            "off" => Some(false),
            _ => None,
        };
        Some(match key {
            Key::Power => Change::Power(switch()?),
            Key::FullColor => Change::FullColor(switch()?),
            Key::Wdr => Change::Wdr(switch()?),
            Key::Flip => Change::Flip(switch()?),
            Key::Watermark => Change::Watermark(switch()?),
            Key::Light => Change::Light(switch()?),
            Key::NightMode => Change::NightMode(match value {
                "0" => Night::Auto,
                "1" => Night::Day,
                "2" => Night::Night,
                _ => return None,
            }),
            Key::MotionRegion => Change::MotionRegion(Region::read(value)?),
            Key::MotionRecord => Change::MotionRecord(match value {
                "off" => Record::Always,
                "on" => Record::Motion,
                "stop" => Record::Never,
                _ => return None,
            }),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some_changes() -> Vec<Change> {
        let cells: Vec<u8> = (0..32).map(|n| n % 4).collect();
        vec![
            Change::Power(true),
            Change::Power(false),
            Change::NightMode(Night::Auto),
            Change::NightMode(Night::Day),
            Change::NightMode(Night::Night),
            Change::FullColor(true),
            Change::Wdr(false),
            Change::Flip(true),
            Change::Watermark(false),
            Change::Light(true),
            Change::MotionRegion(Region::new(&cells).unwrap()),
            Change::MotionRecord(Record::Always),
            Change::MotionRecord(Record::Motion),
            Change::MotionRecord(Record::Never),
        ]
    }

    #[test]
    fn a_setting_that_is_read_is_the_one_that_was_sent() {
        for change in some_changes() {
            assert_eq!(Change::read(change.key(), &change.value()), Some(change));
        }
        for (key, value) in [
            (Key::Power, "maybe"),
            (Key::Power, ""),
            (Key::NightMode, "3"),
            (Key::MotionRegion, "[1,2,3]"),
            (Key::MotionRegion, "1"),
            (Key::MotionRecord, "1"),
            (Key::MotorCommand, "[0,1,1]"),
            (Key::Track, "stop"),
        ] {
            assert_eq!(Change::read(key, value), None, "{key:?} {value}");
        }
    }

    #[test]
    fn every_value_fits_into_the_vendor_s_buffers() {
        let all = some_changes().into_iter().chain([
            Change::Lamp { lamp: Lamp::Yellow, lit: false, counter: u32::MAX },
            Change::Motor { operation: Operation::Report, counter: u32::MAX },
            Change::Target(Position::new(101, 101).unwrap()),
            Change::TrackIdle(u32::MAX),
            Change::TrackStop,
            Change::Sound { sound: Sound::new(14).unwrap(), counter: u32::MAX },
        ]);
        for change in all {
            assert!(change.value().len() < 120 && !change.value().is_empty(), "{change:?}");
            assert!(!change.value().contains('\0'));
        }
        assert_eq!(Change::Motor { operation: Operation::Left, counter: 7 }.value(), "[0,1,7]");
        assert_eq!(
            Change::Lamp { lamp: Lamp::Blue, lit: true, counter: 3 }.value(),
            "[0,50,0,0,3]"
        );
    }
}
