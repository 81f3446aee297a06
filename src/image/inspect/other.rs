//! Chips and images of other cameras and other systems, recognized by their flash
//! maps and by the names that are in clear in them.

use std::io;

use super::sniffed::{Piece, Sniffed};
use super::{FileKind, Source};
use crate::chip::{FlashMap, Role, WINDOW};
use crate::formats::{mxp, uimage};
use crate::image::finding::Finding;
use crate::image::marks::CHIP;
use crate::image::source::peek;

const NOT_OURS: &str = "It is not this camera's firmware: do not flash it.";
/// Names that only other systems have, and what they are.
const SYSTEMS: [(&[u8], &str); 9] = [
    (b"OpenIPC", "OpenIPC"),
    (b"openipc", "OpenIPC"),
    (b"thingino", "thingino"),
    (b"THINGINO", "thingino"),
    (b"yi-hack", "a Yi camera's system"),
    (b"/home/yi", "a Yi camera's system"),
    (b"home_y", "a Yi camera's system"),
    (b"xiaofang", "a Xiaofang camera's system"),
    (b"wyzecam", "a Wyze camera's system"),
];
/// The longest of these names, in bytes.
const LONGEST: usize = 8;
/// The longest text of partitions that is shown, in bytes.
const SHOWN: usize = 160;

/// What tells a system.
struct Signs {
    system: Option<&'static str>,
    /// The partitions that U-Boot's environment names.
    parts: Option<String>,
    /// Whether nothing but 0xFF follows the first 1 MiB.
    erased_behind: bool,
}

/// A whole chip that is none of these cameras'; `None` where it may be one.
pub(super) fn other_chip(source: &dyn Source, len: u64) -> io::Result<Option<Sniffed>> {
    if len < CHIP / 16 || !len.is_power_of_two() {
        return Ok(None);
    }
    let boot = peek(source, 0, mxp::TABLE_OFFSET + mxp::TABLE_SIZE)?;
    let own = crate::chip::table::as_it_says(&boot);
    let signs = signs(source)?;
    let is_uboot = |header: &uimage::Header| header.os == uimage::OS_UBOOT;
    let begins_with_uboot =
        uimage::parse(&peek(source, 0, uimage::HEADER)?).is_ok_and(|h| is_uboot(&h));
    if begins_with_uboot && signs.erased_behind {
        return Ok(Some(
            Sniffed::new(
                FileKind::OtherDump,
                "A dump of a chip with only U-Boot, in the wrong place",
            )
            .with(
                Finding::blocker(
                    "uboot-alone",
                    "U-Boot is at the chip's first byte, where the first loader belongs, and the \
                     rest is erased.",
                )
                .at(0)
                .hint(
                    "Look for an older dump of this camera. The chip needs a whole image: BOOT \
                     begins with the IPL, and U-Boot is at 0x30000 in it.",
                ),
            ),
        ));
    }
    if let Some(system) = signs.system {
        let mut reason = format!("It contains {system}.");
        if let Some(parts) = &signs.parts {
            reason = format!("{reason} Its flash map: {parts}.");
        }
        let sniffed = Sniffed::new(FileKind::OtherDump, format!("A dump of a chip with {system}"));
        return Ok(Some(
            with_table(sniffed, own.as_ref())
                .with(Finding::blocker("other-system", reason).hint(NOT_OURS)),
        ));
    }
    let is_other = |map: &FlashMap| {
        map.chip_size.map(u64::from) == Some(len)
            && !boot.get(mxp::TABLE_OFFSET..).is_some_and(crate::chip::table::is_damaged)
    };
    if let Some(map) = own.filter(is_other) {
        let names: Vec<&str> = map.partitions.iter().map(|p| p.name.as_str()).collect();
        let reason = format!("Its own table lists other partitions: {}.", names.join(", "));
        let sniffed = Sniffed::new(FileKind::OtherDump, "A dump of a chip with another flash map");
        return Ok(Some(
            with_table(sniffed, Some(&map))
                .with(Finding::blocker("other-map", reason).hint(NOT_OURS)),
        ));
    }
    if let Some(parts) = signs.parts {
        return Ok(Some(
            Sniffed::new(FileKind::OtherDump, "A dump of another system's chip").with(
                Finding::blocker("other-system", format!("Its flash map: {parts}.")).hint(NOT_OURS),
            ),
        ));
    }
    if len < CHIP && !signs.erased_behind && begins_with_something(source)? {
        let mib = len >> 20;
        return Ok(Some(
            Sniffed::new(FileKind::OtherDump, format!("A dump of a chip of {mib} MiB")).with(
                Finding::blocker(
                    "other-size",
                    format!("It has exactly {mib} MiB, and these cameras' chips have 16."),
                )
                .hint(
                    "It is from another camera, or the programmer was set to another chip: then \
                     read it again with the right one.",
                ),
            ),
        ));
    }
    Ok(None)
}

