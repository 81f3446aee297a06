//! What of a text of numbers could not be read: records with a wrong checksum, lines with a wrong
//! address, bytes that no line has.

use crate::image::finding::Finding;

/// The most lines that are named.
const NAMED: usize = 8;
/// Hex digits in a row that make a line one of numbers.
const DIGITS: usize = 10;

/// What could not be read.
#[derive(Debug, Default)]
pub(super) struct Faults {
    /// The numbers of the first wrong lines, and how many there are.
    lines: Vec<usize>,
    count: usize,
    /// Bytes that no line has, and the first line behind them.
    missing: u64,
    behind: usize,
}

impl Faults {
    pub(super) fn bad(&mut self, line: usize) {
        if cfg!(feature = "pc") {
            self.count += 1;
            if self.lines.len() < NAMED {
                self.lines.push(line);
            }
        }
    }

    pub(super) fn gap(&mut self, bytes: usize, line: usize) {
        if cfg!(feature = "pc") && bytes > 0 {
            if self.missing == 0 {
                self.behind = line;
            }
            self.missing += bytes as u64;
        }
    }

    /// The same for the owner.
    pub(super) fn findings(&self, are_records: bool) -> Vec<Finding> {
        let mut out = Vec::new();
        if cfg!(feature = "pc") && self.count > 0 {
            let lines: Vec<String> = self.lines.iter().map(usize::to_string).collect();
            let more = if self.count > self.lines.len() { " and others" } else { "" };
            let (lines, count) = (lines.join(", "), self.count);
            let reason = if are_records {
                format!(
                    "{count} of its records cannot be read, for example by a wrong checksum, and \
                     were left out: line {lines}{more}."
                )
            } else {
                format!(
                    "{count} of its lines have a wrong address, and were put where the lines around \
                     them say: line {lines}{more}."
                )
            };
            out.push(Finding::blocker("bad-lines", reason).hint(AGAIN));
        }
        if cfg!(feature = "pc") && self.missing > 0 {
            let reason = format!(
                "{} bytes are in none of its lines, the first of them before line {}.",
                self.missing, self.behind
            );
            // What is erased is often left out of records.
            if !are_records {
                out.push(Finding::blocker("bad-lines", reason).hint(AGAIN));
            }
        }
        out
    }
}

const AGAIN: &str = "What is missing is 0xFF in the image. Log or convert it again, and compare.";

/// Whether a line that cannot be read was a record.
pub(super) fn is_like_record(line: &[u8]) -> bool {
    let line = line.trim_ascii();
    let is_start = line.starts_with(b":") || matches!(line, [b'S', b'1'..=b'3', ..]);
    let digits = line.split(|b| !b.is_ascii_hexdigit()).map(<[u8]>::len).max().unwrap_or(0);
    let is_other = matches!(line, [b'S', b'0' | b'5'..=b'9', ..]);
    cfg!(feature = "pc") && !is_other && (is_start || digits >= DIGITS)
}
