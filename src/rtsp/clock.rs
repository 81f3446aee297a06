//! Clock of the pictures: even times from uneven arrivals. Pictures come in bursts and late,
//! because of the pipe, the card and the scheduler; a camera takes them evenly. So the reported
//! time follows the arrivals slowly. Pure.

/// So late, and nothing is smoothed: there was a pause.
const PAUSE: f64 = 1_000_000.0;
/// So early, and the writer does not keep time at all.
const FLOOD: f64 = -5_000_000.0;
/// How much of an error counts in the next time, and how much of a step into the period.
const FOLLOW: f64 = 0.06;
const LEARN: f64 = 0.01;
/// The most that a step differs from the period, as a part of it. Pictures that waited in the pipe
/// come all at once; they are shown one after the other all the same.
const BEND: f64 = 0.2;
/// Two pictures are at least so far apart, in microseconds: times must grow.
const LEAST: f64 = 1_000.0;
/// One picture from the next, in microseconds: 240 in a second to one in two.
const PERIODS: std::ops::RangeInclusive<f64> = 4_000.0..=2_000_000.0;

/// Smoothed times of one stream; all in microseconds.
#[derive(Clone, Debug)]
pub struct Clock {
    last_arrival: f64,
    time: f64,
    period: f64,
    seen: u32,
}

impl Clock {
    /// With the rate that the stream tells, if it does.
    pub fn new(per_second: Option<f64>) -> Clock {
        let period = per_second.filter(|r| *r > 0.0).map_or(50_000.0, |rate| 1e6 / rate);
        Clock {
            last_arrival: 0.0,
            time: 0.0,
            period: period.clamp(*PERIODS.start(), *PERIODS.end()),
            seen: 0,
        }
    }

    /// The time of a picture that arrived then. Grows from picture to picture.
    pub fn picture(&mut self, arrived: u64) -> u64 {
        // 2^53 microseconds are 285 years.
        #[allow(clippy::cast_precision_loss)]
        let arrived = arrived as f64;
        let since = arrived - self.last_arrival;
        self.last_arrival = arrived;
        let predicted = self.time + self.period;
        let error = arrived - predicted;
        self.seen = self.seen.saturating_add(1);
        if self.seen == 1 {
            self.time = arrived;
        } else if !(FLOOD..=PAUSE).contains(&error) {
            self.time = arrived.max(self.time + LEAST);
        } else {
            // Whole periods are pictures that never came.
            let missing = (error / self.period).round().max(0.0) * self.period;
            let rest = error - missing;
            let most = self.period * BEND;
            let next = predicted + missing + (rest * FOLLOW).clamp(-most, most);
            if self.seen <= 16 && missing == 0.0 {
                // What the stream tells of its rate is often wrong.
                self.period += (since - self.period) / f64::from(self.seen.max(4));
            } else {
                // Bursts and gaps say nothing of the rate.
                let usual = (0.25 * self.period..1.6 * self.period).contains(&since);
                self.period += if usual { (since - self.period) * LEARN } else { 0.0 };
            }
            self.period = self.period.clamp(*PERIODS.start(), *PERIODS.end());
            self.time = next.max(self.time + LEAST);
        }
        // Never negative: arrivals are not, and the time only grows.
        #[allow(clippy::cast_sign_loss)]
        let time = self.time as u64;
        time
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_is_smoothed_and_the_rate_is_kept() {
        let mut clock = Clock::new(Some(25.0)); // the stream lies: it is 20
        let mut last = 0;
        let mut steps = Vec::new();
        let mut noise = 1u64;
        for index in 0..2_000u64 {
            noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let late = (noise >> 33) % 20_000;
            let time = clock.picture(1_000_000 + index * 50_000 + late);
            if index > 500 {
                steps.push(time - last);
            }
            last = time;
        }
        assert!(steps.iter().all(|step| (46_000..=54_000).contains(step)), "{steps:?}");
        let end = 1_000_000 + 1_999 * 50_000;
        assert!(last.abs_diff(end + 10_000) < 15_000, "no drift: {last} against {end}");
    }

    #[test]
    fn pictures_that_waited_in_the_pipe_are_shown_one_after_the_other() {
        let mut clock = Clock::new(Some(20.0));
        let held_up = |index: u64| if (100..130).contains(&index) { 130 } else { index };
        let times: Vec<u64> =
            (0..600).map(|index| clock.picture(held_up(index) * 50_000)).collect();
        let jumps = times.windows(2).filter(|pair| pair[1] - pair[0] > 61_000).count();
        assert_eq!(jumps, 1, "the one over the pause");
        assert!(times.windows(2).all(|pair| pair[1] - pair[0] >= 39_000), "{times:?}");
        assert!(times[599].abs_diff(599 * 50_000) < 60_000, "and it comes back: {}", times[599]);
    }

    #[test]
    fn times_grow_whatever_comes() {
        let mut clock = Clock::new(None);
        let mut last = None;
        for arrived in [5, 5, 5, 4_000_000, 4_000_000, 4_000_001, 9, 8_000_000, 8_050_000] {
            let time = clock.picture(arrived);
            assert!(last.is_none_or(|before| time > before), "{arrived}");
            last = Some(time);
        }
        assert!(last.unwrap().abs_diff(8_050_000) < 60_000, "a pause is not smoothed");
    }
}
