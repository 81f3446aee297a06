//! One line of a text of numbers: an address and bytes, or a record. Pure.

/// The longest line that is read, in bytes.
pub(super) const LONGEST: usize = 1024;
/// The most bytes in one line.
const IN_LINE: usize = 64;

/// How the numbers are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogForm {
    /// `21000000: 27 05 19 56    '..V`: `md.b` of U-Boot, or like it.
    Bytes,
    /// `21000000: 56190527 ...`: `md.l` or `md.w`, the lowest byte last.
    Words,
    /// `00000000  27 05 19 56 ...  |'..V|`: `hexdump -C`, `od`, `xxd`.
    Hexdump,
    /// `0000000 003447 053031`: `od` by itself, or `od -b`.
    Octal,
    /// `:10000000...`: Intel hex.
    IntelHex,
    /// `S315...`: Motorola's S-records.
    Srec,
}

/// What a line contains.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    Data {
        form: LogForm,
        at: u64,
        /// The address, if it can be octal.
        in_octal: Option<u64>,
        bytes: Vec<u8>,
        /// Whether these are numbers of four digits behind a colon, the lowest byte first: with
        /// a blank before its characters a line of `xxd` looks like that, too.
        halves: bool,
    },
    /// A record without bytes: the end, and where a program starts.
    Other,
    /// An address alone, which ends what is repeated.
    Place(&'a [u8]),
    /// Intel hex: what comes is relative to this.
    Base(u64),
    /// The line before is repeated up to the next one.
    Repeat,
}

/// Reads one line; none if it has no numbers.
pub(super) fn parse(line: &[u8]) -> Option<Line<'_>> {
    let mut line = line.trim_ascii();
    // Colours, as terminals take them.
    while let Some(rest) = line.strip_prefix(b"\x1B[") {
        let end = rest.iter().position(u8::is_ascii_alphabetic)?;
        line = rest[end + 1..].trim_ascii_start();
    }
    if line == b"*" {
        return Some(Line::Repeat);
    }
    if line.len() > LONGEST {
        return None;
    }
    match line {
        [b':', record @ ..] => intel(record),
        [b'S', kind @ b'1'..=b'3', record @ ..] => srec(kind - b'0', record),
        _ => numbers(line).or_else(|| {
            // The time, as terminal programs put it first.
            let end = line.iter().take(40).position(|b| matches!(b, b']' | b'>'));
            end.and_then(|end| numbers(line[end + 1..].trim_ascii_start())).or_else(|| behind(line))
        }),
    }
}

/// Numbers behind a time of another form: with a whole address, so that no damaged line gets one of
/// its numbers for that.
fn behind(line: &[u8]) -> Option<Line<'_>> {
    if !cfg!(feature = "pc") {
        return None;
    }
    let starts = (1..line.len().min(40)).filter(|i| line[i - 1] == b' ');
    starts.map(|i| &line[i..]).find_map(|rest| {
        let (address, length) = word(rest);
        let is_address = address.len() >= 8
            && (rest[length..].starts_with(b": ") || rest[length..].starts_with(b"  "));
        match numbers(rest).filter(|_| is_address) {
            Some(Line::Data { bytes, .. }) if bytes.len() < 4 => None,
            found => found,
        }
    })
}

/// A number in hex.
pub(super) fn hex(text: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(text).ok().filter(|t| !t.is_empty() && t.len() <= 16)?;
    text.bytes().all(|b| b.is_ascii_hexdigit()).then(|| u64::from_str_radix(text, 16).ok())?
}

/// A number in octal.
pub(super) fn octal(text: &[u8]) -> Option<u64> {
    let is_octal = !text.is_empty() && text.iter().all(|b| matches!(b, b'0'..=b'7'));
    is_octal.then(|| u64::from_str_radix(std::str::from_utf8(text).ok()?, 8).ok())?
}

fn hex_bytes(record: &[u8]) -> Option<Vec<u8>> {
    record.chunks(2).map(|pair| hex(pair).filter(|_| pair.len() == 2).map(|n| n as u8)).collect()
}

fn big_endian(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |n, b| n << 8 | u64::from(*b))
}

