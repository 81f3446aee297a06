//! The keys of the bus that this program may read. A type: no text from outside becomes a key.
//! Facts: docs/controls.md, "Keys".

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
}
