//! `manifest.toml`: what a set is a backup of, in words and numbers, and
//! without a secret.

use std::io;

use serde::{Deserialize, Serialize};

use super::reading::Gap;
use crate::chip::{FlashMap, RawPartition, Role};
use crate::formats::document;

/// The file's name in a set.
pub const MANIFEST: &str = "manifest.toml";
/// The version of the format that this program writes.
pub const FORMAT: u32 = 1;
/// What the file begins with.
const HEAD: &str =
    "# A backup of one camera's flash, made by mi360d. RECOVERY.txt tells how to use it.\n\n";
/// The longest manifest read, in bytes.
pub const LIMIT: u64 = 0x1_0000;

/// All of `manifest.toml`. Later versions may add fields; a reader takes what it knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of the format.
    pub format: u32,
    /// Version of the program that made the set.
    pub program: String,
    /// `ipc009`, ...; what FACTORY says, or `unknown`.
    pub model: String,
    /// Release of the running kernel.
    pub kernel: String,
    /// Whether every partition could be read.
    pub complete: bool,
    /// Bytes of the chip; 0 where the map does not tell.
    pub chip_size: u32,
    /// SHA-256 of the whole chip, as the partitions follow each other.
    pub chip_sha256: String,
    /// How often the program had started on this card.
    pub boot_count: u64,
    /// UTC, only if the clock was sane.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock: Option<String>,
    /// The identity in FACTORY.
    pub identity: IdentityNote,
    /// The partitions, in the order of their numbers.
    #[serde(rename = "partition")]
    pub partitions: Vec<PartNote>,
}

/// The identity, without a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdentityNote {
    /// `healthy`, `blank`, `damaged` or `missing`.
    pub health: String,
    /// The first 8 hex digits of FACTORY's SHA-256.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
}

/// One partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartNote {
    /// Its name in the kernel's map.
    pub name: String,
    /// What it is for.
    pub role: Role,
    /// The file in the set.
    pub file: String,
    /// Bytes from the chip's start, where that is certain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<u32>,
    /// Bytes.
    pub size: u32,
    /// Bytes of an erase block.
    pub erase_size: u32,
    /// SHA-256 of the content.
    pub sha256: String,
    /// CRC32 of the content, 8 hex digits.
    pub crc32: String,
    /// How many readings gave this content.
    pub equal_reads: u32,
    /// Erase blocks that changed between the readings (a live file system writes).
    pub changed_blocks: Vec<u32>,
    /// What it holds.
    pub content: String,
    /// `healthy`, `blank`, `damaged` or `unknown`.
    pub health: String,
    /// Blocks of a squashfs whose checksums were right; missing where they were
    /// not verified, as in sets of older programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blocks_verified: Option<u32>,
    /// What could not be read.
    #[serde(default, skip_serializing_if = "Vec::is_empty", rename = "gap")]
    pub gaps: Vec<Gap>,
}

/// Whose a set is, from its identity and its BOOT.
pub fn owner(fingerprint: Option<&str>, health: &str, boot: Option<&str>) -> String {
    match fingerprint {
        Some(fingerprint) if health == "healthy" => fingerprint.to_owned(),
        _ => format!("{}/{}", fingerprint.unwrap_or("none"), boot.unwrap_or_default()),
    }
}

impl Manifest {
    /// The text of the file.
    ///
    /// # Errors
    /// As [`document::to_toml`].
    pub fn to_text(&self) -> io::Result<String> {
        Ok(format!("{HEAD}{}", document::to_toml(self)?))
    }

    /// Parses a file.
    ///
    /// # Errors
    /// The reason, with the line.
    pub fn parse(text: &[u8]) -> Result<Manifest, String> {
        let text = std::str::from_utf8(text).map_err(|e| e.to_string())?;
        let manifest: Manifest = document::from_toml(text).map_err(|e| e.to_string())?;
        if manifest.format == 0 || manifest.format > FORMAT {
            return Err(format!("its format {} is newer than this program", manifest.format));
        }
        Ok(manifest)
    }

    /// The map of the chip that was saved.
    pub fn flash_map(&self) -> FlashMap {
        let raw: Vec<RawPartition> = self
            .partitions
            .iter()
            .enumerate()
            .map(|(i, p)| RawPartition {
                index: i as u32,
                name: p.name.clone(),
                size: p.size,
                erase_size: p.erase_size,
                offset: p.offset,
            })
            .collect();
        FlashMap::conclude(&raw)
    }

    /// Whether its identity was healthy.
    pub fn is_healthy(&self) -> bool {
        self.complete && self.identity.health == "healthy"
    }

    /// Whether the set has a `chip.bin`: only where all of the chip was read,
    /// and it is certain where each part lies.
    pub fn has_chip(&self) -> bool {
        self.complete && self.chip_size > 0
    }

    /// Whose the set is; see [`super::SetFolder::owner`].
    pub fn owner(&self) -> String {
        let boot =
            self.partitions.iter().find(|p| p.role == Role::Boot).or(self.partitions.first());
        owner(
            self.identity.fingerprint.as_deref(),
            &self.identity.health,
            boot.map(|p| p.sha256.as_str()),
        )
    }
}
