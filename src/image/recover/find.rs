//! The parts of a camera in bytes of any kind: where the map says, where they
//! begin by themselves, in whatever order.

use std::ops::Range;

use crate::chip::{Role, WINDOW};
use crate::formats::{flsh, jffs2, mxp, squashfs, uimage};
use crate::identity;
use crate::image::content::{Content, Health, IDENTITY_IN_CONFIG};
use crate::image::inspect::FileKind;
use crate::image::inspect::sniff::sniff;
use crate::image::inspect::sniffed::DATA_LENGTH;
use crate::image::marks::begins_like;
use crate::image::parts::judge;

/// Bytes of BOOT, of CONFIG and FACTORY, and the most of DATA, in every known map.
const BOOT: usize = 0x5_0000;
const FLSH: usize = 0x1_0000;
const DATA: usize = 0x63_0000;
/// The most bytes of KERNEL and of ROOTFS in any known map.
const KERNEL: usize = 0x21_0000;
const ROOTFS: usize = 0x76_0000;
/// The most headers of identities that are judged.
const MOST: usize = 64;

/// A part that was found.
#[derive(Clone, Debug)]
pub struct Found {
    /// What it is.
    pub role: Role,
    /// Which of the inputs it is in.
    pub input: usize,
    /// Where in it.
    pub range: Range<usize>,
    /// What it contains.
    pub content: Content,
    /// What is wrong with its place, a sentence; empty where nothing is.
    pub doubt: String,
}

impl Found {
    /// How much it is worth: more is better.
    pub fn rank(&self) -> u8 {
        let readable = self.content.facts.identity.as_ref().is_some_and(|j| j.identity.is_some());
        let facts = &self.content.facts;
        let begins = facts.squashfs.is_some() || facts.uimage.is_some();
        match self.content.health {
            Health::Healthy => 4,
            _ if readable => 3,
            Health::Damaged if begins => 2,
            Health::Damaged => 1,
            _ => 0,
        }
    }
}

/// All parts in the bytes of input number `input`; `name` is what its file name says it is.
pub fn find(input: usize, bytes: &[u8], name: Option<Role>) -> Vec<Found> {
    let Ok(sniffed) = sniff(&bytes) else { return Vec::new() };
    let mut found = Vec::new();
    let mut take = |role, range: Range<usize>, size: u32| {
        // What is cut off a FLSH is its erased end, most likely.
        let is_flsh = matches!(role, Role::Config | Role::Factory);
        let size = if is_flsh { size.max(FLSH as u32) } else { size };
        if range.start < range.end && range.end <= bytes.len() {
            let content = judge(role, &bytes[range.clone()], size);
            let doubt = sniffed.findings.iter().find(|f| f.code == DATA_LENGTH);
            let doubt = doubt.filter(|_| role == Role::Data).map(|f| f.reason.clone());
            found.push(Found { role, input, range, content, doubt: doubt.unwrap_or_default() });
        }
    };
    let is_part = matches!(
        sniffed.kind,
        FileKind::Partition
            | FileKind::Uimage
            | FileKind::Squashfs
            | FileKind::Jffs2
            | FileKind::Flsh
    );
    let most = sniffed.pieces.first().map_or(0, |piece| match piece.role {
        Role::Boot => BOOT,
        Role::Kernel => KERNEL,
        Role::Rootfs => ROOTFS,
        Role::Data => DATA,
        _ => FLSH,
    });
    // What is longer than any partition is more than the part that begins it.
    let single = is_part && bytes.len() <= most;
    for piece in sniffed.pieces.iter().filter(|_| single || !is_part) {
        let start = usize::try_from(piece.start.max(0)).unwrap_or(usize::MAX).min(bytes.len());
        let end =
            usize::try_from(piece.start + i64::from(piece.size)).unwrap_or(0).min(bytes.len());
        if piece.start >= 0 {
            take(
                piece.role,
                start..end.max(start),
                piece.size.max((end.max(start) - start) as u32),
            );
        }
    }
    if let Some(role) = name.filter(|_| sniffed.pieces.is_empty() && bytes.len() <= DATA + BOOT) {
        take(role, 0..bytes.len(), bytes.len() as u32);
        return found;
    }
    config_or_factory(bytes, &mut found);
    if !single || found.iter().any(is_late) {
        anchors(input, bytes, &mut found);
    }
    found
}

