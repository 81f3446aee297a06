//! The keys of the bus that this program may read, and the changes that it may send. Both are
//! types: no text from outside becomes a key or a value. Facts: docs/controls.md, "Keys".

use std::fmt;

/// Where a key is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layer {
    /// In flash: outlives a restart.
    Nvram,
    /// In memory, until the camera or mortoxd restarts.
    Mem,
}

impl Layer {
    /// Its name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Layer::Nvram => "nvram",
            Layer::Mem => "mem",
        }
    }
}

/// A key that may be read and watched. None of them contains a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// `power`: `on`, `off`. Off ends pictures, motion events and the lamp.
    Power,
    /// `night_mode`: `0` auto, `1` day, `2` night.
    NightMode,
    /// `full_color`: `on`, `off`. Night begins later.
    FullColor,
    /// `wdr`: `on`, `off`.
    Wdr,
    /// `flip`: `on`, `off`. The picture is turned by 180 degrees.
    Flip,
    /// `watermark`: `on`, `off`. Logo and time in the picture.
    Watermark,
    /// `light`: `on`, `off`. Whether the lamp may be lit.
    Light,
    /// `motion_region`: 32 numbers from 0 to 3.
    MotionRegion,
    /// `motion_record`: `off`, `on`, `stop`.
    MotionRecord,
    /// `motor`: `[pan,tilt]`, where the camera was left, and the target of an absolute move.
    Motor,
    /// `motor_cmd`: `[client,operation,counter]`.
    MotorCommand,
    /// `motor_position`: `[client,status,pan,tilt,counter]`.
    MotorPosition,
    /// `track`: `stop`, or anything else.
    Track,
    /// `led_cmd`: `[lamp,brightness,command,on ms,off ms]`.
    LedCommand,
    /// `sound_play`: `[sound,mode,counter]`.
    SoundPlay,
    /// `time_night`: ms, set at each change between day and night.
    NightTime,
    /// `dev_status`: `starting`, `normal`, `ota`, `reset`.
    DeviceStatus,
    /// `sdcard_status`: `0` for a good card.
    CardStatus,
}

impl Key {
    /// All of them.
    pub const ALL: [Key; 18] = [
        Key::Power,
        Key::NightMode,
        Key::FullColor,
        Key::Wdr,
        Key::Flip,
        Key::Watermark,
        Key::Light,
        Key::MotionRegion,
        Key::MotionRecord,
        Key::Motor,
        Key::MotorCommand,
        Key::MotorPosition,
        Key::Track,
        Key::LedCommand,
        Key::SoundPlay,
        Key::NightTime,
        Key::DeviceStatus,
        Key::CardStatus,
    ];

    /// Its layer, and its name there.
    pub const fn place(self) -> (Layer, &'static str) {
        match self {
            Key::Power => (Layer::Nvram, "power"),
            Key::NightMode => (Layer::Nvram, "night_mode"),
            Key::FullColor => (Layer::Nvram, "full_color"),
            Key::Wdr => (Layer::Nvram, "wdr"),
            Key::Flip => (Layer::Nvram, "flip"),
            Key::Watermark => (Layer::Nvram, "watermark"),
            Key::Light => (Layer::Nvram, "light"),
            Key::MotionRegion => (Layer::Nvram, "motion_region"),
            Key::MotionRecord => (Layer::Nvram, "motion_record"),
            Key::Motor => (Layer::Nvram, "motor"),
            Key::MotorCommand => (Layer::Mem, "motor_cmd"),
            Key::MotorPosition => (Layer::Mem, "motor_position"),
            Key::Track => (Layer::Mem, "track"),
            Key::LedCommand => (Layer::Mem, "led_cmd"),
            Key::SoundPlay => (Layer::Mem, "sound_play"),
            Key::NightTime => (Layer::Mem, "time_night"),
            Key::DeviceStatus => (Layer::Mem, "dev_status"),
            Key::CardStatus => (Layer::Mem, "sdcard_status"),
        }
    }

