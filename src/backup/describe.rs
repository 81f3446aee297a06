//! A set's description of itself: `manifest.toml`, `BLOCKSUMS`, and the names of
//! its files; from what was read.

use super::manifest::{FORMAT, IdentityNote, MANIFEST, Manifest, PartNote};
use super::reading::{Reading, cell_size, in_order};
use super::request::Request;
use super::second::Second;
use super::set::{RECOVERY, file_name};
use super::sums::{BlockSums, Pieces};
use crate::base::hex;
use crate::chip::Chip;

/// The manifest of a set.
pub(super) fn manifest(request: &Request<'_>, first: &Reading, second: &Second) -> Manifest {
    let identity = request.identity;
    let parts = in_order(request.chip);
    let or_unknown = |text: &str| if text.is_empty() { "unknown".into() } else { text.to_owned() };
    Manifest {
        format: FORMAT,
        program: env!("CARGO_PKG_VERSION").to_owned(),
        model: or_unknown(&request.facts.model),
        kernel: or_unknown(&request.facts.kernel),
        complete: !first.has_gaps(),
        chip_size: request.chip.map().chip_size.unwrap_or(0),
        chip_sha256: hex(&second.sha256),
        boot_count: request.facts.boot_count,
        clock: request.facts.clock.clone(),
        identity: IdentityNote {
            health: identity.health.name().to_owned(),
            fingerprint: identity.mark().map(str::to_owned),
        },
        partitions: parts
            .into_iter()
            .zip(&second.parts)
            .map(|(part, (reading, changed))| PartNote {
                name: part.name.clone(),
                role: part.role,
                file: file_name(part, reading.gaps.is_empty()),
                offset: part.offset,
                size: part.size,
                erase_size: part.erase_size,
                sha256: hex(&reading.sha256),
                crc32: format!("{:08x}", reading.crc32),
                equal_reads: 2,
                changed_blocks: changed.clone(),
                content: reading.content.kind.clone(),
                health: reading.content.health.name().to_owned(),
                blocks_verified: reading.content.facts.squashfs.and_then(|s| s.blocks_verified),
                gaps: reading.gaps.clone(),
            })
            .collect(),
    }
}

/// `BLOCKSUMS` of a set.
pub(super) fn block_sums(
    chip: &dyn Chip,
    second: &Second,
    manifest: &Manifest,
    text: &str,
    recovery: &str,
) -> String {
    let mut blocks = BlockSums::default();
    for ((part, note), (reading, _)) in
        in_order(chip).into_iter().zip(&manifest.partitions).zip(&second.parts)
    {
        let (file, crcs) = (note.file.clone(), reading.cells.clone());
        let size = part.size.into();
        blocks.0.push(Pieces { file, size, piece: cell_size(part), crcs });
    }
    blocks.0.push(Pieces::of_text(MANIFEST, text.as_bytes()));
    blocks.0.push(Pieces::of_text(RECOVERY, recovery.as_bytes()));
    blocks.to_text()
}
