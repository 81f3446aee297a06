//! The flash map that an MXP table names.

use super::map::RawPartition;
use crate::formats::mxp::{Kind, TABLE_OFFSET, parse};

/// The map that a table names: partitions and FACTORY, numbered in their
/// order. `None` where it names none, or one that lies beyond 4 GiB.
pub fn map_of(table: &[u8]) -> Option<Vec<RawPartition>> {
    let raw: Vec<RawPartition> = parse(table)
        .into_iter()
        .filter(|r| matches!(r.kind, Kind::Partition | Kind::Factory))
        .enumerate()
        .map(|(i, r)| {
            Some(RawPartition {
                index: i as u32,
                name: r.name,
                size: u32::try_from(r.size).ok()?,
                erase_size: ERASE_SIZE,
                offset: Some(u32::try_from(r.start).ok()?),
            })
        })
        .collect::<Option<_>>()?;
    (!raw.is_empty()).then_some(raw)
}

/// The same, from BOOT or from the beginning of a dump.
pub fn flash_map(boot: &[u8]) -> Option<Vec<RawPartition>> {
    map_of(boot.get(TABLE_OFFSET..)?)
}

/// The erase block of every chip seen in these cameras, in bytes.
const ERASE_SIZE: u32 = 0x1_0000;
