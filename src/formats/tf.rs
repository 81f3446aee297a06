//! `tf_recovery.img` and `tf_update.img`: KERNEL, ROOTFS and DATA as they
//! stand on the flash, and a signed trailer. There is no header, version or
//! model in it: how it is split depends on the model's map.
//!
//! Facts: docs/formats.md, tf image.

use super::array;
use crate::chip::{FlashMap, Role};

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

/// The slice of one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slice {
    /// The partition's name.
    pub name: String,
    /// What the partition is for.
    pub role: Role,
    /// Where the slice begins in the file, in bytes.
    pub offset: u64,
    /// Its size in bytes, the partition's.
    pub size: u32,
}

/// How this map splits the body; `None` where it has no partitions that make
/// up exactly the flash range of such a file.
pub fn slices(map: &FlashMap) -> Option<Vec<Slice>> {
    let mut end = FLASH_START;
    let mut out = Vec::new();
    for p in map.covering() {
        let Some(offset) = p.offset.filter(|o| (FLASH_START..FLASH_END).contains(o)) else {
            continue;
        };
        if offset != end {
            return None;
        }
        end = end.checked_add(p.size)?;
        out.push(Slice {
            name: p.name.clone(),
            role: p.role,
            offset: u64::from(offset - FLASH_START),
            size: p.size,
        });
    }
    let roles = out.iter().map(|s| s.role);
    (end == FLASH_END && roles.eq([Role::Kernel, Role::Rootfs, Role::Data])).then_some(out)
}

/// What stands behind the body.
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

/// A whole file: each content padded with 0xFF to its slice. `None` where the
/// map does not split such a file, or a content does not fit.
pub fn build(
    map: &FlashMap,
    kernel: &[u8],
    rootfs: &[u8],
    data: &[u8],
    trailer: &Trailer,
) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(SIZE as usize);
    for (slice, content) in slices(map)?.iter().zip([kernel, rootfs, data]) {
        let end = out.len() + slice.size as usize;
        out.extend_from_slice(content);
        if out.len() > end {
            return None;
        }
        out.resize(end, 0xFF);
    }
    out.extend_from_slice(&trailer.to_bytes());
    Some(out)
}
