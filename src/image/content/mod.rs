//! Content of a partition, judged in the same pass that hashes it: window by window, in little
//! memory, whatever its size. One file per role; the caller knows which bytes belong to which
//! partition.

mod boot;
mod facts;
mod flsh;
mod jffs2;
mod keep;
mod rootfs;
mod uimage;

pub(in crate::image) use facts::IDENTITY_IN_CONFIG;
pub use facts::{Content, ContentFacts, Depth, Health, SquashfsFacts, UimageFacts};

use super::finding::Finding;
use crate::chip::Role;
use crate::formats::is_filled;
use facts::Judged;

/// A check of a partition as it streams by. However the stream is cut into
/// pieces, the content is the same.
#[derive(Clone, Debug)]
pub struct ContentCheck {
    role: Role,
    size: u64,
    fed: u64,
    ones: bool,
    zeros: bool,
    part: PartitionReader,
}

#[derive(Clone, Debug)]
enum PartitionReader {
    Boot(Box<boot::Boot>),
    Kernel(Box<uimage::Kernel>),
    Rootfs(Box<rootfs::Rootfs>),
    Data(jffs2::Data),
    Flsh(flsh::Flsh),
    Other,
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
            Role::Boot => PartitionReader::Boot(Box::default()),
            Role::Kernel => PartitionReader::Kernel(Box::default()),
            Role::Rootfs => {
                PartitionReader::Rootfs(Box::new(rootfs::Rootfs::new(size.into(), depth)))
            }
            Role::Data => PartitionReader::Data(jffs2::Data::new(depth)),
            Role::Config => PartitionReader::Flsh(flsh::Flsh::config()),
            Role::Factory => PartitionReader::Flsh(flsh::Flsh::factory()),
            Role::Other => PartitionReader::Other,
        };
        ContentCheck { role, size: size.into(), fed: 0, ones: true, zeros: true, part }
    }

    /// Takes the next bytes, [`crate::chip::WINDOW`] of them at best.
    pub fn feed(&mut self, window: &[u8]) {
        self.ones = self.ones && is_filled(window, 0xFF);
        self.zeros = self.zeros && is_filled(window, 0);
        match &mut self.part {
            PartitionReader::Boot(part) => part.feed(self.fed, window),
            PartitionReader::Kernel(part) => part.feed(window),
            PartitionReader::Rootfs(part) => part.feed(self.fed, window),
            PartitionReader::Data(part) => part.feed(window),
            PartitionReader::Flsh(part) => part.feed(window),
            PartitionReader::Other => {}
        }
        self.fed += window.len() as u64;
    }

    /// What came amounts to this.
    pub fn finish(self) -> Content {
        let speaks_for_itself = matches!(&self.part, PartitionReader::Flsh(_));
        let blank = self.ones && self.fed > 0;
        let mut judged = match self.part {
            PartitionReader::Boot(part) => part.finish(),
            PartitionReader::Kernel(part) => part.finish(),
            PartitionReader::Rootfs(part) => part.finish(self.fed),
            PartitionReader::Data(part) => part.finish(),
            PartitionReader::Flsh(part) => part.finish(),
            PartitionReader::Other => Judged::default(),
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
        findings: vec![Finding::blocker("missing", "It is missing.")],
        ..Judged::default()
    }
}
