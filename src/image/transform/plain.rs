//! Bytes as text without addresses: hex digits alone, as `xxd -p` prints them,
//! arrays of numbers in C or JSON, strings with escapes, base64, and bytes that
//! became characters of UTF-8.

use std::io;

use super::plain_decoder::{Decoder, Form};
use super::utf16::Page;
use crate::chip::WINDOW;
use crate::image::source::{Source, peek};

/// Bytes as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plain {
    form: Form,
    /// Where they begin in the file.
    start: u64,
}

/// Bytes that must be there, so that a word or two are no dump.
const LEAST: usize = 64;
/// The shortest line of base64 behind words of a mail or a certificate, in characters.
const LINE: usize = 60;
/// Bytes in which the beginning of an array is looked for.
const WORDS: usize = 2048;

impl Plain {
    /// Its name for people.
    pub fn name(self) -> &'static str {
        match self.form {
            Form::Hex => "hex digits",
            Form::Decimal => "an array of numbers",
            Form::Escaped => "a string with escapes",
            Form::Base64 => "base64",
            Form::Utf8(_) => "characters of UTF-8",
        }
    }

    /// The form of a file that begins like this, if it is one.
    pub(super) fn of(head: &[u8]) -> Option<Plain> {
        let array = array(head);
        let string = head.iter().take(256).position(|b| matches!(b, b'\'' | b'"')).unwrap_or(0);
        let escapes = head.windows(2).filter(|w| w == b"\\x").count();
        let mut guesses =
            vec![(Form::Decimal, array), (Form::Hex, array), (Form::Base64, line(head))];
        if escapes >= LEAST / 4 {
            guesses.push((Form::Escaped, string));
        }
        if let Some(page) = page(head) {
            guesses.push((Form::Utf8(page), 0));
        }
        guesses.into_iter().find_map(|(form, start)| {
            let mut decoder = Decoder::new(form);
            head[start..].iter().for_each(|byte| decoder.take(*byte));
            // Numbers of two digits are hex, unless another one is not.
            let fits = !decoder.bad && (form != Form::Decimal || decoder.uneven);
            (fits && decoder.out.len() >= LEAST).then_some(Plain { form, start: start as u64 })
        })
    }

    /// Reads all of a file, `most` bytes of what it stands for at most.
    pub(super) fn read(self, source: &dyn Source, most: usize) -> io::Result<Vec<u8>> {
        let mut decoder = Decoder::new(self.form);
        let mut at = self.start;
        while at < source.len() && decoder.out.len() < most {
            let bytes = peek(source, at, WINDOW as usize)?;
            bytes.iter().for_each(|byte| decoder.take(*byte));
            at += bytes.len() as u64;
        }
        // A number may be the last.
        if matches!(self.form, Form::Hex | Form::Decimal) {
            decoder.take(b'\n');
        }
        Ok(decoder.out)
    }
}

/// Where an array begins: at the first bracket with a number in it, behind the last `=` of its
/// declaration.
fn array(head: &[u8]) -> usize {
    let head = &head[..head.len().min(WORDS)];
    let from = head.iter().rposition(|b| *b == b'=').unwrap_or(0);
    let is_array = |at: &usize| {
        let mut rest = head[at + 1..].trim_ascii_start().iter();
        let first = rest.next().is_some_and(|b| b.is_ascii_digit() || b"-/{[".contains(b));
        matches!(head[*at], b'{' | b'[') && first
    };
    (from..head.len()).find(is_array).unwrap_or(0)
}

/// Where the first long line without a blank begins: words may be before base64.
fn line(head: &[u8]) -> usize {
    let mut at = 0;
    for line in head.split_inclusive(|b| *b == b'\n') {
        let text = line.trim_ascii();
        if text.len() >= LINE && text.iter().all(|b| b.is_ascii_alphanumeric() || b"+/".contains(b))
        {
            return at;
        }
        at += line.len();
    }
    0
}

