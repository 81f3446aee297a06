//! A patrol: from preset to preset, with a pause at each. Pure: the time comes in. The moves
//! themselves are in [`crate::camera::patrol`].

use std::time::{Duration, Instant};

/// The presets of a patrol, in their order, and where it is.
#[derive(Debug)]
pub struct Patrol {
    presets: Vec<u32>,
    pause: Duration,
    at: usize,
    due: Instant,
}

impl Patrol {
    /// Begins with the first one at once.
    pub fn new(presets: Vec<u32>, pause: Duration, now: Instant) -> Patrol {
        Patrol { presets, pause, at: 0, due: now }
    }

    /// The preset to turn to now. The pause begins when the camera has stopped.
    pub fn due(&mut self, moving: bool, now: Instant) -> Option<u32> {
        if moving {
            self.due = now + self.pause;
        }
        if now < self.due { None } else { self.presets.get(self.at).copied() }
    }

    /// The move to the preset that was due has begun.
    pub fn went(&mut self, now: Instant) {
        self.at = (self.at + 1) % self.presets.len().max(1);
        self.due = now + self.pause;
    }

    /// Leaves a preset out that is no more; whether there is still a way between two.
    pub fn forget(&mut self, preset: u32) -> bool {
        self.presets.retain(|one| *one != preset);
        self.at %= self.presets.len().max(1);
        self.presets.len() > 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_round_and_the_pause_begins_when_the_camera_stands() {
        let (begin, pause) = (Instant::now(), Duration::from_secs(30));
        let at = |seconds| begin + Duration::from_secs(seconds);
        let mut patrol = Patrol::new(vec![3, 1, 3, 7], pause, begin);
        let mut went = Vec::new();
        for second in 0..200 {
            // Each move takes ten seconds.
            let moving = went.last().is_some_and(|(_, since)| second - since < 10);
            if let Some(preset) = patrol.due(moving, at(second)) {
                patrol.went(at(second));
                went.push((preset, second));
            }
        }
        assert_eq!(went, [(3, 0), (1, 39), (3, 78), (7, 117), (3, 156), (1, 195)]);
        // One that is refused is due again; one that is no more is left out.
        assert_eq!(patrol.due(false, at(300)), Some(3));
        assert_eq!(patrol.due(false, at(300)), Some(3));
        assert!(patrol.forget(3));
        assert_eq!(patrol.due(false, at(300)), Some(1));
        assert!(!patrol.forget(1));
    }
}
