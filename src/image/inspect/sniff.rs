//! First look at a file: its kind, found by its size and by a few bytes where a camera's parts
//! begin. The parts themselves are judged in the pass.

use super::sniffed::{BOOT, DATA, FACTORY, Piece, Sniffed, dump_of};
use std::io;

use super::foreign::{self, foreign};
use super::{FileKind, Source};
use super::{moved, order, other};
use crate::chip::{FlashMap, Role, WINDOW};
use crate::formats::{flsh, is_filled, mxp, tf};
use crate::image::finding::Finding;
use crate::image::marks::{CHIP, MODELS, begins_like, holds_identity};
use crate::image::source::peek;

/// Says what a file is.
pub(in crate::image) fn sniff(source: &dyn Source) -> io::Result<Sniffed> {
    let len = source.len();
    if len == 0 {
        return Ok(Sniffed::new(FileKind::Unknown, "An empty file").with(
            Finding::blocker("nothing-alive", "The file is empty.")
                .hint("The copy or download went wrong: do it again."),
        ));
    }
    let head = peek(source, 0, 4096)?;
    if let Some(sniffed) = tf_image(source, len)? {
        return Ok(sniffed);
    }
    if let Some(sniffed) = dump(source, len)? {
        return Ok(sniffed);
    }
    if let Some(sniffed) = moved::jumbled(source, len)? {
        return Ok(order::named(sniffed, len));
    }
    if let Some(sniffed) = part(source, len, &head)? {
        return Ok(sniffed);
    }
    if let Some(found) = foreign(&head) {
        let what = format!("Not firmware: {}", found.what);
        let reason = format!("This is {}.", found.what);
        let sniffed = Sniffed::new(FileKind::Foreign, what)
            .with(Finding::blocker("foreign", reason).at(0).hint(found.hint));
        let may_be_mangled = [foreign::TEXT, foreign::JSON].contains(&found.what);
        return Ok(Sniffed { may_be_mangled, ..sniffed });
    }
    if let Some(sniffed) = moved::shifted(source, len)? {
        return Ok(sniffed);
    }
    // The camera has no room for what is this rare.
    if cfg!(feature = "pc")
        && let Some(at) = tf_behind_header(source, len)?
    {
        let reason = format!("The parts of a tf image begin {at} bytes later than they should.");
        return Ok(unknown(len).with(
            Finding::blocker("shifted", reason)
                .at(at)
                .hint(format!("`tail -c +{} FILE > tf.img` cuts the image out.", at + 1)),
        ));
    }
    Ok(unknown(len))
}

/// Where a tf image begins behind somebody's header.
fn tf_behind_header(source: &dyn Source, len: u64) -> io::Result<Option<u64>> {
    let first = u64::from(tf::FLASH_START);
    if !(tf::BODY..CHIP * 2).contains(&len) {
        return Ok(None);
    }
    let head = peek(source, 0, WINDOW as usize)?;
    let kernels = head.windows(4).enumerate().filter(|(_, w)| begins_like(Role::Kernel, w));
    for (at, _) in kernels.take(4) {
        for map in MODELS.iter().filter_map(|model| FlashMap::stock(model)) {
            let mut hits = 0;
            for part in map.covering() {
                let place = part.offset.map(u64::from).filter(|_| !part.role.is_protected());
                let Some(place) = place.and_then(|o| o.checked_sub(first)) else { continue };
                let begin = peek(source, at as u64 + place, flsh::HEADER)?;
                hits += u32::from(begins_like(part.role, &begin));
            }
            if hits > 1 {
                return Ok(Some(at as u64));
            }
        }
    }
    Ok(None)
}

