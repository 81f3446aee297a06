//! Times of a chip: typical figures of a W25Q128 and similar chips. The simulated chip adds them
//! up, and plans estimate with them. Pure.
//!
//! Facts: docs/formats.md, "Time a chip takes".

use std::time::Duration;

use serde::Serialize;

/// Programming one page of 256 bytes.
pub const PAGE: Duration = Duration::from_micros(500);
/// Erasing a block of 64 KiB.
pub const ERASE_64K: Duration = Duration::from_millis(150);
/// Erasing a sector of 4 KiB.
pub const ERASE_4K: Duration = Duration::from_millis(45);
/// Reading 64 KiB at 50 MHz on one line.
pub const READ_64K: Duration = Duration::from_micros(10_500);

/// The variable that says what share of this time the simulated chip really takes.
pub const PACE: &str = "MI360D_SIM_PACE";
/// The slowest pace: ten times a real chip's time.
const SLOWEST: f64 = 10.0;

/// The pace in a text: 0 is as fast as it goes, 1 a real chip's; none where it is no number from 0
/// to 10.
pub fn pace(text: &str) -> Option<f64> {
    text.trim().parse().ok().filter(|pace| (0.0..=SLOWEST).contains(pace))
}

/// Erasing one block of this size, in bytes.
pub fn erase(size: u32) -> Duration {
    if size < 0x1_0000 { ERASE_4K } else { ERASE_64K * (size >> 16) }
}

/// Reading so many bytes.
pub fn read(bytes: u64) -> Duration {
    Duration::from_micros(bytes * READ_64K.as_micros() as u64 / 0x1_0000)
}

/// What a chip was asked to do, and the time it takes for that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Spent {
    /// Bytes read.
    pub bytes_read: u64,
    /// Pages programmed.
    pub pages: u64,
    /// Blocks erased.
    pub erases: u64,
    /// The time for all of it, in microseconds.
    pub micros: u64,
}

impl Spent {
    /// Adds a read.
    pub fn add_read(&mut self, bytes: u64) {
        self.bytes_read += bytes;
        self.add(read(bytes));
    }

    /// Adds one page.
    pub fn add_page(&mut self) {
        self.pages += 1;
        self.add(PAGE);
    }

    /// Adds one erased block.
    pub fn add_erase(&mut self, size: u32) {
        self.erases += 1;
        self.add(erase(size));
    }

    fn add(&mut self, time: Duration) {
        self.micros += time.as_micros() as u64;
    }

    /// What was spent since `before`.
    #[must_use]
    pub fn since(self, before: Spent) -> Spent {
        Spent {
            bytes_read: self.bytes_read.saturating_sub(before.bytes_read),
            pages: self.pages.saturating_sub(before.pages),
            erases: self.erases.saturating_sub(before.erases),
            micros: self.micros.saturating_sub(before.micros),
        }
    }

    /// The time in seconds.
    pub fn seconds(self) -> f64 {
        Duration::from_micros(self.micros).as_secs_f64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pace_is_a_number_from_0_to_10() {
        for (text, is) in [
            ("0", Some(0.0)),
            (" 0.1\n", Some(0.1)),
            ("10", Some(10.0)),
            ("11", None),
            ("-1", None),
        ] {
            assert_eq!(pace(text), is, "{text}");
        }
        assert_eq!((pace(""), pace("fast"), pace("NaN")), (None, None, None));
    }

    #[test]
    fn a_changed_block_takes_what_a_data_sheet_says() {
        let mut spent = Spent::default();
        spent.add_erase(0x1_0000);
        (0..256).for_each(|_| spent.add_page());
        spent.add_read(0x1_0000);
        assert_eq!(spent.micros, 150_000 + 256 * 500 + 10_500);
        assert_eq!((spent.erases, spent.pages, spent.bytes_read), (1, 256, 0x1_0000));
    }
}
