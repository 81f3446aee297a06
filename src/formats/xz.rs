//! xz, as far as U-Boot is packed with it: the container is read here, what is
//! in it unpacked by a crate. Only one block with the one filter LZMA2 is
//! taken, which is how the vendor packs it; checksums are not looked at,
//! because the uImage around it has one.
//!
//! Facts: the .xz file format 1.2.1 (tukaani.org), sections 2.1.1 and 3.1.

use std::io::Read as _;

/// What a file begins with.
pub const MAGIC: &[u8; 6] = b"\xFD7zXZ\0";
/// Bytes of the stream's header.
const STREAM_HEADER: usize = 12;
/// The filter's number.
const LZMA2: u8 = 0x21;
/// The most memory for what is looked back at, in bytes; a U-Boot is smaller.
const DICTIONARY: u32 = 0x8_0000;

/// Unpacks a file, at most `most` bytes of it. `None` where it is packed in
/// another way or is damaged.
pub fn unpack(bytes: &[u8], most: usize) -> Option<Vec<u8>> {
    let packed = bytes.get(STREAM_HEADER + block_header(bytes)?..)?;
    unpack_lzma2(packed, most).filter(|out| !out.is_empty())
}

/// Unpacks what the filter made, without a container around it: at most `most` bytes.
pub fn unpack_lzma2(packed: &[u8], most: usize) -> Option<Vec<u8>> {
    let dictionary = DICTIONARY.min(u32::try_from(most).ok()?);
    let reader = lzma_rust2::Lzma2Reader::new(packed, dictionary, None);
    let mut out = Vec::new();
    // What is cut off or damaged gives an error: a part of it is of no use.
    reader.take(most as u64).read_to_end(&mut out).ok()?;
    Some(out)
}

/// Bytes of the first block's header, where it has the one filter.
fn block_header(bytes: &[u8]) -> Option<usize> {
    if !bytes.starts_with(MAGIC) {
        return None;
    }
    let block = bytes.get(STREAM_HEADER..)?;
    let size = (usize::from(*block.first().filter(|b| **b != 0)?) + 1) * 4;
    let header = block.get(..size)?;
    let flags = *header.get(1)?;
    if flags & 0x3F != 0 {
        return None; // more filters, or bits that are reserved
    }
    let mut at = 2;
    for sized in [flags & 0x40, flags & 0x80] {
        if sized != 0 {
            at += header.get(at..)?.iter().position(|b| b & 0x80 == 0)? + 1;
        }
    }
    (header.get(at..at + 2)? == [LZMA2, 1]).then_some(size)
}

/// Wraps bytes without packing them, in the blocks that LZMA2 has for that:
/// for a synthetic U-Boot, so checksums are left 0.
pub fn build(bytes: &[u8]) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    out.extend([0; 6]);
    out.extend([2, 0, LZMA2, 1, 0x16, 0, 0, 0, 0, 0, 0, 0]);
    for (i, chunk) in bytes.chunks(0x1_0000).enumerate() {
        let size = (chunk.len() - 1) as u16; // chunks are 1 to 64 KiB
        out.push(if i == 0 { 1 } else { 2 });
        out.extend(size.to_be_bytes());
        out.extend_from_slice(chunk);
    }
    out.push(0);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrapped_is_unpacked_and_a_cut_or_another_filter_is_none() {
        let bytes: Vec<u8> = (0..150_000u32).map(|i| ((i * 7) >> 3) as u8).collect();
        let packed = build(&bytes);
        assert_eq!(unpack(&packed, 1 << 20).as_deref(), Some(&bytes[..]));
        assert_eq!(unpack(&packed, 1000).as_deref(), Some(&bytes[..1000]));
        for cut in [0, 5, 12, 20, 30, 70_000] {
            assert_eq!(unpack(&packed[..cut], 1 << 20), None, "cut at {cut}");
        }
        let mut other = packed;
        other[14] = 7; // a filter for ARM code
        assert_eq!(unpack(&other, 1 << 20), None);
    }
}
