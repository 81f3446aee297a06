//! Parts that begin at whole blocks but not in their places: in another order, only the end of a
//! chip, or a tf image behind something else.

use std::io;

use super::sniffed::{DATA, FACTORY, Piece, Sniffed};
use super::{FileKind, Source, moved};
use crate::chip::Role;
use crate::image::finding::Finding;

/// From KERNEL to DATA in a tf image and on a chip, in every known map.
const TO_DATA: i64 = 0x96_0000;

/// The parts in another order, where that explains more of them than this does.
pub(super) fn rather_jumbled(source: &dyn Source, dump: &Sniffed) -> io::Result<Option<Sniffed>> {
    if !cfg!(feature = "pc") {
        return Ok(None);
    }
    let hits = moved::in_place(source, dump)? as usize;
    if hits + 2 > dump.pieces.len() {
        return Ok(None);
    }
    let jumbled = moved::jumbled(source, source.len())?;
    Ok(jumbled.filter(|j| j.pieces.len() > hits + 1 && !follows(&j.pieces)))
}

/// Whether they are in a chip's order.
fn follows(pieces: &[Piece]) -> bool {
    let place = |piece: &Piece| Role::ALL.iter().position(|role| *role == piece.role);
    pieces.windows(2).all(|pair| place(&pair[0]) < place(&pair[1]))
}

/// Parts in a chip's order are in no other one: says what they are.
pub(super) fn named(mut sniffed: Sniffed, len: u64) -> Sniffed {
    if !cfg!(feature = "pc") || !follows(&sniffed.pieces) {
        return sniffed;
    }
    let start = |role| sniffed.pieces.iter().find(|p| p.role == role).map(|p| p.start);
    let (kernel, data) = (start(Role::Kernel), start(Role::Data));
    let is_own = [Role::Boot, Role::Config, Role::Factory].into_iter().any(|r| start(r).is_some());
    if let Some(at) = kernel.filter(|at| !is_own && data == Some(at + TO_DATA)) {
        let reason = format!("The parts of a tf image begin {at} bytes later than they should.");
        let what = "A tf image with something before it";
        return Sniffed::new(FileKind::Unknown, what).with(
            Finding::blocker("shifted", reason)
                .at(at.unsigned_abs())
                .hint(format!("`tail -c +{} FILE > tf.img` cuts the image out.", at + 1)),
        );
    }
    let end = len.checked_sub(DATA + 2 * FACTORY).map(u64::cast_signed);
    if start(Role::Boot).is_none()
        && start(Role::Factory).is_some()
        && data.is_some()
        && data == end
    {
        sniffed.kind = FileKind::ShiftedDump;
        "The end of a chip: its beginning is not in this file".clone_into(&mut sniffed.what);
        let missing = crate::image::marks::CHIP.saturating_sub(len);
        let reason = format!("The chip's first {missing:#x} bytes are not in this file.");
        sniffed.findings.clear();
        sniffed.findings.push(
            Finding::blocker("shifted", reason).hint("Read the chip again, from its first byte."),
        );
    }
    sniffed
}
