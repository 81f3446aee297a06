//! A planned restart: on one day of the week or on all, at a time of the camera's zone. Pure: the
//! time comes in.

use serde::{Deserialize, Serialize};

/// Seconds after which what could not be done is left for the next time.
const PATIENCE: i32 = 3600;
/// The longest step of the clock that does not leap over a moment: that of summer time.
const STEP: i32 = 4000;
/// Seconds of a day.
pub const DAY: i32 = 86_400;

/// The days of the week, by which a plan may begin; 2026 began on a Thursday.
const WEEK: [&str; 7] = ["thu", "fri", "sat", "sun", "mon", "tue", "wed"];

/// When the camera restarts by itself: `daily 04:30`, or `sun 04:30`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
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