/// The code page of bytes that became UTF-8: text has no zeros.
fn page(head: &[u8]) -> Option<Page> {
    let valid = match std::str::from_utf8(head) {
        Ok(text) => text,
        Err(e) if e.error_len().is_none() => std::str::from_utf8(&head[..e.valid_up_to()]).ok()?,
        Err(_) => return None,
    };
    let high = valid.chars().filter(|c| !c.is_ascii()).count();
    let is_lost = valid.contains(char::REPLACEMENT_CHARACTER);
    (high >= LEAST / 4 && valid.contains('\0') && !is_lost)
        .then(|| Page::of(valid.chars().map(|c| u32::from(c) as u16)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part() -> Vec<u8> {
        b"FLSH\x10\0\0\0'\"\\".iter().copied().chain((0..=255).rev()).cycle().take(602).collect()
    }

    fn all(format: impl Fn(u8) -> String) -> String {
        part().into_iter().map(format).collect()
    }

    #[test]
    fn every_form_gives_its_bytes() {
        let hex = all(|b| format!("{b:02x}"));
        let lines: String = hex
            .as_bytes()
            .chunks(60)
            .fold(String::new(), |text, line| text + std::str::from_utf8(line).unwrap() + "\n");
        let array = all(|b| format!("0x{b:02X},\n"));
        let words: String = part()
            .chunks(2)
            .map(|w| format!("0x{:04x}, // {{\n", u16::from_le_bytes([w[0], w[1]])))
            .collect();
        let decimal = all(|b| format!("{b}, "));
        let decimal = decimal.trim_end_matches(", ");
        let utf8 = all(|b| char::from(b).to_string());
        for (text, form) in [
            (hex.clone(), Form::Hex),
            (lines, Form::Hex),
            (all(|b| format!("{b:02X} ")), Form::Hex),
            (all(|b| format!("{b:02X}:")), Form::Hex),
            (format!("@00000000\n{}\nq\n", all(|b| format!("{b:02X} "))), Form::Hex),
            (
                format!("/* {{x=1}} */\nconst uint8_t d[602] = {{\n{array}}};\nint n = 602;\n"),
                Form::Hex,
            ),
            (format!("uint16_t d[] = {{ /* a */\n{words}}};"), Form::Hex),
            (format!("[{decimal}]"), Form::Decimal),
            (format!("{{\"type\":\"Buffer\",\"data\":[{decimal}]}}"), Form::Decimal),
            (
                format!("byte[] d = {{{}}};", all(|b| format!("{}, ", b.cast_signed()))),
                Form::Decimal,
            ),
            (format!("static const char d[] PROGMEM = {{{decimal}}};"), Form::Decimal),
            (format!("d = b\"{}\"\n", all(|b| format!("\\x{b:02x}"))), Form::Escaped),
            (format!("b'{}'\n", all(escape)), Form::Escaped),
            (utf8, Form::Utf8(Page::Latin1)),
        ] {
            let plain = Plain::of(text.as_bytes()).unwrap_or_else(|| panic!("{text:.80}"));
            assert_eq!(plain.form, form, "{text:.80}");
            assert!(plain.read(&text.into_bytes(), 1 << 20).unwrap() == part(), "{form:?}");
        }
    }

    fn escape(byte: u8) -> String {
        match byte {
            b'\\' | b'\'' => format!("\\{}", char::from(byte)),
            b'\n' => "\\n".to_owned(),
            0x20..=0x7E => char::from(byte).to_string(),
            _ => format!("\\x{byte:02x}"),
        }
    }

    #[test]
    fn base64_is_found_behind_a_mail_s_words() {
        let line = "RkxTSBAAAAD//v38+/r5+A".repeat(4);
        for text in [
            format!("{line}\n"),
            format!("-----BEGIN CERTIFICATE-----\r\n{line}\r\n{line}\r\n-----END"),
            format!("Content-Type: a/b\r\n\r\n{line}\r\n\r\n--end--\r\n"),
        ] {
            let plain = Plain::of(text.as_bytes()).unwrap();
            assert_eq!(plain.form, Form::Base64, "{text}");
            let bytes = plain.read(&text.into_bytes(), 1 << 20).unwrap();
            assert!(bytes.starts_with(b"FLSH\x10\0\0\0\xFF\xFE\xFD\xFC\xFB\xFA\xF9\xF8"));
        }
    }

    #[test]
    fn other_texts_are_none() {
        let texts = ["deadbeef", "Olá, câmara", "hello", "", "{\"a\": 1}", &"é".repeat(90)];
        for text in texts.into_iter().chain([&*"a line of words = [\n".repeat(90)]) {
            assert_eq!(Plain::of(text.as_bytes()), None, "{text:.80}");
        }
    }
}
