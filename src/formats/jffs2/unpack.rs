//! Unpacks an inode node, by every compressor that Linux has.
//! A node holds a page at most.

use super::{lzo, node, rubin};
use crate::formats::{array, le32};

/// The most bytes of a node, unpacked: larger pages are not known.
const MOST: usize = 0x1_0000;
const NONE: u8 = 0;
const ZERO: u8 = 1;
const RTIME: u8 = 2;
// Linux has the names of the two rubins the wrong way round, and writes this one.
const DYNRUBIN: u8 = 3;
const COPY: u8 = 4;
const RUBINMIPS: u8 = 5;
const ZLIB: u8 = 6;
const LZO: u8 = 7;

/// The data of a good inode node; `None` where it has more than `left` bytes, or cannot be
/// unpacked. What is tried is taken off `left`, also where it fails: that takes as long.
pub fn unpack(inode: &[u8], left: &mut usize) -> Option<Vec<u8>> {
    let size = le32(inode, 52)? as usize; // dsize
    let [compressor] = array(inode, 56)?;
    let packed = inode.get(node::INODE_HEADER..)?;
    if size > MOST {
        return None;
    }
    *left = left.checked_sub(size.max(packed.len()))?;
    match compressor {
        NONE | COPY => Some(packed.to_vec()),
        ZERO => Some(vec![0; size]),
        RTIME => rtime(packed, size),
        DYNRUBIN => rubin::dynamic(packed, size),
        RUBINMIPS => Some(rubin::fixed(packed, size)),
        LZO => lzo::unpack(packed, size),
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

    /// Made by the tools of Linux: mkfs.jffs2 of mtd-utils 2.1.5 with lzo, and the
    /// coder of its fs/jffs2 for the two rubins.
    const LZO_OF_LINES: &str = "2756455253494f4e3d342e302e395f303430392036320a3156003237325600383932560035343255\
                         003133ae003831325600343633040133ae0037333256003338335400325200363533a90030325500\
                         39337104353371043233ad0038337104343371043133ad00373371043433700433a90036346c0433\
                         710439337104363371043233ad0038337104353371043133ad00373371043433700433a90037336d\
                         043334900933bc03336d0432331d0539336d04350c46110000";
    const RUBIN_OF_ITS_OWN_ODDS: &str = "6b798686a1866b017b3c1f2eb097edfcbb2640cb35a79d218cf8a95ecf77a59fab89921cc73b0e50\
                         a04f44f0f69ee4ce0e7de77eece5648eff3e00";
    const RUBIN_OF_FIXED_ODDS: &str = "b80f3f9d4b8b707dff0b158b3a3371e066a3d2bad8ca9528da6419e8bb3f90097a2dff5e6e733464\
                         efcf71039835608a4318c81b5f57e5bd40f14fe8cd3e5d9ac0";

    fn bytes(hex: &str) -> Vec<u8> {
        let digit = |c: u8| u8::try_from(char::from(c).to_digit(16).unwrap()).unwrap();
        hex.as_bytes().chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
    }

    #[test]
    fn every_compressor_gives_its_bytes_and_no_more_than_a_page() {
        let unpack = |node: &[u8]| super::unpack(node, &mut MOST.clone());
        let text = b"VERSION=3.5.1_0052\n".repeat(20);
        let zlib = miniz_oxide::deflate::compress_to_vec_zlib(&text, 6);
        assert_eq!(unpack(&node(ZLIB, text.len() as u32, &zlib)), Some(text.clone()));
        assert_eq!(unpack(&node(ZLIB, 10, &zlib)), None);
        assert_eq!(unpack(&node(NONE, 3, b"abc")), Some(b"abc".to_vec()));
        assert_eq!(unpack(&node(ZERO, 4, b"")), Some(vec![0; 4]));
        assert_eq!(unpack(&node(ZERO, u32::MAX, b"")), None);
        assert_eq!(super::unpack(&node(ZERO, 4, b""), &mut 3), None);
        // a, then b, then a again with what followed it.
        assert_eq!(unpack(&node(RTIME, 6, b"a\0b\0a\x03")), Some(b"ababab".to_vec()));
        assert_eq!(unpack(&node(RTIME, 9, b"a\0")), None);
        let lines = b"VERSION=4.0.9_0409\n".repeat(3);
        for (compressor, packed) in
            [(DYNRUBIN, RUBIN_OF_ITS_OWN_ODDS), (RUBINMIPS, RUBIN_OF_FIXED_ODDS)]
        {
            assert_eq!(unpack(&node(compressor, 57, &bytes(packed))), Some(lines.clone()));
        }
        assert_eq!(unpack(&node(DYNRUBIN, 57, b"short")), None);
        let lines: String =
            (1..=40).map(|i| format!("VERSION=4.0.9_0409 {}\n", i * 7919 % 97)).collect();
        let packed = bytes(LZO_OF_LINES);
        assert_eq!(unpack(&node(LZO, 876, &packed)), Some(lines.into_bytes()));
        for size in [0, 1, 875, 877] {
            assert_eq!(unpack(&node(LZO, size, &packed)), None, "{size}");
        }
        assert_eq!(unpack(&node(8, 3, b"abc")), None);
    }

    #[test]
    fn what_fails_counts_as_what_was_unpacked() {
        let broken = &miniz_oxide::deflate::compress_to_vec_zlib(&[7; 9000], 6)[..20];
        let mut left = 25_000;
        let mut tried = 0;
        while left >= 9001 {
            assert_eq!(unpack(&node(ZLIB, 9001, broken), &mut left), None);
            tried += 1;
        }
        assert_eq!((tried, left), (2, 25_000 - 2 * 9001));
        // What is too large for the rest is not tried, and costs nothing.
        assert_eq!(unpack(&node(ZLIB, 9001, broken), &mut left), None);
        assert_eq!(left, 25_000 - 2 * 9001);
    }

    #[test]
    fn no_damage_makes_a_node_larger_than_it_says() {
        let mut state = 1u32;
        let mut random = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 16) as usize
        };
        let packed = [bytes(LZO_OF_LINES), bytes(RUBIN_OF_ITS_OWN_ODDS), b"a\0b\0a\x03".to_vec()];
        for round in 0..20_000 {
            let mut bytes = packed[round % 3].clone();
            for _ in 0..=random() % 4 {
                let at = random() % bytes.len();
                bytes[at] = random() as u8;
            }
            bytes.truncate(random() % (bytes.len() + 1));
            let size = random() % 2048;
            for compressor in 0..8 {
                let unpacked = unpack(&node(compressor, size as u32, &bytes), &mut 1024);
                assert!(unpacked.is_none_or(|u| u.len() <= 1024));
            }
        }
    }
}
