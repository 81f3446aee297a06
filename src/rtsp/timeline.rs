//! The encoder's clock and the server's: when a frame is shown, from the time that the encoder gave
//! it. Pictures and sound go by one timeline, so they stay in step. Pure.

/// So far ahead of what was expected, or behind the frame before, and the encoder's clock was set:
/// microseconds.
const JUMP: i64 = 3_000_000;
/// So late, and it was not the reader that was held up: microseconds.
const LATEST: i64 = 30_000_000;
/// Frames arrive so early or late without the clocks being apart: microseconds.
const USUAL: i64 = 150_000;
/// The most that is corrected with one frame, so that nobody hears or sees it: microseconds.
const STEP: i64 = 50;

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    /// The server's clock is the encoder's and this.
    offset: Option<i64>,
}

/// The encoder's time of the newest frame of one endpoint. What waited for a reader that was held up is
/// read from several endpoints in turn, some seconds ahead of each other: that is no clock that was set.
#[derive(Clone, Copy, Debug, Default)]
pub struct Newest(i64);

impl Timeline {
    /// The server's time of a frame that the encoder made at `encoder` and that arrived at `now`,
    /// all in microseconds. Distances between frames are the encoder's own; where the two clocks
    /// drift apart, the time follows slowly.
    pub fn at(&mut self, newest: &mut Newest, encoder: u64, now: u64) -> u64 {
        let encoder = i64::try_from(encoder).unwrap_or(i64::MAX / 2);
        let now = i64::try_from(now).unwrap_or(i64::MAX / 2);
        let fresh = now.saturating_sub(encoder);
        let offset = match self.offset {
            Some(offset) => {
                let late = fresh.saturating_sub(offset);
                let back = newest.0.saturating_sub(encoder);
                if !(-JUMP..=LATEST).contains(&late) || back > JUMP {
                    fresh
                } else if late.saturating_abs() > USUAL {
                    offset + late.clamp(-STEP, STEP)
                } else {
                    offset
                }
            }
            None => fresh,
        };
        self.offset = Some(offset);
        newest.0 = encoder;
        u64::try_from(encoder.saturating_add(offset)).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_the_encoder_s_own_however_frames_arrive() {
        let mut timeline = Timeline::default();
        let mut newest = Newest::default();
        let mut noise = 1u64;
        let mut times = Vec::new();
        for index in 0..2_000 {
            noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let late = (noise >> 33) % 120_000;
            times.push(timeline.at(
                &mut newest,
                7_000_000_000 + index * 50_000,
                index * 50_000 + late,
            ));
        }
        assert!(times.windows(2).all(|pair| pair[1] - pair[0] == 50_000));
    }

    #[test]
    fn sound_and_pictures_stay_in_step_when_the_clocks_drift() {
        let mut timeline = Timeline::default();
        let (mut worst, mut newest) = (0, [Newest::default(); 2]);
        // The encoder's clock is 200 ppm too fast, for an hour.
        for index in 0..72_000u64 {
            let now = index * 50_000;
            let encoder = 5_000_000 + now + now / 5_000;
            let [picture, sound] =
                newest.each_mut().map(|newest| timeline.at(newest, encoder, now));
            assert!(sound.abs_diff(picture) <= STEP.unsigned_abs());
            worst = worst.max(picture.abs_diff(now));
        }
        assert!(worst < 200_000, "{worst}");
    }

    #[test]
    fn frames_that_waited_for_a_reader_that_was_held_up_keep_their_distances() {
        let mut timeline = Timeline::default();
        let (mut last, mut newest) = (None, Newest::default());
        for index in 0..600u64 {
            let taken = index * 50_000;
            // For ten seconds nobody reads.
            let now =
                if (100..300).contains(&taken.div_euclid(50_000)) { 15_000_000 } else { taken };
            let time = timeline.at(&mut newest, 1_000_000 + taken, now);
            if let Some(last) = last {
                let step: u64 = time - last;
                assert!(step.abs_diff(50_000) <= STEP.unsigned_abs(), "{index}: {step}");
            }
            last = Some(time);
        }
    }

    #[test]
    fn sound_that_is_read_seconds_ahead_of_the_pictures_leaves_their_times_alone() {
        let mut timeline = Timeline::default();
        let (mut pictures, mut sound) = (Newest::default(), Newest::default());
        let (first, now) = (1_000_000, 25_000_000);
        assert_eq!(timeline.at(&mut pictures, first, 0), 0);
        // Nobody read for 25 seconds. Now 32 pieces of sound come with each picture.
        for index in 1..280u64 {
            for piece in (index - 1) * 32..(index * 32).min(280) {
                let time = timeline.at(&mut sound, first + piece * 40_000, now);
                assert!(time.abs_diff(piece * 40_000) <= 560 * STEP.unsigned_abs(), "{time}");
            }
            let time = timeline.at(&mut pictures, first + index * 50_000, now);
            assert!(time.abs_diff(index * 50_000) <= 560 * STEP.unsigned_abs(), "{index}: {time}");
        }
    }

    #[test]
    fn a_clock_that_was_set_does_not_leave_the_server_s() {
        let (mut timeline, mut newest) = (Timeline::default(), Newest::default());
        let mut at = |encoder, now| timeline.at(&mut newest, encoder, now);
        assert_eq!(at(1_000_000, 50), 50);
        assert_eq!(at(900_000_000_000, 50_050), 50_050);
        assert_eq!(at(3, 100_050), 100_050);
        assert_eq!(at(u64::MAX, 150_050), 150_050);
        assert_eq!(at(50_003, 200_050), 200_050);
    }
}
