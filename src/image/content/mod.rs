//! What a partition holds, judged in the same pass that hashes it: window by
//! window, in little memory, whatever its size. One file per role; which
//! bytes are whose partition is for the caller to know.

mod boot;
mod flsh;
mod jffs2;
mod keep;
mod rootfs;
mod uimage;

use serde::Serialize;

use super::finding::Finding;
use crate::chip::Role;
use crate::formats::is_filled;
use crate::formats::jffs2::WindowStats;
use crate::formats::uimage::Family;
use crate::formats::version::Version;
use crate::identity::Judgement;

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

/// What a partition holds.
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
    pub facts: Facts,
}

/// What only some roles have.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Facts {
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
    /// Blocks whose checksum was found right; `None` where they were not looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blocks_verified: Option<u32>,
    /// Bytes in blocks that have no checksum, because they are stored as they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_without_checksum: Option<u64>,
    /// Whether `/linuxrc` is in it, which the kernel starts; `None` where that
    /// was not looked at or cannot be read.
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

/// How far a check goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// What takes long is left out: the blocks of ROOTFS are not unpacked, so
    /// their checksums are not verified.
    Quick,
    /// All that can be verified is.
    Deep,
}

/// A check of a partition as it streams by. However the stream is cut into
/// pieces, the content is the same.
#[derive(Clone, Debug)]
pub struct ContentCheck {
    role: Role,
    size: u64,
    fed: u64,
    ones: bool,
    zeros: bool,
    part: Part,
}

#[derive(Clone, Debug)]
enum Part {
    Boot(Box<boot::Boot>),
    Kernel(Box<uimage::Kernel>),
    Rootfs(Box<rootfs::Rootfs>),
    Data(jffs2::Data),
    Flsh(flsh::Flsh),
    Other,
}

/// What a check of one role comes to, where the content is not erased.
#[derive(Default)]
struct Judged {
    /// Empty where nothing is expected, and so nothing is known.
    kind: String,
    damaged: bool,
    /// Nothing is in it, though it is not all 0xFF.
    empty: bool,
    findings: Vec<Finding>,
    facts: Facts,
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

impl ContentCheck {
    /// A check of a partition of this role and of `size` bytes, of all that can
    /// be verified.
    pub fn new(role: Role, size: u32) -> ContentCheck {
        ContentCheck::with_depth(role, size, Depth::Deep)
    }

    /// The same, as deep as wanted.
    pub fn with_depth(role: Role, size: u32, depth: Depth) -> ContentCheck {
        let part = match role {
            Role::Boot => Part::Boot(Box::default()),
            Role::Kernel => Part::Kernel(Box::default()),
            Role::Rootfs => Part::Rootfs(Box::new(rootfs::Rootfs::new(size.into(), depth))),
            Role::Data => Part::Data(jffs2::Data::new(depth)),
            Role::Config => Part::Flsh(flsh::Flsh::config()),
            Role::Factory => Part::Flsh(flsh::Flsh::factory()),
            Role::Other => Part::Other,
        };
        ContentCheck { role, size: size.into(), fed: 0, ones: true, zeros: true, part }
    }

    /// Takes the next bytes, [`crate::chip::WINDOW`] of them at best.
    pub fn feed(&mut self, window: &[u8]) {
        self.ones = self.ones && is_filled(window, 0xFF);
        self.zeros = self.zeros && is_filled(window, 0);
        match &mut self.part {
            Part::Boot(part) => part.feed(self.fed, window),
            Part::Kernel(part) => part.feed(window),
            Part::Rootfs(part) => part.feed(self.fed, window),
            Part::Data(part) => part.feed(window),
            Part::Flsh(part) => part.feed(window),
            Part::Other => {}
        }
        self.fed += window.len() as u64;
    }

    /// What came amounts to this.
    pub fn finish(self) -> Content {
        let speaks_for_itself = matches!(&self.part, Part::Flsh(_));
        let blank = self.ones && self.fed > 0;
        let mut judged = match self.part {
            Part::Boot(part) => part.finish(),
            Part::Kernel(part) => part.finish(),
            Part::Rootfs(part) => part.finish(self.fed),
            Part::Data(part) => part.finish(),
            Part::Flsh(part) => part.finish(),
            Part::Other => Judged::default(),
        };
        if self.fed == 0 {
            judged = nothing();
        } else if blank && !speaks_for_itself {
            judged = erased(self.role);
        } else if self.zeros && judged.damaged {
            "nothing but zeros".clone_into(&mut judged.kind);
        }
        if self.fed > 0 && self.fed < self.size {
            judged.damaged = true;
            judged.findings.push(
                Finding::blocker(
                    "cut-off",
                    format!("It is cut off: {} of {} bytes are there.", self.fed, self.size),
                )
                .at(self.fed),
            );
        }
        let known = !judged.kind.is_empty();
        let health = if judged.damaged {
            Health::Damaged
        } else if blank || judged.empty {
            Health::Blank
        } else if known {
            Health::Healthy
        } else {
            Health::Unknown
        };
        let kind = if known { judged.kind } else { "not known".to_owned() };
        Content { kind, health, findings: judged.findings, facts: judged.facts }
    }
}

/// Without BOOT, KERNEL or ROOTFS no camera starts; without DATA one does, and
/// can do little.
fn erased(role: Role) -> Judged {
    let reason = "It is erased: nothing but 0xFF.";
    let finding = match role {
        Role::Boot | Role::Kernel | Role::Rootfs => {
            Finding::blocker("erased", reason).hint("A camera does not start with it.")
        }
        Role::Data => Finding::warning("erased", reason).hint("The vendor's app would be gone."),
        _ => Finding::note("erased", reason),
    };
    Judged { kind: "erased".to_owned(), findings: vec![finding.at(0)], ..Judged::default() }
}

fn nothing() -> Judged {
    Judged {
        kind: "nothing".to_owned(),
        damaged: true,
        findings: vec![Finding::blocker("missing", "It is not there at all.")],
        ..Judged::default()
    }
}
