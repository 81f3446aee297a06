//! Every control: what it is called, what it takes, which key of the bus it sets. Pure.

use serde_json::{Value as Json, json};

use crate::vendor::av::Volume;
use crate::vendor::mortox::change::Change;
use crate::vendor::mortox::key::Key;
use crate::vendor::mortox::value::{Lamp, Night, Record, Region};

/// A control.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Id {
    /// Privacy: off means that no picture is made.
    Power,
    /// Day, night, or as the sensor says.
    Night,
    /// The lamp at the front.
    Led,
    /// The picture turned by 180 degrees.
    Flip,
    /// Wide dynamic range.
    Wdr,
    /// Logo and time in the picture.
    Watermark,
    /// Colour for longer at dusk.
    FullColor,
    /// How easily motion is detected.
    MotionSensitivity,
    /// Where motion is detected.
    MotionRegion,
    /// What the firmware records.
    Recording,
    /// The speaker's volume.
    Volume,
}

/// What a control takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ControlForm {
    /// On or off.
    Switch,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A whole number.
    Number {
        /// The least.
        min: i64,
        /// The most.
        max: i64,
        /// Its unit.
        unit: &'static str,
    },
    /// 32 numbers from 0 to 3: four rows of eight cells of the picture.
    Region,
}

/// The value of a control.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// Of [`ControlForm::Switch`].
    On(bool),
    /// Of [`ControlForm::Choice`].
    Word(&'static str),
    /// Of [`ControlForm::Number`].
    Number(i64),
    /// Of [`ControlForm::Region`].
    Region(Region),
}

const NIGHTS: &[&str] = &["auto", "day", "night"];
const LEVELS: &[&str] = &["off", "low", "medium", "high"];
const RECORDS: &[&str] = &["always", "motion", "never"];

impl Id {
    /// All, in the order in which they are shown.
    pub const ALL: [Id; 11] = [
        Id::Power,
        Id::Night,
        Id::Led,
        Id::Flip,
        Id::Wdr,
        Id::Watermark,
        Id::FullColor,
        Id::MotionSensitivity,
        Id::MotionRegion,
        Id::Recording,
        Id::Volume,
    ];

