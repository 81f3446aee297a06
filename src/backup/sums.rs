//! The two checksum files of a set. `SHA256SUMS` closes it and is what
//! `sha256sum -c` reads. `BLOCKSUMS` holds a CRC32 for each small piece of
//! each file, so that damage can be found where it is, and blocks compared
//! with the chip without reading the set.

use std::fmt::Write as _;

use crate::base::Digest;
use crate::base::hex;
use crate::base::unhex;
use crate::formats::crc32;

/// The file that closes a set.
pub const SHA256SUMS: &str = "SHA256SUMS";
/// The file of CRC32s.
pub const BLOCKSUMS: &str = "BLOCKSUMS";
/// The longest checksum file read, in bytes: 4,096 blocks of a chip and some text.
pub const LIMIT: u64 = 0x4_0000;
/// The longest `SHA256SUMS` read, in bytes: some hundred lines.
pub const CLOSING_LIMIT: u64 = 0x4000;
/// Bytes of a text file under one CRC32: small, so that one wrong byte can be found.
pub const TEXT_PIECE: u32 = 64;

/// Files and their digests, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sums(pub Vec<(String, Digest)>);

impl Sums {
    /// The digest of a file.
    pub fn of(&self, file: &str) -> Option<&Digest> {
        self.0.iter().find(|(name, _)| name == file).map(|(_, digest)| digest)
    }

    /// In the format of `sha256sum`.
    pub fn to_text(&self) -> String {
        self.0.iter().fold(String::new(), |mut text, (name, digest)| {
            let _ = writeln!(text, "{}  {name}", hex(digest));
            text
        })
    }

    /// Parses a whole file; `None` for anything torn, doubled or outside a set's folder.
    pub fn parse(text: &[u8]) -> Option<Sums> {
        let text = std::str::from_utf8(text).ok()?;
        let body = text.strip_suffix('\n')?;
        let mut sums = Sums::default();
        for line in body.split('\n') {
            let (digest, name) = line.split_once("  ")?;
            if !is_plain_name(name) || sums.of(name).is_some() {
                return None;
            }
            sums.0.push((name.to_owned(), unhex(digest)?));
        }
        Some(sums)
    }
}

/// A file name that stays in its folder, whatever the card holds.
pub fn is_plain_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 64
        && !name.starts_with('.')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}

/// One file's CRC32s.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pieces {
    /// The file in the set.
    pub file: String,
    /// Its length in bytes.
    pub size: u64,
    /// Bytes under one CRC32; the last piece may be shorter.
    pub piece: u32,
    /// CRC32 (IEEE) of each piece.
    pub crcs: Vec<u32>,
}

impl Pieces {
    /// The pieces of a text.
    pub fn of_text(file: &str, text: &[u8]) -> Pieces {
        let crcs = text.chunks(TEXT_PIECE as usize).map(crc32::hash).collect();
        Pieces { file: file.to_owned(), size: text.len() as u64, piece: TEXT_PIECE, crcs }
    }
}

/// All of `BLOCKSUMS`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BlockSums(pub Vec<Pieces>);

impl BlockSums {
    /// The pieces of a file.
    pub fn of(&self, file: &str) -> Option<&Pieces> {
        self.0.iter().find(|p| p.file == file)
    }

    /// For each file a line with its name, length and length of a piece, and one with the CRC32s.
    pub fn to_text(&self) -> String {
        self.0.iter().fold(String::new(), |mut text, p| {
            let _ = writeln!(text, "{} {} {}", p.file, p.size, p.piece);
            for (i, crc) in p.crcs.iter().enumerate() {
                let _ = write!(text, "{}{crc:08x}", if i == 0 { "" } else { " " });
            }
            text.push('\n');
            text
        })
    }

    /// Parses a whole file; `None` where it is not one.
    pub fn parse(text: &[u8]) -> Option<BlockSums> {
        let text = std::str::from_utf8(text).ok()?.strip_suffix('\n')?;
        let mut lines = text.split('\n');
        let mut sums = BlockSums::default();
        while let Some(head) = lines.next() {
            let (file, numbers) = head.split_once(' ')?;
            let (size, piece) = numbers.split_once(' ')?;
            let crcs = lines
                .next()?
                .split(' ')
                .filter(|word| !word.is_empty())
                .map(|word| u32::from_str_radix(word, 16).ok())
                .collect::<Option<_>>()?;
            let piece = piece.parse().ok().filter(|p| *p > 0)?;
            let size = size.parse().ok()?;
            sums.0.push(Pieces { file: file.to_owned(), size, piece, crcs });
        }
        Some(sums)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_round_trip_and_a_torn_file_is_none() {
        let sums = Sums(vec![("BOOT.bin".into(), [7; 32]), ("chip.bin".into(), [9; 32])]);
        let text = sums.to_text();
        assert_eq!(Sums::parse(text.as_bytes()).as_ref(), Some(&sums));
        for cut in 0..text.len() {
            let torn = Sums::parse(&text.as_bytes()[..cut]);
            // A cut after a whole line leaves fewer files: that set lacks one, and `verify` says so.
            assert!(torn.is_none_or(|t| t.0.len() < 2), "cut at {cut}");
        }
    }

    #[test]
    fn a_name_never_leaves_the_folder() {
        for name in ["../x", "/etc/passwd", ".hidden", "a/b", "", "a\0b", "a b"] {
            assert!(!is_plain_name(name), "{name}");
            let line = format!("{}  {name}\n", "00".repeat(32));
            assert!(Sums::parse(line.as_bytes()).is_none(), "{name}");
        }
    }

    #[test]
    fn block_sums_round_trip() {
        let text = BlockSums(vec![
            Pieces { file: "BOOT.bin".into(), size: 196_608, piece: 65536, crcs: vec![1, 2, 3] },
            Pieces::of_text("manifest.toml", &[b'x'; 130]),
        ]);
        assert_eq!(BlockSums::parse(text.to_text().as_bytes()), Some(text));
    }
}
