//! Entries of the table of times that are due. Pure: the time comes in.
//!
//! States (camera on, night vision, status light) hold: what was due last counts, also after a
//! start or a leap of the clock. A preset and a restart happen only as the clock is seen to pass
//! their time.

use super::schedule::{DAY, Deed, Entry, STATES, nearest};

/// The longest step of the clock, in seconds, that does not leap over a moment.
const STEP: i32 = 4000;
/// Seconds after which a preset, and a restart, that could not be done is left for the next time.
const PATIENCE: [i32; 2] = [300, 3600];
/// What entries are about: the states, presets, restarts. Of each the last one due counts.
const SUBJECTS: usize = STATES.len() + 2;

/// What is due: a deed and its moment.
pub type Due = (i32, Deed);

/// What of a subject is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Done {
    moment: Option<i32>,
    /// Whether it was set by the table, and not changed since.
    is_set: bool,
    /// Whether it was changed by hand since.
    by_hand: bool,
}

/// What was seen of the clock, and done, so far.
#[derive(Clone, Debug, Default)]
pub struct Watch {
    seen: Option<i32>,
    done: [Done; SUBJECTS],
    /// Moments of presets and restarts that were seen to pass.
    passed: [Option<i32>; 2],
    /// The first known word of each state while the clock is not set.
    early: [Option<&'static str>; STATES.len()],
    /// The zone and the table of the last look.
    known: Option<(String, Vec<Entry>)>,
}

impl Watch {
    /// From what [`Watch::note`] wrote; a damaged note counts as none.
    pub fn new(note: &str) -> Watch {
        let mut watch = Watch::default();
        for (done, word) in watch.done.iter_mut().zip(note.split_whitespace()) {
            done.moment = word.parse().ok();
            done.by_hand = done.moment.is_some();
        }
        watch
    }

    /// What a later start must know, one line for each subject: which presets and restarts are
    /// done, and which states were changed by hand. All other states are set again.
    pub fn note(&self) -> String {
        let mut note = String::new();
        for (subject, done) in self.done.iter().enumerate() {
            let kept = done.moment.filter(|_| done.by_hand || subject >= STATES.len());
            note.push_str(&kept.map_or("-".to_owned(), |moment| moment.to_string()));
            note.push('\n');
        }
        note
    }

    /// What is to be done now, in its order; `utc` is none while the clock is not set. `held` is
    /// the word of a control, where it is known.
    pub fn look(
        &mut self,
        zone: &str,
        table: &[Entry],
        utc: Option<i32>,
        held: &dyn Fn(&str) -> Option<&'static str>,
    ) -> Vec<Due> {
        let before = std::mem::replace(&mut self.seen, utc);
        let Some(now) = utc else {
            self.passed = [None; 2];
            for (early, (id, _)) in self.early.iter_mut().zip(STATES) {
                *early = early.or_else(|| held(id));
            }
            return Vec::new();
        };
        let early = std::mem::take(&mut self.early);
        let known = self.known.take().unwrap_or_else(|| (zone.to_owned(), table.to_vec()));
        let mut last: [Option<(Due, bool)>; SUBJECTS] = [None; SUBJECTS];
        for entry in table {
            let moment = nearest(zone, entry, now, false);
            let (Some(deed), Some(moment)) = (entry.deed(), moment) else { continue };
            let one = &mut last[deed.subject()];
            if one.is_none_or(|((other, _), _)| other <= moment) {
                *one = Some(((moment, deed), known.1.contains(entry)));
            }
        }
        let mut due = Vec::new();
        for (subject, one) in last.into_iter().enumerate() {
            let Some(((moment, deed), is_known)) = one else { continue };
            let done = &mut self.done[subject];
            if let (Deed::Set(id, word), Some(at)) = (deed, done.moment)
                && done.is_set
                && at == moment
                && held(id).is_some_and(|now| now != word)
            {
                (done.is_set, done.by_hand) = (false, true);
            }
            if let Deed::Set(id, _) = deed
                && let Some(word) = early[subject]
                && held(id).is_some_and(|now| now != word)
            {
                // Changed while the clock was not set.
                *done = Done { moment: Some(moment), is_set: false, by_hand: true };
            }
            let passes = before.is_some_and(|before| (moment - STEP..moment).contains(&before));
            let is_open = |leap: i32| done.moment.is_none_or(|at| moment > at || at > now + leap);
            let is_due = if let Some(act) = subject.checked_sub(STATES.len()) {
                if passes {
                    self.passed[act] = Some(moment);
                }
                self.passed[act] == Some(moment) && now - moment < PATIENCE[act] && is_open(DAY)
            } else if !passes && (!is_known || (known.0 != zone && done.moment.is_some())) {
                // A new entry, or another zone, waits for the next time.
                *done = Done { moment: Some(moment), ..Done::default() };
                false
            } else {
                is_open(STEP)
            };
            if is_due {
                due.push((moment, deed));
            }
        }
        self.known = Some((zone.to_owned(), table.to_vec()));
        due
    }

