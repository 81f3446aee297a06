//! Bytes as text without addresses: hex digits alone, as `xxd -p` prints them
//! and an array in C has them, base64, and bytes that became characters of
//! UTF-8.

use std::io;

use crate::chip::{Role, WINDOW};
use crate::image::marks::begins_like;
use crate::image::source::{Source, peek};

/// How the bytes are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plain {
    /// `27051956` or `0x27, 0x05, 0x19, 0x56`.
    Hex,
    /// `JwUZVg==`.
    Base64,
    /// Each byte from 0x80 on became two.
    Utf8,
}

/// Bytes that must be there, so that a word or two are no dump.
const LEAST: usize = 64;

impl Plain {
    /// Its name for people.
    pub fn name(self) -> &'static str {
        match self {
            Plain::Hex => "hex digits",
            Plain::Base64 => "base64",
            Plain::Utf8 => "characters of UTF-8",
        }
    }

    /// The form of a file that begins like this, if it is one.
    pub(super) fn of(head: &[u8]) -> Option<Plain> {
        let body = match head.iter().take(256).position(|&b| b == b'{') {
            Some(at) => &head[at..],
            None => head,
        };
        let is_hex =
            |b: &u8| b.is_ascii_hexdigit() || b.is_ascii_whitespace() || b"{},;xX\\".contains(b);
        if body.iter().all(is_hex) && Plain::Hex.decoded(head).len() >= LEAST {
            return Some(Plain::Hex);
        }
        let is_base64 = |b: &u8| b.is_ascii_alphanumeric() || b"+/=\r\n".contains(b);
        let first = Plain::Base64.decoded(head);
        let roles = [Role::Boot, Role::Kernel, Role::Rootfs, Role::Data, Role::Factory];
        if head.iter().all(is_base64) && roles.iter().any(|role| begins_like(*role, &first)) {
            return Some(Plain::Base64);
        }
        // A text in another language has no NULs.
        let high = head.iter().filter(|b| **b >= 0x80).count();
        let pairs = head.windows(2).filter(|w| matches!(w, [0xC2 | 0xC3, 0x80..=0xBF])).count();
        let is_cut = usize::from(matches!(head.last(), Some(0xC2 | 0xC3)));
        let is_utf8 = high >= LEAST / 4 && high == 2 * pairs + is_cut && head.contains(&0);
        is_utf8.then_some(Plain::Utf8)
    }

    fn decoded(self, text: &[u8]) -> Vec<u8> {
        let mut decoder = Decoder { form: self, held: 0, bits: 0, out: Vec::new(), ended: false };
        text.iter().for_each(|byte| decoder.take(*byte));
        decoder.out
    }

    /// Reads all of a file, `most` bytes of what it stands for at most.
    pub(super) fn read(self, source: &dyn Source, most: usize) -> io::Result<Vec<u8>> {
        let mut decoder = Decoder { form: self, held: 0, bits: 0, out: Vec::new(), ended: false };
        let mut at = 0;
        while at < source.len() && decoder.out.len() < most {
            let bytes = peek(source, at, WINDOW as usize)?;
            bytes.iter().for_each(|byte| decoder.take(*byte));
            at += bytes.len() as u64;
        }
        Ok(decoder.out)
    }
}

struct Decoder {
    form: Plain,
    /// Bits that wait for more.
    held: u32,
    bits: u32,
    out: Vec<u8>,
    ended: bool,
}

impl Decoder {
    fn take(&mut self, byte: u8) {
        let (value, width) = match (self.form, byte) {
            _ if self.ended => return,
            (Plain::Hex, b'{') => {
                self.out.clear();
                return;
            }
            (Plain::Hex, b'}') | (Plain::Base64, b'=') => {
                self.ended = true;
                return;
            }
            (Plain::Hex, _) => match char::from(byte).to_digit(16) {
                Some(digit) => (digit, 4),
                // The 0 of 0x is none of the number.
                None => {
                    self.bits = 0;
                    return;
                }
            },
            (Plain::Base64, b'A'..=b'Z') => (u32::from(byte - b'A'), 6),
            (Plain::Base64, b'a'..=b'z') => (u32::from(byte - b'a') + 26, 6),
            (Plain::Base64, b'0'..=b'9') => (u32::from(byte - b'0') + 52, 6),
            (Plain::Base64, b'+') => (62, 6),
            (Plain::Base64, b'/') => (63, 6),
            (Plain::Base64, _) => return,
            (Plain::Utf8, 0xC2 | 0xC3) => {
                self.held = u32::from(byte & 3);
                self.bits = 2;
                return;
            }
            (Plain::Utf8, 0x80..=0xBF) if self.bits == 2 => (u32::from(byte & 0x3F), 6),
            (Plain::Utf8, _) => {
                self.bits = 0;
                (u32::from(byte), 8)
            }
        };
        self.held = self.held << width | value;
        self.bits += width;
        if self.bits >= 8 {
            self.bits -= 8;
            self.out.push((self.held >> self.bits) as u8);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_gives_its_bytes() {
        let bytes: Vec<u8> =
            b"FLSH\x10\0\0\0".iter().copied().chain((0..=255).rev()).cycle().take(600).collect();
        let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
        let lines: String = hex
            .as_bytes()
            .chunks(60)
            .fold(String::new(), |text, line| text + std::str::from_utf8(line).unwrap() + "\n");
        let array: String = bytes.iter().map(|b| format!("0x{b:02X}, ")).collect();
        let array = format!("unsigned char dump[600] = {{\n{array}\n}};\n");
        let utf8: String = bytes.iter().map(|b| char::from(*b)).collect();
        for (text, form) in
            [(hex, Plain::Hex), (lines, Plain::Hex), (array, Plain::Hex), (utf8, Plain::Utf8)]
        {
            let text = text.into_bytes();
            assert_eq!(Plain::of(&text), Some(form));
            assert!(form.read(&text, 1 << 20).unwrap() == bytes, "{form:?}");
        }
        let base64 = b"RkxTSBAAAAD//v38+/r5+A==";
        assert_eq!(Plain::of(base64), Some(Plain::Base64));
        assert_eq!(
            Plain::Base64.decoded(base64),
            b"FLSH\x10\0\0\0\xFF\xFE\xFD\xFC\xFB\xFA\xF9\xF8"
        );
    }

    #[test]
    fn other_texts_are_none() {
        for text in ["deadbeef", "Olá, câmara", "hello", "", "{\"a\": 1}", &"é".repeat(90)] {
            assert_eq!(Plain::of(text.as_bytes()), None, "{text}");
        }
    }
}
