//! CRC32 as zip, xz, JFFS2, uImage and U-Boot's environment have it (ISO-HDLC). On the camera by a
//! table of 1 KiB; the faster one of a PC takes 16 KiB of memory.

use crc::{CRC_32_ISO_HDLC, Crc, Digest, Table};

#[cfg(target_arch = "arm")]
type Tables = Table<1>;
#[cfg(not(target_arch = "arm"))]
type Tables = Table<16>;

static CRC32: Crc<u32, Tables> = Crc::<u32, Tables>::new(&CRC_32_ISO_HDLC);

/// Of all these bytes.
pub fn hash(bytes: &[u8]) -> u32 {
    CRC32.checksum(bytes)
}

/// Of bytes that come in pieces.
#[derive(Clone)]
pub struct Hasher(Digest<'static, u32, Tables>);

impl Hasher {
    /// Before the first byte.
    pub fn new() -> Hasher {
        Hasher(CRC32.digest())
    }

    /// JFFS2's: it begins with a register of 0 (`fs/jffs2/nodelist.h` of Linux).
    pub fn from_zero() -> Hasher {
        Hasher(CRC32.digest_with_initial(0))
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The checksum.
    pub fn finalize(self) -> u32 {
        self.0.finalize()
    }
}

impl Default for Hasher {
    fn default() -> Hasher {
        Hasher::new()
    }
}

impl std::fmt::Debug for Hasher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hasher")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_sums() {
        assert_eq!(hash(b"123456789"), 0xcbf4_3926);
        let mut pieces = Hasher::new();
        pieces.update(b"1234");
        pieces.update(b"56789");
        assert_eq!(pieces.finalize(), 0xcbf4_3926);
        // What `crc32_le(0, "abc", 3)` of Linux gives is its complement.
        let mut zero = Hasher::from_zero();
        zero.update(b"abc");
        assert_eq!(zero.finalize(), 0x359a_672f);
    }
}
