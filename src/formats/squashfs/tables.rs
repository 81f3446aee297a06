//! The tables of a squashfs: inodes, folders, fragments and indexes. They are
//! made of blocks of at most 8 KiB, each with a length before it. Here they
//! are verified and followed, as far as a check of the file system needs it.
//!
//! Facts: docs/formats.md, squashfs; the format is that of Linux,
//! `fs/squashfs/squashfs_fs.h`.

use std::collections::BTreeSet;

use super::checked::Checked;
use super::{ABSENT, Superblock};
use crate::formats::{le16, le32, le64, xz};

/// The bit of a block's size that says that it is stored as it is.
pub(super) const BARE: u32 = 1 << 24;
/// The same bit before a block of a table.
const BARE_TABLE: u16 = 0x8000;
/// Bytes of a block of a table, unpacked.
const BLOCK: usize = 0x2000;
/// The most that is kept of an unpacked table, in bytes.
const MOST: usize = 2 << 20;
/// No fragment.
const NONE: u32 = u32::MAX;

/// A block of files' data.
pub(super) struct DataBlock {
    /// Where it begins, in bytes from the start of the file system.
    pub at: u64,
    /// Its size on the disk, and [`BARE`].
    pub size: u32,
}

/// The end of a file system, from its inode table on.
pub(super) struct Tables<'a> {
    superblock: &'a Superblock,
    bytes: &'a [u8],
}

