//! DATA: a JFFS2 (docs/formats.md, JFFS2).

use super::{ContentFacts, Depth, Judged, keep};
use crate::chip::WINDOW;
use crate::formats::jffs2::{Jffs2Health, WindowStats, unpack, walk, walk_with};
use crate::formats::version::Scan;
use crate::image::finding::Finding;

/// How many times its own size a window may have unpacked: made-up nodes could
/// hold hundreds of times as much, and take minutes.
const MOST_UNPACKED: usize = 8;

/// Nodes never cross a window's border, so windows are walked one by one.
#[derive(Clone, Debug, Default)]
pub(super) struct Data {
    /// The versions in its files, which are packed; `None` where they are not looked for.
    versions: Option<Scan>,
    stats: WindowStats,
    /// A window that has come in part.
    part: Vec<u8>,
}

impl Data {
    pub(super) fn new(depth: Depth) -> Data {
        Data { versions: (depth == Depth::Deep).then(Scan::new), ..Data::default() }
    }

    fn take(&mut self, window: &[u8]) {
        let stats = match &mut self.versions {
            None => walk(window),
            Some(versions) => {
                let mut left = window.len() * MOST_UNPACKED;
                walk_with(window, &mut |inode| {
                    if let Some(bytes) = unpack(inode, &mut left) {
                        versions.feed(&bytes);
                        versions.feed(b"\n"); // the next node is another text
                    }
                })
            }
        };
        self.stats.merge(&stats);
    }

    pub(super) fn feed(&mut self, mut bytes: &[u8]) {
        const SIZE: usize = WINDOW as usize;
        while !bytes.is_empty() {
            let taken = bytes.len().min(SIZE - self.part.len());
            let (now, later) = bytes.split_at(taken);
            bytes = later;
            if now.len() == SIZE {
                self.take(now);
                continue;
            }
            keep::head(&mut self.part, now, SIZE);
            if self.part.len() == SIZE {
                let part = std::mem::take(&mut self.part);
                self.take(&part);
            }
        }
    }

    pub(super) fn finish(mut self) -> Judged {
        if !self.part.is_empty() {
            let part = std::mem::take(&mut self.part);
            self.take(&part);
        }
        let stats = self.stats;
        let at = stats.first_bad_window.map_or(0, |w| w * u64::from(WINDOW));
        let mut findings = Vec::new();
        let (kind, damaged) = match stats.verdict() {
            Jffs2Health::Healthy => ("JFFS2", false),
            Jffs2Health::Empty => {
                findings.push(
                    Finding::warning("jffs2-empty", "It is an empty JFFS2: it contains no file.")
                        .at(0)
                        .hint("The vendor's app would be gone."),
                );
                ("JFFS2, empty", false)
            }
            Jffs2Health::Damaged { reasons } => {
                findings.push(
                    Finding::blocker(
                        "jffs2-damaged",
                        format!("The JFFS2 has losses: {}.", reasons.join(", ")),
                    )
                    .at(at)
                    .hint(
                        "Files may be missing or old. Read it from the chip again, or use another \
                         copy.",
                    ),
                );
                ("JFFS2, damaged", true)
            }
            Jffs2Health::NotJffs2 => {
                findings.push(
                    Finding::blocker("no-jffs2", "There is no JFFS2.")
                        .at(0)
                        .hint("The vendor's app would be gone."),
                );
                ("not a JFFS2", true)
            }
        };
        if stats.torn > 0 {
            findings.push(Finding::note(
                "jffs2-torn",
                format!(
                    "{} of its nodes were cut short while they were written, as a power cut \
                     does. Linux drops them.",
                    stats.torn
                ),
            ));
        }
        Judged {
            kind: kind.to_owned(),
            damaged,
            empty: stats.verdict() == Jffs2Health::Empty,
            findings,
            facts: ContentFacts {
                jffs2: Some(stats),
                version: self.versions.and_then(|versions| versions.found()),
                ..ContentFacts::default()
            },
        }
    }
}
