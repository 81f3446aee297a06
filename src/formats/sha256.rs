//! SHA-256 (FIPS 180-4), which a backup waits for. On a PC the crate `sha2`,
//! with the processor's own instructions; on the camera, where `sha2` is built
//! for size, `hmac-sha256`, which takes 2 KB and less than half of its time.

#[cfg(not(target_arch = "arm"))]
use sha2::Digest as _;

#[cfg(target_arch = "arm")]
type Inner = hmac_sha256::Hash;
#[cfg(not(target_arch = "arm"))]
type Inner = sha2::Sha256;

/// A hash that grows.
#[derive(Clone)]
pub struct Sha256(Inner);

impl Default for Sha256 {
    fn default() -> Sha256 {
        Sha256(Inner::new())
    }
}

impl Sha256 {
    /// That of no bytes.
    pub fn new() -> Sha256 {
        Sha256::default()
    }

    /// That of these bytes, to be gone on with.
    pub fn new_with_prefix(bytes: impl AsRef<[u8]>) -> Sha256 {
        let mut hash = Sha256::new();
        hash.update(bytes);
        hash
    }

    /// Takes more bytes.
    pub fn update(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.update(bytes.as_ref());
    }

    /// The hash of all that was taken.
    pub fn finalize(self) -> [u8; 32] {
        self.0.finalize().into()
    }

    /// The same, and starts again.
    pub fn finalize_reset(&mut self) -> [u8; 32] {
        std::mem::take(self).finalize()
    }

    /// The hash of these bytes.
    pub fn digest(bytes: impl AsRef<[u8]>) -> [u8; 32] {
        Sha256::new_with_prefix(bytes).finalize()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_gives_what_the_standard_says() {
        // FIPS 180-4's examples, and a length around each edge of a block.
        let hex = |bytes: &[u8]| {
            Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect::<String>()
        };
        assert_eq!(hex(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        let text = vec![b'a'; 1_000_000];
        assert_eq!(hex(&text), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
        for length in [0, 55, 56, 63, 64, 65, 127, 128, 129] {
            let mut by_camera = hmac_sha256::Hash::new();
            text[..length].chunks(7).for_each(|piece| by_camera.update(piece));
            assert_eq!(by_camera.finalize(), Sha256::digest(&text[..length]), "{length}");
        }
    }
}
