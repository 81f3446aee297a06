//! Dumps whose parts are not where they belong: shifted as a whole, from some
//! place on, or in another order.

use std::io;

use super::sniffed::{BOOT, DATA, DATA_LENGTH, FACTORY, Piece, Sniffed, dump_of};
use super::{FileKind, Source};
use crate::chip::{FlashMap, Role, WINDOW};
use crate::formats::{flsh, mxp, squashfs, uimage};
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

/// How many parts of a dump begin where they should.
pub(super) fn in_place(source: &dyn Source, dump: &Sniffed) -> io::Result<u32> {
    let mut hits = 0;
    for piece in &dump.pieces {
        let Ok(start) = u64::try_from(piece.start) else { continue };
        hits += u32::from(begins_like(piece.role, &peek(source, start, 32)?));
    }
    Ok(hits)
}

/// How far from its place a part is looked for, in bytes.
const REACH: u64 = 0x1_1000;
/// How many whole blocks from its place.
const BLOCKS: i64 = 16;

/// Parts of a dump that begin earlier or later than they should, because bytes were lost or added
/// before them: each gets the place where it is.
pub(super) fn slipped(source: &dyn Source, dump: &mut Sniffed) -> io::Result<()> {
    let mut by = Vec::new();
    for piece in &dump.pieces {
        by.push(slip(source, piece)?);
    }
    let place = |role| dump.pieces.iter().position(|p| p.role == role);
    let of = |role| place(role).and_then(|i| by[i]);
    let (before, behind) = (of(Role::Rootfs), of(Role::Factory));
    // An identity that was written into CONFIG, and firmware of a model with another map.
    let before = before.filter(|by| !is_blocks(*by) || behind == Some(*by));
    let behind = match (behind, place(Role::Config)) {
        (Some(by), Some(config)) if is_blocks(by) && before != behind => {
            is_there(source, &dump.pieces[config], by)?.then_some(by)
        }
        (by, _) => by,
    };
    let behind = match place(Role::Factory).zip(place(Role::Config)) {
        Some((factory, config)) if cfg!(feature = "pc") && behind == Some(0) => {
            let (factory, config) = (&dump.pieces[factory], &dump.pieces[config]);
            let is_late = is_late(source, config, factory)?;
            if is_late { Some(i64::from(WINDOW)) } else { behind }
        }
        _ => behind,
    };
    let mut moved = Vec::new();
    for (piece, own) in dump.pieces.iter_mut().zip(&by) {
        let is_there = |by: i64| is_there(source, piece, by);
        // A JFFS2 may begin anywhere in itself: earlier than it should only where it really does.
        let early = behind.filter(|by| *by < 0);
        let by = match piece.role {
            Role::Data if before == behind => before,
            Role::Data
                if is_there(0)? && !early.is_some_and(|by| is_there(by).unwrap_or(false)) =>
            {
                None
            }
            Role::Data | Role::Config => {
                let mut found = None;
                for by in [behind, before].into_iter().flatten() {
                    if found.is_none() && is_there(by)? {
                        found = Some(by);
                    }
                }
                found
            }
            Role::Rootfs => before,
            Role::Factory => behind,
            // What begins whole blocks later alone is another maker's.
            _ => own.filter(|by| !is_blocks(*by) || [before, behind].contains(&Some(*by))),
        };
        let is_cut = |by: &i64| {
            cfg!(feature = "pc")
                && piece.role == Role::Factory
                && (piece.start + by).unsigned_abs() >= source.len()
        };
        if let Some(by) = by.filter(|by| *by != 0 && (is_cut(by) || is_there(*by).unwrap_or(false)))
        {
            let end = if is_cut(&by) { ", which is behind the file's end" } else { "" };
            piece.start += by;
            let when = if by > 0 { "later" } else { "earlier" };
            moved.push(format!("{} begins {} bytes {when}{end}", piece.name, by.unsigned_abs()));
        }
    }
    if moved.is_empty() {
        return Ok(());
    }
    dump.kind = FileKind::ShiftedDump;
    "A dump of the chip in which bytes were lost or added".clone_into(&mut dump.what);
    dump.may_be_mangled = true;
    let mut reason = format!("Bytes were lost or added on the way: {}.", moved.join(", "));
    if cfg!(feature = "pc")
        && let Some(at) = repeated_block(source)?
    {
        reason += &format!(" The 64 KiB at {at:#x} are those before them once more.");
    }
    dump.findings
        .push(Finding::blocker("slipped", reason).hint("Read the chip again, twice, and compare."));
    dump.findings.extend(data_length(&mut dump.pieces));
    Ok(())
}

