//! What an inode node holds, unpacked: by the compressors that the vendor's
//! images and Linux use, but for lzo and rubin. A node holds a page at most.

use super::node;
use crate::formats::{array, le32};

/// The most bytes of a node, unpacked: larger pages are not known.
const MOST: usize = 0x1_0000;
const NONE: u8 = 0;
const ZERO: u8 = 1;
const RTIME: u8 = 2;
const COPY: u8 = 4;
const ZLIB: u8 = 6;

/// The data of a good inode node; `None` where it is packed in another way.
pub fn unpack(inode: &[u8]) -> Option<Vec<u8>> {
    let size = le32(inode, 52)? as usize; // dsize
    let [compressor] = array(inode, 56)?;
    let packed = inode.get(node::INODE_HEADER..)?;
    if size > MOST {
        return None;
    }
    match compressor {
        NONE | COPY => Some(packed.to_vec()),
        ZERO => Some(vec![0; size]),
        RTIME => rtime(packed, size),
        ZLIB => miniz_oxide::inflate::decompress_to_vec_zlib_with_limit(packed, size).ok(),
        _ => None,
    }
}

/// Each byte is followed by how many come as they did behind its last occurrence.
fn rtime(packed: &[u8], size: usize) -> Option<Vec<u8>> {
    let mut out: Vec<u8> = Vec::with_capacity(size);
    let mut last = [0; 256];
    let mut pairs = packed.chunks_exact(2);
    while out.len() < size {
        let pair = pairs.next()?;
        let (value, repeat) = (pair[0], usize::from(pair[1]));
        out.push(value);
        let from = std::mem::replace(&mut last[usize::from(value)], out.len());
        for i in 0..repeat.min(size - out.len()) {
            out.push(*out.get(from + i)?);
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(compressor: u8, size: u32, packed: &[u8]) -> Vec<u8> {
        let mut node = super::super::inode(2, 1, 0o100_644, 0, packed).unwrap();
        node.truncate(node::INODE_HEADER + packed.len());
        node[52..56].copy_from_slice(&size.to_le_bytes());
        node[56] = compressor;
        node
    }

    #[test]
    fn every_compressor_gives_its_bytes_and_no_more_than_a_page() {
        let text = b"VERSION=3.5.1_0052\n".repeat(20);
        let zlib = miniz_oxide::deflate::compress_to_vec_zlib(&text, 6);
        assert_eq!(unpack(&node(ZLIB, text.len() as u32, &zlib)), Some(text.clone()));
        assert_eq!(unpack(&node(ZLIB, 10, &zlib)), None);
        assert_eq!(unpack(&node(NONE, 3, b"abc")), Some(b"abc".to_vec()));
        assert_eq!(unpack(&node(ZERO, 4, b"")), Some(vec![0; 4]));
        assert_eq!(unpack(&node(ZERO, u32::MAX, b"")), None);
        // a, then b, then a again with what followed it.
        assert_eq!(unpack(&node(RTIME, 6, b"a\0b\0a\x03")), Some(b"ababab".to_vec()));
        assert_eq!(unpack(&node(RTIME, 9, b"a\0")), None);
        assert_eq!(unpack(&node(7, 3, b"abc")), None);
    }
}
