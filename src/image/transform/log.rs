//! Memory as a text of numbers: what `md` of U-Boot, `hexdump`, `xxd` and
//! `od` print, and Intel hex. Lines that are none of it are left out: prompts
//! and echoes are in every console's log.

use std::io;

use crate::image::source::{Source, peek};

/// Bytes read at a time.
const STEP: usize = 0x1_0000;
/// The longest line that is looked at, in bytes.
const LONGEST: usize = 1024;
/// The most bytes in one line.
const IN_LINE: usize = 64;

/// How the numbers are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `21000000: 27 05 19 56    '..V`: `md.b` of U-Boot, or like it.
    Bytes,
    /// `21000000: 56190527 ...`: `md.l` or `md.w`, the lowest byte last.
    Words,
    /// `00000000  27 05 19 56 ...  |'..V|`: `hexdump -C`, `od`, `xxd`.
    Hexdump,
    /// `:10000000...`: Intel hex.
    IntelHex,
}

impl Form {
    /// Its name for people.
    pub fn name(self) -> &'static str {
        match self {
            Form::Bytes => "a console log of md.b",
            Form::Words => "a console log of md.l or md.w",
            Form::Hexdump => "the output of hexdump",
            Form::IntelHex => "an Intel hex file",
        }
    }
}

/// What a line holds.
#[derive(Debug, PartialEq, Eq)]
enum Line {
    Data {
        form: Form,
        at: u64,
        bytes: Vec<u8>,
    },
    /// Intel hex: what comes is relative to this.
    Base(u64),
    /// The line before is repeated up to the next one.
    Repeat,
}

/// The form of the numbers at the beginning of a file, if it is made of them.
pub(super) fn form(head: &[u8]) -> Option<Form> {
    let mut forms: Vec<Form> = Vec::new();
    let mut others = 0;
    for line in head.split(|&b| b == b'\n' || b == b'\r').filter(|l| !l.trim_ascii().is_empty()) {
        match parse(line) {
            Some(Line::Data { form, .. }) => forms.push(form),
            Some(_) => {}
            None => others += 1,
        }
    }
    let first = *forms.first()?;
    // The last line may be cut; a log begins with the boot's own words.
    (forms.len() >= 2 && forms.len() * 4 >= others && forms.iter().all(|f| *f == first))
        .then_some(first)
}

/// Reads all of a file: bytes that no line has are 0xFF.
pub(super) fn read(source: &dyn Source, form: Form, most: usize) -> io::Result<Vec<u8>> {
    let mut out =
        Out { bytes: Vec::new(), most, start: None, base: 0, last: Vec::new(), repeat: false };
    let mut rest: Vec<u8> = Vec::new();
    let mut at = 0;
    while at < source.len() {
        let bytes = peek(source, at, STEP)?;
        at += bytes.len() as u64;
        rest.extend(bytes);
        let end = rest.iter().rposition(|&b| b == b'\n' || b == b'\r').map_or(0, |i| i + 1);
        let now: Vec<u8> = rest.drain(..end).collect();
        now.split(|&b| b == b'\n' || b == b'\r').for_each(|line| out.take(line, form));
        if rest.len() > LONGEST {
            rest.clear(); // that is no line of numbers
        }
    }
    out.take(&rest, form);
    Ok(out.bytes)
}

struct Out {
    bytes: Vec<u8>,
    most: usize,
    /// The address of the first byte, and where in `bytes` that is.
    start: Option<(u64, usize)>,
    base: u64,
    last: Vec<u8>,
    repeat: bool,
}

impl Out {
    fn take(&mut self, line: &[u8], wanted: Form) {
        match parse(line) {
            Some(Line::Data { form, at, bytes }) if form == wanted => {
                self.put(self.base + at, bytes);
            }
            Some(Line::Base(base)) if wanted == Form::IntelHex => self.base = base,
            Some(Line::Repeat) => self.repeat = true,
            _ => {}
        }
    }

    fn put(&mut self, address: u64, bytes: Vec<u8>) {
        let (first, place) = *self.start.get_or_insert((address, 0));
        let mut at = address.checked_sub(first).map(|d| d + place as u64);
        if at.is_none_or(|at| at < self.bytes.len() as u64) {
            // The next piece was loaded to the same address again.
            self.start = Some((address, self.bytes.len()));
            at = Some(self.bytes.len() as u64);
        }
        let Some(at) = at.and_then(|at| usize::try_from(at).ok()) else { return };
        if at + bytes.len() > self.most {
            return;
        }
        if std::mem::take(&mut self.repeat) && !self.last.is_empty() {
            while self.bytes.len() < at {
                let more = (at - self.bytes.len()).min(self.last.len());
                self.bytes.extend_from_slice(&self.last[..more]);
            }
        }
        self.bytes.resize(at, 0xFF);
        self.bytes.extend_from_slice(&bytes);
        self.last = bytes;
    }
}

fn parse(line: &[u8]) -> Option<Line> {
    let line = line.trim_ascii();
    if line == b"*" {
        return Some(Line::Repeat);
    }
    if line.len() > LONGEST {
        return None;
    }
    match line.strip_prefix(b":") {
        Some(record) => intel(record),
        None => numbers(line),
    }
}

