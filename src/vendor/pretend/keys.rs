//! Keys of the simulated firmware, and the behaviour of the programs that act on them. Pure: time
//! comes in.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::vendor::mortox::value::{Position, position};

/// How long miio_algo takes to switch between day and night.
const SWITCH: Duration = Duration::from_millis(100);
/// One push, in ms.
const PUSH: Duration = Duration::from_millis(350);
/// What one push moves, in the units of the position.
const PAN: i16 = 4;
const TILT: i16 = 10;

/// A key: its layer and its name.
pub type Name = (String, String);
/// A key that has a new value; `None` where it was removed.
pub type News = (Name, Option<String>);

/// Something that happens later.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Later {
    /// miio_algo has switched.
    Switched { night: bool },
    /// A motor has stopped at this position.
    Stopped { pan: i16, tilt: i16 },
    /// An absolute move has ended here.
    Arrived { pan: i16, tilt: i16 },
    /// The position is reported.
    Report,
}

/// All keys, and what is under way.
#[derive(Debug)]
pub struct Keys {
    values: BTreeMap<Name, String>,
    later: Vec<(Instant, Later)>,
    /// Whether the picture is that of the night.
    pub night: bool,
    at: (i16, i16),
    target: (i16, i16),
    counter: u32,
}

impl Default for Keys {
    /// Those of a camera that was set up.
    fn default() -> Keys {
        let region = format!("[{}]", ["2"; 32].join(","));
        let nvram = [
            ("power", "on"),
            ("night_mode", "0"),
            ("full_color", "off"),
            ("wdr", "off"),
            ("flip", "off"),
            ("watermark", "on"),
            ("light", "on"),
            ("motion_region", region.as_str()),
            ("motion_record", "off"),
            ("motor", "[51,51]"),
        ];
        let name = |layer: &str, key: &str| (layer.to_owned(), key.to_owned());
        let mut values: BTreeMap<Name, String> =
            nvram.into_iter().map(|(key, value)| (name("nvram", key), value.to_owned())).collect();
        values.insert(name("mem", "dev_status"), "normal".to_owned());
        values.insert(name("mem", "track"), "stop".to_owned());
        Keys { values, later: Vec::new(), night: false, at: (51, 51), target: (51, 51), counter: 0 }
    }
}

impl Keys {
    /// The value of a key.
    pub fn get(&self, name: &Name) -> Option<&String> {
        self.values.get(name)
    }

    /// Sets a key; what is pushed to the watchers, which is nothing where the value was there.
    pub fn set(&mut self, name: Name, value: String, now: Instant) -> Vec<News> {
        if self.values.get(&name) == Some(&value) {
            return Vec::new();
        }
        self.values.insert(name.clone(), value.clone());
        self.act(&name, &value, now);
        vec![(name, Some(value))]
    }

    /// Removes a key.
    pub fn unset(&mut self, name: Name) -> Vec<News> {
        match self.values.remove(&name) {
            Some(_) => vec![(name, None)],
            None => Vec::new(),
        }
    }

    /// When something is due.
    pub fn due(&self) -> Option<Instant> {
        self.later.iter().map(|(at, _)| *at).min()
    }

    /// What has happened by now; what is pushed.
    pub fn turn(&mut self, now: Instant) -> Vec<News> {
        let (due, later) =
            std::mem::take(&mut self.later).into_iter().partition(|(at, _)| *at <= now);
        self.later = later;
        let mut due: Vec<(Instant, Later)> = due;
        due.sort_by_key(|(at, _)| *at);
        due.into_iter().flat_map(|(_, happened)| self.happened(&happened, now)).collect()
    }

    fn happened(&mut self, happened: &Later, now: Instant) -> Vec<News> {
        self.counter += 1;
        let mem = |key: &str| ("mem".to_owned(), key.to_owned());
        match happened {
            Later::Switched { night } => {
                if *night == self.night {
                    return Vec::new();
                }
                self.night = *night;
                self.set(mem("time_night"), format!("{}", 1000 + self.counter), now)
            }
            // An absolute move is not reported.
            Later::Arrived { pan, tilt } => {
                self.at = (*pan, *tilt);
                Vec::new()
            }
            Later::Report => self.set(mem("motor_position"), self.report(), now),
            Later::Stopped { pan, tilt } => {
                self.at = (*pan, *tilt);
                let kept = ("nvram".to_owned(), "motor".to_owned());
                let mut news = self.set(mem("motor_position"), self.report(), now);
                news.extend(self.set(kept, format!("[{pan},{tilt}]"), now));
                news
            }
        }
    }

    fn report(&self) -> String {
        format!("[0,0,{},{},{}]", self.at.0, self.at.1, self.counter)
    }

    /// What the program does that watches the key.
    fn act(&mut self, name: &Name, value: &str, now: Instant) {
        match (name.0.as_str(), name.1.as_str()) {
            ("nvram", "night_mode") => {
                // It is day where the demo runs.
                self.later.push((now + SWITCH, Later::Switched { night: value == "2" }));
            }
            ("mem", "motor_cmd") => self.push(value, now),
            ("nvram", "motor") => {
                if let Some(at) = position(value) {
                    self.target = (i16::from(at.pan()), i16::from(at.tilt()));
                }
            }
            ("mem", "track") if value == "stop" => {
                let (pan, tilt) = self.target;
                self.later.push((now + PUSH, Later::Arrived { pan, tilt }));
            }
            _ => {}
        }
    }

    /// A push of a motor, as devicekit does it.
    fn push(&mut self, value: &str, now: Instant) {
        let inner = value.trim_start_matches('[').trim_end_matches(']');
        let operation = inner.split(',').nth(1).unwrap_or_default();
        let (pan, tilt) = match operation {
            "1" => (PAN, 0),
            "2" => (-PAN, 0),
            "3" => (0, TILT),
            "4" => (0, -TILT),
            "5" => {
                self.later.push((now + PUSH, Later::Stopped { pan: 51, tilt: 51 }));
                return;
            }
            // devicekit does one thing after the other.
            "6" => {
                let last = self.later.iter().map(|(at, _)| *at).max();
                self.later.push((last.unwrap_or(now).max(now), Later::Report));
                return;
            }
            _ => return,
        };
        let within = |n: i16| n.clamp(1, i16::from(Position::MOST));
        let (pan, tilt) = (within(self.at.0 + pan), within(self.at.1 + tilt));
        self.later.push((now + PUSH, Later::Stopped { pan, tilt }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(layer: &str, key: &str) -> Name {
        (layer.to_owned(), key.to_owned())
    }

    #[test]
    fn the_fake_does_what_the_bench_showed() {
        let (mut keys, now) = (Keys::default(), Instant::now());
        assert!(keys.set(name("nvram", "flip"), "off".to_owned(), now).is_empty(), "no news");
        assert_eq!(keys.set(name("nvram", "flip"), "on".to_owned(), now).len(), 1);
        assert_eq!(keys.unset(name("nvram", "flip")), vec![(name("nvram", "flip"), None)]);
        assert!(keys.unset(name("nvram", "flip")).is_empty());
        keys.set(name("nvram", "night_mode"), "2".to_owned(), now);
        assert!(keys.turn(now).is_empty() && !keys.night);
        assert_eq!(keys.turn(now + SWITCH).len(), 1);
        assert!(keys.night);
        keys.set(name("mem", "motor_cmd"), "[0,1,1]".to_owned(), now);
        let news = keys.turn(now + PUSH);
        assert!(news.contains(&(name("nvram", "motor"), Some("[55,51]".to_owned()))), "{news:?}");
    }
}