    /// Its stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Id::Power => "power",
            Id::Night => "night",
            Id::Led => "led",
            Id::Flip => "flip",
            Id::Wdr => "wdr",
            Id::Watermark => "watermark",
            Id::FullColor => "full-color",
            Id::MotionSensitivity => "motion-sensitivity",
            Id::MotionRegion => "motion-region",
            Id::Recording => "recording",
            Id::Volume => "volume",
        }
    }

    /// What it is called.
    pub const fn title(self) -> &'static str {
        match self {
            Id::Power => "Camera on",
            Id::Night => "Night vision",
            Id::Led => "Status light",
            Id::Flip => "Rotate picture 180\u{b0}",
            Id::Wdr => "Wide dynamic range",
            Id::Watermark => "Logo and time in the picture",
            Id::FullColor => "Full color in low light",
            Id::MotionSensitivity => "Motion sensitivity",
            Id::MotionRegion => "Motion areas",
            Id::Recording => "Recording to the SD card",
            Id::Volume => "Speaker volume",
        }
    }

    /// An icon of Home Assistant's.
    pub const fn icon(self) -> &'static str {
        match self {
            Id::Power => "mdi:power",
            Id::Night => "mdi:weather-night",
            Id::Led => "mdi:led-on",
            Id::Flip => "mdi:rotate-right",
            Id::Wdr => "mdi:hdr",
            Id::Watermark => "mdi:watermark",
            Id::FullColor => "mdi:palette",
            Id::MotionSensitivity | Id::MotionRegion => "mdi:motion-sensor",
            Id::Recording => "mdi:record-rec",
            Id::Volume => "mdi:volume-high",
        }
    }

    /// The control of this name.
    pub fn of(name: &str) -> Option<Id> {
        Id::ALL.into_iter().find(|id| id.name() == name)
    }

    /// The key that contains its value; `None` for what is not on the bus.
    pub const fn key(self) -> Option<Key> {
        Some(match self {
            Id::Power => Key::Power,
            Id::Night => Key::NightMode,
            Id::Led => Key::Light,
            Id::Flip => Key::Flip,
            Id::Wdr => Key::Wdr,
            Id::Watermark => Key::Watermark,
            Id::FullColor => Key::FullColor,
            Id::MotionSensitivity | Id::MotionRegion => Key::MotionRegion,
            Id::Recording => Key::MotionRecord,
            Id::Volume => return None,
        })
    }

    /// All keys that the firmware must act on for it.
    pub fn needs(self) -> Vec<Key> {
        let mut keys: Vec<Key> = self.key().into_iter().collect();
        if self == Id::Led {
            keys.push(Key::LedCommand);
        }
        keys
    }

    /// What it takes.
    pub const fn form(self) -> ControlForm {
        match self {
            Id::Night => ControlForm::Choice(NIGHTS),
            Id::MotionSensitivity => ControlForm::Choice(LEVELS),
            Id::Recording => ControlForm::Choice(RECORDS),
            Id::MotionRegion => ControlForm::Region,
            Id::Volume => ControlForm::Number {
                min: Volume::LEAST as i64,
                max: Volume::MOST as i64,
                unit: "dB",
            },
            _ => ControlForm::Switch,
        }
    }

    /// What a key's value says; `None` for one that is not known.
    pub fn shown(self, text: &str) -> Option<Value> {
        let change = Change::read(self.key()?, text)?;
        Some(match (self, change) {
            (
                _,
                Change::Power(on)
                | Change::Light(on)
                | Change::Flip(on)
                | Change::Wdr(on)
                | Change::Watermark(on)
                | Change::FullColor(on),
            ) => Value::On(on),
            (_, Change::NightMode(night)) => Value::Word(match night {
                Night::Auto => "auto",
                Night::Day => "day",
                Night::Night => "night",
            }),
            (Id::MotionSensitivity, Change::MotionRegion(region)) => {
                Value::Word(LEVELS.get(usize::from(region.level())).copied()?)
            }
            (_, Change::MotionRegion(region)) => Value::Region(region),
            (_, Change::MotionRecord(record)) => Value::Word(match record {
                Record::Always => "always",
                Record::Motion => "motion",
                Record::Never => "never",
            }),
            _ => return None,
        })
    }

    /// The changes that set it to this value, in their order. `region` are the cells as they are
    /// now, `counter` differs from that of every earlier command.
    pub fn changes(self, value: Value, region: Region, counter: u32) -> Vec<Change> {
        let one = match (self, value) {
            (Id::Power, Value::On(on)) => Change::Power(on),
            (Id::Flip, Value::On(on)) => Change::Flip(on),
            (Id::Wdr, Value::On(on)) => Change::Wdr(on),
            (Id::Watermark, Value::On(on)) => Change::Watermark(on),
            (Id::FullColor, Value::On(on)) => Change::FullColor(on),
            (Id::Led, Value::On(lit)) => {
                // The flag alone shows at the next change of the cloud's state.
                let lamp = |lamp, lit, counter| Change::Lamp { lamp, lit, counter };
                let blue = lamp(Lamp::Blue, lit, counter);
                let mut all = vec![Change::Light(lit), blue];
                if !lit {
                    all.push(lamp(Lamp::Yellow, false, counter.wrapping_add(1)));
                }
                return all;
            }
            (Id::Night, Value::Word(word)) => Change::NightMode(match word {
                "day" => Night::Day,
                "night" => Night::Night,
                _ => Night::Auto,
            }),
            (Id::Recording, Value::Word(word)) => Change::MotionRecord(match word {
                "always" => Record::Always,
                "motion" => Record::Motion,
                _ => Record::Never,
            }),
            (Id::MotionSensitivity, Value::Word(word)) => {
                let level = LEVELS.iter().position(|known| *known == word).unwrap_or_default();
                Change::MotionRegion(region.with_level(level as u8))
            }
            (Id::MotionRegion, Value::Region(region)) => Change::MotionRegion(region),
            _ => return Vec::new(),
        };
        vec![one]
    }
}

