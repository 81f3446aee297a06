//! The table of times: what the camera does by itself, on which days of the week, and when, in its
//! own zone. What of it is due is decided in [`super::due`]. Pure: moments are seconds of UTC since
//! the beginning of 2026 ([`zone`]).

use serde::{Deserialize, Serialize};

use crate::network::zone;

/// Seconds of a day.
pub(super) const DAY: i32 = 86_400;
/// The most entries of a table.
const MOST: usize = 32;
/// The days of the week; 2026 began on a Thursday.
const WEEK: [&str; 7] = ["thu", "fri", "sat", "sun", "mon", "tue", "wed"];
/// The controls that are states, and their words.
pub(super) const STATES: [(&str, &[&str]); 3] =
    [("power", &["on", "off"]), ("night", &["auto", "day", "night"]), ("led", &["on", "off"])];
/// What an entry does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Sets this control to this word of [`STATES`].
    Set(&'static str, &'static str),
    /// Turns to the preset of this number.
    Preset(u32),
    /// Restarts the camera.
    Restart,
}

impl Deed {
    /// What it is about, as a number: a state, a preset or a restart.
    pub(super) fn subject(self) -> usize {
        match self {
            Deed::Set(id, _) => STATES.iter().position(|(name, _)| *name == id).unwrap_or_default(),
            Deed::Preset(_) => STATES.len(),
            Deed::Restart => STATES.len() + 1,
        }
    }

    /// As it is written in an entry.
    pub fn words(self) -> String {
        match self {
            Deed::Set(id, word) => format!("{id} {word}"),
            Deed::Preset(id) => format!("preset {id}"),
            Deed::Restart => "restart".to_owned(),
        }
    }

    fn of(text: &str) -> Option<Deed> {
        if text == "restart" {
            return Some(Deed::Restart);
        }
        let (name, word) = text.split_once(' ')?;
        if name == "preset" {
            let good = word.len() <= 9 && word.bytes().all(|b| b.is_ascii_digit());
            return word.parse().ok().filter(|_| good).map(Deed::Preset);
        }
        let (id, words) = STATES.into_iter().find(|(id, _)| *id == name)?;
        Some(Deed::Set(id, words.iter().find(|known| **known == word)?))
    }
}

/// A line of the table: `daily 22:00 power off`, `sat,sun 08:30 preset 2`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Entry(pub String);

impl Entry {
    /// What it does; every entry that was read has it.
    pub(super) fn deed(&self) -> Option<Deed> {
        when(&self.0).and_then(|(.., what)| Deed::of(what))
    }
}

impl TryFrom<String> for Entry {
    type Error = String;
    fn try_from(text: String) -> Result<Entry, String> {
        let entry = Entry(text);
        if entry.deed().is_none() {
            return Err("expected days, a time and what to do: daily 22:00 power off, \
                        mon,tue 07:30 power on, sat 08:00 night auto (or day, night), \
                        daily 20:00 led off, sun 09:00 preset 1, sun 04:30 restart"
                .to_owned());
        }
        Ok(entry)
    }
}

/// `[camera] schedule`: at most 32 entries.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Entry>")]
pub struct Table(pub Vec<Entry>);

impl TryFrom<Vec<Entry>> for Table {
    type Error = String;
    fn try_from(entries: Vec<Entry>) -> Result<Table, String> {
        if entries.len() > MOST {
            return Err(format!("expected at most {MOST} times"));
        }
        Ok(Table(entries))
    }
}

/// `[camera] reboot`, as earlier versions had it: `daily 04:30`, or `sun 04:30`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Reboot(pub String);

impl Reboot {
    /// The same as an entry of the table.
    pub fn entry(&self) -> Entry {
        Entry(format!("{} restart", self.0))
    }
}

impl TryFrom<String> for Reboot {
    type Error = String;
    fn try_from(text: String) -> Result<Reboot, String> {
        let reboot = Reboot(text);
        match Entry::try_from(reboot.entry().0) {
            Ok(_) => Ok(reboot),
            Err(_) => Err("expected daily or mon to sun, and a time: daily 04:30".to_owned()),
        }
    }
}