/// An identity in CONFIG's place is not CONFIG where FACTORY has none: a block was lost before it,
/// or it was written there.
fn config_or_factory(bytes: &[u8], found: &mut [Found]) {
    let has_own = found.iter().any(|f| f.role == Role::Factory && f.rank() == 4);
    for f in found.iter_mut().filter(|f| f.role == Role::Config) {
        let is_identity = f.content.findings.iter().any(|f| f.code == IDENTITY_IN_CONFIG);
        if is_identity && !has_own {
            f.role = Role::Factory;
            f.content = judge(f.role, &bytes[f.range.clone()], FLSH as u32);
            "The identity is in CONFIG's place: a block before it may be lost."
                .clone_into(&mut f.doubt);
        }
    }
}

/// Whether it may be a FACTORY that begins later in its file.
fn is_late(found: &Found) -> bool {
    found.role == Role::Factory && found.content.health == Health::Damaged
}

/// Parts by how they begin, wherever that is.
fn anchors(input: usize, bytes: &[u8], found: &mut Vec<Found>) {
    let mut take = |role, range: Range<usize>, size: usize| {
        let is_known = found.iter().any(|f| f.role == role && f.range.start == range.start);
        if range.start < range.end && range.end <= bytes.len() && !is_known {
            let content = judge(role, &bytes[range.clone()], size as u32);
            found.push(Found { role, input, range, content, doubt: String::new() });
        }
    };
    let mut flsh_seen = 0;
    let mut data = None;
    let mut at = 0;
    while at + 32 <= bytes.len() {
        let rest = &bytes[at..];
        match rest[0] {
            b'M' if rest.starts_with(b"MXPT\x01") && at >= mxp::TABLE_OFFSET => {
                let start = at - mxp::TABLE_OFFSET;
                if crate::chip::table::as_it_says(&bytes[start..]).is_some() {
                    take(Role::Boot, start..(start + BOOT).min(bytes.len()), BOOT);
                    at = (start + BOOT).min(bytes.len()).max(at + 1);
                    continue;
                }
            }
            0x27 => {
                if let Ok(header) = uimage::parse(rest)
                    && header.is_arm_linux()
                {
                    let size = (uimage::HEADER + header.size as usize).min(rest.len());
                    take(Role::Kernel, at..at + size, size);
                }
            }
            b'h' => {
                if let Ok(superblock) = squashfs::parse(rest) {
                    let size = superblock.bytes_used.min(rest.len() as u64) as usize;
                    take(Role::Rootfs, at..at + size, size);
                    at += size.max(1);
                    continue;
                }
            }
            0x85 if data.is_none() && at.is_multiple_of(4) => {
                let stats = jffs2::walk(&rest[..rest.len().min(WINDOW as usize)]);
                if rest[1] == 0x19 && stats.nodes() + stats.cleanmarkers > 0 && stats.garbage == 0 {
                    data = Some(at);
                }
            }
            _ if flsh_seen < MOST && flsh::is_header(rest) => {
                flsh_seen += 1;
                let end = (at + FLSH).min(bytes.len());
                let mut whole = bytes[at..end].to_vec();
                whole.resize(FLSH, 0xFF);
                let personal = identity::judge(&whole).identity.is_some_and(|i| i.is_personal());
                if personal || data.is_none_or(|data| !is_in_a_node(bytes, data, at)) {
                    take(if personal { Role::Factory } else { Role::Config }, at..end, FLSH);
                }
            }
            _ => {}
        }
        at += 1;
    }
    if let Some(start) = data {
        // A map's place for a part that is not there ends nothing, and neither does a file in DATA.
        let is_there = |f: &&Found| {
            f.range.start > start
                && f.role != Role::Data
                && begins_like(f.role, &bytes[f.range.clone()])
                && !is_in_a_node(bytes, start, f.range.start)
        };
        let next = found.iter().filter(is_there).map(|f| f.range.start).min();
        let end = next.unwrap_or(bytes.len()).min(start + DATA);
        let content = judge(Role::Data, &bytes[start..end], (end - start) as u32);
        let is_known = found.iter().any(|f| f.role == Role::Data && f.range.start == start);
        if !is_known {
            let (role, range, doubt) = (Role::Data, start..end, String::new());
            found.push(Found { role, input, range, content, doubt });
        }
    }
}

/// Whether a place is inside a node of the JFFS2 that begins at `data`: the vendor's settings are a
/// FLSH in a file there.
fn is_in_a_node(bytes: &[u8], data: usize, at: usize) -> bool {
    let block = WINDOW as usize;
    let from = data + (at - data) / block * block;
    jffs2::walk(&bytes[from..at]).overrun > 0
}
