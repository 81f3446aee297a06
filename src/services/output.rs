//! The last lines that a program printed, in memory that is bounded whatever it
//! prints. It is not written to the card.

use std::collections::VecDeque;

/// Lines kept of one program.
pub const LINES: usize = 200;
/// Bytes kept of one line.
const LINE: usize = 240;
/// Bytes kept of one program in all.
const BYTES: usize = 24 << 10;

/// The end of what a program printed.
#[derive(Debug, Default)]
pub struct Tail {
    lines: VecDeque<String>,
    bytes: usize,
    open: Vec<u8>,
    /// Bytes that it printed in all.
    pub printed: u64,
}

impl Tail {
    /// Takes what was printed.
    pub fn take(&mut self, printed: &[u8]) {
        self.printed = self.printed.saturating_add(printed.len() as u64);
        let mut pieces = printed.split(|b| *b == b'\n');
        self.lengthen(pieces.next().unwrap_or_default());
        for piece in pieces {
            self.end_line();
            self.lengthen(piece);
        }
    }

    fn lengthen(&mut self, piece: &[u8]) {
        let room = LINE.saturating_sub(self.open.len());
        self.open.extend_from_slice(&piece[..piece.len().min(room)]);
    }

    fn end_line(&mut self) {
        let text: String = String::from_utf8_lossy(&self.open)
            .trim_end()
            .chars()
            .map(|c| if c.is_control() && c != '\t' { '?' } else { c })
            .collect();
        self.open.clear();
        self.say(text);
    }

    /// Adds a line of the supervisor's own.
    pub fn say(&mut self, line: String) {
        self.bytes += line.len();
        self.lines.push_back(line);
        while self.lines.len() > LINES || self.bytes > BYTES {
            let Some(first) = self.lines.pop_front() else { break };
            self.bytes -= first.len();
        }
    }

    /// Ends a line that was left open, as a program that dies leaves it.
    pub fn close(&mut self) {
        if !self.open.is_empty() {
            self.end_line();
        }
    }

    /// The lines, oldest first.
    pub fn lines(&self) -> Vec<String> {
        let open =
            (!self.open.is_empty()).then(|| String::from_utf8_lossy(&self.open).into_owned());
        self.lines.iter().cloned().chain(open).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_printed_memory_stays_bounded_and_the_end_is_kept() {
        let mut tail = Tail::default();
        let block: Vec<u8> =
            (0..64 << 10).map(|i| if i % 977 == 0 { b'\n' } else { b'x' }).collect();
        for _ in 0..200 {
            tail.take(&block);
        }
        tail.take(&vec![b'y'; 4 << 20]);
        tail.take(b"\nlast\npart");
        assert!(tail.bytes <= BYTES && tail.lines.len() <= LINES && tail.open.len() <= LINE);
        assert_eq!(tail.lines().last_chunk::<2>().unwrap(), &["last", "part"]);
        assert_eq!(tail.printed, ((200 * 64) << 10) + (4 << 20) + 10);
    }

    #[test]
    fn lines_come_out_as_they_went_in_however_they_are_cut() {
        proptest::proptest!(|(text in "[a-c\n]{0,40}", at in 0_usize..40)| {
            let mut whole = Tail::default();
            whole.take(text.as_bytes());
            let mut cut = Tail::default();
            let at = at.min(text.len());
            cut.take(&text.as_bytes()[..at]);
            cut.take(&text.as_bytes()[at..]);
            proptest::prop_assert_eq!(whole.lines(), cut.lines());
        });
    }

    #[test]
    fn control_characters_do_not_reach_a_terminal() {
        let mut tail = Tail::default();
        tail.take(b"\x1b[31mred\xff\r\n");
        assert_eq!(tail.lines(), ["?[31mred\u{fffd}"]);
    }
}