    /// That it is done.
    pub fn done(&mut self, (moment, deed): Due) {
        self.done[deed.subject()] = Done { moment: Some(moment), is_set: true, by_hand: false };
    }
}

#[cfg(test)]
mod tests {
    use super::super::schedule::{moment, next};
    use super::*;

    const LISBON: &str = "WET0WEST,M3.5.0/1,M10.5.0";

    fn entries(lines: &[&str]) -> Vec<Entry> {
        lines.iter().map(|line| Entry::try_from((*line).to_owned()).unwrap()).collect()
    }

    /// Seconds of UTC, in days from Thursday 2026-01-01 on.
    fn at(day: i32, hour: i32, minute: i32) -> i32 {
        day * DAY + hour * 3600 + minute * 60
    }

    /// A camera: its watch, its controls, and what was done.
    struct Rig {
        watch: Watch,
        zone: &'static str,
        table: Vec<Entry>,
        power: Option<&'static str>,
        done: Vec<(i32, Deed)>,
    }

    impl Rig {
        fn new(table: &[&str]) -> Rig {
            let table = entries(table);
            Rig { watch: Watch::default(), zone: LISBON, table, power: Some("on"), done: vec![] }
        }

        /// What is done at this look.
        fn look(&mut self, utc: impl Into<Option<i32>>) -> Vec<Deed> {
            let (utc, power) = (utc.into(), self.power);
            let held = |id: &str| power.filter(|_| id == "power");
            let due = self.watch.look(self.zone, &self.table, utc, &held);
            for one in &due {
                if let Deed::Set("power", word) = one.1 {
                    self.power = Some(word);
                }
                self.watch.done(*one);
                self.done.push((utc.unwrap(), one.1));
            }
            due.into_iter().map(|(_, deed)| deed).collect()
        }

        /// Every five seconds.
        fn run(&mut self, from: i32, until: i32) {
            for now in (from..=until).step_by(5) {
                self.look(now);
            }
        }

        fn restart(&mut self) {
            self.watch = Watch::new(&self.watch.note());
        }
    }

    const OFF: Deed = Deed::Set("power", "off");
    const ON: Deed = Deed::Set("power", "on");

    #[test]
    fn each_entry_comes_once_on_its_days_in_the_zone_through_the_changes_of_summer_time() {
        // Lisbon's clocks go from 01:00 to 02:00 on 2026-03-29 (day 87), and from 02:00 to 01:00
        // on 2026-10-25 (day 297); both are Sundays.
        let table = [
            // Day, entry, the UTC at which it comes.
            (86, "daily 01:30 preset 1", Some(at(86, 1, 30))),
            (87, "daily 01:30 preset 1", Some(at(87, 1, 30))),
            (87, "daily 00:59 preset 1", Some(at(87, 0, 59))),
            (87, "daily 02:00 preset 1", Some(at(87, 1, 0))),
            (88, "daily 01:30 preset 1", Some(at(88, 0, 30))),
            (297, "daily 00:59 preset 1", Some(at(296, 23, 59))),
            (297, "daily 01:30 preset 1", Some(at(297, 0, 30))),
            (297, "daily 02:00 preset 1", Some(at(297, 2, 0))),
            (298, "daily 01:30 preset 1", Some(at(298, 1, 30))),
            (87, "sun 12:00 preset 1", Some(at(87, 11, 0))),
            (87, "mon,sat 12:00 preset 1", None),
            (88, "mon,sat 12:00 preset 1", Some(at(88, 11, 0))),
        ];
        for (day, line, wanted) in table {
            let mut rig = Rig::new(&[line]);
            // A local day.
            let (from, until) = (moment(LISBON, at(day, 0, 0)), moment(LISBON, at(day + 1, 0, 0)));
            rig.run(from, until - 5);
            let came: Vec<i32> = rig.done.iter().map(|(utc, _)| *utc).collect();
            assert_eq!(came, wanted.into_iter().collect::<Vec<_>>(), "{line} on day {day}");
            if let Some(wanted) = wanted {
                assert_eq!(next(LISBON, &rig.table[0], from), Some(wanted), "{line}");
            }
        }
    }

    #[test]
    fn no_leap_of_the_clock_does_a_thing_twice_or_catches_up_a_heap() {
        let lines = ["daily 04:00 restart", "daily 12:00 preset 1", "daily 12:10 preset 2"];
        let mut rig = Rig::new(&lines);
        // Not before the clock is set, nor by its being set, nor by a leap of days or of hours.
        for utc in [None, Some(at(10, 12, 1)), Some(at(14, 12, 11)), Some(at(15, 3, 0))] {
            assert_eq!(rig.look(utc), [], "{utc:?}");
        }
        assert_eq!(rig.look(at(15, 4, 0)), [Deed::Restart]);
        // A start right after it, by a clock that is behind at first, or not set.
        rig.restart();
        for utc in [Some(at(15, 3, 59)), Some(at(15, 4, 0) + 20), None, Some(at(15, 4, 1))] {
            assert_eq!(rig.look(utc), [], "{utc:?}");
        }
        rig.run(at(15, 11, 55), at(15, 12, 15));
        assert_eq!(rig.done.len(), 3);
        // Set back over both, and on again.
        rig.run(at(15, 11, 50), at(15, 12, 20));
        assert_eq!(rig.done.len(), 3);
        // A clock that was a year ahead, and came back, does not keep it from its work.
        rig.run(at(380, 11, 59), at(380, 12, 1));
        rig.run(at(16, 11, 59), at(16, 12, 1));
        assert_eq!(rig.done.len(), 5);
    }