/// A record of Intel hex, behind its colon.
fn intel(record: &[u8]) -> Option<Line<'_>> {
    let bytes = hex_bytes(record)?;
    let (&count, sum) = (bytes.first()?, bytes.iter().fold(0u8, |sum, b| sum.wrapping_add(*b)));
    if bytes.len() != usize::from(count) + 5 || sum != 0 {
        return None;
    }
    let at = big_endian(&bytes[1..3]);
    let data = &bytes[4..bytes.len() - 1];
    match bytes[3] {
        0 => Some(Line::Data {
            form: LogForm::IntelHex,
            at,
            in_octal: None,
            bytes: data.to_vec(),
            halves: false,
        }),
        2 => Some(Line::Base(big_endian(data) << 4)),
        4 => Some(Line::Base(big_endian(data) << 16)),
        _ => Some(Line::Other),
    }
}

/// An S-record with data, behind its kind: the address has one byte more than that says.
fn srec(kind: u8, record: &[u8]) -> Option<Line<'_>> {
    let bytes = hex_bytes(record)?;
    let (&count, sum) = (bytes.first()?, bytes.iter().fold(0u8, |sum, b| sum.wrapping_add(*b)));
    let data = usize::from(kind) + 2;
    if bytes.len() != usize::from(count) + 1 || bytes.len() <= data || sum != 0xFF {
        return None;
    }
    let (at, bytes) = (big_endian(&bytes[1..data]), bytes[data..bytes.len() - 1].to_vec());
    Some(Line::Data { form: LogForm::Srec, at, in_octal: None, bytes, halves: false })
}

/// A word without the 0x that debuggers put before it, and how long it is.
fn word(text: &[u8]) -> (&[u8], usize) {
    let digits = text.strip_prefix(b"0x").unwrap_or(text);
    let length = digits.iter().take_while(|b| b.is_ascii_hexdigit()).count();
    (&digits[..length], text.len() - digits.len() + length)
}

/// An address, and numbers of one width behind it.
fn numbers(line: &[u8]) -> Option<Line<'_>> {
    let (address, length) = word(line);
    let mut rest = &line[length..];
    let colon = rest.first() == Some(&b':');
    // So does certutil of Windows, or has two blanks there.
    let tabbed = rest.first() == Some(&b'\t');
    let short = cfg!(feature = "pc") && rest.starts_with(b"  ");
    let least = if colon || tabbed || short { 4 } else { 6 };
    let at = hex(address).filter(|_| address.len() >= least)?;
    if rest.is_empty() {
        return Some(Line::Place(address));
    }
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
        let (digits, length) = word(&rest[gap..]);
        let ends = rest.get(gap + length).is_none_or(u8::is_ascii_whitespace);
        if !ends
            || !matches!(digits.len(), 2 | 3 | 4 | 6 | 8)
            || (width != 0 && digits.len() != width)
        {
            break;
        }
        let value = if digits.len() % 3 == 0 { octal(digits) } else { hex(digits) };
        let Some(value) = value else { break };
        width = digits.len();
        values.push(value);
        rest = &rest[gap + length..];
        if values.len() * width / 2 >= IN_LINE {
            break;
        }
    }
    if values.is_empty() || (short && address.len() < 6 && (width != 2 || values.len() < 4)) {
        return None;
    }
    let form = match (colon, width) {
        (_, 3 | 6) => LogForm::Octal,
        (true, 2) => LogForm::Bytes,
        // xxd has two spaces before the characters, md.w four.
        (true, 4) if matches!(gap, 2 | 3) => LogForm::Hexdump,
        (false, 2) => LogForm::Hexdump,
        _ => LogForm::Words,
    };
    let size = match width {
        3 => 1,
        6 => 2,
        digits => digits / 2,
    };
    let halves = colon && width == 4 && form == LogForm::Words;
    let bytes = values
        .iter()
        .flat_map(|value| {
            let mut bytes = value.to_le_bytes()[..size].to_vec();
            if form == LogForm::Hexdump {
                bytes.reverse();
            }
            bytes
        })
        .collect();
    Some(Line::Data { form, at, in_octal: octal(address), bytes, halves })
}
