//! The blocks of a squashfs that is packed with xz, verified as they stream
//! by: each is an xz stream with a checksum of its own. What should be there
//! is in the tables at the end (`tables`).
//! Memory is bounded: one block, the tables, and eight bytes for each block.

use super::checked::Checked;
use super::tables::{self, Tables};
use super::{SUPERBLOCK, Superblock};
use crate::formats::xz::{self, Frame};

/// The largest tables that are kept, in bytes: the vendor's have 40 KiB.
const MOST_TABLES: usize = 1 << 20;
/// The most blocks that are remembered.
const MOST_BLOCKS: usize = 1 << 16;

/// A check of the blocks, fed piece by piece.
#[derive(Clone, Debug)]
pub struct Blocks {
    superblock: Superblock,
    /// The place of the next byte.
    at: u64,
    /// Bytes that wait for the end of a block, and end at `at`.
    pending: Vec<u8>,
    /// Whole streams: where, and how long.
    found: Vec<(u32, u32)>,
    tables: Vec<u8>,
    too_large: bool,
}

impl Blocks {
    /// A check of the file system with this superblock; the first byte to feed
    /// is the one behind it.
    pub fn new(superblock: Superblock) -> Blocks {
        Blocks {
            superblock,
            at: SUPERBLOCK as u64,
            pending: Vec::new(),
            found: Vec::new(),
            tables: Vec::new(),
            too_large: false,
        }
    }

    /// Takes the next bytes; those behind the file system are left aside.
    pub fn feed(&mut self, bytes: &[u8]) {
        let (start, end) = (self.superblock.inode_table, self.superblock.bytes_used);
        let until = |limit: u64, from: u64| limit.saturating_sub(from).min(bytes.len() as u64);
        let data = until(start, self.at) as usize;
        let tables = until(end, self.at) as usize;
        let (data, rest) = bytes.split_at(data);
        if !data.is_empty() {
            self.at += data.len() as u64;
            self.pending.extend_from_slice(data);
            self.scan(self.at == start);
        }
        let rest = &rest[..tables - data.len()];
        self.at += rest.len() as u64;
        if self.tables.len() + rest.len() > MOST_TABLES {
            self.too_large = true;
        } else {
            self.tables.extend_from_slice(rest);
        }
    }

    /// Looks for whole streams in what waits.
    fn scan(&mut self, is_end: bool) {
        let base = self.at - self.pending.len() as u64;
        // What does not get smaller is stored bare; a little more is allowed for.
        let longest = self.superblock.block_size as usize + 0x4000;
        let mut from = 0;
        while let Some(i) = self.pending[from..].iter().position(|&b| b == xz::MAGIC[0]) {
            let at = from + i;
            let rest = &self.pending[at..];
            match xz::frame(rest) {
                Frame::More if rest.len() < longest && !is_end => {
                    from = at;
                    break;
                }
                Frame::Bytes(length)
                    if length <= longest
                        && xz::check(&rest[..length], self.superblock.block_size.into())
                            .is_some() =>
                {
                    self.note(base + at as u64, length);
                    from = at + length;
                }
                _ => from = at + 1,
            }
        }
        if self.pending.get(from) != Some(&xz::MAGIC[0]) {
            from = self.pending.len();
        }
        self.pending.drain(..from);
    }

    fn note(&mut self, at: u64, length: usize) {
        if self.found.len() == MOST_BLOCKS {
            self.too_large = true;
        } else if let Ok(at) = u32::try_from(at) {
            self.found.push((at, length as u32));
        }
    }

    /// What came amounts to this.
    pub fn finish(self) -> Checked {
        let mut out = Checked { too_large: self.too_large, ..Checked::default() };
        if self.too_large {
            out.blocks = self.found.len() as u32;
            out.bytes = self.found.iter().map(|(_, length)| u64::from(*length)).sum();
            return out;
        }
        let tables = Tables::new(&self.superblock, &self.tables);
        tables.verify(&mut out);
        for block in tables.data_blocks(&mut out) {
            let length = block.size & !tables::BARE;
            if length == 0 {
                continue; // a hole of a file
            }
            if block.size & tables::BARE != 0 {
                out.bare += u64::from(length);
                continue;
            }
            let found = u32::try_from(block.at).ok().filter(|at| {
                let i = self.found.binary_search_by_key(at, |(start, _)| *start);
                i.is_ok_and(|i| self.found[i].1 == length)
            });
            match found {
                Some(_) => out.good(length.into()),
                None => out.bad(block.at, Some(length)),
            }
        }
        out.damage.sort_by_key(|d| d.at);
        out
    }
}
