//! Transforms: the changes that the bytes of a file can have suffered on their way.

use serde::Serialize;

use super::{log, plain, utf16};

/// What happened to a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transform {
    /// In each `group` bytes the last `unit` bytes are first, and so on.
    Swapped {
        /// Bytes that stay together.
        unit: u64,
        /// Bytes that are turned around.
        group: u64,
    },
    /// All bits are `by` places too early or too late.
    BitsMoved {
        /// 1 to 7.
        by: u32,
        /// Whether the first bits are missing.
        early: bool,
    },
    /// The chip's first byte is at `by`, and its end is before that.
    Rotated {
        /// Bytes.
        by: u64,
    },
    /// `count` bytes were put behind each `every` bytes, or `ahead` of them.
    Inserted {
        /// Bytes of the chip between them.
        every: u64,
        /// How many.
        count: u64,
        /// Whether the first ones are before the chip's first byte.
        ahead: bool,
    },
    /// The chip's bytes are in it several times.
    Repeated {
        /// How often.
        copies: u64,
        /// Whether all of them are the same.
        equal: bool,
    },
    /// Each byte is a character of UTF-16.
    Utf16(utf16::Utf16),
    /// A carriage return was put before each line feed: a transfer as text.
    LineEnds,
    /// Numbers as text.
    Log(log::Log),
    /// The same without addresses.
    Plain(plain::Plain),
    /// Each bit is the other one.
    Inverted,
    /// The bits of each byte are in the other order.
    Mirrored,
    /// The two halves of each byte are swapped.
    Nibbles,
    /// The last byte is first.
    Backwards,
    /// Each byte is there twice.
    Stretched,
    /// Each byte is two: its halves.
    Halved {
        /// Whether the upper half is first.
        upper: bool,
    },
    /// Bits of the addresses were always the same while the chip was read.
    Stuck {
        /// Which bits, each as its value.
        mask: u64,
        /// Whether they were 1.
        high: bool,
    },
    /// The chip's beginning several times, and nothing of its rest.
    Wrapped {
        /// How often.
        copies: u64,
    },
}

/// What happened, for people and for scripts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Note {
    /// A stable name in kebab-case.
    pub code: &'static str,
    /// The same in words that follow "the file is".
    pub words: String,
}

impl Transform {
    /// Whether the bytes are written as text, and are read in memory.
    pub fn is_text(&self) -> bool {
        matches!(self, Transform::Log(_) | Transform::Plain(_))
    }

    /// For people and for scripts.
    pub fn note(&self) -> Note {
        let (code, words) = match self {
            Transform::Swapped { unit: 1, group: 2 } => {
                ("swapped-pairs", "with each two bytes swapped".to_owned())
            }
            Transform::Swapped { unit: 1, group: 4 } => {
                ("swapped-words", "with each four bytes reversed".to_owned())
            }
            Transform::Swapped { unit, group } => (
                "swapped-groups",
                format!("with each {group} bytes in the other order, {unit} at a time"),
            ),
            Transform::BitsMoved { by, .. } => {
                ("bits-moved", format!("with all bits moved by {by}, as a wrong SPI mode does"))
            }
            Transform::Rotated { by } => (
                "rotated",
                format!("rotated: the chip's first byte is at {by:#x}, its end before that"),
            ),
            Transform::Inserted { every, count, ahead } => {
                let place = if *ahead { "before" } else { "after" };
                ("inserted", format!("with {count} more {place} each {every} bytes"))
            }
            Transform::Repeated { copies, equal } => {
                let compare = if *equal { "and all are equal" } else { "and they are not equal" };
                ("doubled", format!("the chip {copies} times in one file, {compare}"))
            }
            Transform::Utf16(_) => {
                ("utf-16", "written as UTF-16 text, as > of PowerShell does".to_owned())
            }
            Transform::LineEnds => (
                "text-mode",
                "sent in text mode, as FTP does: a CR was added before each LF".to_owned(),
            ),
            Transform::Plain(form) => ("log", format!("written as text: {}", form.name())),
            Transform::Inverted => ("inverted", "with all bits inverted".to_owned()),
            Transform::Mirrored => {
                ("mirrored", "with the bits of each byte in the other order".to_owned())
            }
            Transform::Nibbles => {
                ("swapped-nibbles", "with the halves of each byte swapped".to_owned())
            }
            Transform::Backwards => ("backwards", "backwards: its last byte is first".to_owned()),
            Transform::Stretched => ("stretched", "with each byte twice".to_owned()),
            // A camera finds neither: it has no room for their words.
            Transform::Halved { .. } | Transform::Stuck { .. } if !cfg!(feature = "pc") => {
                ("stretched", String::new())
            }
            Transform::Halved { .. } => {
                ("stretched", "with the two halves of each byte as bytes of their own".to_owned())
            }
            Transform::Stuck { mask, high } => {
                let lines = (0..64).filter(|bit| mask >> bit & 1 == 1);
                let lines: Vec<String> = lines.map(|bit| format!("A{bit}")).collect();
                let (lines, value) = (lines.join(" and "), u8::from(*high));
                (
                    "stuck-line",
                    format!(
                        "read with the address bit {lines} stuck at {value}: what is at other \
                         addresses was not read, and other bytes are there twice"
                    ),
                )
            }
            Transform::Wrapped { copies } => (
                "wrapped",
                format!(
                    "the beginning of a chip {copies} times: the reader was set to a smaller chip, \
                     and did not read the rest"
                ),
            ),
            Transform::Log(form) => ("log", format!("written as text: {}", form.name())),
        };
        Note { code, words }
    }
}
