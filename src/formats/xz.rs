//! xz: the compression of U-Boot and of the root file system's blocks. The
//! frame of a stream is read here, what is in it is unpacked by a crate.
//! [`unpack`] takes a U-Boot without a look at checksums, because the uImage
//! around it has one; [`check`] and [`unpack_stream`] verify all checksums.
//!
//! Facts: the .xz file format 1.2.1 (tukaani.org), sections 2.1.1 and 3.1.

use std::io::Read as _;

use super::crc32;
use super::le32;

/// What a file begins with.
pub const MAGIC: &[u8; 6] = b"\xFD7zXZ\0";
/// Bytes of the stream's header.
const STREAM_HEADER: usize = 12;
/// The filter's number.
const LZMA2: u8 = 0x21;
/// The most memory for what is looked back at, in bytes; a U-Boot is smaller.
const DICTIONARY: u32 = 0x8_0000;

/// The most memory that unpacking a stream of a block may take, in KiB.
const MOST_KIB: u32 = 3 << 10;
/// Bytes of a check of each type, by its number.
const CHECKS: [usize; 16] = [0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64];

/// Where a stream ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame {
    /// It has this many bytes.
    Bytes(usize),
    /// More bytes are needed to tell.
    More,
    /// This is no stream, or its frame is damaged.
    Not,
}

/// Length of the stream at the beginning of `bytes`, from the lengths in
/// it; nothing is unpacked. Any filters before LZMA2 are taken.
pub fn frame(bytes: &[u8]) -> Frame {
    let known = MAGIC.len().min(bytes.len());
    if bytes[..known] != MAGIC[..known] {
        return Frame::Not;
    }
    let Some(head) = bytes.get(..STREAM_HEADER) else { return Frame::More };
    let flags_ok = head[6] == 0 && head[7] < 16 && le32(head, 8) == Some(crc32::hash(&head[6..8]));
    if !flags_ok {
        return Frame::Not;
    }
    match end_of(bytes, CHECKS[usize::from(head[7])]) {
        Ok(end) => Frame::Bytes(end),
        Err(why) => why,
    }
}

/// Where the stream ends, or why that is unknown.
fn end_of(bytes: &[u8], check: usize) -> Result<usize, Frame> {
    let byte = |at: usize| bytes.get(at).copied().ok_or(Frame::More);
    let size_at = |at: usize| Ok(usize::from(u16::from_be_bytes([byte(at)?, byte(at + 1)?])) + 1);
    let mut at = STREAM_HEADER;
    loop {
        let size = usize::from(byte(at)?);
        if size == 0 {
            break;
        }
        let size = (size + 1) * 4;
        let header = bytes.get(at..at + size).ok_or(Frame::More)?;
        if le32(header, size - 4) != Some(crc32::hash(&header[..size - 4])) {
            return Err(Frame::Not);
        }
        let start = at + size;
        at = start;
        loop {
            at += match byte(at)? {
                0 => break,
                1 | 2 => 3 + size_at(at + 1)?,
                control @ 0x80.. => 5 + usize::from(control >= 0xC0) + size_at(at + 3)?,
                _ => return Err(Frame::Not),
            };
        }
        at += 1;
        at += (at - start).next_multiple_of(4) - (at - start) + check;
    }
    let index = at;
    at += 1;
    let numbers = 2 * vli(bytes, &mut at)?.min(1 << 16);
    for _ in 0..numbers {
        vli(bytes, &mut at)?;
    }
    at += (at - index).next_multiple_of(4) - (at - index) + 4 + STREAM_HEADER;
    let stream = bytes.get(..at).ok_or(Frame::More)?;
    if stream.ends_with(b"YZ") { Ok(at) } else { Err(Frame::Not) }
}

