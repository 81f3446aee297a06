//! The verdict on the counts of a JFFS2 walk.

use super::WindowStats;

/// What is to be said about a JFFS2 as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Jffs2Health {
    /// A file system. It may hold torn nodes: Linux drops them when it mounts.
    Healthy,
    /// A file system with losses.
    Damaged {
        /// What was found, in words.
        reasons: Vec<String>,
    },
    /// Nothing but erased space and clean markers.
    Empty,
    /// No good node, and something else in its place.
    NotJffs2,
}

impl WindowStats {
    /// The verdict.
    ///
    /// A power cut while JFFS2 writes leaves a *torn* node: its beginning,
    /// then erased bytes. Linux drops those when it mounts, so on a live chip
    /// they are normal, however many. A node that was written to its end and
    /// has a wrong CRC, one that reaches beyond its erase block, and bytes
    /// that are no node at all are not left by a clean writer: they are
    /// damage, even one of them. A block whose erasing was cut short looks the
    /// same; there Linux erases it again, so a camera that runs well may
    /// show it once.
    pub fn verdict(&self) -> Jffs2Health {
        let found = self.nodes() + self.obsolete + self.torn + self.corrupt + self.overrun;
        if found == 0 {
            return if self.garbage == 0 { Jffs2Health::Empty } else { Jffs2Health::NotJffs2 };
        }
        if self.nodes() + self.obsolete == 0 && self.garbage > self.bytes / 2 {
            return Jffs2Health::NotJffs2; // a chance hit in foreign bytes
        }
        let mut reasons = Vec::new();
        let mut count = |n: u64, one: &str, many: &str| match n {
            0 => {}
            1 => reasons.push(format!("1 {one}")),
            n => reasons.push(format!("{n} {many}")),
        };
        count(self.corrupt, "node has a wrong checksum", "nodes have a wrong checksum");
        count(self.overrun, "node is cut off", "nodes are cut off");
        count(self.garbage, "byte is no JFFS2", "bytes are no JFFS2");
        if self.nodes() == 0 {
            reasons.push("it contains no file".to_owned());
        }
        if reasons.is_empty() { Jffs2Health::Healthy } else { Jffs2Health::Damaged { reasons } }
    }
}