    /// Its name within its layer.
    pub const fn name(self) -> &'static str {
        self.place().1
    }

    /// The key with these names; `None` for every other key there may be.
    pub fn of(layer: &str, name: &str) -> Option<Key> {
        Key::ALL.into_iter().find(|key| key.place().0.name() == layer && key.name() == name)
    }

    /// The stock program that acts on it.
    pub const fn program(self) -> &'static str {
        match self {
            Key::Power | Key::Wdr | Key::Flip | Key::Watermark => "fetch_av",
            Key::NightMode | Key::FullColor | Key::MotionRegion | Key::NightTime => "miio_algo",
            Key::MotionRecord => "miio_record",
            Key::CardStatus => "miio_sdcard",
            Key::Light
            | Key::Motor
            | Key::MotorCommand
            | Key::MotorPosition
            | Key::Track
            | Key::LedCommand
            | Key::SoundPlay
            | Key::DeviceStatus => "miio_devicekit",
        }
    }
}

/// When it is night.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Night {
    /// As the sensor says.
    Auto,
    /// Never: infrared light stays off.
    Day,
    /// Always: infrared light is on.
    Night,
}

/// What is recorded to the card by the firmware itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Record {
    /// Everything.
    Always,
    /// While something moves.
    Motion,
    /// Nothing.
    Never,
}

/// How sensitive each of the picture's 8 by 4 cells is: 0 ignored, 1 low, 3 high. Row by row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region([u8; Region::CELLS]);

impl Region {
    /// Cells: 8 in each of 4 rows.
    pub const CELLS: usize = 32;

    /// These cells; `None` where one is above 3, or there are not 32.
    pub fn new(cells: &[u8]) -> Option<Region> {
        let cells: [u8; Region::CELLS] = cells.try_into().ok()?;
        cells.iter().all(|cell| *cell <= 3).then_some(Region(cells))
    }

    /// All cells alike, 0 to 3.
    pub fn all(level: u8) -> Region {
        Region([level.min(3); Region::CELLS])
    }

    /// The cells.
    pub fn cells(&self) -> &[u8; Region::CELLS] {
        &self.0
    }

    /// The most sensitive cell.
    pub fn level(&self) -> u8 {
        self.0.iter().copied().max().unwrap_or_default()
    }

    /// The same cells with another sensitivity; a region without any is the whole picture.
    #[must_use]
    pub fn with_level(&self, level: u8) -> Region {
        if self.level() == 0 {
            return Region::all(level);
        }
        Region(self.0.map(|cell| if cell == 0 { 0 } else { level.min(3) }))
    }

    /// As the firmware writes it.
    pub fn read(text: &str) -> Option<Region> {
        let cells = numbers(text)?;
        let cells: Option<Vec<u8>> = cells.iter().map(|n| u8::try_from(*n).ok()).collect();
        Region::new(&cells?)
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        list(f, &self.0.map(i64::from))
    }
}

/// Where the camera looks, each 1 to 101: per cent of the way plus one. Left and up count upward.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    pan: u8,
    tilt: u8,
}

impl Position {
    /// The largest value of either axis.
    pub const MOST: u8 = 101;

    /// A position; `None` outside 1 to 101.
    pub fn new(pan: u8, tilt: u8) -> Option<Position> {
        let fits = |n| (1..=Position::MOST).contains(&n);
        (fits(pan) && fits(tilt)).then_some(Position { pan, tilt })
    }

    /// From right to left.
    pub fn pan(self) -> u8 {
        self.pan
    }

    /// From bottom to top.
    pub fn tilt(self) -> u8 {
        self.tilt
    }
}

/// One push of a motor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Some 4 per cent to the left, within 350 ms.
    Left,
    /// To the right.
    Right,
    /// Some 10 per cent up.
    Up,
    /// Down.
    Down,
    /// To both ends of both axes and to the middle: 28 s.
    Calibrate,
    /// Only report the position.
    Report,
}

