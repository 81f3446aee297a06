//! Builds a FLSH, as the synthetic camera and the carrying of settings
//! through CONFIG need it. Reading is in the module above.

use super::{CRC_FROM, CRC_START, HEADER, MAGIC, crc8};

/// The version of the format, the same in both variants.
pub(super) const VERSION: u8 = 1;

/// A partition of `size` bytes with these keys and values, in the modern
/// variant. `None` where they do not fit, or where a key or value holds what
/// the format cannot say (a NUL, an empty key, `=` or 0xFF in a key).
pub fn build(entries: &[(&[u8], &[u8])], size: usize) -> Option<Vec<u8>> {
    let text = text(entries)?;
    let mut out = header(u32::try_from(text.len()).ok()?);
    out.extend_from_slice(&text);
    if out.len() > size {
        return None;
    }
    out.resize(size, 0xFF);
    out[0x08] = crc8(CRC_START, &out[CRC_FROM..]);
    Some(out)
}

/// The same in the legacy variant, without padding after it.
pub fn build_legacy(entries: &[(&[u8], &[u8])]) -> Option<Vec<u8>> {
    let text = text(entries)?;
    let mut out = header(u32::try_from(HEADER + text.len()).ok()?);
    out.extend_from_slice(&text);
    out[0x08] = crc8(CRC_START, &out[CRC_FROM..]);
    Some(out)
}

fn header(length: u32) -> Vec<u8> {
    let mut out = Vec::with_capacity(HEADER);
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&[0, VERSION]); // the CRC is filled in later
    out.extend_from_slice(&0x0419u16.to_le_bytes());
    out.extend_from_slice(&0x8040_0000u32.to_le_bytes());
    out.extend_from_slice(&0u32.to_le_bytes());
    out
}

fn text(entries: &[(&[u8], &[u8])]) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    for (key, value) in entries {
        if key.is_empty() || key.iter().any(|b| matches!(b, 0 | b'=' | 0xFF)) || value.contains(&0)
        {
            return None;
        }
        text.extend_from_slice(key);
        text.push(b'=');
        text.extend_from_slice(value);
        text.push(0);
    }
    text.push(0);
    text.resize(text.len().next_multiple_of(4), 0);
    Some(text)
}
