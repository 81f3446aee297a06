//! The one pass over a file: all hashes and checks as the windows stream by.

use crate::formats::sha256::Sha256;

use super::elsewhere::Found;
use super::sniffed::Piece;
use super::{InspectError, Source};
use crate::chip::{Role, WINDOW};
use crate::formats::{flsh, is_filled, version};
use crate::image::content::{Content, ContentCheck, ContentFacts, Health};
use crate::image::finding::Finding;

/// What the pass found.
pub(super) struct Passed {
    pub(super) sha256: String,
    /// The same in bytes.
    pub(super) digest: [u8; 32],
    /// Whether all of the file is 0xFF, or all of it is 0.
    pub(super) erased: bool,
    pub(super) zeros: bool,
    /// One content and, where all of it is there, one hash for each piece.
    pub(super) contents: Vec<(Content, Option<String>)>,
    /// The identities in it, wherever they are.
    pub(super) identities: Found,
    pub(super) version: Option<version::Version>,
}

struct Check<'a> {
    piece: &'a Piece,
    content: ContentCheck,
    hash: Sha256,
    fed: u64,
}

/// Reads a file from end to end.
pub(super) fn pass(source: &dyn Source, pieces: &[Piece]) -> Result<Passed, InspectError> {
    let mut checks: Vec<Check<'_>> = pieces
        .iter()
        .map(|piece| Check {
            piece,
            content: ContentCheck::new(piece.role, piece.size),
            hash: Sha256::new(),
            fed: 0,
        })
        .collect();
    let mut hash = Sha256::new();
    let mut flsh = flsh::Scan::new();
    let mut identities = Found::default();
    let mut versions = version::Scan::new();
    let (mut erased, mut zeros) = (true, true);
    let len = source.len();
    let mut window = vec![0; WINDOW as usize];
    let mut at = 0;
    while at < len {
        let there = (len - at).min(u64::from(WINDOW)) as usize;
        let bytes = &mut window[..there];
        source.read_at(at, bytes).map_err(|source| InspectError::Read { offset: at, source })?;
        hash.update(&*bytes);
        flsh.feed(bytes);
        for place in flsh.take() {
            identities
                .look(source, place)
                .map_err(|source| InspectError::Read { offset: place, source })?;
        }
        versions.feed(bytes);
        erased = erased && is_filled(bytes, 0xFF);
        zeros = zeros && is_filled(bytes, 0);
        for check in &mut checks {
            check.feed(at, bytes);
        }
        at += there as u64;
    }
    Ok(Passed {
        sha256: hex(hash.clone()),
        digest: hash.finalize(),
        erased: erased && len > 0,
        zeros: zeros && len > 0,
        contents: checks.into_iter().map(Check::finish).collect(),
        identities,
        version: versions.found(),
    })
}

impl Check<'_> {
    fn feed(&mut self, at: u64, bytes: &[u8]) {
        let end = at + bytes.len() as u64;
        let start = u64::try_from(self.piece.start).unwrap_or(0);
        let stop = u64::try_from(self.piece.start + i64::from(self.piece.size)).unwrap_or(0);
        let (from, to) = (start.clamp(at, end), stop.clamp(at, end));
        let mine = bytes.get((from - at) as usize..(to - at) as usize).unwrap_or_default();
        if !mine.is_empty() {
            self.content.feed(mine);
            self.hash.update(mine);
            self.fed += mine.len() as u64;
        }
    }

    fn finish(self) -> (Content, Option<String>) {
        if self.piece.start < 0 && self.fed > 0 {
            // What is left of it cannot be judged by places that moved.
            let finding = Finding::blocker("cut-off", "Its beginning is not in the file.").at(0);
            let content = Content {
                kind: "its beginning is missing".to_owned(),
                health: Health::Damaged,
                findings: vec![finding],
                facts: ContentFacts::default(),
            };
            return (content, None);
        }
        let whole = self.fed == u64::from(self.piece.size);
        if let Some(content) = self.filled_up() {
            return (content, whole.then(|| hex(self.hash)));
        }
        (self.content.finish(), whole.then(|| hex(self.hash)))
    }

    /// A FLSH whose end is cut off, filled up with 0xFF: where its checksum is
    /// right then, nothing else was lost.
    fn filled_up(&self) -> Option<Content> {
        let is_flsh = matches!(self.piece.role, Role::Config | Role::Factory);
        if !is_flsh || self.fed == 0 || self.fed >= u64::from(WINDOW) {
            return None;
        }
        let mut content = self.content.clone();
        content.feed(&vec![0xFF; (u64::from(WINDOW) - self.fed) as usize]);
        let mut content = content.finish();
        if content.health != Health::Healthy {
            return None;
        }
        let lost = u64::from(WINDOW) - self.fed;
        content.findings.push(
            Finding::note(
                "end-cut-off",
                format!(
                    "Its erased end is cut off, {lost} bytes of 0xFF: nothing else is missing."
                ),
            )
            .at(self.fed),
        );
        Some(content)
    }
}

fn hex(hash: Sha256) -> String {
    crate::base::hex(&hash.finalize())
}
