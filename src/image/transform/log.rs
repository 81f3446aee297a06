//! Memory as a text of numbers: what `md` of U-Boot, `hexdump`, `xxd`, `od`
//! and debuggers print, Intel hex and Motorola's S-records. Lines that are none
//! of it are left out: prompts and echoes are in every console's log.

use std::io;

use super::log_fault::{Faults, is_like_record};
use super::log_line::{LONGEST, Line, LogForm, hex, octal, parse};
use crate::image::source::{Source, peek};

/// Bytes read at a time.
const STEP: usize = 0x1_0000;

/// A text of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Log {
    form: LogForm,
    /// Whether its addresses are octal, as those of `od`.
    octal: bool,
}

impl Log {
    /// Whether its lines are records with places of their own, and no pieces of a memory.
    pub(super) fn is_records(self) -> bool {
        matches!(self.form, LogForm::IntelHex | LogForm::Srec)
    }

    /// Its name for people.
    pub fn name(self) -> &'static str {
        match self.form {
            LogForm::Bytes => "a console log of md.b",
            LogForm::Words if self.octal => "the output of od",
            LogForm::Words => "a console log of md.l or md.w, or the output of hexdump",
            LogForm::Hexdump => "the output of hexdump, od or xxd",
            LogForm::Octal => "the output of od",
            LogForm::IntelHex => "an Intel hex file",
            LogForm::Srec => "an SREC file",
        }
    }
}

/// The form of the numbers at the beginning of a file, if it is made of them.
pub(super) fn form(head: &[u8]) -> Option<Log> {
    let mut forms: Vec<LogForm> = Vec::new();
    let mut others = 0;
    let lines = head.split(|&b| b == b'\n' || b == b'\r').filter(|l| !l.trim_ascii().is_empty());
    let mut lines: Vec<&[u8]> = lines.collect();
    if lines.len() > 3 {
        lines.pop(); // it may be cut
    }
    let (mut hex, mut octal) = (0, 0);
    let mut end = (None, None);
    let mut pairs = false;
    for line in lines {
        match parse(line) {
            Some(Line::Data { form, at, in_octal, bytes, halves }) => {
                pairs |= halves;
                let length = bytes.len() as u64;
                hex += u32::from(end.0 == Some(at));
                octal += u32::from(in_octal.is_some() && end.1 == in_octal);
                end = (at.checked_add(length), in_octal.and_then(|at| at.checked_add(length)));
                forms.push(form);
            }
            Some(_) => {}
            None => others += 1,
        }
    }
    // A line of xxd that shows a blank first looks like md.w; the others do not.
    if pairs && forms.contains(&LogForm::Hexdump) {
        forms.iter_mut().filter(|f| **f == LogForm::Words).for_each(|f| *f = LogForm::Hexdump);
    }
    let form = *forms.first()?;
    // A log begins with the boot's own words.
    (forms.len() >= 2 && forms.len() * 4 >= others && forms.iter().all(|f| *f == form))
        .then_some(Log { form, octal: octal > hex })
}

/// Reads all of a file: bytes that no line has are 0xFF. What could not be read is told, too.
pub(super) fn read(source: &dyn Source, log: Log, most: usize) -> io::Result<(Vec<u8>, Faults)> {
    let out = read_from(source, log, most, None)?;
    // Records may come in any order: where a later one belongs before the first, all are read again.
    match out.lowest {
        Some((first, lowest))
            if log.is_records() && lowest < first && first - lowest < most as u64 =>
        {
            let out = read_from(source, log, most, Some((lowest, 0)))?;
            Ok((out.bytes, out.faults))
        }
        _ => Ok((out.bytes, out.faults)),
    }
}

