//! Dumps whose parts are not where they belong: shifted as a whole, or in
//! another order.

use std::io;

use super::sniffed::{BOOT, DATA, FACTORY, Piece, Sniffed, dump_of};
use super::{FileKind, Source};
use crate::chip::{FlashMap, Role, WINDOW};
use crate::formats::{mxp, uimage};
use crate::image::finding::Finding;
use crate::image::marks::{CHIP, begins_like, holds_identity};
use crate::image::source::peek;

/// Parts one after the other in another order: each begins at a whole block.
pub(super) fn jumbled(source: &dyn Source, len: u64) -> io::Result<Option<Sniffed>> {
    if len <= DATA {
        return Ok(None);
    }
    let mut starts: Vec<(u64, Role)> = Vec::new();
    let mut at = 0;
    while at < len {
        let head = peek(source, at, WINDOW as usize)?;
        let roles = [Role::Boot, Role::Kernel, Role::Rootfs, Role::Data, Role::Config];
        let mut role = roles.into_iter().find(|role| begins_like(*role, &head));
        // Not every uImage is a kernel.
        if role == Some(Role::Kernel) && !uimage::parse(&head).is_ok_and(|h| h.is_arm_linux()) {
            role = None;
        }
        if role == Some(Role::Config) && holds_identity(&head) {
            role = Some(Role::Factory);
        }
        if let Some(role) = role.filter(|role| !starts.iter().any(|(_, known)| known == role)) {
            starts.push((at, role));
            if role == Role::Boot {
                at += BOOT; // U-Boot in it is a uImage, too
                continue;
            }
        }
        at += u64::from(WINDOW);
    }
    if starts.len() < 3 {
        return Ok(None);
    }
    let mut sniffed = Sniffed::new(FileKind::JumbledDump, "The parts of a chip in another order");
    sniffed.map_source = Some("the beginnings of its parts".to_owned());
    for (i, (start, role)) in starts.iter().enumerate() {
        let end = starts.get(i + 1).map_or(len, |(next, _)| *next);
        let most = match role {
            Role::Boot => BOOT,
            Role::Data => DATA,
            Role::Config | Role::Factory => FACTORY,
            _ => u64::MAX,
        };
        sniffed.pieces.push(Piece {
            name: role.name().to_owned(),
            role: *role,
            start: start.cast_signed(),
            size: (end - start).min(most) as u32,
        });
    }
    let names: Vec<&str> = starts.iter().map(|(_, role)| role.name()).collect();
    Ok(Some(
        sniffed
            .with(
                Finding::blocker(
                    "jumbled",
                    format!("The parts are in this order: {}.", names.join(", ")),
                )
                .hint("A chip has BOOT, KERNEL, ROOTFS, DATA, CONFIG, FACTORY."),
            )
            .doubtful(),
    ))
}

/// A dump whose map is elsewhere than it should.
pub(super) fn shifted(source: &dyn Source, len: u64) -> io::Result<Option<Sniffed>> {
    const KEEP: usize = mxp::TABLE_SIZE;
    const TABLE: u32 = mxp::TABLE_OFFSET as u32;
    if len <= BOOT {
        return Ok(None);
    }
    let mut at = 0;
    while at < len {
        // One table more than a window, so that none is lost on a border.
        let bytes = peek(source, at, WINDOW as usize + KEEP)?;
        let found = bytes
            .windows(5)
            .take(WINDOW as usize)
            .position(|w| w == b"MXPT\x01")
            .and_then(|i| Some((i, crate::chip::table::map_of(&bytes[i..])?)));
        if let Some((i, raw)) = found {
            let map = FlashMap::conclude(&raw);
            if map.is_known() {
                let shift = (at + i as u64).cast_signed() - i64::from(TABLE);
                let chip = u64::from(map.chip_size.unwrap_or(CHIP as u32));
                let source = "its own MXP table, which is not where it belongs".to_owned();
                return Ok(Some(dump_of(&map, source, len, chip, shift)));
            }
        }
        at += u64::from(WINDOW);
    }
    Ok(None)
}