/// Nothing was recognised. That all of it is erased is seen in the pass.
fn unknown(len: u64) -> Sniffed {
    let sniffed = Sniffed::new(FileKind::Unknown, "Not known to this program").doubtful();
    if len != CHIP && len != tf::SIZE {
        return sniffed;
    }
    let named = if len == CHIP { "the whole chip" } else { "a tf image" };
    sniffed.with(
        Finding::blocker(
            "nothing-alive",
            format!(
                "It has the size of {named}, but none of a camera's parts is where it belongs."
            ),
        )
        .hint("Read the chip again: check the clip, the cable and the chip's name."),
    )
}

/// Which of a stock map's parts begin where the map says, `base` bytes being
/// left out at the front of the chip.
fn hits(source: &dyn Source, map: &FlashMap, base: u32) -> io::Result<u32> {
    let mut hits = 0;
    for p in map.covering() {
        let Some(at) = p.offset.and_then(|o| o.checked_sub(base)) else { continue };
        let head = peek(source, at.into(), flsh::HEADER)?;
        hits += u32::from(begins_like(p.role, &head));
    }
    Ok(hits)
}

/// A stock map that fits, and how well.
struct Fit {
    model: &'static str,
    map: FlashMap,
    hits: u32,
    /// Whether the other map fits as well.
    is_tie: bool,
}

impl Fit {
    /// How the map was got, in words.
    fn source(&self, how: &str) -> String {
        if self.is_tie {
            "two maps fit: KERNEL and ROOTFS cannot be told apart".to_owned()
        } else {
            format!("{how} {}", self.model)
        }
    }

    /// Which partitions are where: those that both maps have, where both fit.
    fn knows(&self, role: Role) -> bool {
        !self.is_tie || !matches!(role, Role::Kernel | Role::Rootfs)
    }

    fn finding(&self) -> Option<Finding> {
        self.is_tie.then(|| {
            Finding::warning(
                "two-maps",
                "Two flash maps fit, and nothing in the file shows which is right: KERNEL and \
                 ROOTFS were not checked.",
            )
            .hint("Neither of them can be used from this file.")
        })
    }
}

/// The stock map with the most hits.
fn best_map(source: &dyn Source, base: u32) -> io::Result<Option<Fit>> {
    let mut best: Option<Fit> = None;
    for model in MODELS {
        let Some(map) = FlashMap::stock(model) else { continue };
        let hits = hits(source, &map, base)?;
        match &mut best {
            Some(best) if best.hits == hits => best.is_tie = true,
            Some(best) if best.hits > hits => {}
            _ => best = Some(Fit { model, map, hits, is_tie: false }),
        }
    }
    Ok(best)
}

