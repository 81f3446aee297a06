//! The environment of U-Boot: a CRC32 and `key=value` texts, in the last
//! 4 KiB of BOOT. A bad CRC is common and harmless: U-Boot then uses the
//! environment that is built into it.
//!
//! Facts: docs/formats.md, U-Boot environment.

use super::crc32;
use super::{Pairs, is_filled, le32};

/// Where the environment begins in BOOT, in bytes.
pub const OFFSET: usize = 0x4_F000;
/// Its size in bytes.
pub const SIZE: usize = 0x1000;

/// An environment, borrowed from the bytes of its region.
#[derive(Clone)]
pub struct Env<'a> {
    /// The CRC32 in front of it.
    pub stored_crc: u32,
    /// The CRC32 of what is there.
    pub computed_crc: u32,
    text: &'a [u8],
}

impl<'a> Env<'a> {
    /// Whether the CRC is right, that is, whether U-Boot uses it.
    pub fn crc_ok(&self) -> bool {
        self.stored_crc == self.computed_crc
    }

    /// Whether the region is erased.
    pub fn is_blank(&self) -> bool {
        self.stored_crc == u32::MAX && is_filled(self.text, 0xFF)
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

impl std::fmt::Debug for Env<'_> {
    // Addresses and serials may be in it: only their number is shown.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Env")
            .field("crc_ok", &self.crc_ok())
            .field("entries", &self.entries().count())
            .finish_non_exhaustive()
    }
}

/// Reads an environment. `region` is the whole of it: the CRC goes to its
/// end. `None` for fewer than 5 bytes.
pub fn parse(region: &[u8]) -> Option<Env<'_>> {
    let text = region.get(4..).filter(|text| !text.is_empty())?;
    Some(Env { stored_crc: le32(region, 0)?, computed_crc: crc32::hash(text), text })
}

/// An environment of `size` bytes with these keys and values, zeros behind
/// them. `None` where they do not fit, or hold what it cannot say (a NUL, an
/// empty key, `=` or 0xFF in a key).
pub fn build(entries: &[(&[u8], &[u8])], size: usize) -> Option<Vec<u8>> {
    let mut out = vec![0; 4];
    for (key, value) in entries {
        if key.is_empty() || key.iter().any(|b| matches!(b, 0 | b'=' | 0xFF)) || value.contains(&0)
        {
            return None;
        }
        out.extend_from_slice(key);
        out.push(b'=');
        out.extend_from_slice(value);
        out.push(0);
    }
    out.push(0);
    if out.len() > size {
        return None;
    }
    out.resize(size, 0);
    let crc = crc32::hash(&out[4..]);
    out[..4].copy_from_slice(&crc.to_le_bytes());
    Some(out)
}
