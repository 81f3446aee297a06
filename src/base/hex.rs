//! Bytes as hex digits.

use base16ct::lower;

/// A SHA-256 digest.
pub type Digest = [u8; 32];

/// Bytes as lowercase hex digits, two for each byte.
pub fn hex(bytes: &[u8]) -> String {
    lower::encode_string(bytes)
}

/// The digest that 64 lowercase hex digits name. Nothing else is accepted, so that
/// a flipped bit in a checksum file is always noticed.
pub fn unhex(text: &str) -> Option<Digest> {
    let mut digest = [0; 32];
    (lower::decode(text, &mut digest).ok()?.len() == 32).then_some(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_64_lowercase_digits_and_nothing_else() {
        let digest: Digest = std::array::from_fn(|i| i as u8 * 7);
        let text = hex(&digest);
        assert_eq!(unhex(&text), Some(digest));
        for wrong in [
            text.to_uppercase(),
            text[..62].to_owned(),
            format!("{text}00"),
            text.replace('0', "g"),
            format!(" {text}"),
        ] {
            assert_eq!(unhex(&wrong), None, "{wrong}");
        }
    }
}
