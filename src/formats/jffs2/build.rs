//! Builds JFFS2 nodes for the synthetic camera and for tests. Data is stored
//! as it is: no compression.

use super::node::{self, crc32};

/// A clean marker, 12 bytes: what JFFS2 writes into an erased block.
pub const CLEANMARKER: [u8; 12] = [0x85, 0x19, 0x03, 0x20, 0x0C, 0, 0, 0, 0xB1, 0xB0, 0x1E, 0xE4];

/// A node, ready to be written at a multiple of 4.
pub type Node = Vec<u8>;

/// An inode node with `data` at `offset` of the file `ino`. `mode` is that of
/// `stat`: 0o100644, say. `None` for data of more than 4 KiB, the page beyond
/// which JFFS2 starts another node.
pub fn inode(ino: u32, version: u32, mode: u32, offset: u32, data: &[u8]) -> Option<Node> {
    let size = u32::try_from(data.len()).ok().filter(|&n| n <= 4096)?;
    let mut out = header(node::INODE, 68 + size);
    for word in [ino, version, mode, 0, offset.checked_add(size)?, 0, 0, 0, offset, size, size, 0] {
        out.extend_from_slice(&word.to_le_bytes());
    }
    out.extend_from_slice(&crc32(data).to_le_bytes());
    out.extend_from_slice(&crc32(&out[..60]).to_le_bytes());
    out.extend_from_slice(data);
    Some(pad(out))
}

/// A directory entry: `name` in the directory `parent` is the file `ino`.
/// `kind` is that of `readdir`: 8 a file, 4 a directory. `None` for a name
/// that is empty or longer than 254 bytes.
pub fn dirent(parent: u32, version: u32, ino: u32, kind: u8, name: &[u8]) -> Option<Node> {
    let length = u8::try_from(name.len()).ok().filter(|n| (1..=254).contains(n))?;
    let mut out = header(node::DIRENT, 40 + u32::from(length));
    for word in [parent, version, ino, 0] {
        out.extend_from_slice(&word.to_le_bytes());
    }
    out.extend_from_slice(&[length, kind, 0, 0]);
    out.extend_from_slice(&crc32(&out[..32]).to_le_bytes());
    out.extend_from_slice(&crc32(name).to_le_bytes());
    out.extend_from_slice(name);
    Some(pad(out))
}

fn header(kind: u16, length: u32) -> Vec<u8> {
    let mut out = Vec::with_capacity(length as usize + 3);
    out.extend_from_slice(&node::MAGIC);
    out.extend_from_slice(&kind.to_le_bytes());
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&crc32(&out).to_le_bytes());
    out
}

fn pad(mut node: Vec<u8>) -> Node {
    node.resize(node.len().next_multiple_of(4), 0xFF);
    node
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clean_marker_is_a_good_node() {
        assert_eq!(CLEANMARKER[..], header(node::CLEANMARKER, 12)[..]);
        assert_eq!(super::super::walk(&CLEANMARKER).cleanmarkers, 1);
    }
}
