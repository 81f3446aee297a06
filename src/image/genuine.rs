//! Whether a firmware image is the vendor's own: by its hash.

use crate::formats::version::Version;
use crate::image::inspect::Model;

/// A vendor's image that is told by its hash alone.
pub struct KnownImage {
    sha256: [u8; 32],
    /// The firmware's version.
    pub version: Version,
    model: &'static str,
}

/// Published recovery images (docs/formats.md, Versions).
const KNOWN_IMAGES: [KnownImage; 1] = [KnownImage {
    sha256: digest(b"53271c2d932d1b8f278f0ee815837ea52b838e1afe3d2150587daa7f94ee2e72"),
    version: Version { release: [3, 4, 2], build: 62 },
    model: "ipc009",
}];

impl KnownImage {
    /// The model that it is for.
    pub fn model(&self) -> Model {
        let how = "the vendor's image of this hash is for it".to_owned();
        Model { id: self.model.to_owned(), certain: true, how }
    }
}

/// The vendor's image of this SHA-256.
pub fn known(sha256: &[u8; 32]) -> Option<&'static KnownImage> {
    KNOWN_IMAGES.iter().find(|k| k.sha256 == *sha256)
}

/// 32 bytes from 64 hex digits, when the program is built.
const fn digest(hex: &[u8; 64]) -> [u8; 32] {
    const fn nibble(digit: u8) -> u8 {
        if digit <= b'9' { digit - b'0' } else { digit - b'a' + 10 }
    }
    let mut out = [0; 32];
    let mut i = 0;
    while i < 32 {
        out[i] = nibble(hex[2 * i]) << 4 | nibble(hex[2 * i + 1]);
        i += 1;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_image_is_known_by_its_hash() {
        let mut sha256 = KNOWN_IMAGES[0].sha256;
        assert_eq!((sha256[0], sha256[1], sha256[31]), (0x53, 0x27, 0x72));
        assert_eq!(known(&sha256).map(|k| k.model().id).as_deref(), Some("ipc009"));
        sha256[5] ^= 1;
        assert!(known(&sha256).is_none());
    }
}
