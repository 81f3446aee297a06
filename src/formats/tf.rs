//! `tf_recovery.img` and `tf_update.img`: KERNEL, ROOTFS and DATA as they
//! are on the flash, and a signed trailer. There is no header, version or
//! model in it: how it is split depends on the model's map.
//!
//! Facts: docs/formats.md, tf image.

use super::array;

/// The size of the file in bytes, always.
pub const SIZE: u64 = BODY + TRAILER as u64;
/// Where on the flash the body begins, in bytes.
pub const FLASH_START: u32 = 0x05_0000;
/// Where on the flash the body ends, in bytes.
pub const FLASH_END: u32 = 0xFE_0000;
/// Bytes of the body: KERNEL, ROOTFS and DATA.
pub const BODY: u64 = (FLASH_END - FLASH_START) as u64;
/// Bytes of the trailer: the signature, and 16 bytes of unknown meaning.
pub const TRAILER: usize = 80;

/// What is behind the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trailer {
    /// Ed25519ph over the body.
    pub signature: [u8; 64],
    /// Not known; kept as it is.
    pub unknown: [u8; 16],
}

impl Trailer {
    /// Reads a trailer from the last 80 bytes of a file.
    pub fn parse(bytes: &[u8]) -> Option<Trailer> {
        Some(Trailer { signature: array(bytes, 0)?, unknown: array(bytes, 64)? })
    }

    /// Whether it can be a signature at all: erased or zeroed, it cannot.
    pub fn is_plausible(&self) -> bool {
        !super::is_filled(&self.signature, 0) && !super::is_filled(&self.signature, 0xFF)
    }

    /// Its 80 bytes.
    pub fn to_bytes(&self) -> [u8; TRAILER] {
        let mut out = [0; TRAILER];
        out[..64].copy_from_slice(&self.signature);
        out[64..].copy_from_slice(&self.unknown);
        out
    }
}
