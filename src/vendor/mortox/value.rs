//! The values of keys, each with its bounds: settings, positions of the motors, and the firmware's
//! reports of them. Facts: docs/controls.md, "Keys".

use std::fmt;

/// When it is night.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Night {
    /// As the sensor says.
    Auto,
    /// Never: infrared light stays off.
    Day,
    /// Always: infrared light is on.
    Night,
}

/// What is recorded to the card by the firmware itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Record {
    /// Everything.
    Always,
    /// While something moves.
    Motion,
    /// Nothing.
    Never,
}

/// How sensitive each of the picture's 8 by 4 cells is: 0 ignored, 1 low, 3 high. Row by row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region([u8; Region::CELLS]);

impl Region {
    /// Cells: 8 in each of 4 rows.
    pub const CELLS: usize = 32;

    /// These cells; `None` where one is above 3, or there are not 32.
    pub fn new(cells: &[u8]) -> Option<Region> {
        let cells: [u8; Region::CELLS] = cells.try_into().ok()?;
        cells.iter().all(|cell| *cell <= 3).then_some(Region(cells))
    }

    /// All cells alike, 0 to 3.
    pub fn all(level: u8) -> Region {
        Region([level.min(3); Region::CELLS])
    }

    /// The cells.
    pub fn cells(&self) -> &[u8; Region::CELLS] {
        &self.0
    }

    /// The most sensitive cell.
    pub fn level(&self) -> u8 {
        self.0.iter().copied().max().unwrap_or_default()
    }

    /// The same cells with another sensitivity; a region without any is the whole picture.
    #[must_use]
    pub fn with_level(&self, level: u8) -> Region {
        if self.level() == 0 {
            return Region::all(level);
        }
        Region(self.0.map(|cell| if cell == 0 { 0 } else { level.min(3) }))
    }

    /// As the firmware writes it.
    pub fn read(text: &str) -> Option<Region> {
        let cells = numbers(text)?;
        let cells: Option<Vec<u8>> = cells.iter().map(|n| u8::try_from(*n).ok()).collect();
        Region::new(&cells?)
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        list(f, &self.0.map(i64::from))
    }
}

/// Where the camera looks, each 1 to 101: per cent of the way plus one. Left and up count upward.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    pan: u8,
    tilt: u8,
}

impl Position {
    /// The largest value of either axis.
    pub const MOST: u8 = 101;

    /// A position; `None` outside 1 to 101.
    pub fn new(pan: u8, tilt: u8) -> Option<Position> {
        let fits = |n| (1..=Position::MOST).contains(&n);
        (fits(pan) && fits(tilt)).then_some(Position { pan, tilt })
    }

    /// From right to left.
    pub fn pan(self) -> u8 {
        self.pan
    }

    /// From bottom to top.
    pub fn tilt(self) -> u8 {
        self.tilt
    }
}

/// One push of a motor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Some 4 per cent to the left, within 350 ms.
    Left,
    /// To the right.
    Right,
    /// Some 10 per cent up.
    Up,
    /// Down.
    Down,
    /// To both ends of both axes and to the middle: 28 s.
    Calibrate,
    /// Only report the position.
    Report,
}

/// A lamp at the front.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lamp {
    /// The blue one.
    Blue,
    /// The yellow one.
    Yellow,
}

/// One of the camera's own sounds, 0 to 14.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sound(pub(super) u8);

impl Sound {
    /// A sound by its number; `None` above 14.
    pub fn new(number: u8) -> Option<Sound> {
        (number <= 14).then_some(Sound(number))
    }
}

/// What devicekit reports of its motors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reported {
    /// Below zero: an error.
    pub status: i64,
    /// Where the camera looks.
    pub at: Position,
}

impl Reported {
    /// The value of [`Key::MotorPosition`](super::key::Key).
    pub fn read(text: &str) -> Option<Reported> {
        let numbers = numbers(text)?;
        let [_, status, pan, tilt, _] = numbers.as_slice() else { return None };
        let axis = |n: &i64| u8::try_from(*n).ok();
        Some(Reported { status: *status, at: Position::new(axis(pan)?, axis(tilt)?)? })
    }
}

/// The value of [`Key::Motor`](super::key::Key).
pub fn position(text: &str) -> Option<Position> {
    let numbers = numbers(text)?;
    let [pan, tilt] = numbers.as_slice() else { return None };
    Position::new(u8::try_from(*pan).ok()?, u8::try_from(*tilt).ok()?)
}

/// `[1,2,3]`, at most 64 of them.
fn numbers(text: &str) -> Option<Vec<i64>> {
    let inner = text.trim().strip_prefix('[')?.strip_suffix(']')?;
    let found: Option<Vec<i64>> =
        inner.split(',').take(65).map(|part| part.trim().parse().ok()).collect();
    found.filter(|all| all.len() <= 64)
}

fn list(f: &mut fmt::Formatter<'_>, numbers: &[i64]) -> fmt::Result {
    f.write_str("[")?;
    for (index, number) in numbers.iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        write!(f, "{comma}{number}")?;
    }
    f.write_str("]")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_and_regions_have_their_bounds() {
        assert_eq!(Position::new(0, 50), None);
        assert_eq!(Position::new(1, 102), None);
        let at = Position::new(52, 47).unwrap();
        assert_eq!(Reported::read("[0,1,52,47,9]"), Some(Reported { status: 1, at }));
        assert_eq!(Reported::read("[0,1,0,47,9]"), None);
        assert_eq!(Reported::read("[0,1]"), None);
        assert_eq!(position("[52,47]"), Some(at));
        assert_eq!(Region::new(&[4; 32]), None);
        assert_eq!(Region::new(&[1; 31]), None);
        assert_eq!(Region::all(0).with_level(2), Region::all(2));
        let mut cells = [0; 32];
        cells[5] = 1;
        let region = Region::new(&cells).unwrap();
        assert_eq!(region.with_level(3).cells()[5], 3);
        assert_eq!(region.with_level(3).cells()[4], 0);
        assert_eq!(Sound::new(15), None);
    }
}