impl ControlForm {
    /// Its stable name.
    pub const fn name(self) -> &'static str {
        match self {
            ControlForm::Switch => "switch",
            ControlForm::Choice(_) => "choice",
            ControlForm::Number { .. } => "number",
            ControlForm::Region => "region",
        }
    }

    /// A value of this form.
    ///
    /// # Errors
    /// What is expected, in words.
    pub fn read(self, value: &Json) -> Result<Value, String> {
        let found = match self {
            ControlForm::Switch => value.as_bool().map(Value::On),
            ControlForm::Choice(words) => {
                let given = value.as_str().unwrap_or_default();
                words.iter().find(|word| **word == given).map(|word| Value::Word(word))
            }
            ControlForm::Number { min, max, .. } => {
                value.as_i64().filter(|n| (min..=max).contains(n)).map(Value::Number)
            }
            ControlForm::Region => {
                let cells = value.as_array().map(Vec::as_slice).unwrap_or_default();
                let cells: Option<Vec<u8>> = cells
                    .iter()
                    .take(Region::CELLS + 1)
                    .map(|cell| u8::try_from(cell.as_u64()?).ok())
                    .collect();
                cells.and_then(|cells| Region::new(&cells)).map(Value::Region)
            }
        };
        found.ok_or_else(|| match self {
            ControlForm::Switch => "expected true or false".to_owned(),
            ControlForm::Choice(words) => format!("expected one of: {}", words.join(", ")),
            ControlForm::Number { min, max, .. } => {
                format!("expected a number from {min} to {max}")
            }
            ControlForm::Region => "expected 32 numbers from 0 to 3".to_owned(),
        })
    }

    /// The same from a text, as MQTT has it: `ON`, `OFF`, a word or a number.
    ///
    /// # Errors
    /// What is expected, in words.
    pub fn read_text(self, text: &str) -> Result<Value, String> {
        self.read(&match (self, text) {
            (ControlForm::Switch, "ON") => true.into(),
            (ControlForm::Switch, "OFF") => false.into(),
            (ControlForm::Number { .. }, _) => text.trim().parse::<f64>().map_or(Json::Null, |n| {
                format!("{n:.0}").parse::<i64>().map_or(Json::Null, Json::from)
            }),
            (ControlForm::Choice(_), _) => text.into(),
            _ => Json::Null,
        })
    }
}

impl Value {
    /// As JSON.
    pub fn json(self) -> Json {
        match self {
            Value::On(on) => on.into(),
            Value::Word(word) => word.into(),
            Value::Number(number) => number.into(),
            Value::Region(region) => json!(region.cells()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_is_what_is_shown() {
        let cells: Vec<u8> = (0..32).map(|n| n % 4).collect();
        let region = Region::new(&cells).unwrap();
        for id in Id::ALL {
            assert_eq!(Id::of(id.name()), Some(id));
            let values: Vec<Value> = match id.form() {
                ControlForm::Switch => vec![Value::On(true), Value::On(false)],
                ControlForm::Choice(words) => words.iter().map(|word| Value::Word(word)).collect(),
                ControlForm::Region => vec![Value::Region(region)],
                ControlForm::Number { .. } => continue,
            };
            for value in values {
                assert_eq!(id.form().read(&value.json()), Ok(value), "{id:?}");
                let changes = id.changes(value, region, 1);
                let kept = changes.iter().find(|change| Some(change.key()) == id.key());
                let text = kept.unwrap().value();
                assert_eq!(id.shown(&text), Some(value), "{id:?} {text}");
                // Nothing is changed that was not named as needed.
                assert!(changes.iter().all(|change| id.needs().contains(&change.key())));
            }
        }
    }

    #[test]
    fn other_values_are_refused_with_what_is_expected() {
        for (id, value) in [
            (Id::Power, json!("on")),
            (Id::Power, json!(1)),
            (Id::Night, json!("dusk")),
            (Id::Night, json!(null)),
            (Id::Volume, json!(1)),
            (Id::Volume, json!(-26)),
            (Id::Volume, json!(-1.5)),
            (Id::MotionRegion, json!([1, 2])),
            (Id::MotionRegion, json!(vec![4; 32])),
            (Id::MotionRegion, json!(vec![1; 100_000])),
        ] {
            assert!(id.form().read(&value).unwrap_err().starts_with("expected"), "{id:?} {value}");
        }
        assert_eq!(Id::Power.form().read_text("ON"), Ok(Value::On(true)));
        assert_eq!(Id::Volume.form().read_text("-7.0"), Ok(Value::Number(-7)));
        assert_eq!(Id::Night.form().read_text("night"), Ok(Value::Word("night")));
        for (id, text) in [(Id::Power, "on"), (Id::Volume, "nan"), (Id::Volume, "1e300")] {
            id.form().read_text(text).unwrap_err();
        }
    }
}