fn read_from(
    source: &dyn Source,
    log: Log,
    most: usize,
    start: Option<(u64, usize)>,
) -> io::Result<Out> {
    let mut out = Out { most, start, ..Out::default() };
    let mut rest: Vec<u8> = Vec::new();
    let mut at = 0;
    while at < source.len() {
        let bytes = peek(source, at, STEP)?;
        at += bytes.len() as u64;
        rest.extend(bytes);
        let mut end = rest.iter().rposition(|&b| b == b'\n').map_or(0, |i| i + 1);
        if end == 0 && rest.len() > LONGEST {
            end = rest.iter().rposition(|&b| b == b'\r').map_or(0, |i| i + 1);
        }
        let now: Vec<u8> = rest.drain(..end).collect();
        now.split_inclusive(|&b| b == b'\n').for_each(|line| out.lines(line, log));
        if rest.len() > LONGEST {
            rest.clear(); // that is no line of numbers
        }
    }
    out.lines(&rest, log);
    out.release();
    Ok(out)
}

#[derive(Default)]
struct Out {
    bytes: Vec<u8>,
    most: usize,
    /// The address of the first byte, and where in `bytes` that is.
    start: Option<(u64, usize)>,
    /// The address of the first line, and the lowest one.
    lowest: Option<(u64, u64)>,
    base: u64,
    /// The address of the line before, and where its bytes begin.
    last: (u64, usize),
    repeat: bool,
    /// The number of the line.
    line: usize,
    /// A line with another address than expected: the next one tells which is right.
    held: Option<(u64, Vec<u8>, usize)>,
    /// The address behind the last line.
    next: Option<u64>,
    faults: Faults,
}

impl Out {
    /// Takes a line; where only carriage returns end lines, there are several in it.
    fn lines(&mut self, text: &[u8], wanted: Log) {
        self.line += 1;
        let pieces = text.split(|&b| b == b'\n' || b == b'\r').filter(|piece| !piece.is_empty());
        for (i, piece) in pieces.enumerate() {
            self.line += usize::from(i > 0);
            self.take(piece, wanted);
        }
    }

    fn take(&mut self, line: &[u8], wanted: Log) {
        match parse(line) {
            Some(Line::Data { form, at, in_octal, mut bytes, halves })
                if form == wanted.form || (halves && wanted.form == LogForm::Hexdump) =>
            {
                if form != wanted.form {
                    bytes.chunks_exact_mut(2).for_each(|pair| pair.swap(0, 1));
                }
                let at = if wanted.octal { in_octal } else { Some(at) };
                if let Some(at) = at.and_then(|at| self.base.checked_add(at)) {
                    self.data(at, bytes, wanted);
                }
            }
            Some(Line::Base(base)) if wanted.form == LogForm::IntelHex => self.base = base,
            Some(Line::Repeat) => {
                self.release();
                self.repeat = true;
            }
            Some(Line::Place(at)) if self.repeat => {
                let at = if wanted.octal { octal(at) } else { hex(at) };
                if let Some(at) = at {
                    self.put(at, &[]);
                }
            }
            None if wanted.is_records() && is_like_record(line) => self.faults.bad(self.line),
            _ => {}
        }
    }

    fn data(&mut self, at: u64, bytes: Vec<u8>, wanted: Log) {
        let lowest = &mut self.lowest.get_or_insert((at, at)).1;
        *lowest = at.min(*lowest);
        if wanted.is_records() {
            if !self.put_back(at, &bytes) {
                self.put(at, &bytes);
            }
            return;
        }
        if let Some((wrong, held, line)) = self.held.take() {
            // The next line continues as if that one's address had been the expected one.
            let expected = self.next.filter(|next| next + held.len() as u64 == at);
            if expected.is_some() {
                self.faults.bad(line);
            }
            self.put_of_line(line, expected.unwrap_or(wrong), &held);
        }
        if cfg!(feature = "pc") && !self.repeat && self.next.is_some_and(|next| next != at) {
            self.held = Some((at, bytes, self.line));
        } else {
            self.put(at, &bytes);
        }
    }

    /// Puts the line that waited for the next one.
    fn release(&mut self) {
        if let Some((at, bytes, line)) = self.held.take() {
            self.put_of_line(line, at, &bytes);
        }
    }