/// Whether CONFIG is in FACTORY's place, and FACTORY behind the end: a block more was put before them.
fn is_late(source: &dyn Source, config: &Piece, factory: &Piece) -> io::Result<bool> {
    let at = |piece: &Piece| u64::try_from(piece.start).unwrap_or(u64::MAX);
    let here = peek(source, at(factory), WINDOW as usize)?;
    let is_config = flsh::parse(&here)
        .is_ok_and(|f| ["did", "key", "mac", "model"].iter().all(|key| f.get(key).is_none()));
    let before = peek(source, at(config), 32)?;
    Ok(is_config && !holds_identity(&here) && !begins_like(Role::Config, &before))
}

/// Where a block of the firmware follows itself: none of its formats does that.
fn repeated_block(source: &dyn Source) -> io::Result<Option<u64>> {
    let mut before = Vec::new();
    for at in (0..source.len()).step_by(WINDOW as usize) {
        let bytes = peek(source, at, WINDOW as usize)?;
        if bytes == before && bytes.iter().any(|byte| *byte != bytes[0]) {
            return Ok(Some(at));
        }
        before = bytes;
    }
    Ok(None)
}

/// Whether this is a distance of one or more whole blocks.
fn is_blocks(by: i64) -> bool {
    by != 0 && by % i64::from(WINDOW) == 0
}

/// DATA ends where CONFIG begins: where that is not its size, bytes of it were lost or added, which
/// its checksums do not show where they were whole blocks.
fn data_length(pieces: &mut [Piece]) -> Option<Finding> {
    let start = |role| pieces.iter().find(|p| p.role == role).map(|p| p.start);
    let (data, config) = (start(Role::Data)?, start(Role::Config)?);
    let data = pieces.iter_mut().find(|p| p.role == Role::Data && p.start == data)?;
    let length = u32::try_from(config - data.start).ok().filter(|has| *has != data.size)?;
    let reason = format!("DATA has {length} bytes instead of {}: nothing shows where.", data.size);
    data.size = data.size.min(length);
    Some(
        Finding::blocker(DATA_LENGTH, reason)
            .of(&data.name)
            .hint("Files may be missing or old. Read the chip again, twice, and compare."),
    )
}

/// Whether a part begins `by` bytes from its place. A CONFIG looks like a FACTORY.
fn is_there(source: &dyn Source, piece: &Piece, by: i64) -> io::Result<bool> {
    let Ok(start) = u64::try_from(piece.start + by) else { return Ok(false) };
    Ok(begins_like(piece.role, &peek(source, start, 32)?)
        && !(piece.role == Role::Config && holds_identity(&peek(source, start, WINDOW as usize)?)))
}

/// How far a part is from its place; `None` where it is neither there nor near.
fn slip(source: &dyn Source, piece: &Piece) -> io::Result<Option<i64>> {
    let is = |bytes: &[u8]| match piece.role {
        Role::Kernel => uimage::parse(bytes).is_ok_and(|h| h.is_arm_linux()),
        Role::Rootfs => bytes.starts_with(b"hsqs") && squashfs::parse(bytes).is_ok(),
        Role::Factory => begins_like(Role::Factory, bytes) && holds_identity(bytes),
        _ => false,
    };
    let Ok(start) = u64::try_from(piece.start) else { return Ok(None) };
    if !matches!(piece.role, Role::Kernel | Role::Rootfs | Role::Factory) {
        return Ok(None);
    }
    let is_here = begins_like(piece.role, &peek(source, start, 32)?);
    // A CONFIG may be in FACTORY's place.
    if is_here && (piece.role != Role::Factory || is(&peek(source, start, 0x400)?)) {
        return Ok(Some(0));
    }
    let from = start.saturating_sub(REACH);
    let bytes = peek(source, from, (start - from + REACH) as usize + 0x400)?;
    let found = bytes
        .windows(0x400)
        .enumerate()
        .filter(|(_, window)| matches!(window[0], 0x27 | b'h' | b'F') && is(window))
        .map(|(i, _)| (from + i as u64).cast_signed() - start.cast_signed())
        .min_by_key(|by| by.unsigned_abs());
    if found.is_some() || is_here {
        return Ok(found.or(Some(0)));
    }
    for by in (2..=BLOCKS).flat_map(|n| [-n * 0x1_0000, n * 0x1_0000]) {
        let Ok(start) = u64::try_from(piece.start + by) else { continue };
        if is(&peek(source, start, 0x400)?) {
            return Ok(Some(by));
        }
    }
    Ok(None)
}
