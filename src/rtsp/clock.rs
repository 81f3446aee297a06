//! When pictures are shown, from when they came. Pictures come in bursts and late, for the pipe, the
//! card and the scheduler have moods; a camera takes them evenly. So the time that is told follows
//! the arrivals slowly. Pure.

/// Farther off than this, nothing is smoothed: there was a pause.
const PAUSE: f64 = 1_000_000.0;
/// How much of an error goes into the next time, and how much into the period.
const FOLLOW: f64 = 0.06;
const LEARN: f64 = 0.002;
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
        } else if error.abs() > PAUSE {
            self.time = arrived.max(self.time + LEAST);
        } else {
            // Whole periods are pictures that never came.
            let missing = (error / self.period).round().max(0.0) * self.period;
            let rest = error - missing;
            let next = predicted + missing + rest * FOLLOW;
            if self.seen <= 16 && missing == 0.0 {
                // What the stream tells of its rate is often wrong.
                self.period += (since - self.period) / f64::from(self.seen.max(4));
            } else {
                self.period += rest * LEARN;
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