/// A tf image: by its size and one part in place, or by two parts in place.
fn tf_image(source: &dyn Source, len: u64) -> io::Result<Option<Sniffed>> {
    let Some(fit) = best_map(source, tf::FLASH_START)? else { return Ok(None) };
    let Some(slices) = crate::chip::tf::slices(&fit.map) else { return Ok(None) };
    let is_full = len == tf::SIZE || len == tf::BODY;
    let enough = if is_full { 1 } else { 2 };
    let starts = begins_like(Role::Kernel, &peek(source, 0, 8)?);
    if fit.hits < enough || (len != tf::SIZE && !starts) {
        return Ok(None);
    }
    // What follows in a dump that only lacks BOOT.
    let has_flsh = |at| Ok::<_, io::Error>(begins_like(Role::Factory, &peek(source, at, 32)?));
    if len > tf::SIZE && (has_flsh(tf::BODY)? || has_flsh(tf::BODY + FACTORY)?) {
        let how = fit.source("a guess: its parts lie where they do on");
        let shift = -i64::from(tf::FLASH_START);
        let mut sniffed = dump_of(&fit.map, how, len, CHIP, shift);
        sniffed.pieces.retain(|piece| fit.knows(piece.role));
        sniffed.findings.extend(fit.finding());
        return Ok(Some(sniffed));
    }
    let is_padded = len >= CHIP && len.is_power_of_two() && is_padding(source, tf::SIZE)?;
    let (kind, what) = match len {
        tf::BODY => (FileKind::TfImage, "A tf image without its signature"),
        _ if is_padded => (FileKind::TfImage, "A tf image with padding behind it"),
        tf::SIZE => (FileKind::TfImage, "A tf image: tf_recovery.img or tf_update.img"),
        _ if len < tf::SIZE => (FileKind::TruncatedTfImage, "A tf image that is cut off"),
        _ => (FileKind::OversizedTfImage, "A tf image with something behind it"),
    };
    let mut sniffed = Sniffed::new(kind, what);
    sniffed.map_source = Some(fit.source("the places of its parts, which are those of"));
    sniffed.findings.extend(fit.finding());
    sniffed.pieces = slices
        .into_iter()
        .filter(|s| fit.knows(s.role))
        .map(|s| Piece { name: s.name, role: s.role, start: s.offset.cast_signed(), size: s.size })
        .collect();
    if kind != FileKind::TfImage {
        let code = if len < tf::SIZE { "truncated" } else { "oversized" };
        sniffed.findings.push(
            Finding::blocker(
                code,
                format!("A tf image has {} bytes, and this file has {len}.", tf::SIZE),
            )
            .at(len.min(tf::SIZE))
            .hint("Copy or download it again. The boot loader would refuse this one."),
        );
        return Ok(Some(sniffed.doubtful()));
    }
    if is_padded {
        sniffed.findings.push(
            Finding::note("padded", "There is padding after the image; it does not matter.")
                .at(tf::SIZE)
                .hint(format!("`head -c {} FILE > tf.img` cuts it off.", tf::SIZE)),
        );
    }
    let trailer = tf::Trailer::parse(&peek(source, tf::BODY, tf::TRAILER)?);
    if !trailer.is_some_and(|t| t.is_plausible()) {
        sniffed.findings.push(
            Finding::warning("unsigned", "It has no signature.").at(tf::BODY).hint(
                "The boot loader would not accept it from a card. It can be flashed from \
                    here if its parts are intact.",
            ),
        );
    }
    Ok(Some(sniffed))
}

/// Whether nothing but padding is in a file from here on.
fn is_padding(source: &dyn Source, from: u64) -> io::Result<bool> {
    let mut at = from;
    let first = peek(source, at, 1)?.first().copied().unwrap_or(0xFF);
    while at < source.len() {
        let bytes = peek(source, at, WINDOW as usize)?;
        if !matches!(first, 0 | 0xFF) || !is_filled(&bytes, first) {
            return Ok(false);
        }
        at += bytes.len() as u64;
    }
    Ok(true)
}

/// A dump of the chip: by its own map, or by its parts in place.
fn dump(source: &dyn Source, len: u64) -> io::Result<Option<Sniffed>> {
    if len <= BOOT {
        return Ok(None);
    }
    let table = peek(source, mxp::TABLE_OFFSET as u64, mxp::TABLE_SIZE)?;
    let own = crate::chip::table::map_of(&table)
        .map(|raw| FlashMap::conclude(&raw))
        .filter(FlashMap::is_known);
    if let Some(map) = own {
        let chip = u64::from(map.chip_size.unwrap_or(CHIP as u32));
        let mut sniffed = dump_of(&map, "its own MXP table".to_owned(), len, chip, 0);
        if let Some(jumbled) = order::rather_jumbled(source, &sniffed)? {
            return Ok(Some(jumbled));
        }
        moved::slipped(source, &mut sniffed)?;
        return Ok(Some(sniffed));
    }
    if let Some(sniffed) = other::other_chip(source, len)? {
        return Ok(Some(sniffed));
    }
    let Some(fit) = best_map(source, 0)? else { return Ok(None) };
    // A dump that is some blocks too early or too late has a part in place by chance.
    if let Some(shifted) = moved::shifted(source, len)?
        && moved::in_place(source, &shifted)? > fit.hits.max(2)
    {
        if let Some(jumbled) = order::rather_jumbled(source, &shifted)? {
            return Ok(Some(jumbled));
        }
        return Ok(Some(shifted));
    }
    // One part in place may be chance, unless the size fits as well.
    let enough = if len == CHIP { 1 } else { 2 };
    if fit.hits < enough {
        return Ok(None);
    }
    let chip = u64::from(fit.map.chip_size.unwrap_or(CHIP as u32));
    let how = fit.source("a guess: its parts lie where they do on");
    let mut sniffed = dump_of(&fit.map, how, len, chip, 0);
    sniffed.pieces.retain(|piece| fit.knows(piece.role));
    sniffed.findings.extend(fit.finding());
    Ok(Some(sniffed.doubtful()))
}