    #[test]
    fn what_cannot_be_done_now_waits_for_its_patience_only() {
        for (line, patience) in [("daily 12:00 preset 1", 300), ("daily 12:00 restart", 3600)] {
            let (mut watch, table) = (Watch::default(), entries(&[line]));
            let mut look =
                |utc, table: &[Entry]| watch.look("UTC0", table, Some(utc), &|_| None).len();
            let noon = at(3, 12, 0);
            assert_eq!((look(noon - 5, &table), look(noon, &table)), (0, 1));
            assert_eq!(look(noon + patience - 1, &table), 1, "{line}");
            // Nor where it is taken from the table meanwhile.
            assert_eq!((look(noon + patience - 1, &[]), look(noon + patience, &table)), (0, 0));
        }
    }

    #[test]
    fn a_state_holds_from_its_time_on_also_after_a_start_and_a_change_by_hand_until_the_next() {
        let lines = ["daily 22:00 power off", "daily 07:00 power on"];
        let mut rig = Rig::new(&lines);
        assert_eq!(rig.look(None), []);
        // A start inside the span.
        assert_eq!(rig.look(at(3, 23, 0)), [OFF]);
        assert_eq!(rig.look(at(3, 23, 1)), []);
        // By hand: kept, also over a restart, until the next entry.
        rig.power = Some("on");
        assert_eq!(rig.look(at(3, 23, 2)), []);
        rig.restart();
        assert_eq!(rig.look(at(4, 1, 0)), []);
        assert_eq!(rig.look(at(4, 22, 1)), [OFF]);
        // A restart without one sets it again, for the firmware may have lost it.
        rig.restart();
        assert_eq!(rig.look(at(4, 23, 0)), [OFF]);
        // While the firmware does not answer nobody has changed anything.
        rig.power = None;
        assert_eq!(rig.look(at(4, 23, 1)), []);
        rig.restart();
        assert_eq!(rig.look(at(4, 23, 2)), [OFF]);
        // A leap over days and entries: only the state of now; one back over hours: that of then.
        assert_eq!(rig.look(at(9, 12, 0)), [ON]);
        assert_eq!(rig.look(at(9, 5, 0)), [OFF]);
        // A small one back is none.
        rig.run(at(9, 6, 55), at(9, 7, 5));
        rig.run(at(9, 6, 30), at(9, 7, 30));
        assert_eq!(rig.done.iter().filter(|(utc, _)| *utc > at(9, 5, 0)).count(), 2);
    }

    #[test]
    fn a_change_by_hand_before_the_clock_is_set_stays_until_the_next_entry() {
        let mut rig = Rig::new(&["daily 22:00 power off", "daily 07:00 power on"]);
        // The firmware is not there yet, then reports, and then the owner switches it off.
        for power in [None, Some("on"), Some("off")] {
            rig.power = power;
            assert_eq!(rig.look(None), []);
        }
        rig.run(at(3, 12, 0), at(3, 12, 1));
        rig.restart();
        assert_eq!(rig.look(None), []);
        rig.run(at(3, 13, 0), at(3, 13, 1));
        assert_eq!((rig.power, rig.done.len()), (Some("off"), 0));
        assert_eq!(rig.look(at(4, 7, 0)), [ON]);
        // What nobody changed is set.
        let mut rig = Rig::new(&["daily 07:00 power off"]);
        assert_eq!((rig.look(None), rig.look(at(3, 12, 0))), (vec![], vec![OFF]));
    }

    #[test]
    fn a_new_entry_or_zone_waits_for_its_next_time() {
        let mut rig = Rig::new(&["daily 22:00 power off"]);
        assert_eq!(rig.look(at(3, 21, 0)), [OFF]);
        rig.power = Some("on");
        rig.table = entries(&["daily 22:00 power off", "daily 20:00 power off"]);
        assert_eq!(rig.look(at(3, 21, 1)), []);
        rig.zone = "CET-1";
        assert_eq!(rig.look(at(3, 21, 30)), []);
        // Unless it is due at this very look.
        rig.table.extend(entries(&["daily 22:31 night day"]));
        assert_eq!(rig.look(at(3, 21, 31)), [Deed::Set("night", "day")]);
        // Of two at the same time the last one counts.
        rig.table.extend(entries(&["fri 01:00 power on", "fri 01:00 power off"]));
        assert_eq!(rig.look(at(7, 23, 59)), [OFF, Deed::Set("night", "day")]);
        assert_eq!(rig.look(at(8, 0, 0)), [OFF]);
    }
}