/// The days as bits of [`WEEK`], the seconds since midnight, and what follows.
fn when(text: &str) -> Option<(u8, i32, &str)> {
    let (names, rest) = text.split_once(' ')?;
    let (time, what) = rest.split_once(' ').unwrap_or((rest, ""));
    let mut days = 0;
    for name in names.split(',') {
        days |= match WEEK.iter().position(|known| *known == name) {
            Some(day) => 1 << day,
            None if names == "daily" => 0x7F,
            None => return None,
        };
    }
    let (hours, minutes) = time.split_once(':')?;
    let number = |text: &str, below: i32| {
        let good = text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
        text.parse::<i32>().ok().filter(|n| good && *n < below)
    };
    Some((days, number(hours, 24)? * 3600 + number(minutes, 60)? * 60, what))
}

/// UTC of a local time. One that the clocks leap over counts an hour later; of one that comes
/// twice the first counts.
pub(super) fn moment(zone: &str, local: i32) -> i32 {
    let utc = |around: i32| local - zone::offset(zone, around);
    let (first, second) = (utc(local - DAY), utc(local + DAY));
    let is_right = |utc: i32| utc + zone::offset(zone, utc) == local;
    if !is_right(first) && is_right(second) { second } else { first }
}

/// The next moment of an entry, or the last one up to now; an entry has one a week at least.
pub(super) fn nearest(zone: &str, entry: &Entry, now: i32, is_next: bool) -> Option<i32> {
    let (days, at, _) = when(&entry.0)?;
    let today = (now + zone::offset(zone, now)).div_euclid(DAY);
    let mut all = (-1..9)
        .map(|n| if is_next { today + n } else { today - n })
        .filter(|day| (days >> day.rem_euclid(7)) & 1 == 1)
        .map(|day| moment(zone, day * DAY + at));
    all.find(|moment| (*moment > now) == is_next)
}

/// The next moment of an entry.
pub fn next(zone: &str, entry: &Entry, now: i32) -> Option<i32> {
    nearest(zone, entry, now, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(lines: &[&str]) -> Vec<Entry> {
        lines.iter().map(|line| Entry::try_from((*line).to_owned()).unwrap()).collect()
    }

    #[test]
    fn only_days_times_and_what_there_is_are_taken() {
        let taken = entries(&[
            "daily 22:00 power off",
            "mon,tue,wed 00:00 night auto",
            "sat 23:59 led on",
            "sun 04:30 preset 32",
            "thu 04:30 restart",
        ]);
        // The bits of Monday to Wednesday, and of Saturday.
        assert_eq!(
            taken.iter().map(|e| when(&e.0).unwrap().0).take(3).collect::<Vec<_>>(),
            [0x7F, 0x70, 0x04]
        );
        for wrong in [
            "",
            "daily",
            "daily 22:00",
            "daily 22:00 ",
            "daily 22:00 power",
            "daily 22:00 power Off",
            "daily 22:00 power off ",
            "daily 22:00  power off",
            "daily 24:00 restart",
            "daily 1:30 restart",
            "daily 01:60 restart",
            "daily -1:30 restart",
            "daily +1:30 restart",
            "daily 01:30:00 restart",
            "monday 01:30 restart",
            "mon, tue 01:30 restart",
            "mon,daily 01:30 restart",
            "01:30 restart",
            "daily 01:30 flash",
            "daily 01:30 preset",
            "daily 01:30 preset -1",
            "daily 01:30 preset 1 2",
            "daily 01:30 preset 9999999999",
            "daily 01:30 flip on",
            "daily 01:30 restart now",
        ] {
            assert!(Entry::try_from(wrong.to_owned()).is_err(), "{wrong}");
        }
        for (text, good) in [
            ("daily 04:30", true),
            ("mon 23:59", true),
            ("daily 04:30 restart", false),
            ("daily", false),
            ("off", false),
        ] {
            assert_eq!(Reboot::try_from(text.to_owned()).is_ok(), good, "{text}");
        }
        assert!(Table::try_from(entries(&["daily 04:30 restart"; MOST + 1])).is_err());
    }
}
