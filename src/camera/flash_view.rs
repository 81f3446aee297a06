//! The document of the chip: every partition with its health and, block by
//! block, what is known; for the API, and for `map` to draw.

use serde::Serialize;

use super::Camera;
use crate::backup::reading::{PartReading, cell_size, erased_crc};
use crate::backup::sums::{self, BLOCKSUMS, BlockSums};
use crate::backup::{Reading, set};
use crate::card::file::read_bounded;
use crate::chip::{Layout, Partition, Role};
use crate::image::finding::Finding;

/// What is known of one erase block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Block {
    /// Nothing but 0xFF.
    Erased,
    /// Something.
    Data,
    /// Something else than in the newest backup.
    Changed,
    /// It could not be read.
    Unreadable,
    /// The chip has not been read yet.
    Unknown,
}

/// One partition.
#[derive(Clone, Debug, Serialize)]
pub struct PartView {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub role: Role,
    /// The same in words.
    pub meaning: &'static str,
    /// Bytes from the chip's start, where that is certain.
    pub offset: Option<u32>,
    /// Bytes.
    pub size: u32,
    /// Bytes of an erase block.
    pub erase_size: u32,
    /// Whether only this camera's own backup may be written here.
    pub protected: bool,
    /// What it contains.
    pub content: String,
    /// `healthy`, `blank`, `damaged` or `unknown`.
    pub health: &'static str,
    /// What an owner should know about it.
    pub findings: Vec<Finding>,
    /// The erase blocks, in order.
    pub blocks: Vec<Block>,
}

/// The chip.
#[derive(Clone, Debug, Serialize)]
pub struct FlashView {
    /// The camera's model.
    pub model: String,
    /// Bytes, where the partitions prove it.
    pub chip_size: Option<u32>,
    /// Whether the map is one this program knows.
    pub known_map: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub map_problem: Option<String>,
    /// The set that `changed` is against.
    pub compared_with: Option<String>,
    /// The identity's health.
    pub identity: String,
    /// The identity's fingerprint.
    pub fingerprint: Option<String>,
    /// The partitions, in the order of their numbers.
    pub partitions: Vec<PartView>,
}

/// The chip as a reading found it, or as far as it is known without one.
pub fn of(camera: &Camera, reading: Option<&Reading>) -> FlashView {
    let known = camera.state().vaulted.as_ref().map(|v| v.judgement.clone());
    let judgement = known.unwrap_or_else(|| camera.judge_identity());
    let backup = newest_blocks(camera, judgement.mark());
    let map = camera.chip().map();
    FlashView {
        model: camera.model(&judgement),
        chip_size: map.chip_size,
        known_map: map.is_known(),
        map_problem: match &map.layout {
            Layout::Known => None,
            Layout::Unknown { reason } => Some(reason.clone()),
        },
        compared_with: backup.as_ref().map(|(id, _)| id.clone()),
        identity: judgement.health.to_string(),
        fingerprint: judgement.mark().map(str::to_owned),
        partitions: map
            .partitions
            .iter()
            .map(|part| {
                let read = reading.and_then(|r| r.of(part));
                part_view(part, read, backup.as_ref().map(|(_, blocks)| blocks))
            })
            .collect(),
    }
}

/// The CRC32s of the newest set of this identity.
fn newest_blocks(camera: &Camera, fingerprint: Option<&str>) -> Option<(String, BlockSums)> {
    let sets = set::list(&camera.card().backups());
    let newest = sets
        .into_iter()
        .rev()
        .find(|set| set.closed().is_some() && set.fingerprint() == fingerprint)?;
    let text = read_bounded(&newest.path.join(BLOCKSUMS), sums::LIMIT).ok()?;
    Some((newest.name.to_string(), BlockSums::parse(&text)?))
}

fn part_view(part: &Partition, read: Option<&PartReading>, backup: Option<&BlockSums>) -> PartView {
    let pieces = backup.and_then(|b| b.of(&format!("{}.bin", part.name)));
    let cell = cell_size(part);
    let blank = erased_crc(cell);
    let cells_per_block = (part.erase_size / cell).max(1) as usize;
    let blocks = match read {
        None => vec![Block::Unknown; part.blocks() as usize],
        Some(read) => read
            .cells
            .chunks(cells_per_block)
            .enumerate()
            .map(|(i, cells)| {
                let first = i * cells_per_block;
                let before = pieces
                    .filter(|p| p.piece == cell)
                    .and_then(|p| p.crcs.get(first..first + cells.len()));
                let start = first as u32 * cell;
                let end = start + cells.len() as u32 * cell;
                if read.gaps.iter().any(|g| g.offset < end && g.offset + g.length > start) {
                    Block::Unreadable
                } else if before.is_some_and(|b| b != cells) {
                    Block::Changed
                } else if cells.iter().all(|crc| *crc == blank) {
                    Block::Erased
                } else {
                    Block::Data
                }
            })
            .collect(),
    };
    PartView {
        name: part.name.clone(),
        role: part.role,
        meaning: part.role.meaning(),
        offset: part.offset,
        size: part.size,
        erase_size: part.erase_size,
        protected: part.role.is_protected(),
        content: read.map_or_else(|| "not read yet".to_owned(), |r| r.content.kind.clone()),
        health: read.map_or("unknown", |r| r.content.health.name()),
        findings: read.map(|r| r.content.findings.clone()).unwrap_or_default(),
        blocks,
    }
}
