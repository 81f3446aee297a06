//! Several readings of one chip: what most of them say, and where they differ.

use serde::Serialize;

/// Bytes that are decided together: a page of the chip.
const PAGE: usize = 256;
/// Bytes that one cell of the map stands for.
pub const CELL: usize = 0x1_0000;
/// The most differing bytes that are named one by one.
const NAMED: usize = 256;

/// How a difference was settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Settled {
    /// More than half of the readings agree.
    Majority,
    /// A checksum says which one is right.
    Checksum,
    /// Not at all: the first reading was taken.
    No,
}

/// A byte in which readings differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Where, in bytes from the chip's start.
    pub offset: u64,
    /// Which bits differ, 0 the lowest.
    pub bits: Vec<u8>,
    /// How it was settled.
    pub settled: Settled,
}

/// What several readings amount to.
#[derive(Clone, Debug)]
pub struct Merged {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// The first differing bytes.
    pub places: Vec<Difference>,
    /// How many differ in all.
    pub differing: u64,
    /// For each 64 KiB: how the worst difference in it was settled.
    pub cells: Vec<Option<Settled>>,
}

/// Merges readings of the same length.
pub fn merge(readings: &[&[u8]]) -> Merged {
    let first = readings.first().copied().unwrap_or_default();
    let mut out = Merged {
        bytes: first.to_vec(),
        places: Vec::new(),
        differing: 0,
        cells: vec![None; first.len().div_ceil(CELL)],
    };
    for start in (0..first.len()).step_by(PAGE) {
        let end = (start + PAGE).min(first.len());
        let pages: Vec<&[u8]> = readings.iter().filter_map(|r| r.get(start..end)).collect();
        if pages.iter().all(|page| *page == pages[0]) {
            continue;
        }
        let most = most_equal(&pages);
        for i in 0..end - start {
            let bits = pages.iter().fold(0, |bits, page| bits | (page[i] ^ pages[0][i]));
            if bits == 0 {
                continue;
            }
            let values: Vec<&u8> = pages.iter().map(|page| &page[i]).collect();
            let (value, settled) = match most {
                Some(page) => (page[i], Settled::Majority),
                None => match most_equal(&values) {
                    Some(value) => (*value, Settled::Majority),
                    None => (pages[0][i], Settled::No),
                },
            };
            out.bytes[start + i] = value;
            out.note(start + i, bits, settled);
        }
    }
    out
}

/// What more than half are.
fn most_equal<T: PartialEq + Copy>(all: &[T]) -> Option<T> {
    all.iter().copied().find(|one| all.iter().filter(|other| *other == one).count() * 2 > all.len())
}

impl Merged {
    fn note(&mut self, at: usize, bits: u8, settled: Settled) {
        self.differing += 1;
        if self.places.len() < NAMED {
            let bits = (0..8).filter(|bit| bits >> bit & 1 == 1).collect();
            self.places.push(Difference { offset: at as u64, bits, settled });
        }
        if let Some(cell) = self.cells.get_mut(at / CELL) {
            *cell = (*cell).max(Some(settled));
        }
    }

    /// A checksum says that these bytes of one reading are right.
    pub fn settle(&mut self, from: usize, right: &[u8]) {
        let end = from + right.len();
        self.bytes[from..end].copy_from_slice(right);
        let inside = |at: u64| (from as u64..end as u64).contains(&at);
        for place in self.places.iter_mut().filter(|p| inside(p.offset)) {
            place.settled = Settled::Checksum;
        }
        for cell in &mut self.cells[from / CELL..end.div_ceil(CELL)] {
            *cell = cell.map(|_| Settled::Checksum);
        }
    }

    /// Whether all differences in these bytes are settled.
    pub fn is_settled(&self, from: usize, end: usize) -> bool {
        let cells = self.cells.get(from / CELL..end.div_ceil(CELL)).unwrap_or_default();
        !cells.contains(&Some(Settled::No))
    }

    /// One letter for each 64 KiB: `.` equal, `m` by majority, `c` by checksum, `?` not settled.
    pub fn row(&self) -> String {
        self.cells
            .iter()
            .map(|cell| match cell {
                None => '.',
                Some(Settled::Majority) => 'm',
                Some(Settled::Checksum) => 'c',
                Some(Settled::No) => '?',
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_majority_of_each_page_counts_and_differences_are_named() {
        let right: Vec<u8> = (0..3 * CELL).map(|i| (i * 7 + i / 251) as u8).collect();
        let mut readings = vec![right.clone(); 3];
        readings[0][10] ^= 0x81;
        readings[1][CELL + 5] ^= 2;
        // The same byte, wrong in two ways.
        readings[0][2 * CELL] ^= 1;
        readings[1][2 * CELL] ^= 2;
        let views: Vec<&[u8]> = readings.iter().map(Vec::as_slice).collect();
        let merged = merge(&views);
        assert_eq!((merged.row().as_str(), merged.differing), ("mm?", 3));
        assert_eq!(
            merged.places[0],
            Difference { offset: 10, bits: vec![0, 7], settled: Settled::Majority }
        );
        assert_eq!(merged.bytes[..2 * CELL], right[..2 * CELL]);
        assert!(merged.is_settled(0, 2 * CELL) && !merged.is_settled(0, 3 * CELL));
        let mut merged = merge(&views[..2]);
        assert_eq!(merged.row(), "???");
        merged.settle(0, &right[..CELL]);
        assert_eq!(merged.row(), "c??");
        assert_eq!(merged.bytes[10], right[10]);
    }
}
