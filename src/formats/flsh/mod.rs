//! FLSH: the `key=value` format of FACTORY and CONFIG, and of the live NVRAM
//! file. Read here, built in [`build`], looked for in whole files in `scan`,
//! and where it is damaged in `salvage`. What the keys of FACTORY are worth is judged in [`crate::identity`].
//!
//! Facts: docs/formats.md, FLSH.

mod build;
mod salvage;
mod scan;

pub use build::{build, build_legacy};
pub use salvage::{is_header, parse_by_header, values};
pub use scan::Scan;

use super::{Pairs, is_filled, le32};

/// What a FLSH begins with.
pub const MAGIC: &[u8; 4] = b"FLSH";
/// Bytes before the first key.
pub const HEADER: usize = 0x14;
/// Where the part that the CRC covers begins.
const CRC_FROM: usize = 0x09;
/// The most bytes by which the length may exceed the text: NULs up to a
/// multiple of 4, or of 16 in old tools. Less than [`HEADER`], so that one
/// length can fit only one of the two variants.
const MAX_SLACK: usize = 16;

/// Which of the two meanings the length and the CRC have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// The length leaves the header out; the CRC covers all up to the
    /// partition's end, padding included.
    Modern,
    /// Broadcom's NVRAM: the length counts the header, the CRC ends with it.
    Legacy,
}

/// Why bytes are not a FLSH.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FlshError {
    /// Nothing but 0xFF.
    #[error("it is erased: nothing but 0xFF")]
    Blank,
    /// The magic is nowhere in it.
    #[error("there is no FLSH in it")]
    NoMagic,
    /// The magic is there, and fewer than 20 bytes after it.
    #[error("FLSH is at {at:#x}, but its header is cut off")]
    Cut {
        /// Where the magic is, in bytes.
        at: usize,
    },
}

/// A FLSH, borrowed from the bytes of its partition.
#[derive(Clone)]
pub struct Flsh<'a> {
    /// What length and CRC mean in it.
    pub variant: Variant,
    /// Where its magic is; anything but 0 is unusual, and read anyway.
    pub at: usize,
    /// The length that its header says, in bytes.
    pub length: u32,
    /// Whether the text ends where the length says.
    pub well_formed: bool,
    /// The CRC8 in its header.
    pub stored_crc: u8,
    /// The CRC8 of what is there.
    pub computed_crc: u8,
    text: &'a [u8],
}

impl<'a> Flsh<'a> {
    /// Whether the CRC is right.
    pub fn crc_ok(&self) -> bool {
        self.stored_crc == self.computed_crc
    }

    /// Its keys and values, in their order.
    pub fn entries(&self) -> Pairs<'a> {
        Pairs::new(self.text)
    }

    /// The value of the first entry with this key.
    pub fn get(&self, key: &str) -> Option<&'a [u8]> {
        self.entries().find(|(k, _)| *k == key.as_bytes()).map(|(_, value)| value)
    }
}

impl std::fmt::Debug for Flsh<'_> {
    // The values are secrets: only their number is shown.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Flsh")
            .field("variant", &self.variant)
            .field("at", &self.at)
            .field("length", &self.length)
            .field("crc_ok", &self.crc_ok())
            .field("entries", &self.entries().count())
            .finish_non_exhaustive()
    }
}

/// Reads the FLSH of a partition. `partition` is the whole of it: the CRC of
/// the modern variant goes to its end. Like the stock reader, it takes the
/// first magic, at any offset, and a wrong CRC is no error: see
/// [`Flsh::crc_ok`].
pub fn parse(partition: &[u8]) -> Result<Flsh<'_>, FlshError> {
    let Some(at) = partition.windows(MAGIC.len()).position(|w| w == MAGIC) else {
        return Err(if !partition.is_empty() && is_filled(partition, 0xFF) {
            FlshError::Blank
        } else {
            FlshError::NoMagic
        });
    };
    read_at(partition, at)
}

/// Reads what is at `at`, whatever its magic is.
fn read_at(partition: &[u8], at: usize) -> Result<Flsh<'_>, FlshError> {
    let bytes = partition.get(at..).unwrap_or_default();
    let (Some(length), Some(&stored_crc)) = (le32(bytes, 0x04), bytes.get(0x08)) else {
        return Err(FlshError::Cut { at });
    };
    if bytes.len() < HEADER {
        return Err(FlshError::Cut { at });
    }
    let said = length as usize;
    let modern_end = said.checked_add(HEADER).filter(|&end| fits(bytes, end));
    let legacy_end = Some(said).filter(|&end| fits(bytes, end) && ends_text(&bytes[end..]));
    let (variant, end) = match (modern_end, legacy_end) {
        (None, Some(end)) => (Variant::Legacy, end),
        (end, _) => (Variant::Modern, end.unwrap_or(bytes.len())),
    };
    let covered = match variant {
        Variant::Modern => &bytes[CRC_FROM..],
        Variant::Legacy => &bytes[CRC_FROM..end],
    };
    Ok(Flsh {
        variant,
        at,
        length,
        well_formed: modern_end.or(legacy_end).is_some(),
        stored_crc,
        computed_crc: crc8(CRC_START, covered),
        text: &bytes[HEADER..end],
    })
}

/// Whether the text that starts after the header ends, with its padding, at `end`.
fn fits(bytes: &[u8], end: usize) -> bool {
    let Some(text) = bytes.get(HEADER..end) else { return false };
    let mut pairs = Pairs::new(text);
    while pairs.next().is_some() {}
    let padding = pairs.rest;
    !padding.is_empty() && padding.len() <= MAX_SLACK && is_filled(padding, 0)
}

/// Whether what follows a legacy text is no text: nothing, zeros or erased.
fn ends_text(rest: &[u8]) -> bool {
    let next = &rest[..rest.len().min(4)];
    is_filled(next, 0) || is_filled(next, 0xFF)
}

/// What the CRC8 starts from.
const CRC_START: u8 = 0xFF;

/// The CRC8 of the format, reflected, polynomial 0xAB, continued from `crc`
/// (0xFF at the start).
pub fn crc8(crc: u8, bytes: &[u8]) -> u8 {
    bytes.iter().fold(crc, |crc, &b| CRC_TABLE[usize::from(crc ^ b)])
}

const CRC_TABLE: [u8; 256] = {
    let mut table = [0u8; 256];
    let mut i = 0;
    while i < 256 {
        let mut crc = i as u8;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xAB } else { crc >> 1 };
            bit += 1;
        }
        table[i] = crc;
        i += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_crc_table_has_the_entry_that_the_stock_reader_has() {
        assert_eq!(CRC_TABLE[1], 0xF7);
    }

    #[test]
    fn an_empty_config_has_the_crc_of_the_real_one() {
        let config = build(&[], 0x1_0000).unwrap();
        assert_eq!(config[..0x18], *b"FLSH\x04\0\0\0\x4A\x01\x19\x04\0\0\x40\x80\0\0\0\0\0\0\0\0");
    }
}
