//! JFFS2: the file system of DATA. One erase block's nodes are walked here
//! and counted; what the counts mean is in `verdict`. No file is put together;
//! `unpack` unpacks a single node.
//!
//! Facts: docs/formats.md, JFFS2.

mod build;
mod lzo;
mod node;
mod rubin;
mod unpack;
mod verdict;

pub use build::{CLEANMARKER, Node, dirent, inode};
pub use unpack::unpack;
pub use verdict::Jffs2Health;

use serde::Serialize;

use super::{is_filled, le32};
use node::{HEADER, Header};

/// What is counted in one window, or in many of them together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct WindowStats {
    /// Windows that were walked.
    pub windows: u64,
    /// Bytes in them.
    pub bytes: u64,
    /// Inode nodes, good ones.
    pub inodes: u64,
    /// Directory entry nodes, good ones.
    pub dirents: u64,
    /// Summary, padding, xattr and unknown nodes, good ones.
    pub others: u64,
    /// Clean markers: what JFFS2 writes into an erased block.
    pub cleanmarkers: u64,
    /// Nodes that were replaced; whether they are good does not matter.
    pub obsolete: u64,
    /// Nodes whose writing was cut short: a wrong CRC, and erased bytes at
    /// the end. Each power cut may leave one or two.
    pub torn: u64,
    /// Nodes with a wrong CRC that were written to their end.
    pub corrupt: u64,
    /// Nodes that reach beyond the end of the window.
    pub overrun: u64,
    /// Bytes that are 0xFF outside of nodes.
    pub erased: u64,
    /// Bytes that are neither in a node nor erased.
    pub garbage: u64,
    /// Windows with garbage, with corrupt nodes or with ones that overrun.
    pub bad_windows: u64,
    /// The first of those, counted from 0.
    pub first_bad_window: Option<u64>,
}

impl WindowStats {
    /// Good nodes that make up a file system; clean markers do not count.
    pub fn nodes(&self) -> u64 {
        self.inodes + self.dirents + self.others
    }

    /// Adds the stats of what comes behind.
    pub fn merge(&mut self, next: &WindowStats) {
        self.first_bad_window =
            self.first_bad_window.or(next.first_bad_window.map(|w| self.windows + w));
        self.windows += next.windows;
        self.bytes += next.bytes;
        self.inodes += next.inodes;
        self.dirents += next.dirents;
        self.others += next.others;
        self.cleanmarkers += next.cleanmarkers;
        self.obsolete += next.obsolete;
        self.torn += next.torn;
        self.corrupt += next.corrupt;
        self.overrun += next.overrun;
        self.erased += next.erased;
        self.garbage += next.garbage;
        self.bad_windows += next.bad_windows;
    }
}

/// Walks one erase block, or the shorter end of a file. Nodes never cross the
/// border of an erase block, so windows can be walked one by one; they must
/// begin at such a border.
pub fn walk(window: &[u8]) -> WindowStats {
    walk_with(window, &mut |_| {})
}

/// The same; `inode` sees every good inode node, for [`unpack`].
pub fn walk_with(window: &[u8], inode: &mut dyn FnMut(&[u8])) -> WindowStats {
    let mut stats = WindowStats { windows: 1, bytes: window.len() as u64, ..Default::default() };
    let mut at = 0;
    while at < window.len() {
        let rest = &window[at..];
        let step = if rest.starts_with(&[0xFF; 4]) || is_filled(rest, 0xFF) {
            let erased = rest.iter().take_while(|&&b| b == 0xFF).count();
            // Nodes begin at multiples of 4.
            let erased = if erased == rest.len() { erased } else { erased & !3 };
            stats.erased += erased as u64;
            erased
        } else {
            match Header::parse(rest) {
                Some(header) => take_node(&mut stats, &header, rest, inode),
                None => take_garbage(&mut stats, rest),
            }
        };
        at += step;
    }
    if stats.garbage + stats.corrupt + stats.overrun > 0 {
        stats.bad_windows = 1;
        stats.first_bad_window = Some(0);
    }
    stats
}

/// Counts a node with a good header; says how far to go.
fn take_node(
    stats: &mut WindowStats,
    header: &Header,
    rest: &[u8],
    inode: &mut dyn FnMut(&[u8]),
) -> usize {
    let Some(bytes) = rest.get(..header.length) else {
        stats.overrun += 1;
        // Only the header can be believed; what it says it holds may be nodes.
        return HEADER;
    };
    let counter = if !header.is_current() {
        &mut stats.obsolete
    } else if node::is_good(header, bytes) {
        match header.kind {
            node::INODE => {
                inode(bytes);
                &mut stats.inodes
            }
            node::DIRENT => &mut stats.dirents,
            node::CLEANMARKER => &mut stats.cleanmarkers,
            _ => &mut stats.others,
        }
    } else if ends_erased(bytes) {
        &mut stats.torn
    } else {
        &mut stats.corrupt
    };
    *counter += 1;
    header.length.next_multiple_of(4).min(rest.len())
}

/// Whether the writing of a node stopped before its end: compressed data
/// hardly ever ends in this much 0xFF.
fn ends_erased(node: &[u8]) -> bool {
    node.len() >= 4 && is_filled(&node[node.len() - 4..], 0xFF)
}

/// Counts what is no node, up to where one or erased space may begin again.
fn take_garbage(stats: &mut WindowStats, rest: &[u8]) -> usize {
    let end = (4..rest.len())
        .step_by(4)
        .find(|&at| rest[at..].starts_with(&[0xFF; 4]) || Header::parse(&rest[at..]).is_some())
        .unwrap_or(rest.len());
    // A header that was cut while it was written: its beginning, then erased space.
    let begun = rest.starts_with(&node::MAGIC) || rest.starts_with(&[node::MAGIC[0], 0xFF]);
    let torn_header = begun && end <= HEADER && le32(rest, end).is_none_or(is_erased);
    if torn_header {
        stats.torn += 1;
    } else {
        stats.garbage += end as u64;
    }
    end
}

fn is_erased(word: u32) -> bool {
    word == u32::MAX
}
