//! The restart that an owner has planned: at a time of his own, on one day of the week or on
//! all. Once a day at most, never while something goes on that it would cut off, and never by a
//! clock that is not set.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::machine::Updates;
use super::{Camera, Source, host, power};
use crate::card::file::{make_dir, read_bounded, replace};
use crate::citizen::zone;

/// How often it is looked.
const LOOK: Duration = Duration::from_secs(5);
/// Seconds after which what could not be done is left for the next time.
const PATIENCE: i64 = 3600;
/// The longest step of the clock that does not leap over a moment: that of summer time.
const STEP: i64 = 4000;
const DAY: i64 = 86_400;

/// On which days something is done: one of [`Days::NAMES`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Days(pub String);

impl Days {
    /// All; the days of the week from Sunday on.
    pub const NAMES: &[&str] = &["off", "daily", "sun", "mon", "tue", "wed", "thu", "fri", "sat"];
}

impl TryFrom<String> for Days {
    type Error = String;
    fn try_from(days: String) -> Result<Days, String> {
        match Days::NAMES.contains(&days.as_str()) {
            true => Ok(Days(days)),
            false => Err("expected off, daily, mon, tue, wed, thu, fri, sat or sun".to_owned()),
        }
    }
}

/// A time of the day, `HH:MM`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct At(pub String);

impl At {
    /// Minutes since midnight.
    pub fn minutes(&self) -> Option<i64> {
        let (hours, minutes) = self.0.split_once(':')?;
        let number = |text: &str, below: i64| {
            let good = text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
            text.parse::<i64>().ok().filter(|n| good && *n < below)
        };
        Some(number(hours, 24)? * 60 + number(minutes, 60)?)
    }
}

impl TryFrom<String> for At {
    type Error = String;
    fn try_from(time: String) -> Result<At, String> {
        let time = At(time);
        match time.minutes() {
            Some(_) => Ok(time),
            None => Err("expected a time from 00:00 to 23:59".to_owned()),
        }
    }
}

/// The last planned moment up to now, both in seconds of local time.
fn planned(days: &Days, at: &At, local: i64) -> Option<i64> {
    let at = at.minutes()? * 60;
    let mut day = (local - at).div_euclid(DAY);
    match Days::NAMES.iter().position(|name| *name == days.0)? {
        0 => return None,
        1 => {}
        // 1970 began on a Thursday.
        nth => day -= (day + 4 - (nth as i64 - 2)).rem_euclid(7),
    }
    Some(day * DAY + at)
}

/// What was seen of the clock so far.
#[derive(Debug, Default)]
pub struct Watch {
    seen: Option<i64>,
    due: Option<i64>,
}

impl Watch {
    /// Whether a restart is due now; `local` is none while the clock is not set. A moment counts
    /// only for who saw the clock pass it: not for a start, or a plan, that comes after it.
    pub fn is_due(&mut self, days: &Days, at: &At, local: Option<i64>) -> bool {
        let before = std::mem::replace(&mut self.seen, local);
        let moment = local.and_then(|local| planned(days, at, local));
        let (Some(local), Some(moment)) = (local, moment) else {
            self.due = None;
            return false;
        };
        if before.is_some_and(|before| (moment - STEP..moment).contains(&before)) {
            self.due = Some(moment);
        }
        self.due == Some(moment) && local - moment < PATIENCE
    }
}

/// Looks after the plan, and after the vendor's updater, for ever.
pub fn keep(camera: &Arc<Camera>) {
    let (mut watch, mut updates, mut said) = (Watch::default(), Updates::default(), String::new());
    loop {
        let config = camera.state().settings.config.camera.clone();
        // The programs of a simulated camera are the PC's own.
        if matches!(camera.source(), Source::Device) {
            let problem = updates.look(config.hold_updates, &Updates::is_it);
            camera.state().network.updates_problem = problem;
        }
        let local = host::seconds().map(|utc| {
            let utc = utc.cast_signed();
            utc + zone::offset(&config.time_zone.0, utc)
        });
        if watch.is_due(&config.reboot, &config.reboot_at, local) {
            let said_now = match go(camera, local.unwrap_or_default() / DAY) {
                Ok(()) => String::new(),
                Err(reason) => reason,
            };
            if said != said_now && !said_now.is_empty() {
                log::warn!("the planned restart waits: {said_now}");
            }
            said = said_now;
        }
        std::thread::sleep(LOOK);
    }
}

