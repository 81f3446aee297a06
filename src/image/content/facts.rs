//! Facts of a partition's content: its state, and the facts that only some roles have.

use serde::Serialize;

use crate::formats::jffs2::WindowStats;
use crate::formats::uimage::Family;
use crate::formats::version::Version;
use crate::identity::Judgement;
use crate::image::finding::Finding;

/// The code of the finding that an identity is in CONFIG.
pub(in crate::image) const IDENTITY_IN_CONFIG: &str = "identity-in-config";

/// How a partition's content is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// It is what belongs there, and nothing is seen to be wrong with it.
    Healthy,
    /// It is erased.
    Blank,
    /// It is wrong, or something else.
    Damaged,
    /// Nothing is known about what belongs there.
    Unknown,
}

impl Health {
    /// The word for scripts.
    pub fn name(self) -> &'static str {
        match self {
            Health::Healthy => "healthy",
            Health::Blank => "blank",
            Health::Damaged => "damaged",
            Health::Unknown => "unknown",
        }
    }
}

/// What a partition contains.
#[derive(Clone, Debug, Serialize)]
pub struct Content {
    /// What it is, in a few words.
    pub kind: String,
    /// How it is.
    pub health: Health,
    /// What an owner should know about it; places are counted from its start.
    pub findings: Vec<Finding>,
    /// What only its role has.
    #[serde(flatten)]
    pub facts: ContentFacts,
}

/// What only some roles have.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ContentFacts {
    /// The uImage: of KERNEL, or U-Boot in BOOT.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uimage: Option<UimageFacts>,
    /// The squashfs of ROOTFS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub squashfs: Option<SquashfsFacts>,
    /// The counts of DATA's JFFS2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jffs2: Option<WindowStats>,
    /// The firmware's version: the highest in DATA's files, which are packed, or
    /// that of a known kernel.
    #[serde(serialize_with = "as_text", skip_serializing_if = "Option::is_none")]
    pub version: Option<Version>,
    /// What FACTORY's bytes amount to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<Judgement>,
    /// Whether BOOT's environment has a right CRC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub env_crc_ok: Option<bool>,
}

/// What is known of a uImage whose header can be believed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UimageFacts {
    /// Its name.
    pub name: String,
    /// The family of processors that the name tells.
    pub family: Family,
    /// The version of Linux that the name tells.
    pub linux: Option<String>,
    /// Bytes of the image, its header included.
    pub bytes: u64,
    /// Where the boot loader copies it to, an address in memory.
    pub load: u32,
    /// Where it starts, an address in memory.
    pub entry: u32,
    /// The number of its compression: 0 for none, 3 as the vendor's kernels have it.
    pub compression: u8,
}

/// What is known of a squashfs whose superblock can be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct SquashfsFacts {
    /// Bytes of the file system.
    pub bytes_used: u64,
    /// When it was made, in seconds since 1970.
    pub mkfs_time: u32,
    /// The name of its compression: `xz`.
    pub compression: &'static str,
    /// Blocks whose checksum was found right; `None` where they were not checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blocks_verified: Option<u32>,
    /// Bytes in blocks that have no checksum, because they are stored as they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_without_checksum: Option<u64>,
    /// Whether `/linuxrc` is in it, which the kernel starts; `None` where that
    /// was not checked or cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub linuxrc: Option<bool>,
}

#[allow(clippy::ref_option, clippy::trivially_copy_pass_by_ref)] // as serde calls it
fn as_text<S: serde::Serializer>(version: &Option<Version>, to: S) -> Result<S::Ok, S::Error> {
    match version {
        Some(version) => to.collect_str(version),
        None => to.serialize_none(),
    }
}

/// The depth of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// What takes long is left out: the blocks of ROOTFS are not unpacked, so
    /// their checksums are not verified.
    Quick,
    /// All that can be verified is.
    Deep,
}

/// What a check of one role comes to, where the content is not erased.
#[derive(Default)]
pub(super) struct Judged {
    /// Empty where nothing is expected, and so nothing is known.
    pub(super) kind: String,
    pub(super) damaged: bool,
    /// Nothing is in it, though it is not all 0xFF.
    pub(super) empty: bool,
    pub(super) findings: Vec<Finding>,
    pub(super) facts: ContentFacts,
}
