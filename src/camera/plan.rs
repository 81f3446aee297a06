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
const PATIENCE: i32 = 3600;
/// The longest step of the clock that does not leap over a moment: that of summer time.
const STEP: i32 = 4000;
const DAY: i32 = 86_400;

/// The days of the week, by which a plan may begin; 2026 began on a Thursday.
const WEEK: [&str; 7] = ["thu", "fri", "sat", "sun", "mon", "tue", "wed"];

/// When the camera restarts by itself: `daily 04:30`, or `sun 04:30`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Plan(pub String);

impl Plan {
    /// The day of [`WEEK`], if it is one only, and the seconds since midnight.
    fn parts(&self) -> Option<(Option<i32>, i32)> {
        let (days, time) = self.0.split_once(' ')?;
        let (hours, minutes) = time.split_once(':')?;
        let number = |text: &str, below: i32| {
            let good = text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
            text.parse::<i32>().ok().filter(|n| good && *n < below)
        };
        let day = (0..).zip(WEEK).find(|(_, name)| *name == days).map(|(day, _)| day);
        (day.is_some() || days == "daily").then_some(())?;
        Some((day, number(hours, 24)? * 3600 + number(minutes, 60)? * 60))
    }
}

impl TryFrom<String> for Plan {
    type Error = String;
    fn try_from(text: String) -> Result<Plan, String> {
        let plan = Plan(text);
        if plan.parts().is_none() {
            return Err("expected daily or mon to sun, and a time: daily 04:30".to_owned());
        }
        Ok(plan)
    }
}

/// The last planned moment up to now, both in seconds of local time.
fn planned(plan: &Plan, local: i32) -> Option<i32> {
    let (weekday, at) = plan.parts()?;
    let mut day = (local - at).div_euclid(DAY);
    if let Some(weekday) = weekday {
        day -= (day - weekday).rem_euclid(7);
    }
    Some(day * DAY + at)
}

/// What was seen of the clock so far.
#[derive(Debug, Default)]
pub struct Watch {
    seen: Option<i32>,
    due: Option<i32>,
}

impl Watch {
    /// Whether a restart is due now; `local` is none while the clock is not set. A moment counts
    /// only for who saw the clock pass it: not for a start, or a plan, that comes after it.
    pub fn is_due(&mut self, plan: Option<&Plan>, local: Option<i32>) -> bool {
        let before = std::mem::replace(&mut self.seen, local);
        let moment = local.and_then(|local| planned(plan?, local));
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
        let utc = host::seconds().and_then(|now| i32::try_from(now - zone::BEGIN).ok());
        let local = utc.map(|utc| utc + zone::offset(&config.time_zone.0, utc));
        if watch.is_due(config.reboot.as_ref(), local) {
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
fn go(camera: &Arc<Camera>, day: i32) -> Result<(), String> {
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

    fn plan(text: &str) -> Plan {
        Plan::try_from(text.to_owned()).unwrap()
    }

    /// Seconds of a local time, in days from a Thursday on.
    fn at(day: i32, hour: i32, minute: i32) -> Option<i32> {
        Some(day * DAY + hour * 3600 + minute * 60)
    }

    #[test]
    fn a_moment_counts_once_seen_to_pass_and_for_an_hour() {
        let daily = plan("daily 04:30");
        let mut watch = Watch::default();
        let mut due = |now| watch.is_due(Some(&daily), now);
        assert!(!due(at(3, 4, 29)));
        assert!(due(at(3, 4, 30)) && due(at(3, 5, 29)));
        assert!(!due(at(3, 5, 30)) && !due(at(4, 4, 29)));
        assert!(due(at(4, 4, 31)));
        // A clock that is not set says nothing, and what it was set to is no passing.
        assert!(!due(None) && !due(at(5, 4, 31)));
        // Nor is a leap over half a day.
        assert!(!due(at(5, 16, 0)) && !due(at(6, 4, 31)));
        // A start or a plan after the moment waits for the next one.
        assert!(!Watch::default().is_due(Some(&daily), at(3, 4, 31)));
        let mut watch = Watch::default();
        assert!(!watch.is_due(Some(&plan("daily 06:00")), at(3, 5, 0)));
        assert!(!watch.is_due(Some(&daily), at(3, 5, 1)));
        // One that is taken back while it waits is not done.
        assert!(!watch.is_due(Some(&daily), at(4, 4, 29)));
        assert!(watch.is_due(Some(&daily), at(4, 4, 30)));
        assert!(!watch.is_due(None, at(4, 4, 31)) && !watch.is_due(Some(&daily), at(4, 4, 32)));
    }

    #[test]
    fn a_day_of_the_week_is_that_day() {
        for (name, wanted) in [("thu", 0), ("fri", 1), ("sat", 2), ("sun", 3), ("wed", 6)] {
            let weekly = plan(&format!("{name} 04:30"));
            let mut watch = Watch::default();
            let seen: Vec<i32> = (0..14)
                .filter(|day| {
                    watch.is_due(Some(&weekly), at(*day, 4, 20));
                    watch.is_due(Some(&weekly), at(*day, 4, 30))
                })
                .collect();
            assert_eq!(seen, [wanted, wanted + 7], "{name}");
        }
    }

    #[test]
    fn only_days_and_times_of_the_day_are_taken() {
        assert_eq!(plan("mon 23:59").parts(), Some((Some(4), 86_340)));
        for wrong in [
            "daily 24:00",
            "daily 1:30",
            "daily 01:60",
            "daily 01:5",
            "daily -1:30",
            "daily 0130",
            "daily +1:30",
            "daily 01:30:00",
            "daily",
            "monday 01:30",
            "01:30",
            "off",
            "",
        ] {
            assert!(Plan::try_from(wrong.to_owned()).is_err(), "{wrong}");
        }
    }
}