/// The partitions that a table names, for what it says.
fn with_table(mut sniffed: Sniffed, map: Option<&FlashMap>) -> Sniffed {
    let Some(map) = map else { return sniffed };
    sniffed.map_source = Some("its own MXP table".to_owned());
    // Where all of this camera's names are there, what they contain can be judged.
    let is_like_ours = Role::ALL.into_iter().all(|role| map.by_role(role).is_some());
    sniffed.pieces = map
        .covering()
        .into_iter()
        .filter_map(|p| {
            let start = i64::from(p.offset?);
            let role = if is_like_ours { p.role } else { Role::Other };
            Some(Piece { name: p.name.clone(), role, start, size: p.size })
        })
        .collect();
    sniffed
}

/// Whether a boot loader or another part of a camera begins the file.
fn begins_with_something(source: &dyn Source) -> io::Result<bool> {
    let head = peek(source, 0, 64)?;
    let ipl = head.get(4..8) == Some(b"IPL_");
    let ingenic = head.starts_with(&[0x06, 0x05, 0x04, 0x03]);
    let vectors = head.get(3) == Some(&0xEA); // a branch of ARM
    Ok(ipl || ingenic || vectors)
}

fn signs(source: &dyn Source) -> io::Result<Signs> {
    let mut signs = Signs { system: None, parts: None, erased_behind: true };
    let mut at = 0;
    while at < source.len() {
        let bytes = peek(source, at, WINDOW as usize + SHOWN)?;
        let now = bytes.len().min(WINDOW as usize);
        if at >= 0x10_0000 {
            signs.erased_behind =
                signs.erased_behind && bytes[..now].iter().all(|byte| *byte == 0xFF);
        }
        for (i, window) in bytes.windows(LONGEST.min(bytes.len())).take(now).enumerate() {
            let first = window[0];
            if matches!(first, b'O' | b'o' | b't' | b'T' | b'y' | b'/' | b'h' | b'x' | b'w') {
                let rest = &bytes[i..];
                let found = SYSTEMS.iter().find(|(name, _)| rest.starts_with(name));
                signs.system = signs.system.or(found.map(|(_, system)| *system));
            }
            if first == b'm' && bytes[i..].starts_with(b"mtdparts=") && signs.parts.is_none() {
                let text: String = bytes[i + 9..]
                    .iter()
                    .take(SHOWN)
                    .take_while(|b| b.is_ascii_graphic())
                    .map(|b| char::from(*b))
                    .collect();
                // U-Boot's own words name variables there, and no partitions.
                signs.parts = text.contains('(').then_some(text);
            }
        }
        at += now as u64;
    }
    Ok(signs)
}

/// A root file system in a uImage, as other makers' cameras have it.
pub(super) fn wrapped() -> Sniffed {
    Sniffed::new(
        FileKind::Foreign,
        "Not this camera's firmware: a root file system that mkimage wrapped",
    )
    .with(
        Finding::blocker("foreign", "This is a squashfs in a uImage, for another maker's camera.")
            .at(0)
            .hint(NOT_OURS),
    )
}