/// A lamp at the front.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lamp {
    /// The blue one.
    Blue,
    /// The yellow one.
    Yellow,
}

/// One of the camera's own sounds, 0 to 14.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sound(u8);

impl Sound {
    /// A sound by its number; `None` above 14.
    pub fn new(number: u8) -> Option<Sound> {
        (number <= 14).then_some(Sound(number))
    }
}

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
            Change::Target(at) => format!("[{},{}]", at.pan, at.tilt),
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

/// What devicekit reports of its motors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reported {
    /// Below zero: an error.
    pub status: i64,
    /// Where the camera looks.
    pub at: Position,
}

impl Reported {
    /// The value of [`Key::MotorPosition`].
    pub fn read(text: &str) -> Option<Reported> {
        let numbers = numbers(text)?;
        let [_, status, pan, tilt, _] = numbers.as_slice() else { return None };
        let axis = |n: &i64| u8::try_from(*n).ok();
        Some(Reported { status: *status, at: Position::new(axis(pan)?, axis(tilt)?)? })
    }
}

/// The value of [`Key::Motor`].
pub fn position(text: &str) -> Option<Position> {
    let numbers = numbers(text)?;
    let [pan, tilt] = numbers.as_slice() else { return None };
    Position::new(u8::try_from(*pan).ok()?, u8::try_from(*tilt).ok()?)
}

/// `[1,2,3]`, at most 64 of them.
fn numbers(text: &str) -> Option<Vec<i64>> {
    let inner = text.trim().strip_prefix('[')?.strip_suffix(']')?;
    let found: Option<Vec<i64>> =
        inner.split(',').take(65).map(|part| part.trim().parse().ok()).collect();
    found.filter(|all| all.len() <= 64)
}

fn list(f: &mut fmt::Formatter<'_>, numbers: &[i64]) -> fmt::Result {
    f.write_str("[")?;
    for (index, number) in numbers.iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        write!(f, "{comma}{number}")?;
    }
    f.write_str("]")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_is_a_secret_and_none_is_named_twice() {
        const SECRETS: [&str; 12] = [
            "miio_ssid",
            "miio_passwd",
            "key_mgmt",
            "miio_token",
            "miio_uid",
            "p2p_",
            "did",
            "key",
            "mac",
            "token",
            "passwd",
            "bind_status",
        ];
        for (index, key) in Key::ALL.iter().enumerate() {
            let (layer, name) = key.place();
            assert_eq!(Key::of(layer.name(), name), Some(*key));
            assert!(!SECRETS.contains(&name), "{name}");
            for begin in ["miio_", "p2p_"] {
                assert!(!name.starts_with(begin), "{name}");
            }
            assert!(Key::ALL[index + 1..].iter().all(|other| other.place() != key.place()));
        }
        for name in SECRETS {
            assert_eq!(Key::of("nvram", name), None);
        }
        assert_eq!(Key::of("mem", "power"), None);
    }

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

    #[test]
    fn positions_and_regions_have_their_bounds() {
        assert_eq!(Position::new(0, 50), None);
        assert_eq!(Position::new(1, 102), None);
        let at = Position::new(52, 47).unwrap();
        assert_eq!(Reported::read("[0,1,52,47,9]"), Some(Reported { status: 1, at }));
        assert_eq!(Reported::read("[0,1,0,47,9]"), None);
        assert_eq!(Reported::read("[0,1]"), None);
        assert_eq!(position("[52,47]"), Some(at));
        assert_eq!(Region::new(&[4; 32]), None);
        assert_eq!(Region::new(&[1; 31]), None);
        assert_eq!(Region::all(0).with_level(2), Region::all(2));
        let mut cells = [0; 32];
        cells[5] = 1;
        let region = Region::new(&cells).unwrap();
        assert_eq!(region.with_level(3).cells()[5], 3);
        assert_eq!(region.with_level(3).cells()[4], 0);
        assert_eq!(Sound::new(15), None);
    }
}