impl<'a> Tables<'a> {
    pub(super) fn new(superblock: &'a Superblock, bytes: &'a [u8]) -> Tables<'a> {
        Tables { superblock, bytes }
    }

    fn rest(&self, at: u64) -> Option<&'a [u8]> {
        let from = usize::try_from(at.checked_sub(self.superblock.inode_table)?).ok()?;
        self.bytes.get(from..)
    }

    /// The block of a table at `at`, unpacked; where the next one begins; whether it has a checksum.
    fn block(&self, at: u64) -> Option<(Vec<u8>, u64, bool)> {
        let rest = self.rest(at)?;
        let head = le16(rest, 0)?;
        let size = usize::from(head & !BARE_TABLE);
        let size = if size == 0 { BARE_TABLE.into() } else { size };
        let bytes = rest.get(2..2 + size)?;
        let next = at + 2 + size as u64;
        if head & BARE_TABLE != 0 {
            if bytes.starts_with(xz::MAGIC) {
                return None; // one wrong bit says so: it is packed
            }
            return (size <= BLOCK).then(|| (bytes.to_vec(), next, false));
        }
        Some((xz::unpack_stream(bytes, BLOCK)?, next, true))
    }

    /// Where the blocks of the tables that have an index begin: read from the index.
    fn indexed(&self, at: u64, entries: u64, entry: u64) -> Vec<u64> {
        let blocks = (entries * entry).div_ceil(BLOCK as u64);
        let index = if at == ABSENT { None } else { self.rest(at) };
        let Some(index) = index else { return Vec::new() };
        let most = (index.len() / 8) as u64;
        (0..blocks.min(most)).filter_map(|i| le64(index, i as usize * 8)).collect()
    }

    fn fragments(&self) -> Vec<u64> {
        self.indexed(self.superblock.fragment_table, self.superblock.fragments.into(), 16)
    }

    /// Verifies every block of every table, and looks for `/linuxrc`.
    pub(super) fn verify(&self, out: &mut Checked) {
        let s = self.superblock;
        let lists = [
            self.fragments(),
            self.indexed(s.export_table, s.inodes.into(), 8),
            self.indexed(s.id_table, s.ids.into(), 4),
        ];
        let ends = lists.iter().flatten().copied();
        let tables = [s.fragment_table, s.export_table, s.id_table, s.xattr_table];
        let end = ends.chain(tables).filter(|at| *at > s.directory_table).min();
        let mut seen = BTreeSet::new();
        self.verify_run(s.inode_table, s.directory_table, &mut seen, out);
        self.verify_run(s.directory_table, end.unwrap_or(s.bytes_used), &mut seen, out);
        for at in lists.into_iter().flatten() {
            if seen.insert(at) {
                self.verify_one(at, out);
            }
        }
        out.linuxrc = self.root_has(b"linuxrc");
    }

    fn verify_run(&self, from: u64, end: u64, seen: &mut BTreeSet<u64>, out: &mut Checked) {
        let mut at = from;
        while at < end {
            seen.insert(at);
            match self.verify_one(at, out) {
                Some(next) => at = next,
                None => return, // where the next one begins cannot be told
            }
        }
    }

    fn verify_one(&self, at: u64, out: &mut Checked) -> Option<u64> {
        let Some((_, next, has_sum)) = self.block(at) else {
            out.bad(at, None);
            return None;
        };
        if has_sum {
            out.good(next - at);
        } else {
            out.bare += next - at;
        }
        Some(next)
    }

    /// A table from `from` to `end`, unpacked, as far as it can be read.
    fn unpacked(&self, from: u64, end: u64) -> Vec<u8> {
        let mut out = Vec::new();
        let mut at = from;
        while at < end && out.len() < MOST {
            let Some((bytes, next, _)) = self.block(at) else { break };
            out.extend(bytes);
            at = next;
        }
        out
    }

    /// Every block of data that the inodes and the fragments name.
    pub(super) fn data_blocks(&self, out: &mut Checked) -> Vec<DataBlock> {
        let mut blocks = Vec::new();
        for at in self.fragments() {
            let Some((table, ..)) = self.block(at) else { continue };
            for entry in table.chunks_exact(16) {
                let (Some(at), Some(size)) = (le64(entry, 0), le32(entry, 8)) else { continue };
                blocks.push(DataBlock { at, size });
            }
        }
        let inodes = self.unpacked(self.superblock.inode_table, self.superblock.directory_table);
        if inodes.len() >= MOST {
            out.too_large = true;
        }
        let mut rest = &inodes[..];
        for _ in 0..self.superblock.inodes {
            let Some(length) = self.inode(rest, &mut blocks) else { break };
            rest = &rest[length..];
        }
        // Equal files share their blocks.
        blocks.sort_by_key(|b| b.at);
        blocks.dedup_by_key(|b| b.at);
        blocks
    }

    /// Reads the inode at the beginning of `bytes`; gives its length.
    fn inode(&self, bytes: &[u8], blocks: &mut Vec<DataBlock>) -> Option<usize> {
        let word = |at| le32(bytes, at);
        let length = match le16(bytes, 0)? {
            1 => 32,
            2 => {
                let sizes = (word(16)?.into(), word(28)?.into(), word(20)?, 32);
                self.file(bytes, sizes, blocks)?
            }
            3 => 24 + word(20)? as usize,
            4 | 5 | 13 | 14 => 24,
            6 | 7 => 20,
            8 => {
                let mut at = 40;
                for _ in 0..le16(bytes, 32)? {
                    at += 12 + word(at + 8)? as usize + 1;
                }
                at
            }
            9 => {
                let sizes = (le64(bytes, 16)?, le64(bytes, 24)?, word(44)?, 56);
                self.file(bytes, sizes, blocks)?
            }
            10 => 28 + word(20)? as usize,
            11 | 12 => 28,
            _ => return None,
        };
        (length <= bytes.len()).then_some(length)
    }

    /// The blocks of a file: where they start, bytes of the file, its fragment,
    /// and where the list of sizes begins in the inode.
    fn file(
        &self,
        bytes: &[u8],
        (start, size, fragment, list): (u64, u64, u32, usize),
        blocks: &mut Vec<DataBlock>,
    ) -> Option<usize> {
        let block = u64::from(self.superblock.block_size);
        let count = if fragment == NONE { size.div_ceil(block) } else { size / block };
        let count = usize::try_from(count).ok()?;
        let end = list.checked_add(count.checked_mul(4)?)?;
        let mut at = start;
        for entry in bytes.get(list..end)?.chunks_exact(4) {
            let size = le32(entry, 0)?;
            blocks.push(DataBlock { at, size });
            at = at.checked_add((size & !BARE).into())?;
        }
        Some(end)
    }

    /// Whether the root folder has an entry of this name.
    fn root_has(&self, name: &[u8]) -> Option<bool> {
        let s = self.superblock;
        let (block, offset) = (s.root_inode >> 16, (s.root_inode & 0xFFFF) as usize);
        let from = s.inode_table.checked_add(block)?;
        let (mut inode, next, _) = self.block(from)?;
        if let Some((more, ..)) = self.block(next).filter(|_| next < s.directory_table) {
            inode.extend(more);
        }
        let inode = inode.get(offset..)?;
        let (start, size, offset) = match le16(inode, 0)? {
            1 => (le32(inode, 16)?, u32::from(le16(inode, 24)?), le16(inode, 26)?),
            8 => (le32(inode, 24)?, le32(inode, 20)?, le16(inode, 34)?),
            _ => return None,
        };
        // Three bytes stand for `.` and `..`, which are not written.
        let size = (size as usize).checked_sub(3)?.min(MOST);
        let from = s.directory_table.checked_add(start.into())?;
        let mut list = Vec::new();
        let mut at = from;
        while list.len() < usize::from(offset) + size {
            let (bytes, next, _) = self.block(at)?;
            if bytes.is_empty() {
                return None;
            }
            list.extend(bytes);
            at = next;
        }
        let list = list.get(offset.into()..)?.get(..size)?;
        let mut at = 0;
        while at < list.len() {
            let count = le32(list, at)?;
            at += 12;
            for _ in 0..=count.min(255) {
                let length = usize::from(le16(list, at + 6)?) + 1;
                if list.get(at + 8..at + 8 + length)? == name {
                    return Some(true);
                }
                at += 8 + length;
            }
        }
        Some(false)
    }
}
