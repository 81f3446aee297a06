//! File formats: the camera's flash and its firmware files. Pure functions over bytes: no I/O, no
//! panics, and no memory allocated only because a length in the input says so. Each format has its
//! reader and its builder side by side. Whole partitions and files are judged in [`crate::image`].

pub mod bytes;
pub mod crc32;
pub mod document;
pub mod flsh;
pub mod ipl;
pub mod jffs2;
pub mod mxp;
pub mod sha256;
pub mod squashfs;
pub mod tf;
mod tree;
pub mod uboot_env;
pub mod uimage;
pub mod version;
pub mod wav;
pub mod xz;
pub mod zip;

/// Whether all bytes are `value`; true for none at all.
pub fn is_filled(bytes: &[u8], value: u8) -> bool {
    // Sixteen at a time: half of a chip is erased.
    let (many, rest) = bytes.as_chunks::<16>();
    let wanted = u128::from_ne_bytes([value; 16]);
    many.iter().all(|&chunk| u128::from_ne_bytes(chunk) == wanted)
        && rest.iter().all(|&b| b == value)
}

/// `N` bytes at `at`, where they are there.
fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}

fn le16(bytes: &[u8], at: usize) -> Option<u16> {
    array(bytes, at).map(u16::from_le_bytes)
}

/// A little-endian number at `at`, where it is there.
pub(crate) fn le32(bytes: &[u8], at: usize) -> Option<u32> {
    array(bytes, at).map(u32::from_le_bytes)
}

fn le64(bytes: &[u8], at: usize) -> Option<u64> {
    array(bytes, at).map(u64::from_le_bytes)
}

pub(crate) fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    array(bytes, at).map(u32::from_be_bytes)
}

/// The text before the first NUL, with anything unprintable shown as `?`:
/// it ends up on terminals.
fn printable(bytes: &[u8]) -> String {
    bytes
        .iter()
        .take_while(|&&b| b != 0)
        .map(|&b| if (0x20..0x7F).contains(&b) { char::from(b) } else { '?' })
        .collect()
}

/// The `key=value\0` texts from the start of `text` to the first empty one,
/// or to the end. A text without `=` is a key with an empty value.
#[derive(Clone, Debug)]
pub struct Pairs<'a> {
    rest: &'a [u8],
}

impl<'a> Pairs<'a> {
    fn new(text: &'a [u8]) -> Self {
        Pairs { rest: text }
    }
}

impl<'a> Iterator for Pairs<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        // Erased flash ends a text as well as NUL does: 0xFF is in no key.
        if matches!(self.rest.first(), None | Some(0 | 0xFF)) {
            return None;
        }
        let end = self.rest.iter().position(|&b| b == 0).unwrap_or(self.rest.len());
        let (pair, rest) = self.rest.split_at(end);
        self.rest = rest.get(1..).unwrap_or_default();
        Some(match pair.iter().position(|&b| b == b'=') {
            Some(at) => (&pair[..at], &pair[at + 1..]),
            None => (pair, &[]),
        })
    }
}