    /// Puts bytes of an earlier line.
    fn put_of_line(&mut self, line: usize, at: u64, bytes: &[u8]) {
        let now = std::mem::replace(&mut self.line, line);
        self.put(at, bytes);
        self.line = now;
    }

    /// Puts a record that comes late into the place that was left for it.
    fn put_back(&mut self, address: u64, bytes: &[u8]) -> bool {
        let first = self.start.map_or(address, |(first, _)| first);
        let place = address.checked_sub(first).and_then(|at| usize::try_from(at).ok());
        let end = place.and_then(|at| at.checked_add(bytes.len()));
        let Some(there) = place.zip(end).and_then(|(at, end)| self.bytes.get_mut(at..end)) else {
            return false;
        };
        there.copy_from_slice(bytes);
        true
    }

    fn put(&mut self, address: u64, bytes: &[u8]) {
        let (first, place) = *self.start.get_or_insert((address, 0));
        // What looked like more numbers were the characters behind them.
        let within = address.checked_sub(self.last.0).filter(|d| *d > 0);
        if let Some(end) = within.and_then(|d| self.last.1.checked_add(usize::try_from(d).ok()?)) {
            self.bytes.truncate(end);
        }
        let mut at = address.checked_sub(first).map(|d| d.saturating_add(place as u64));
        if at.is_none_or(|at| at < self.bytes.len() as u64) {
            // The next piece was loaded to the same address again.
            self.start = Some((address, self.bytes.len()));
            at = Some(self.bytes.len() as u64);
        }
        let Some(at) = at.and_then(|at| usize::try_from(at).ok()) else { return };
        if at.saturating_add(bytes.len()) > self.most {
            return;
        }
        self.next = address.checked_add(bytes.len() as u64);
        if std::mem::take(&mut self.repeat) {
            let line = self.bytes.get(self.last.1..).unwrap_or_default().to_vec();
            while self.bytes.len() < at && !line.is_empty() {
                let more = (at - self.bytes.len()).min(line.len());
                self.bytes.extend_from_slice(&line[..more]);
            }
        }
        self.faults.gap(at.saturating_sub(self.bytes.len()), self.line);
        self.bytes.resize(at, 0xFF);
        self.bytes.extend_from_slice(bytes);
        self.last = (address, at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn back(text: &str) -> (Option<LogForm>, Vec<u8>) {
        let bytes = text.as_bytes().to_vec();
        let log = form(&bytes);
        let read = log.map(|log| read(&bytes, log, 1 << 20).unwrap().0);
        (log.map(|log| log.form), read.unwrap_or_default())
    }

    #[test]
    fn every_form_gives_its_bytes() {
        let wanted =
            b"\x27\x05\x19\x56\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0cabcdefghijklmnop"
                .to_vec();
        for (text, form) in [
            (
                "SigmaStar # md.b 21000000 20\r\n21000000: 27 05 19 56 01 02 03 04 05 06 07 08 09 0a 0b 0c    '..V............\r\n21000010: 61 62 63 64 65 66 67 68 69 6a 6b 6c 6d 6e 6f 70    abcdefghijklmnop\r\n",
                LogForm::Bytes,
            ),
            (
                "21000000: 56190527 04030201 08070605 0c0b0a09    '..V............\n21000010: 64636261 68676665 6c6b6a69 706f6e6d    abcdefghijklmnop\n",
                LogForm::Words,
            ),
            (
                "00000000  27 05 19 56 01 02 03 04  05 06 07 08 09 0a 0b 0c  |'..V............|\n00000010  61 62 63 64 65 66 67 68  69 6a 6b 6c 6d 6e 6f 70  |abcdefghijklmnop|\n00000020\n",
                LogForm::Hexdump,
            ),
            (
                "00000000: 2705 1956 0102 0304 0506 0708 090a 0b0c  '..V............\n00000010: 6162 6364 6566 6768 696a 6b6c 6d6e 6f70  abcdefghijklmnop\n",
                LogForm::Hexdump,
            ),
            (
                ":020000040000FA\n:1000000027051956010203040506070809 0A0B0C07\n:10000000270519560102030405060708090A0B0C07\n:100010006162636465666768696A6B6C6D6E6F7058\n:00000001FF\n",
                LogForm::IntelHex,
            ),
            (
                "S0030000FC\nS31500000000270519560102030405060708090A0B0C01\nS315000000106162636465666768696A6B6C6D6E6F7052\nS70500000000FA\n",
                LogForm::Srec,
            ),
            (
                "0000000 002447 053031 001001 002003 003005 004007 005011 006013\n0000020 061141 062143 063145 064147 065151 066153 067155 070157\n0000040\n",
                LogForm::Octal,
            ),
            (
                "0000000 0527 5619 0201 0403 0605 0807 0a09 0c0b\n0000020 6261 6463 6665 6867 6a69 6c6b 6e6d 706f\n0000040\n",
                LogForm::Words,
            ),
            (
                "[12:00:01.1] 21000000: 27 05 19 56 01 02 03 04 05 06 07 08 09 0a 0b 0c    '..V....\n[12:00:01.2] 21000010: 61 62 63 64 65 66 67 68 69 6a 6b 6c 6d 6e 6f 70    abcdefgh\n",
                LogForm::Bytes,
            ),
            (
                "0x21000000:\t0x56190527\t0x04030201\t0x08070605\t0x0c0b0a09\n0x21000010:\t0x64636261\t0x68676665\t0x6c6b6a69\t0x706f6e6d\n",
                LogForm::Words,
            ),
            (
                "0000\t27 05 19 56 01 02 03 04  05 06 07 08 09 0a 0b 0c   '..V............\n0010\t61 62 63 64 65 66 67 68  69 6a 6b 6c 6d 6e 6f 70   abcdefghijklmnop\n",
                LogForm::Hexdump,
            ),
        ] {
            let (seen, bytes) = back(text);
            assert_eq!(seen, Some(form), "{text}");
            assert!(bytes == wanted, "{form:?}: {bytes:02x?}");
        }
    }

    #[test]
    fn repeated_lines_and_lost_ones_keep_their_place() {
        let (_, bytes) =
            back("00000000  ff ff ff ff\n*\n00000010  01 02 03 04\n00000018  05 06 07 08\n");
        assert_eq!(bytes.len(), 0x1C);
        assert_eq!(bytes[..0x10], [0xFF; 16]);
        assert_eq!(bytes[0x10..], [1, 2, 3, 4, 0xFF, 0xFF, 0xFF, 0xFF, 5, 6, 7, 8]);
        // What is repeated to the end is, and characters that look like numbers are none.
        let (_, bytes) = back("000000 01 02 ab\n000002 03 04 cd\n000004 ff ff\n*\n00000a\n");
        assert_eq!(bytes, [1, 2, 3, 4, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]);
        // Pieces that were loaded to the same address follow each other.
        let (_, bytes) =
            back("21000000: 01 02\n21000002: 03 04\n21000000: 05 06\n21000002: 07 08\n");
        assert_eq!(bytes, [1, 2, 3, 4, 5, 6, 7, 8]);
    }

    #[test]
    fn records_in_any_order_keep_their_places() {
        let records = [":020000000102FB", ":020004000506EF", ":020008000708E7"];
        let wanted = [1, 2, 255, 255, 5, 6, 255, 255, 7, 8];
        for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0], [2, 0, 1]] {
            let text: String = order.iter().map(|i| format!("{}\n", records[*i])).collect();
            assert_eq!(back(&text).1, wanted, "{text}");
        }
    }

    #[test]
    fn other_texts_are_none() {
        for text in
            ["hello owner\n", "<html>\n", "", "U-Boot 2015.01\nDRAM: 64 MiB\n", ":nonsense\n"]
        {
            assert_eq!(back(text).0, None, "{text}");
        }
    }
}
