//! Salvage of a damaged FLSH: a header recognized by the bytes after its magic, and values found as
//! plain text. The caller judges how far they can be trusted.

use super::{Flsh, HEADER, MAGIC, build, read_at};

/// From 0x09 on every header is the same: version, 0x0419, 0x80400000, 0.
const CONSTANT: [u8; 11] = [build::VERSION, 0x19, 0x04, 0, 0, 0x40, 0x80, 0, 0, 0, 0];
/// The longest value that is taken, in bytes.
const LONGEST: usize = 64;

/// Whether bytes begin with the header of a FLSH: the magic and the version,
/// or, where the magic is damaged, all that is constant behind it.
pub fn is_header(bytes: &[u8]) -> bool {
    let Some(header) = bytes.get(..HEADER) else { return false };
    header[9] == build::VERSION && (header.starts_with(MAGIC) || header[9..] == CONSTANT)
}

/// Reads the first FLSH of a partition by its header, whatever its magic is.
pub fn parse_by_header(partition: &[u8]) -> Option<Flsh<'_>> {
    let at = partition.windows(HEADER).position(is_header)?;
    read_at(partition, at).ok()
}

/// The values behind `key=` wherever it begins a text. A value ends at the
/// first byte that cannot be shown, since the NUL behind it may be damaged.
pub fn values<'a>(bytes: &'a [u8], key: &'a str) -> impl Iterator<Item = &'a [u8]> + 'a {
    let name = key.as_bytes();
    bytes.windows(name.len() + 1).enumerate().filter_map(move |(at, w)| {
        let begins = at == 0 || at == HEADER || !is_of_a_word(bytes[at - 1]);
        if w[0] != name[0] || !begins || !w.starts_with(name) || w[name.len()] != b'=' {
            return None;
        }
        let rest = &bytes[at + w.len()..];
        let end = rest.iter().take(LONGEST + 1).position(|b| !b.is_ascii_graphic());
        let value = match end {
            Some(end) => &rest[..end],
            None if rest.len() <= LONGEST => rest,
            None => return None,
        };
        (!value.is_empty()).then_some(value)
    })
}

/// Whether `x` in `xkey=` makes it another key. A NUL with one wrong bit does not.
fn is_of_a_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}