/// Restarts, where that cuts nothing off and it was not done on this day already.
fn go(camera: &Arc<Camera>, day: i64) -> Result<(), String> {
    drop(camera.quiet().map_err(|busy| busy.step)?);
    let (folder, day) = (camera.card().state_dir(), format!("{day}\n"));
    let note = folder.join("planned-restart");
    if read_bounded(&note, 32).is_ok_and(|done| done == day.as_bytes()) {
        return Ok(());
    }
    // Without the note it could be done again and again.
    make_dir(&folder).and_then(|()| replace(&note, day.as_bytes())).map_err(|e| e.to_string())?;
    log::warn!("the planned restart begins");
    power::restart(camera).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(days: &str) -> (Days, At) {
        (Days(days.into()), At("04:30".into()))
    }

    /// Seconds of a local time, in days from Thursday the first on.
    fn at(day: i64, hour: i64, minute: i64) -> Option<i64> {
        Some(day * DAY + hour * 3600 + minute * 60)
    }

    #[test]
    fn a_moment_counts_once_seen_to_pass_and_for_an_hour() {
        let (days, time) = plan("daily");
        let mut watch = Watch::default();
        let mut due = |now| watch.is_due(&days, &time, now);
        assert!(!due(at(3, 4, 29)));
        assert!(due(at(3, 4, 30)) && due(at(3, 5, 29)));
        assert!(!due(at(3, 5, 30)) && !due(at(4, 4, 29)));
        assert!(due(at(4, 4, 31)));
        // A clock that is not set says nothing, and what it was set to is no passing.
        assert!(!due(None) && !due(at(5, 4, 31)));
        // Nor is a leap over half a day.
        assert!(!due(at(5, 16, 0)) && !due(at(6, 4, 31)));
        // A start or a plan after the moment waits for the next one.
        assert!(!Watch::default().is_due(&days, &time, at(3, 4, 31)));
        let mut watch = Watch::default();
        let later = At("06:00".into());
        assert!(!watch.is_due(&days, &later, at(3, 5, 0)));
        assert!(!watch.is_due(&days, &time, at(3, 5, 1)));
    }

    #[test]
    fn a_day_of_the_week_is_that_day_and_off_is_never() {
        for (name, wanted) in [("thu", 0), ("fri", 1), ("sat", 2), ("sun", 3), ("wed", 6)] {
            let (days, time) = plan(name);
            let mut watch = Watch::default();
            let seen: Vec<i64> = (0..14)
                .filter(|day| {
                    watch.is_due(&days, &time, at(*day, 4, 20));
                    watch.is_due(&days, &time, at(*day, 4, 30))
                })
                .collect();
            assert_eq!(seen, [wanted, wanted + 7], "{name}");
        }
        let (days, time) = plan("off");
        let mut watch = Watch::default();
        assert!((0..48).all(|half| !watch.is_due(&days, &time, at(0, half / 2, half % 2 * 30))));
    }

    #[test]
    fn only_days_and_times_of_the_day_are_taken() {
        for good in Days::NAMES {
            Days::try_from((*good).to_owned()).unwrap();
        }
        assert!(Days::try_from("monday".to_owned()).is_err());
        assert_eq!(At::try_from("23:59".to_owned()).unwrap().minutes(), Some(1439));
        for wrong in ["24:00", "1:30", "01:60", "01:5", "-1:30", "0130", "+1:30", "01:30:00", ""] {
            assert!(At::try_from(wrong.to_owned()).is_err(), "{wrong}");
        }
    }
}
