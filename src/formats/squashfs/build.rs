//! A small squashfs for the synthetic camera and for tests: one folder with
//! `linuxrc` and a file of the size that is wanted. Every block has its
//! checksum, and all that the tables say is true; blocks are not packed.

use super::tables::BARE;
use super::{ABSENT, MAGIC, SUPERBLOCK};
use crate::formats::xz;

/// Bytes of a block before compression.
const BLOCK: usize = 0x2_0000;
/// What a file system has besides the data: superblock, tables, and what a
/// block's xz stream adds.
const TABLES: usize = 0x400;
const FRAME: usize = 0x80;

/// A file system of exactly `bytes_used` bytes with this data in one file, as
/// much of it as there is room for. `None` where that is too little for any.
pub fn build(bytes_used: u64, mkfs_time: u32, data: &[u8]) -> Option<Vec<u8>> {
    build_with(b"linuxrc", false, bytes_used, mkfs_time, data)
}

/// The same with blocks that are stored as they are, as those are that do not
/// get smaller: no checksum covers them.
pub fn build_bare(bytes_used: u64, mkfs_time: u32, data: &[u8]) -> Option<Vec<u8>> {
    build_with(b"linuxrc", true, bytes_used, mkfs_time, data)
}

/// The same as [`build`] with another name for the file, of 1 to 64 bytes.
pub fn build_named(name: &[u8], bytes_used: u64, mkfs_time: u32, data: &[u8]) -> Option<Vec<u8>> {
    build_with(name, false, bytes_used, mkfs_time, data)
}

fn build_with(
    name: &[u8],
    bare: bool,
    bytes_used: u64,
    mkfs_time: u32,
    data: &[u8],
) -> Option<Vec<u8>> {
    let total = usize::try_from(bytes_used).ok()?;
    let room = total.checked_sub(SUPERBLOCK + TABLES)?;
    let blocks = room.div_ceil(BLOCK + FRAME);
    let size = room.checked_sub(blocks * FRAME + blocks * 4)?.min(data.len());
    let mut out = vec![0; SUPERBLOCK];
    let mut sizes = Vec::new();
    for block in data[..size].chunks(BLOCK) {
        let stream = if bare { block.to_vec() } else { xz::build(block) };
        sizes.push(stream.len() as u32 | if bare { BARE } else { 0 });
        out.extend(stream);
    }
    let short = |n: u16| n.to_le_bytes();
    let word = |n: u32| n.to_le_bytes();
    let head = |kind: u16, number: u32| {
        [&short(kind)[..], &short(0o755), &short(0), &short(0), &word(mkfs_time), &word(number)]
            .concat()
    };
    let mut inodes = head(2, 1);
    for n in [SUPERBLOCK as u32, u32::MAX, 0, size as u32] {
        inodes.extend(word(n));
    }
    sizes.iter().for_each(|n| inodes.extend(word(*n)));
    let root = inodes.len() as u64;
    let mut folder = Vec::new();
    for n in [0, 0, 1] {
        folder.extend(word(n));
    }
    folder.extend([short(0), short(0), short(2), short(name.len() as u16 - 1)].concat());
    folder.extend_from_slice(name);
    inodes.extend(head(1, 2));
    inodes.extend([word(0), word(2)].concat());
    inodes.extend([short(folder.len() as u16 + 3), short(0)].concat());
    inodes.extend(word(3));
    let inode_table = out.len() as u64;
    table(&mut out, &inodes)?;
    let directory_table = out.len() as u64;
    table(&mut out, &folder)?;
    let ids = out.len() as u64;
    table(&mut out, &word(0))?;
    let id_table = out.len() as u64;
    out.extend(ids.to_le_bytes());
    if out.len() > total {
        return None;
    }
    // What is behind the last table belongs to nothing.
    out.resize(total, 0);
    let mut put = |at: usize, bytes: &[u8]| out[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, MAGIC);
    put(4, &word(2));
    put(8, &word(mkfs_time));
    put(12, &word(BLOCK as u32));
    put(20, &[short(4), short(17), short(0x0010), short(1), short(4), short(0)].concat());
    let tables = [root, bytes_used, id_table, ABSENT, inode_table, directory_table, ABSENT, ABSENT];
    for (i, n) in tables.into_iter().enumerate() {
        put(32 + i * 8, &n.to_le_bytes());
    }
    Some(out)
}

/// A table of one block, packed where that is not longer than it may be.
fn table(out: &mut Vec<u8>, bytes: &[u8]) -> Option<()> {
    let stream = xz::build(bytes);
    if bytes.len() > 0x2000 || stream.len() > 0x7FFF {
        return None;
    }
    out.extend((stream.len() as u16).to_le_bytes());
    out.extend(stream);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::super::{Blocks, Checked, parse};
    use super::*;

    fn check(bytes: &[u8], step: usize) -> Checked {
        let mut blocks = Blocks::new(parse(bytes).unwrap());
        bytes[SUPERBLOCK..].chunks(step).for_each(|piece| blocks.feed(piece));
        blocks.finish()
    }

    #[test]
    fn a_built_file_system_is_whole_however_it_is_cut() {
        let data: Vec<u8> =
            (0..400_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        let image = build(400_000, 1, &data).unwrap();
        assert_eq!(image.len(), 400_000);
        for step in [1000, 0x1_0000, 500_000] {
            let checked = check(&image, step);
            assert_eq!((checked.damaged, checked.linuxrc, checked.bare), (0, Some(true), 0));
            assert_eq!(checked.blocks, 4 + 3, "{checked:?}");
        }
        let other = build_named(b"sbin", 30_000, 1, &data).unwrap();
        assert_eq!(check(&other, 777).linuxrc, Some(false));
        assert!(build(500, 1, &data).is_none());
        let bare = check(&build_bare(400_000, 1, &data).unwrap(), 777);
        assert_eq!((bare.damaged, bare.blocks), (0, 3));
        assert!(bare.bare > 390_000, "{bare:?}");
    }

    #[test]
    fn a_wrong_bit_anywhere_in_a_block_is_seen_and_named() {
        let data: Vec<u8> = (0..5000u32).map(|i| (i * i) as u8).collect();
        let image = build(6000, 1, &data).unwrap();
        let end = parse(&image).unwrap().id_table as usize;
        for at in (SUPERBLOCK..end).step_by(13) {
            let mut bad = image.clone();
            bad[at] ^= 1 << (at % 8);
            let checked = check(&bad, 0x1_0000);
            assert!(checked.damaged > 0, "{at:#x} of {end:#x}");
            assert!(checked.damage[0].at <= at as u64, "{at:#x}: {checked:?}");
        }
    }
}
