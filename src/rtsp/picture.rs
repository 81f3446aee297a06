//! Size and rate of the pictures as a parameter set states them, limited to what a camera can mean.
//! Pure.

use serde::{Deserialize, Serialize};

/// The picture in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Size {
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
}

/// Pictures in a second, as a fraction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    numerator: u32,
    denominator: u32,
}

impl Rate {
    /// Pictures in a second.
    pub fn per_second(self) -> f64 {
        f64::from(self.numerator) / f64::from(self.denominator)
    }
}

/// Between 16 and 8192 pixels each way.
pub(super) fn sane_size(size: Size) -> Option<Size> {
    let sane = 16..=8192;
    (sane.contains(&size.width) && sane.contains(&size.height)).then_some(size)
}

/// Between one picture in two seconds and 240 in one.
pub(super) fn sane_rate(numerator: u32, denominator: u32) -> Option<Rate> {
    if numerator == 0 || denominator == 0 {
        return None;
    }
    let rate = Rate { numerator, denominator };
    (0.5..=240.0).contains(&rate.per_second()).then_some(rate)
}
