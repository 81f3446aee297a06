//! Split of a tf image into KERNEL, ROOTFS and DATA by a flash map.
//!
//! Facts: docs/formats.md, tf image.

use super::map::{FlashMap, Role};
use crate::formats::tf::{FLASH_END, FLASH_START, SIZE, Trailer};

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
