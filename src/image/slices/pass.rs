//! The one pass over a file: each partition hashed as it would are on the
//! chip, judged and searched for versions as the windows stream by.

use crate::formats::sha256::Sha256;

use super::layout::PlacedPartition;
use crate::chip::{Role, WINDOW};
use crate::formats::version;
use crate::formats::{is_filled, squashfs};
use crate::image::content::{Content, ContentCheck};
use crate::image::inspect::InspectError;
use crate::image::source::Source;

/// What was found in one place.
pub(super) struct Seen {
    pub(super) content: Content,
    /// Of the whole partition, padding included.
    pub(super) sha256: [u8; 32],
    /// Of the bytes that are there.
    pub(super) file_sha256: [u8; 32],
    pub(super) version: Option<version::Version>,
    /// Whether something other than padding is behind a squashfs, and where.
    pub(super) behind: Option<u64>,
}

/// What was found in a file.
pub(super) struct Passed {
    pub(super) sha256: [u8; 32],
    pub(super) seen: Vec<Seen>,
    /// Whether all of it is 0xFF.
    pub(super) erased: bool,
}

struct Check<'a> {
    place: &'a PlacedPartition,
    content: ContentCheck,
    hash: Sha256,
    versions: version::Scan,
    fed: u64,
    tail: Tail,
}

/// Reads a file from end to end.
pub(super) fn file(
    source: &dyn Source,
    places: &[PlacedPartition],
) -> Result<Passed, InspectError> {
    let mut checks: Vec<Check<'_>> = places.iter().map(Check::new).collect();
    let mut hash = Sha256::new();
    let mut erased = true;
    let len = source.len();
    let mut window = vec![0; WINDOW as usize];
    let mut at = 0;
    while at < len {
        let there = (len - at).min(u64::from(WINDOW)) as usize;
        let bytes = &mut window[..there];
        source.read_at(at, bytes).map_err(|source| InspectError::Read { offset: at, source })?;
        hash.update(&*bytes);
        erased = erased && is_filled(bytes, 0xFF);
        for check in &mut checks {
            check.feed(at, bytes);
        }
        at += there as u64;
    }
    let seen = checks.into_iter().map(Check::finish).collect();
    Ok(Passed { sha256: hash.finalize(), seen, erased: erased && len > 0 })
}

impl<'a> Check<'a> {
    fn new(place: &'a PlacedPartition) -> Check<'a> {
        // A FLSH has a checksum that counts its padding; all else is judged as
        // long as it is, so that what is cut off is called that.
        let judged = if pads(place.role) { place.size } else { place.length as u32 };
        Check {
            place,
            content: ContentCheck::new(place.role, judged),
            hash: Sha256::new(),
            versions: version::Scan::new(),
            fed: 0,
            tail: Tail::default(),
        }
    }

    fn feed(&mut self, at: u64, bytes: &[u8]) {
        let end = at + bytes.len() as u64;
        let (start, stop) = (self.place.offset, self.place.offset + self.place.length);
        let (from, to) = (start.clamp(at, end), stop.clamp(at, end));
        let mine = bytes.get((from - at) as usize..(to - at) as usize).unwrap_or_default();
        if mine.is_empty() {
            return;
        }
        self.content.feed(mine);
        self.hash.update(mine);
        self.versions.feed(mine);
        if self.place.role == Role::Rootfs {
            self.tail.feed(self.fed, mine);
        }
        self.fed += mine.len() as u64;
    }

    fn finish(mut self) -> Seen {
        let file_sha256 = self.hash.clone().finalize();
        let padding = [0xFF; 4096];
        let mut missing = u64::from(self.place.size).saturating_sub(self.fed);
        while missing > 0 {
            let piece = &padding[..missing.min(padding.len() as u64) as usize];
            self.hash.update(piece);
            if pads(self.place.role) {
                self.content.feed(piece);
            }
            missing -= piece.len() as u64;
        }
        self.versions.feed(b"\n"); // a version at the very end has an end, too
        let content = self.content.finish();
        Seen {
            sha256: self.hash.finalize(),
            file_sha256,
            version: self.versions.found().max(content.facts.version),
            content,
            behind: self.tail.behind,
        }
    }
}

fn pads(role: Role) -> bool {
    matches!(role, Role::Config | Role::Factory)
}

/// What is behind a squashfs: padding, or something.
#[derive(Default)]
struct Tail {
    head: Vec<u8>,
    end: Option<u64>,
    behind: Option<u64>,
}

impl Tail {
    fn feed(&mut self, at: u64, bytes: &[u8]) {
        let missing = squashfs::SUPERBLOCK - self.head.len();
        if missing > 0 {
            self.head.extend_from_slice(&bytes[..bytes.len().min(missing)]);
            self.end = squashfs::parse(&self.head).ok().map(|s| s.bytes_used);
        }
        let Some(end) = self.end.filter(|_| self.behind.is_none()) else { return };
        let from = end.saturating_sub(at).min(bytes.len() as u64) as usize;
        // mksquashfs pads with zeros, and the flash is erased behind that.
        let found = bytes[from..].iter().position(|&b| b != 0 && b != 0xFF);
        self.behind = found.map(|i| at + (from + i) as u64);
    }
}
