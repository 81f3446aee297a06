//! Report of an inspection: the file's kind, its partitions, its identity, its findings.

use std::io;

use serde::Serialize;

use crate::chip::Role;
use crate::error::{Code, Explain};
use crate::identity::{self, Identity, Masked};
use crate::image::content::{ContentFacts, Health};
use crate::image::finding::Finding;
use crate::image::transform::Note;

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileKind {
    /// `tf_recovery.img` or `tf_update.img`, of the right size.
    TfImage,
    /// The beginning of one.
    TruncatedTfImage,
    /// One with something behind it.
    OversizedTfImage,
    /// The whole chip.
    FullDump,
    /// The beginning of a chip.
    TruncatedDump,
    /// A chip, and something behind it.
    OversizedDump,
    /// A chip whose parts are not where they belong.
    ShiftedDump,
    /// The parts of a chip, one after the other, in another order than on the chip.
    JumbledDump,
    /// One partition.
    Partition,
    /// A bare uImage.
    Uimage,
    /// A bare squashfs.
    Squashfs,
    /// A bare JFFS2.
    Jffs2,
    /// A bare FLSH.
    Flsh,
    /// A whole chip of another camera, or with another system on it.
    OtherDump,
    /// Something of a camera whose bytes were mangled: swapped, turned, written as text.
    Mangled,
    /// Partition files that together are one camera: a tar or a folder.
    Parts,
    /// Nothing but 0xFF.
    Erased,
    /// Something that is not from a flash chip: an archive, a program, a text.
    Foreign,
    /// A backup set: a folder with a file for each partition.
    Set,
    /// None of these.
    Unknown,
}

/// Which camera the file is from or for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Model {
    /// The model's id: `ipc009`.
    pub id: String,
    /// Whether an identity in the file says so, or its hash; otherwise it is a guess.
    pub certain: bool,
    /// How it was recognized, in words.
    pub how: String,
}

/// One partition in the file.
#[derive(Clone, Debug, Serialize)]
pub struct PartitionReport {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub role: Role,
    /// Where it begins in the file, in bytes; below 0 where the file lacks
    /// its beginning.
    pub offset: i64,
    /// Its size in bytes, which may reach beyond the file's end.
    pub size: u32,
    /// What it contains, in a few words.
    pub kind: String,
    /// How that is.
    pub health: Health,
    /// What only its role has; the identity is in the report.
    #[serde(flatten)]
    pub facts: ContentFacts,
    /// Its SHA-256 in hex, where all of it is there.
    pub sha256: Option<String>,
}

/// An identity that is where it does not belong.
#[derive(Clone, Debug, Serialize)]
pub struct Elsewhere {
    /// Where it is in the file, in bytes.
    pub offset: u64,
    /// How it is.
    pub health: identity::Health,
    /// What may be shown of it.
    pub masked: Vec<Masked>,
    /// The name of the 64 KiB from there on, as FACTORY's fingerprint is made.
    pub fingerprint: String,
    /// It, for comparing.
    #[serde(skip)]
    pub identity: Identity,
}

/// Whether the identity is in the file.
#[derive(Clone, Debug, Serialize)]
pub struct IdentityReport {
    /// The answer, a whole sentence.
    pub answer: String,
    /// Whether a file of this kind should contain one.
    pub expected: bool,
    /// How FACTORY's is; missing where the file has no FACTORY.
    pub health: identity::Health,
    /// What is wrong with it, in words.
    pub reasons: Vec<String>,
    /// The first 8 hex digits of the SHA-256 of FACTORY.
    pub fingerprint: Option<String>,
    /// What may be shown of it.
    pub masked: Vec<Masked>,
    /// Those that are elsewhere in the file.
    pub elsewhere: Vec<Elsewhere>,
    /// FACTORY's, for comparing.
    #[serde(skip)]
    pub identity: Option<Identity>,
}

/// What an inspection found.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// What the file is.
    pub kind: FileKind,
    /// The same in words.
    pub what: String,
    /// What happened to its bytes, the last first; places are counted in the
    /// bytes before that.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mangled: Vec<Note>,
    /// Whether the identity is in it: the first thing an owner asks.
    pub identity: IdentityReport,
    /// Bytes of the file.
    pub size: u64,
    /// Its SHA-256 in hex.
    pub sha256: String,
    /// Which camera it is from or for, as far as is known.
    pub model: Option<Model>,
    /// How its map was got, in words; `None` where it has none.
    pub map_source: Option<String>,
    /// The firmware's version, where one is in clear.
    pub firmware: Option<String>,
    /// Its partitions, in their order.
    pub partitions: Vec<PartitionReport>,
    /// All that an owner should know, the worst first; places are those in
    /// the file.
    pub findings: Vec<Finding>,
    /// What is alive in it, one sentence each.
    pub alive: Vec<String>,
    /// What is gone, one sentence each.
    pub gone: Vec<String>,
    /// What to do next, in order.
    pub next: Vec<String>,
}

impl Report {
    /// Whether something that should be there is damaged or gone.
    pub fn has_damage(&self) -> bool {
        let by_kind = match self.kind {
            FileKind::TruncatedTfImage
            | FileKind::TruncatedDump
            | FileKind::OversizedTfImage
            | FileKind::ShiftedDump
            | FileKind::JumbledDump
            | FileKind::Mangled
            | FileKind::Erased => true,
            FileKind::OtherDump => self.findings.iter().any(|f| f.code == "uboot-alone"),
            FileKind::Unknown => self.findings.iter().any(|f| f.code == "nothing-alive"),
            _ => false,
        };
        let two = self.findings.iter().any(|f| f.code == "two-maps");
        by_kind || two || self.is_lost() || self.partitions.iter().any(PartitionReport::is_lost)
    }

    /// Whether bytes were lost on the way that nothing brings back.
    pub(super) fn is_lost(&self) -> bool {
        let lost = ["lost-bytes", "replaced-bytes", "text-mode", "seven-bits", "no-zeros"];
        self.findings.iter().any(|f| lost.contains(&f.code))
    }

    /// The partition of this role, if the file has it.
    pub fn by_role(&self, role: Role) -> Option<&PartitionReport> {
        self.partitions.iter().find(|p| p.role == role)
    }
}

impl PartitionReport {
    /// Whether what belongs there is damaged or gone. An erased CONFIG is
    /// neither: it is usually empty.
    pub fn is_lost(&self) -> bool {
        match self.health {
            Health::Healthy | Health::Unknown => false,
            Health::Damaged => true,
            Health::Blank => !matches!(self.role, Role::Config | Role::Other),
        }
    }
}

/// Why a file could not be inspected.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    /// It could not be read.
    #[error("it cannot be read at {offset:#x}")]
    Read {
        /// Where, in bytes.
        offset: u64,
        /// Why.
        source: io::Error,
    },
}

impl Explain for InspectError {
    fn code(&self) -> Code {
        Code::Unreadable
    }

    fn hint(&self) -> String {
        "Copy the file to another disk or card, and inspect the copy.".to_owned()
    }
}

/// Whether a file of this kind comes from a whole chip.
pub(super) fn is_dump(kind: FileKind) -> bool {
    matches!(
        kind,
        FileKind::FullDump
            | FileKind::TruncatedDump
            | FileKind::OversizedDump
            | FileKind::ShiftedDump
            | FileKind::JumbledDump
    )
}
