//! squashfs: the superblock of ROOTFS. Only the superblock is read here: the
//! blocks behind it are compressed and have no checksum that could be
//! followed without unpacking them.
//!
//! Facts: docs/formats.md, squashfs.

use super::{le16, le32, le64};

/// Bytes of the superblock.
pub const SUPERBLOCK: usize = 96;
/// What it begins with.
pub const MAGIC: &[u8; 4] = b"hsqs";
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
        /// The logarithm beside it.
        log: u16,
    },
    /// The compression is none that squashfs knows.
    #[error("compression {0} does not exist")]
    Compression(u16),
    /// The size is impossible.
    #[error("it says it uses {0} bytes, fewer than a superblock has")]
    BytesUsed(u64),
    /// A table lies outside the file system.
    #[error("its {table} table at {at:#x} lies outside its {bytes_used} bytes")]
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
    })
}

/// A superblock for xz and blocks of 128 KiB: plausible, not mountable.
/// `None` where `bytes_used` has no room for the tables.
pub fn build(bytes_used: u64, mkfs_time: u32) -> Option<[u8; SUPERBLOCK]> {
    let tables = bytes_used.checked_sub(64).filter(|&at| at > SUPERBLOCK as u64)?;
    let mut out = [0; SUPERBLOCK];
    let mut put = |at: usize, bytes: &[u8]| out[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, MAGIC);
    put(4, &100u32.to_le_bytes());
    put(8, &mkfs_time.to_le_bytes());
    put(12, &0x2_0000u32.to_le_bytes());
    put(16, &1u32.to_le_bytes());
    put(20, &4u16.to_le_bytes());
    put(22, &17u16.to_le_bytes());
    put(24, &0x00C0u16.to_le_bytes());
    put(26, &1u16.to_le_bytes());
    put(28, &4u16.to_le_bytes());
    put(40, &bytes_used.to_le_bytes());
    put(48, &(tables + 40).to_le_bytes());
    put(56, &ABSENT.to_le_bytes());
    put(64, &tables.to_le_bytes());
    put(72, &(tables + 16).to_le_bytes());
    put(80, &(tables + 24).to_le_bytes());
    put(88, &(tables + 32).to_le_bytes());
    Some(out)
}
