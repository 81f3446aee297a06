//! ROOTFS: a squashfs without holes, every block of it whole (docs/formats.md, squashfs).

use super::{ContentFacts, Depth, Judged, SquashfsFacts, keep};
use crate::chip::WINDOW;
use crate::formats::is_filled;
use crate::formats::squashfs::{self, Blocks, SUPERBLOCK, Superblock};
use crate::image::finding::Finding;

/// The least part of a last window in which a hole is believed, in bytes: a
/// few equal bytes may be at an end by chance.
const LEAST: u64 = 4096;
/// How many holes are named; more are counted.
const NAMED: usize = 8;

#[derive(Clone, Debug)]
pub(super) struct Rootfs {
    size: u64,
    head: Vec<u8>,
    /// The superblock, as soon as its bytes have come.
    superblock: Option<Result<Superblock, squashfs::SquashfsError>>,
    /// Whether blocks are to be verified, and the check once it has begun.
    depth: Depth,
    blocks: Option<Box<Blocks>>,
    window: Window,
    holes: Vec<(u64, u8)>,
    hole_count: u64,
}

/// The window that is streaming by.
#[derive(Clone, Debug, Default)]
struct Window {
    start: u64,
    /// Bytes of it that are inside the file system and have come.
    seen: u64,
    /// The one value that they all have, as far as they have one.
    value: Option<u8>,
    mixed: bool,
}

impl Rootfs {
    pub(super) fn new(size: u64, depth: Depth) -> Self {
        Rootfs {
            size,
            depth,
            blocks: None,
            head: Vec::new(),
            superblock: None,
            window: Window::default(),
            holes: Vec::new(),
            hole_count: 0,
        }
    }

    pub(super) fn feed(&mut self, mut at: u64, mut bytes: &[u8]) {
        let behind_head = bytes.len().min(SUPERBLOCK - self.head.len());
        keep::head(&mut self.head, bytes, SUPERBLOCK);
        if self.superblock.is_none() && self.head.len() == SUPERBLOCK {
            let superblock = squashfs::parse(&self.head);
            if let Ok(superblock) = superblock
                && self.depth == Depth::Deep
                && superblock.compression == squashfs::XZ
            {
                self.blocks = Some(Box::new(Blocks::new(superblock)));
            }
            self.superblock = Some(superblock);
        }
        if let Some(blocks) = &mut self.blocks {
            blocks.feed(&bytes[behind_head..]);
        }
        while !bytes.is_empty() {
            let left = u64::from(WINDOW) - (at - self.window.start);
            let (now, later) = bytes.split_at(bytes.len().min(left as usize));
            // Before the superblock is known no end is: a window that contains its
            // first bytes is mixed anyway.
            let end = match &self.superblock {
                Some(Ok(superblock)) => superblock.bytes_used,
                Some(Err(_)) => 0,
                None => u64::MAX,
            };
            self.window.feed(keep::overlap(at, now, 0..end));
            at += now.len() as u64;
            bytes = later;
            if at - self.window.start == u64::from(WINDOW) {
                self.end_window(at);
            }
        }
    }

    fn end_window(&mut self, next: u64) {
        let window =
            std::mem::replace(&mut self.window, Window { start: next, ..Window::default() });
        let Some(value) = window.value.filter(|v| !window.mixed && matches!(v, 0 | 0xFF)) else {
            return;
        };
        if window.seen >= LEAST {
            self.hole_count += 1;
            if self.holes.len() < NAMED {
                self.holes.push((window.start, value));
            }
        }
    }

    pub(super) fn finish(mut self, fed: u64) -> Judged {
        self.end_window(fed);
        let superblock = match self.superblock.unwrap_or_else(|| squashfs::parse(&self.head)) {
            Ok(superblock) => superblock,
            Err(e) => {
                return Judged {
                    kind: "not a squashfs".to_owned(),
                    damaged: true,
                    findings: vec![
                        Finding::blocker("no-squashfs", format!("There is no squashfs: {e}."))
                            .at(0)
                            .hint("Linux could not mount it, and the camera would not start."),
                    ],
                    ..Judged::default()
                };
            }
        };
        let used = superblock.bytes_used;
        let mut findings = Vec::new();
        if used > self.size || used > fed {
            findings.push(
                Finding::blocker(
                    "squashfs-short",
                    format!("The squashfs needs {used} bytes, and {fed} are there."),
                )
                .at(fed)
                .hint("The file is cut off, or it is for a model with another map."),
            );
        }
        let checked = self.blocks.filter(|_| findings.is_empty()).map(|blocks| blocks.finish());
        for (at, value) in self.holes {
            findings.push(
                Finding::blocker(
                    "squashfs-hole",
                    format!(
                        "The 64 KiB at {at:#08x} are nothing but 0x{value:02X}, and a squashfs \
                         never has that: they are lost."
                    ),
                )
                .at(at)
                .hint("Read it from the chip again, or use another copy."),
            );
        }
        if self.hole_count > NAMED as u64 {
            findings.push(Finding::blocker(
                "squashfs-hole",
                format!("{} windows of 64 KiB are lost in all.", self.hole_count),
            ));
        }
        if let Some(checked) = &checked {
            findings.extend(damaged_blocks(checked));
        }
        let damaged = !findings.is_empty();
        if checked.as_ref().is_some_and(|c| c.too_large) {
            findings.push(Finding::warning(
                "squashfs-unverified",
                "Its tables are too large for this program: not all blocks were verified.",
            ));
        }
        Judged {
            kind: format!("squashfs, {}", superblock.compression_name()),
            damaged,
            findings,
            facts: ContentFacts {
                squashfs: Some(SquashfsFacts {
                    bytes_used: used,
                    mkfs_time: superblock.mkfs_time,
                    compression: superblock.compression_name(),
                    blocks_verified: checked.as_ref().map(|c| c.blocks),
                    bytes_without_checksum: checked.as_ref().map(|c| c.bare),
                    linuxrc: checked.as_ref().and_then(|c| c.linuxrc),
                }),
                ..ContentFacts::default()
            },
            ..Judged::default()
        }
    }
}

/// The blocks whose checksum is wrong.
fn damaged_blocks(checked: &squashfs::Checked) -> Vec<Finding> {
    let hint = "Read it from the chip again, or use another copy.";
    let mut findings: Vec<Finding> = checked
        .damage
        .iter()
        .map(|damage| {
            let what = match damage.length {
                Some(length) => format!("The block of {length} bytes at {:#x}", damage.at),
                None => format!("The block of a table at {:#x}", damage.at),
            };
            let reason = format!("{what} is damaged: its checksum is wrong.");
            Finding::blocker("squashfs-block", reason).at(damage.at).hint(hint)
        })
        .collect();
    if checked.damaged as usize > findings.len() {
        findings.push(Finding::blocker(
            "squashfs-block",
            format!("{} blocks are damaged in all.", checked.damaged),
        ));
    }
    findings
}

impl Window {
    fn feed(&mut self, bytes: &[u8]) {
        let Some(&first) = bytes.first() else { return };
        let value = *self.value.get_or_insert(first);
        self.mixed = self.mixed || !is_filled(bytes, value);
        self.seen += bytes.len() as u64;
    }
}
