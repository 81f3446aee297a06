//! DATA: a JFFS2 (docs/formats.md, JFFS2).

use super::{Facts, Judged, keep};
use crate::chip::WINDOW;
use crate::formats::jffs2::{Verdict, WindowStats, walk};
use crate::image::finding::Finding;

/// Nodes never cross a window's border, so windows are walked one by one.
#[derive(Clone, Debug, Default)]
pub(super) struct Data {
    stats: WindowStats,
    /// A window that has come in part.
    part: Vec<u8>,
}

impl Data {
    pub(super) fn feed(&mut self, mut bytes: &[u8]) {
        const SIZE: usize = WINDOW as usize;
        while !bytes.is_empty() {
            let taken = bytes.len().min(SIZE - self.part.len());
            let (now, later) = bytes.split_at(taken);
            bytes = later;
            if now.len() == SIZE {
                self.stats.merge(&walk(now));
                continue;
            }
            keep::head(&mut self.part, now, SIZE);
            if self.part.len() == SIZE {
                self.stats.merge(&walk(&self.part));
                self.part.clear();
            }
        }
    }

    pub(super) fn finish(mut self) -> Judged {
        if !self.part.is_empty() {
            self.stats.merge(&walk(&self.part));
        }
        let stats = self.stats;
        let at = stats.first_bad_window.map_or(0, |w| w * u64::from(WINDOW));
        let mut findings = Vec::new();
        let (kind, damaged) = match stats.verdict() {
            Verdict::Healthy => ("JFFS2", false),
            Verdict::Empty => {
                findings.push(
                    Finding::warning("jffs2-empty", "It is an empty JFFS2: no file is in it.")
                        .at(0)
                        .hint("The vendor's app would be gone."),
                );
                ("JFFS2, empty", false)
            }
            Verdict::Damaged { reasons } => {
                findings.push(
                    Finding::blocker(
                        "jffs2-damaged",
                        format!("The JFFS2 has losses: {}.", reasons.join(", ")),
                    )
                    .at(at)
                    .hint(
                        "Files may be missing or old. Read it from the chip again, or take \
                         another copy.",
                    ),
                );
                ("JFFS2, damaged", true)
            }
            Verdict::NotJffs2 => {
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
            empty: stats.verdict() == Verdict::Empty,
            findings,
            facts: Facts { jffs2: Some(stats), ..Facts::default() },
        }
    }
}
