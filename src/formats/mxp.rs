//! MXP: the partition table that MStar's and SigmaStar's boot loaders keep in
//! BOOT. It gives a dump of the whole chip its own map. What the map amounts
//! to is concluded in [`crate::chip::map`].
//!
//! Facts: docs/formats.md, MXP.

use super::{array, is_filled, le64, printable};

/// Where the table begins in BOOT, and so in a dump of the whole chip, in bytes.
pub const TABLE_OFFSET: usize = 0x2_0000;
/// The room of the table in bytes.
pub const TABLE_SIZE: usize = 0x1000;
/// Bytes of one record.
pub const RECORD: usize = 0x88;
/// What a record begins with.
pub const MAGIC: &[u8; 4] = b"MXPT";
const END_MAGIC: &[u8; 4] = b"TPXM";
const END_MAGIC_AT: usize = 0x7D;

/// What a record describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordKind {
    /// 0x00: an unused record.
    Empty,
    /// 0x01: a part of BOOT.
    BootPart,
    /// 0x03: a partition of the running system.
    Partition,
    /// 0x07: FACTORY, a partition like the others.
    Factory,
    /// Any other type.
    Other(u8),
}

impl RecordKind {
    fn of(byte: u8) -> RecordKind {
        match byte {
            0x00 => RecordKind::Empty,
            0x01 => RecordKind::BootPart,
            0x03 => RecordKind::Partition,
            0x07 => RecordKind::Factory,
            other => RecordKind::Other(other),
        }
    }

    fn byte(self) -> u8 {
        match self {
            RecordKind::Empty => 0x00,
            RecordKind::BootPart => 0x01,
            RecordKind::Partition => 0x03,
            RecordKind::Factory => 0x07,
            RecordKind::Other(byte) => byte,
        }
    }
}

/// One record of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// What it describes.
    pub kind: RecordKind,
    /// Where that starts on the chip, in bytes.
    pub start: u64,
    /// Its size in bytes.
    pub size: u64,
    /// Its name, at most 15 bytes of ASCII.
    pub name: String,
}

/// The records of a table, the unused ones left out; none where there is no
/// table. It ends at the first thing that is not a record.
pub fn parse(table: &[u8]) -> Vec<Record> {
    let table = &table[..table.len().min(TABLE_SIZE)];
    table
        .chunks_exact(RECORD)
        .map_while(record)
        .filter(|record| record.kind != RecordKind::Empty)
        .collect()
}

/// Whether there is a table, and each place in it has a record or is erased.
pub fn is_whole(table: &[u8]) -> bool {
    let table = &table[..table.len().min(TABLE_SIZE)];
    let mut records = table.chunks_exact(RECORD).filter(|bytes| !is_filled(bytes, 0xFF));
    table.starts_with(MAGIC) && records.all(|bytes| record(bytes).is_some())
}

fn record(bytes: &[u8]) -> Option<Record> {
    let whole = bytes.starts_with(MAGIC)
        && bytes.get(0x04) == Some(&1)
        && array(bytes, END_MAGIC_AT).as_ref() == Some(END_MAGIC);
    if !whole {
        return None;
    }
    Some(Record {
        kind: RecordKind::of(*bytes.get(0x05)?),
        start: le64(bytes, 0x08)?,
        size: le64(bytes, 0x10)?,
        name: printable(bytes.get(0x20..0x30)?),
    })
}

/// A table of these records, with unused ones behind them, in its room of
/// 4 KiB. `None` for more than 30 records, or a name of more than 15 bytes.
pub fn build(records: &[Record]) -> Option<Vec<u8>> {
    let slots = TABLE_SIZE / RECORD;
    if records.len() > slots || records.iter().any(|r| r.name.len() > 15) {
        return None;
    }
    let unused =
        Record { kind: RecordKind::Empty, start: u64::MAX, size: u64::MAX, name: String::new() };
    let mut out = Vec::with_capacity(TABLE_SIZE);
    for i in 0..slots {
        let r = records.get(i).unwrap_or(&unused);
        let mut bytes = [0xFF; RECORD];
        bytes[..0x08].copy_from_slice(&[b'M', b'X', b'P', b'T', 1, r.kind.byte(), 0, 0xFF]);
        bytes[0x08..0x10].copy_from_slice(&r.start.to_le_bytes());
        bytes[0x10..0x18].copy_from_slice(&r.size.to_le_bytes());
        bytes[0x20..0x40].fill(0); // name and backup name
        bytes[0x20..0x20 + r.name.len()].copy_from_slice(r.name.as_bytes());
        bytes[END_MAGIC_AT - 1] = 0;
        bytes[END_MAGIC_AT..END_MAGIC_AT + 4].copy_from_slice(END_MAGIC);
        out.extend_from_slice(&bytes);
    }
    out.resize(TABLE_SIZE, 0xFF);
    Some(out)
}