/// One part of a chip, recognized by how it begins.
fn part(source: &dyn Source, len: u64, head: &[u8]) -> io::Result<Option<Sniffed>> {
    let Some(role) = [Role::Boot, Role::Kernel, Role::Rootfs, Role::Data, Role::Factory]
        .into_iter()
        .find(|&role| begins_like(role, head))
    else {
        // FACTORY's header may be lost, and its texts be there.
        if len > FACTORY {
            return Ok(None);
        }
        let bytes = peek(source, 0, WINDOW as usize)?;
        // Its values end in zeros: what has none is somebody's text.
        let is_flsh = len == FACTORY || bytes.contains(&0);
        return Ok((is_flsh && holds_identity(&bytes)).then(|| flsh_part(&bytes, len)));
    };
    let stock = |role| {
        MODELS
            .iter()
            .filter_map(|model| FlashMap::stock(model))
            .any(|map| map.by_role(role).is_some_and(|p| u64::from(p.size) == len))
    };
    let whole = |kind, what: &str, role| Some(Sniffed::whole(kind, what, role, len));
    Ok(match role {
        Role::Kernel if peek(source, 64, 4)? == b"hsqs" => Some(other::wrapped()),
        Role::Kernel if stock(role) => whole(FileKind::Partition, "The partition KERNEL", role),
        Role::Kernel => whole(FileKind::Uimage, "A uImage", role),
        Role::Rootfs if stock(role) => whole(FileKind::Partition, "The partition ROOTFS", role),
        Role::Rootfs => whole(FileKind::Squashfs, "A squashfs", role),
        Role::Data if len == DATA => whole(FileKind::Partition, "The partition DATA", role),
        Role::Data => whole(FileKind::Jffs2, "A JFFS2", role),
        Role::Boot => {
            let piece = Sniffed::whole(FileKind::Partition, "The partition BOOT", role, BOOT);
            Some(if len == BOOT {
                piece
            } else {
                let reason = format!("BOOT has {BOOT} bytes, and this file has {len}.");
                let (kind, what, code) = if len < BOOT {
                    (piece.kind, piece.what, "truncated")
                } else {
                    let what = "A dump whose parts behind BOOT are not where they belong";
                    (FileKind::ShiftedDump, what.to_owned(), "shifted")
                };
                Sniffed { kind, what, ..piece }
                    .with(
                        Finding::blocker(code, reason)
                            .at(len.min(BOOT))
                            .hint("Read the chip again, all of it."),
                    )
                    .doubtful()
            })
        }
        _ => Some(flsh_part(&peek(source, 0, WINDOW as usize)?, len)),
    })
}

/// FACTORY or CONFIG, recognized by the keys in it.
fn flsh_part(bytes: &[u8], len: u64) -> Sniffed {
    let is_factory = flsh::parse(bytes)
        .is_ok_and(|f| ["did", "key", "mac", "model"].iter().any(|key| f.get(key).is_some()))
        || holds_identity(bytes);
    let role = if is_factory { Role::Factory } else { Role::Config };
    if len == FACTORY {
        let what = format!("The partition {}", role.name());
        Sniffed::whole(FileKind::Partition, what, role, len)
    } else {
        // Where bytes became characters there are more of them.
        Sniffed::whole(FileKind::Flsh, "A FLSH, as FACTORY and CONFIG have it", role, len)
            .doubtful()
    }
}