/// A number of the index: 7 bits in each byte.
fn vli(bytes: &[u8], at: &mut usize) -> Result<u64, Frame> {
    let mut value = 0;
    for shift in (0..63).step_by(7) {
        let byte = *bytes.get(*at).ok_or(Frame::More)?;
        *at += 1;
        value |= u64::from(byte & 0x7F) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    Ok(value)
}

/// Whether the one stream that `bytes` are is whole: every checksum in it is
/// verified, which takes unpacking it. Gives the bytes that are packed in it;
/// `None` where it is damaged, or has more than `most` of them.
pub fn check(bytes: &[u8], most: u64) -> Option<u64> {
    let mut reader = lzma_rust2::XzReader::new_mem_limit(bytes, false, MOST_KIB);
    let mut scratch = [0; 0x4000];
    let mut size = 0;
    loop {
        match reader.read(&mut scratch) {
            Ok(0) => return Some(size),
            Ok(count) => size += count as u64,
            Err(_) => return None,
        }
        if size > most {
            return None;
        }
    }
}

/// The same, and what is in it.
pub fn unpack_stream(bytes: &[u8], most: usize) -> Option<Vec<u8>> {
    let reader = lzma_rust2::XzReader::new_mem_limit(bytes, false, MOST_KIB);
    let mut out = Vec::new();
    // One byte more shows what is too long; at its end all checksums are verified.
    reader.take(most as u64 + 1).read_to_end(&mut out).ok()?;
    (out.len() <= most).then_some(out)
}

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
    // Cut off or damaged data gives an error: a part of it is useless.
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

/// A whole stream, without packing: in the blocks that LZMA2 has for that, and
/// with a CRC32, as squashfs has it.
pub fn build(bytes: &[u8]) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    out.extend([0, 1]);
    out.extend(crc32::hash(&[0, 1]).to_le_bytes());
    let header = [2, 0, LZMA2, 1, 0x0A, 0, 0, 0]; // looks back 128 KiB at most
    out.extend(header);
    out.extend(crc32::hash(&header).to_le_bytes());
    let data = out.len();
    for (i, chunk) in bytes.chunks(0x1_0000).enumerate() {
        let size = (chunk.len() - 1) as u16; // chunks are 1 to 64 KiB
        out.push(if i == 0 { 1 } else { 2 });
        out.extend(size.to_be_bytes());
        out.extend_from_slice(chunk);
    }
    out.push(0);
    let unpadded = (out.len() - data + header.len() + 4 + 4) as u64;
    out.resize(data + (out.len() - data).next_multiple_of(4), 0);
    out.extend(crc32::hash(bytes).to_le_bytes());
    let mut index = vec![0, 1];
    for mut number in [unpadded, bytes.len() as u64] {
        while number > 0x7F {
            index.push(number as u8 | 0x80);
            number >>= 7;
        }
        index.push(number as u8);
    }
    index.resize(index.len().next_multiple_of(4), 0);
    index.extend(crc32::hash(&index).to_le_bytes());
    let mut footer = ((index.len() / 4 - 1) as u32).to_le_bytes().to_vec();
    footer.extend([0, 1]);
    out.extend(index);
    out.extend(crc32::hash(&footer).to_le_bytes());
    out.extend(footer);
    out.extend(b"YZ");
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

    #[test]
    fn every_wrong_bit_of_a_stream_is_seen_and_its_end_is_found() {
        for size in [1, 100, 3000] {
            let bytes: Vec<u8> = (0..size).map(|i: u32| (i * i) as u8).collect();
            let packed = build(&bytes);
            let mut more = packed.clone();
            more.extend(b"behind");
            assert_eq!(frame(&more), Frame::Bytes(packed.len()));
            assert_eq!(check(&packed, 1 << 20), Some(u64::from(size)));
            assert_eq!(unpack_stream(&packed, 1 << 20), Some(bytes.clone()));
            assert_eq!(check(&packed, u64::from(size) - 1), None);
            for cut in 0..packed.len() {
                assert_eq!(frame(&packed[..cut]), Frame::More, "{cut} of {}", packed.len());
            }
            for at in 0..packed.len() {
                let mut bad = packed.clone();
                bad[at] ^= 1 << (at % 8);
                let seen = frame(&bad) != Frame::Bytes(bad.len()) || check(&bad, 1 << 20).is_none();
                assert!(seen, "{at} of {}", packed.len());
            }
        }
    }
}
