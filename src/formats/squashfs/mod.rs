//! squashfs: the file system of ROOTFS. The superblock is read here; `blocks`
//! verifies the checksum of every block as they stream by, `tables` follows
//! the tables that say what should be there, `build` makes a small one.
//!
//! Facts: docs/formats.md, squashfs.

mod blocks;
mod build;
mod checked;
mod tables;

pub use blocks::Blocks;
pub use build::{build, build_bare, build_named};
pub use checked::{Checked, Damage, NAMED};

use super::{le16, le32, le64};

/// Bytes of the superblock.
pub const SUPERBLOCK: usize = 96;
/// What it begins with.
pub const MAGIC: &[u8; 4] = b"hsqs";
/// The number of the compression xz.
pub const XZ: u16 = 4;
/// A table that the file system does not have.
const ABSENT: u64 = u64::MAX;

/// Why bytes are not the superblock of a squashfs that could be mounted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SquashfsError {
    /// Fewer than 96 bytes.
    #[error("the superblock is cut off")]
    Cut,
    /// It does not begin with `hsqs`.
    #[error("it does not begin with hsqs")]
    NoMagic,
    /// Not version 4.0.
    #[error("it is squashfs {major}.{minor}, not 4.0")]
    Version {
        /// Major version.
        major: u16,
        /// Minor version.
        minor: u16,
    },
    /// The block size is no power of two from 4 KiB to 1 MiB, or its logarithm differs.
    #[error("the block size {size} and its logarithm {log} do not agree")]
    BlockSize {
        /// Bytes of a block.
        size: u32,
        /// The logarithm next to it.
        log: u16,
    },
    /// squashfs does not know this compression.
    #[error("compression {0} does not exist")]
    Compression(u16),
    /// The size is impossible.
    #[error("it says it uses {0} bytes, fewer than a superblock has")]
    BytesUsed(u64),
    /// A table is outside the file system.
    #[error("its {table} table at {at:#x} is outside its {bytes_used} bytes")]
    Table {
        /// Which table.
        table: &'static str,
        /// Where it should be, in bytes.
        at: u64,
        /// The size of the file system in bytes.
        bytes_used: u64,
    },
}

/// The superblock of a squashfs 4.0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Superblock {
    /// How many inodes it has.
    pub inodes: u32,
    /// When it was made, in seconds since 1970.
    pub mkfs_time: u32,
    /// Bytes of a block before compression: 4 KiB to 1 MiB, a power of two.
    pub block_size: u32,
    /// How it is compressed: 1 to 6, 4 is xz.
    pub compression: u16,
    /// Bytes of the whole file system.
    pub bytes_used: u64,
    /// How many fragments it has: blocks with the ends of several files.
    pub fragments: u32,
    /// How many owners and groups it knows.
    pub ids: u16,
    /// Where the root folder's inode is: its block in the table, and the place there.
    pub root_inode: u64,
    /// Where the owners' table is, in bytes; of each table from the start of the file system.
    pub id_table: u64,
    /// Where the extended attributes are; `u64::MAX` where there are none.
    pub xattr_table: u64,
    /// Where the inodes begin: data ends there.
    pub inode_table: u64,
    /// Where the folders begin.
    pub directory_table: u64,
    /// Where the fragments' table is; `u64::MAX` if there is none.
    pub fragment_table: u64,
    /// Where the table for NFS is; `u64::MAX` if there is none.
    pub export_table: u64,
}

impl Superblock {
    /// The name of the compression.
    pub fn compression_name(&self) -> &'static str {
        match self.compression {
            1 => "gzip",
            2 => "lzma",
            3 => "lzo",
            4 => "xz",
            5 => "lz4",
            6 => "zstd",
            _ => "unknown",
        }
    }
}

/// Reads and checks the superblock at the beginning of `bytes`; 96 bytes are
/// enough.
pub fn parse(bytes: &[u8]) -> Result<Superblock, SquashfsError> {
    let head = bytes.get(..SUPERBLOCK).ok_or(SquashfsError::Cut)?;
    if !head.starts_with(MAGIC) {
        return Err(SquashfsError::NoMagic);
    }
    let half = |at| le16(head, at).ok_or(SquashfsError::Cut);
    let word = |at| le32(head, at).ok_or(SquashfsError::Cut);
    let long = |at| le64(head, at).ok_or(SquashfsError::Cut);
    let (major, minor) = (half(28)?, half(30)?);
    if (major, minor) != (4, 0) {
        return Err(SquashfsError::Version { major, minor });
    }
    let (size, log) = (word(12)?, half(22)?);
    if !(12..=20).contains(&log) || size != 1 << log {
        return Err(SquashfsError::BlockSize { size, log });
    }
    let compression = half(20)?;
    if !(1..=6).contains(&compression) {
        return Err(SquashfsError::Compression(compression));
    }
    let bytes_used = long(40)?;
    if bytes_used < SUPERBLOCK as u64 {
        return Err(SquashfsError::BytesUsed(bytes_used));
    }
    let tables = [
        ("id", 48, false),
        ("xattr", 56, true),
        ("inode", 64, false),
        ("directory", 72, false),
        ("fragment", 80, true),
        ("export", 88, true),
    ];
    for (table, field, optional) in tables {
        let at = long(field)?;
        let absent = optional && at == ABSENT;
        if !absent && !(SUPERBLOCK as u64..bytes_used).contains(&at) {
            return Err(SquashfsError::Table { table, at, bytes_used });
        }
    }
    let (inode, directory) = (long(64)?, long(72)?);
    if inode >= directory {
        return Err(SquashfsError::Table { table: "inode", at: inode, bytes_used: directory });
    }
    Ok(Superblock {
        inodes: word(4)?,
        mkfs_time: word(8)?,
        block_size: size,
        compression,
        bytes_used,
        fragments: word(16)?,
        ids: half(26)?,
        root_inode: long(32)?,
        id_table: long(48)?,
        xattr_table: long(56)?,
        inode_table: inode,
        directory_table: directory,
        fragment_table: long(80)?,
        export_table: long(88)?,
    })
}