fn hex(text: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(text).ok().filter(|t| !t.is_empty() && t.len() <= 16)?;
    text.bytes().all(|b| b.is_ascii_hexdigit()).then(|| u64::from_str_radix(text, 16).ok())?
}

/// A record of Intel hex, behind its colon.
fn intel(record: &[u8]) -> Option<Line> {
    let bytes: Option<Vec<u8>> = record
        .chunks(2)
        .map(|pair| hex(pair).filter(|_| pair.len() == 2).map(|n| n as u8))
        .collect();
    let bytes = bytes?;
    let (&count, sum) = (bytes.first()?, bytes.iter().fold(0u8, |sum, b| sum.wrapping_add(*b)));
    if bytes.len() != usize::from(count) + 5 || sum != 0 {
        return None;
    }
    let at = u64::from(u16::from_be_bytes([bytes[1], bytes[2]]));
    let data = &bytes[4..bytes.len() - 1];
    let word = || data.iter().fold(0u64, |n, b| n << 8 | u64::from(*b));
    match bytes[3] {
        0 => Some(Line::Data { form: Form::IntelHex, at, bytes: data.to_vec() }),
        2 => Some(Line::Base(word() << 4)),
        4 => Some(Line::Base(word() << 16)),
        _ => None, // the end, and where a program starts
    }
}

/// An address, and numbers of one width behind it.
fn numbers(line: &[u8]) -> Option<Line> {
    let digits = line.iter().take_while(|b| b.is_ascii_hexdigit()).count();
    if !(6..=16).contains(&digits) {
        return None;
    }
    let at = hex(&line[..digits])?;
    let mut rest = &line[digits..];
    let colon = rest.first() == Some(&b':');
    if colon {
        rest = &rest[1..];
    }
    let mut width = 0;
    let mut gap;
    let mut values = Vec::new();
    loop {
        gap = rest.iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
        // Behind a colon two spaces come before the characters; elsewhere they part eights.
        if gap == 0 || (colon && gap > 1 && !values.is_empty()) {
            break;
        }
        let word = &rest[gap..];
        let length = word.iter().take_while(|b| b.is_ascii_hexdigit()).count();
        let ends = word.get(length).is_none_or(u8::is_ascii_whitespace);
        if !ends || !matches!(length, 2 | 4 | 8) || (width != 0 && length != width) {
            break;
        }
        width = length;
        values.push(hex(&word[..length])?);
        rest = &word[length..];
        if values.len() * width / 2 >= IN_LINE {
            break;
        }
    }
    if values.is_empty() {
        return None;
    }
    let form = match (colon, width) {
        (true, 2) => Form::Bytes,
        // xxd has two spaces before the characters, md.w four.
        (true, 4) if gap == 2 => Form::Hexdump,
        (false, 2) => Form::Hexdump,
        _ => Form::Words,
    };
    let bytes = values
        .iter()
        .flat_map(|value| {
            let mut bytes = value.to_le_bytes()[..width / 2].to_vec();
            if form == Form::Hexdump {
                bytes.reverse();
            }
            bytes
        })
        .collect();
    Some(Line::Data { form, at, bytes })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn back(text: &str) -> (Option<Form>, Vec<u8>) {
        let bytes = text.as_bytes().to_vec();
        let form = form(&bytes);
        (form, form.map(|f| read(&bytes, f, 1 << 20).unwrap()).unwrap_or_default())
    }

    #[test]
    fn every_form_gives_its_bytes() {
        let wanted =
            b"\x27\x05\x19\x56\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0cabcdefghijklmnop"
                .to_vec();
        for (text, form) in [
            (
                "SigmaStar # md.b 21000000 20\r\n21000000: 27 05 19 56 01 02 03 04 05 06 07 08 09 0a 0b 0c    '..V............\r\n21000010: 61 62 63 64 65 66 67 68 69 6a 6b 6c 6d 6e 6f 70    abcdefghijklmnop\r\n",
                Form::Bytes,
            ),
            (
                "21000000: 56190527 04030201 08070605 0c0b0a09    '..V............\n21000010: 64636261 68676665 6c6b6a69 706f6e6d    abcdefghijklmnop\n",
                Form::Words,
            ),
            (
                "00000000  27 05 19 56 01 02 03 04  05 06 07 08 09 0a 0b 0c  |'..V............|\n00000010  61 62 63 64 65 66 67 68  69 6a 6b 6c 6d 6e 6f 70  |abcdefghijklmnop|\n00000020\n",
                Form::Hexdump,
            ),
            (
                "00000000: 2705 1956 0102 0304 0506 0708 090a 0b0c  '..V............\n00000010: 6162 6364 6566 6768 696a 6b6c 6d6e 6f70  abcdefghijklmnop\n",
                Form::Hexdump,
            ),
            (
                ":020000040000FA\n:1000000027051956010203040506070809 0A0B0C07\n:10000000270519560102030405060708090A0B0C07\n:100010006162636465666768696A6B6C6D6E6F7058\n:00000001FF\n",
                Form::IntelHex,
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
        // Pieces that were loaded to the same address follow each other.
        let (_, bytes) =
            back("21000000: 01 02\n21000002: 03 04\n21000000: 05 06\n21000002: 07 08\n");
        assert_eq!(bytes, [1, 2, 3, 4, 5, 6, 7, 8]);
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
