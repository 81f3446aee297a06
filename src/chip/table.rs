//! The flash map in an MXP table.

use super::map::{FlashMap, RawPartition, is_chip_size};
use crate::formats::is_filled;
use crate::formats::mxp::{self, RecordKind, TABLE_OFFSET, parse};

/// The map that a table names: partitions and FACTORY, numbered in their
/// order. `None` where it names none, or one that lies beyond 4 GiB.
pub fn map_of(table: &[u8]) -> Option<Vec<RawPartition>> {
    let raw: Vec<RawPartition> = parse(table)
        .into_iter()
        .filter(|r| matches!(r.kind, RecordKind::Partition | RecordKind::Factory))
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

/// The map of a dump's or a BOOT's own table, known or not: what a table says
/// is good for taking a dump apart where its partitions lie apart, and end with
/// a chip. Nothing is ever written to a camera by a map that is not known.
pub fn as_it_says(boot: &[u8]) -> Option<FlashMap> {
    says(boot.get(TABLE_OFFSET..)?)
}

/// The same of the table alone.
pub fn says(table: &[u8]) -> Option<FlashMap> {
    let raw = map_of(table)?;
    let mut map = FlashMap::conclude(&raw);
    if map.chip_size.is_some() {
        return Some(map);
    }
    let mut places: Vec<(u64, u64)> =
        raw.iter().filter_map(|p| Some((p.offset?.into(), p.size.into()))).collect();
    places.sort_unstable();
    let mut end = 0;
    for (offset, size) in places {
        if offset < end {
            return None;
        }
        end = offset + size;
    }
    map.chip_size = u32::try_from(end).ok().filter(|_| is_chip_size(end));
    map.chip_size?;
    for (part, raw) in map.partitions.iter_mut().zip(&raw) {
        part.offset = raw.offset;
    }
    Some(map)
}

/// Whether a table that names no known map is a known one in which bytes are wrong, and not another
/// camera's: all but one of its partitions are those of a stock map; or half of them, where they
/// overlap or end with no chip; or it is neither a table nor erased.
pub fn is_damaged(table: &[u8]) -> bool {
    let Some(raw) = map_of(table) else {
        return !is_filled(table, 0xFF) && !mxp::is_whole(table);
    };
    let is_possible = says(table).is_some();
    if !is_possible && !mxp::is_whole(table) {
        return true;
    }
    ["ipc009", "ipc019"].into_iter().filter_map(FlashMap::stock).any(|stock| {
        let all = stock.covering();
        let is_there = |name: &str, offset, size| {
            raw.iter().any(|r| r.name == name && r.offset == offset && r.size == size)
        };
        let there = all.iter().filter(|p| is_there(&p.name, p.offset, p.size)).count();
        let least = if is_possible { all.len().saturating_sub(1) } else { all.len() / 2 };
        raw.len() <= all.len() && there >= least
    })
}

/// The erase block of every chip seen in these cameras, in bytes.
const ERASE_SIZE: u32 = 0x1_0000;
