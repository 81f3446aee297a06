//! The nodes of JFFS2: headers and checksums. Counting is in the module above.

use crate::formats::crc32;
use crate::formats::{array, le16, le32};

/// Little-endian 0x1985.
pub(super) const MAGIC: [u8; 2] = [0x85, 0x19];
/// Bytes of the header that all nodes have.
pub(super) const HEADER: usize = 12;
/// Bytes of an inode node before its data.
pub(super) const INODE_HEADER: usize = 68;
/// The bit of the type that is cleared when a node is replaced.
pub(super) const ACCURATE: u16 = 0x2000;
pub(super) const DIRENT: u16 = 0xE001;
pub(super) const INODE: u16 = 0xE002;
pub(super) const CLEANMARKER: u16 = 0x2003;
const SUMMARY: u16 = 0x2006;
const XATTR: u16 = 0xE008;
const XREF: u16 = 0xE009;

/// The header of a node, its CRC found right.
pub(super) struct Header {
    /// The type, the accurate bit set.
    pub kind: u16,
    /// Bytes of the node, the header included: at least [`HEADER`].
    pub length: usize,
    current: bool,
}

impl Header {
    pub(super) fn parse(bytes: &[u8]) -> Option<Header> {
        let head: [u8; HEADER] = array(bytes, 0)?;
        if !head.starts_with(&MAGIC) {
            return None;
        }
        let kind = le16(&head, 2)?;
        // The CRC is that of the header as it was before the node was replaced.
        let mut covered: [u8; 8] = array(&head, 0)?;
        covered[2..4].copy_from_slice(&(kind | ACCURATE).to_le_bytes());
        if crc32(&covered) != le32(&head, 8)? {
            return None;
        }
        let length = usize::try_from(le32(&head, 4)?).ok().filter(|&l| l >= HEADER)?;
        Some(Header { kind: kind | ACCURATE, length, current: kind & ACCURATE != 0 })
    }

    /// Whether the node has not been replaced.
    pub(super) fn is_current(&self) -> bool {
        self.current
    }
}

/// Whether the checksums inside a node are right; `node` is all of it.
pub(super) fn is_good(header: &Header, node: &[u8]) -> bool {
    check(header, node).unwrap_or(false)
}

fn check(header: &Header, node: &[u8]) -> Option<bool> {
    Some(match header.kind {
        INODE => {
            let data = node.get(68..)?;
            let stored = le32(node, 48)? as usize; // csize
            sum(node, 60, 64)? && data.len() == stored && crc32(data) == le32(node, 60)?
        }
        DIRENT => {
            let name = node.get(40..)?;
            let length = usize::from(*node.get(28)?);
            sum(node, 32, 32)? && name.len() == length && crc32(name) == le32(node, 36)?
        }
        XATTR => {
            let length = usize::from(*node.get(21)?) + 1 + usize::from(le16(node, 22)?);
            let data = node.get(32..)?;
            sum(node, 28, 28)? && data.len() == length && crc32(data) == le32(node, 24)?
        }
        XREF => sum(node, 24, 24)?,
        SUMMARY => sum(node, 24, 28)? && crc32(node.get(32..)?) == le32(node, 24)?,
        // Clean markers and padding have no content; others are not known.
        _ => true,
    })
}

/// Whether the CRC at `at` is that of the first `covered` bytes.
fn sum(node: &[u8], covered: usize, at: usize) -> Option<bool> {
    Some(crc32(node.get(..covered)?) == le32(node, at)?)
}

/// The CRC32 of JFFS2: started from 0 and not inverted at the end.
pub(super) fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = crc32::Hasher::from_zero();
    crc.update(bytes);
    !crc.finalize()
}
