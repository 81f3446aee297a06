//! Bytes as hex digits.

/// A SHA-256 digest.
pub type Digest = [u8; 32];

/// Bytes as lowercase hex digits, two for each byte.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The digest that 64 lowercase hex digits name. Nothing else is accepted, so that
/// a flipped bit in a checksum file is always noticed.
pub fn unhex(text: &str) -> Option<Digest> {
    let mut digest = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (byte, pair) in digest.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    (hex(&digest) == text).then_some(digest)
}
