//! Bytes that were written as characters of UTF-16.

/// How the bytes became characters of UTF-16.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Utf16 {
    /// Whether the first byte of a character is its lower one.
    pub little: bool,
    /// Bytes of a mark before the first character.
    pub mark: u64,
    /// Which characters stand for the bytes from 0x80 on.
    pub page: Page,
}

/// A code page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Page {
    /// Character 0x80 is byte 0x80, and so on.
    Latin1,
    /// That of Western Windows.
    Windows1252,
    /// That of a PC's console.
    Cp437,
}

/// What code page 437 has for the bytes from 0x80 on.
const CP437: &str = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{a0}";

/// What Windows-1252 has for the bytes from 0x80 to 0x9F, and 0 where it has none.
const WINDOWS_1252: &str = "€\0‚ƒ„…†‡ˆ‰Š‹Œ\0Ž\0\0‘’“”•–—˜™š›œ\0žŸ";

impl Page {
    /// The byte that a character stands for; `?` where there is none.
    pub(super) fn byte(self, unit: u16) -> u8 {
        let found = |table: &str| {
            let place = table.chars().position(|c| u32::from(c) == u32::from(unit));
            place.map(|i| 0x80 + i as u8)
        };
        match (self, u8::try_from(unit)) {
            (_, Ok(byte @ 0..0x80)) | (Page::Latin1 | Page::Windows1252, Ok(byte)) => byte,
            (Page::Cp437, _) => found(CP437).unwrap_or(b'?'),
            (_, Err(_)) => found(WINDOWS_1252).unwrap_or(b'?'),
        }
    }

    /// The page that has these characters.
    pub(super) fn of(units: impl Iterator<Item = u16>) -> Page {
        let mut page = Page::Latin1;
        for unit in units {
            match unit {
                0x2190..=0x25FF => return Page::Cp437,
                0x0100..=0x218F => page = Page::Windows1252,
                _ => {}
            }
        }
        page
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_comes_back_from_its_character() {
        assert_eq!(CP437.chars().count(), 128);
        assert_eq!(WINDOWS_1252.chars().count(), 32);
        for (i, c) in CP437.chars().enumerate() {
            assert_eq!(Page::Cp437.byte(u32::from(c) as u16), 0x80 + i as u8);
        }
        assert_eq!(Page::Latin1.byte(0xE9), 0xE9);
        assert_eq!(Page::Windows1252.byte(0x20AC), 0x80);
    }
}
