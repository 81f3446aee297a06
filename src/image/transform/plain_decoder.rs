//! The bytes of a text without addresses, in each of its forms.

use super::utf16::Page;

/// How the bytes are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// `27051956` or `{0x27, 0x05, 0x19, 0x56}`.
    Hex,
    /// `[39, 5, 25, 86]`.
    Decimal,
    /// `b'\x27\x05\x19V'`.
    Escaped,
    /// `JwUZVg==`.
    Base64,
    /// Each byte from 0x80 on became a character.
    Utf8(Page),
}

/// Takes a text byte by byte, and keeps the bytes that it stands for.
pub(super) struct Decoder {
    form: Form,
    /// What the text stands for so far.
    pub(super) out: Vec<u8>,
    /// The number or character that is being read, and how much of it.
    held: u32,
    count: u32,
    /// A number behind 0x: where its bytes begin in `out`; one behind a minus; the quote of a
    /// string.
    prefixed: Option<usize>,
    before: u8,
    /// What ends a comment that is being skipped.
    comment: u8,
    /// Brackets that are open.
    depth: u32,
    ended: bool,
    /// It is not of this form.
    pub(super) bad: bool,
    /// A number has one digit or three.
    pub(super) uneven: bool,
}

impl Decoder {
    pub(super) fn new(form: Form) -> Decoder {
        Decoder {
            form,
            out: Vec::new(),
            held: 0,
            count: 0,
            prefixed: None,
            before: 0,
            comment: 0,
            depth: 0,
            ended: false,
            bad: false,
            uneven: false,
        }
    }

    pub(super) fn take(&mut self, byte: u8) {
        if self.ended {
            return;
        }
        match self.form {
            Form::Hex | Form::Decimal => self.number(byte),
            Form::Escaped => self.escaped(byte),
            Form::Base64 => self.base64(byte),
            Form::Utf8(page) => self.utf8(byte, page),
        }
        self.before = byte;
    }

    fn number(&mut self, byte: u8) {
        if self.comment != 0 {
            let ends = byte == self.comment && (byte == b'\n' || self.before == b'*');
            self.comment = if ends { 0 } else { self.comment };
            return;
        }
        let digit = char::from(byte).to_digit(16);
        match (byte, digit, self.form) {
            (_, Some(digit), Form::Hex) => {
                self.held = self.held << 4 | digit;
                self.count += 1;
                if self.count.is_multiple_of(2) {
                    self.out.push(self.held as u8);
                }
            }
            (b'0'..=b'9', Some(digit), _) => {
                self.held = self.held.saturating_mul(10).saturating_add(digit);
                self.count += 1;
            }
            (b'x' | b'X', ..) if self.before == b'0' && self.form == Form::Hex => {
                (self.held, self.count, self.prefixed) = (0, 0, Some(self.out.len()));
            }
            (b'-', _, Form::Decimal) => {
                self.end_of_number();
                self.prefixed = Some(0);
            }
            (b'*', ..) if self.before == b'/' => self.comment = b'/',
            (b'/', ..) if self.before == b'/' => self.comment = b'\n',
            (b'/' | b'u' | b'U', ..) => {}
            (b'@', ..) => self.comment = b'\n', // an address
            (b'{' | b'[', ..) => self.depth += 1,
            (b'}' | b']', ..) => {
                self.end_of_number();
                self.depth = self.depth.saturating_sub(1);
                self.ended = self.depth == 0;
            }
            _ if byte.is_ascii_whitespace() || b",;:-q".contains(&byte) => self.end_of_number(),
            _ => self.bad = true,
        }
    }

    fn end_of_number(&mut self) {
        let prefixed = self.prefixed.take();
        self.uneven |= matches!(self.count, 1 | 3);
        match (self.form, self.count) {
            (_, 0) => {}
            (Form::Decimal, _) if self.held > 0xFF => self.bad = true,
            (Form::Decimal, _) if prefixed.is_some() => {
                self.out.push((self.held as u8).wrapping_neg());
            }
            (Form::Decimal, _) | (Form::Hex, 1) => self.out.push(self.held as u8),
            (_, digits) if !digits.is_multiple_of(2) => self.bad = true,
            // A word of a processor with the lowest byte first.
            _ => {
                if let Some(word) = prefixed.and_then(|at| self.out.get_mut(at..)) {
                    word.reverse();
                }
            }
        }
        (self.held, self.count) = (0, 0);
    }

    /// `count`: outside the string 0, in it 1, behind a backslash 2, then digits.
    fn escaped(&mut self, byte: u8) {
        match self.count {
            0 => self.count = u32::from(matches!(byte, b'\'' | b'"')),
            1 => match byte {
                b'\\' => self.count = 2,
                b'\'' | b'"' if self.prefixed.unwrap_or(byte.into()) == usize::from(byte) => {
                    self.count = 0;
                }
                _ => self.out.push(byte),
            },
            2 if byte == b'x' => (self.count, self.held) = (3, 0),
            2 => {
                let plain = b"abfnrtv0".iter().position(|b| *b == byte);
                self.out.push(plain.map_or(byte, |i| b"\x07\x08\x0C\n\r\t\x0B\0"[i]));
                self.count = 1;
            }
            _ => {
                self.held = self.held << 4 | char::from(byte).to_digit(16).unwrap_or(0);
                self.count += 1;
                if self.count == 5 {
                    self.out.push(self.held as u8);
                    self.count = 1;
                }
            }
        }
        // The quote that opened the string ends it.
        if self.before == 0 && self.prefixed.is_none() {
            self.prefixed = Some(byte.into());
        }
    }

    fn base64(&mut self, byte: u8) {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'\r' | b'\n' => return,
            _ => {
                self.ended = true;
                self.bad = !matches!(byte, b'=' | b'-');
                return;
            }
        };
        self.held = self.held << 6 | u32::from(value);
        self.count += 6;
        if self.count >= 8 {
            self.count -= 8;
            self.out.push((self.held >> self.count) as u8);
        }
    }

    fn utf8(&mut self, byte: u8, page: Page) {
        match byte {
            0xC0..=0xDF => (self.held, self.count) = (u32::from(byte & 0x1F), 1),
            0xE0..=0xEF => (self.held, self.count) = (u32::from(byte & 0x0F), 2),
            0xF0.. => (self.held, self.count) = (u32::from(byte & 0x07), 3),
            0x80..=0xBF => {
                self.held = self.held << 6 | u32::from(byte & 0x3F);
                self.count = self.count.saturating_sub(1);
                // A mark of the order of bytes is none of them.
                if self.count == 0 && self.held != 0xFEFF {
                    self.out.push(page.byte(u16::try_from(self.held).unwrap_or(0xFFFD)));
                }
            }
            _ => self.out.push(byte),
        }
    }
}
