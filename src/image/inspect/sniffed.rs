//! Result of the first look at a file: its kind, and the offsets of its parts.

use super::report::FileKind;
use crate::chip::{FlashMap, Role};
use crate::image::finding::Finding;

/// The sizes of BOOT, DATA and FACTORY in every known map, in bytes.
pub(super) const BOOT: u64 = 0x5_0000;

pub(super) const DATA: u64 = 0x63_0000;

pub(super) const FACTORY: u64 = 0x1_0000;

/// The code of the finding that DATA is longer or shorter than its place.
pub(in crate::image) const DATA_LENGTH: &str = "data-length";

/// A partition's place in the file.
#[derive(Clone, Debug)]
pub(in crate::image) struct Piece {
    pub(in crate::image) name: String,
    pub(in crate::image) role: Role,
    /// In bytes; below 0 where the file lacks its beginning.
    pub(in crate::image) start: i64,
    pub(in crate::image) size: u32,
}

/// What a file is, and where its parts are.
pub(in crate::image) struct Sniffed {
    pub(in crate::image) kind: FileKind,
    pub(in crate::image) what: String,
    pub(in crate::image) map_source: Option<String>,
    pub(in crate::image) pieces: Vec<Piece>,
    pub(in crate::image) findings: Vec<Finding>,
    /// Whether this may be something else whose bytes were mangled.
    pub(in crate::image) may_be_mangled: bool,
}

impl Sniffed {
    pub(super) fn new(kind: FileKind, what: impl Into<String>) -> Sniffed {
        Sniffed {
            kind,
            what: what.into(),
            map_source: None,
            pieces: Vec::new(),
            findings: Vec::new(),
            may_be_mangled: false,
        }
    }

    /// The same of a file that may be something else, mangled.
    pub(super) fn doubtful(self) -> Sniffed {
        Sniffed { may_be_mangled: true, ..self }
    }

    /// One piece: all of the file.
    pub(super) fn whole(kind: FileKind, what: impl Into<String>, role: Role, size: u64) -> Sniffed {
        let size = u32::try_from(size).unwrap_or(u32::MAX);
        let piece = Piece { name: role.name().to_owned(), role, start: 0, size };
        Sniffed { pieces: vec![piece], ..Sniffed::new(kind, what) }
    }

    pub(super) fn with(mut self, finding: Finding) -> Sniffed {
        self.findings.push(finding);
        self
    }
}

pub(super) fn dump_of(
    map: &FlashMap,
    map_source: String,
    len: u64,
    chip: u64,
    shift: i64,
) -> Sniffed {
    let (kind, what) = match len {
        _ if shift != 0 => (FileKind::ShiftedDump, "A dump of the chip whose parts are shifted"),
        _ if len < chip => (FileKind::TruncatedDump, "A dump of the chip that is cut off"),
        _ if len > chip => (FileKind::OversizedDump, "A dump of the chip with something behind it"),
        _ => (FileKind::FullDump, "A dump of the whole chip"),
    };
    let mut sniffed = Sniffed::new(kind, what);
    sniffed.may_be_mangled = kind != FileKind::FullDump;
    sniffed.map_source = Some(map_source);
    sniffed.pieces = map
        .covering()
        .into_iter()
        .filter_map(|p| {
            Some(Piece {
                name: p.name.clone(),
                role: p.role,
                start: i64::from(p.offset?) + shift,
                size: p.size,
            })
        })
        .collect();
    if shift != 0 {
        let by = shift.unsigned_abs();
        let blocks = by / 0x1_0000;
        let blocks = match by % 0x1_0000 {
            0 if cfg!(feature = "pc") && blocks == 1 => " (one block)".to_owned(),
            0 if cfg!(feature = "pc") => format!(" ({blocks} blocks)"),
            _ => String::new(),
        };
        let reason = if shift > 0 {
            format!(
                "All parts are {by:#x} bytes{blocks} too late: there is something before the chip's bytes."
            )
        } else {
            format!(
                "All parts are {by:#x} bytes{blocks} too early: the chip's first bytes are missing."
            )
        };
        sniffed.findings.push(
            Finding::blocker("shifted", reason).hint("Read the chip again, from its first byte."),
        );
    }
    if len < chip {
        sniffed.findings.push(
            Finding::blocker(
                "truncated",
                format!("The chip has {chip} bytes, and this file has {len}."),
            )
            .at(len)
            .hint("Read the chip again, all of it."),
        );
    } else if len > chip {
        sniffed.findings.push(
            Finding::warning(
                "oversized",
                format!("The chip has {chip} bytes, and this file has {len}."),
            )
            .at(chip)
            .hint("Check that the programmer was set to the right chip."),
        );
    }
    sniffed
}
