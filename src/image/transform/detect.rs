//! Which of the things that happen to files happened to this one. What a
//! guess gives is checked before it is trusted: a flash map must be where
//! it belongs, or a part of a camera must begin the file.

use std::io;

use super::lines;
use super::log;
use super::plain::Plain;
use super::stuck::{equal_parts, stuck};
use super::utf16::{Page, Utf16};
use super::{Transform, undo};
use crate::chip::{FlashMap, Role, WINDOW};
use crate::formats::{ipl, jffs2, mxp, squashfs};
use crate::image::marks::{CHIP, begins_like};
use crate::image::source::{Source, peek};

/// What is rare is looked for only on a PC, where `recover` is: a camera has little room.
const ON_PC: bool = cfg!(feature = "pc");
/// Bytes at the beginning by which texts are recognized.
const HEAD: usize = 0x4000;
/// How far numbers are looked for behind other lines, in bytes.
const LATEST: u64 = 0x10_0000;
/// Where the flash map belongs.
const TABLE: u64 = mxp::TABLE_OFFSET as u64;
/// Where U-Boot belongs.
const UBOOT: u64 = 0x3_0000;
/// The distances at which readers were seen to insert bytes.
const EVERY: [u64; 10] = [256, 512, 1024, 2048, 4096, 0x2000, 0x4000, 0x8000, 0x1_0000, 0x2_0000];
/// The most bytes that are inserted at one place.
const MOST_INSERTED: u64 = 4096;
/// The most bytes of a transfer that are not the chip's: a command, an address, what is idle.
const MOST_OF_TRANSFER: u64 = 16;
/// Line ends that tell how a file was sent: by chance one in 256 line feeds has
/// a carriage return before it.
const ENOUGH: u64 = 64;

/// Says what happened to a file; `None` where nothing is seen.
///
/// # Errors
/// Where it cannot be read.
pub fn detect(source: &dyn Source) -> io::Result<Option<Transform>> {
    let head = peek(source, 0, HEAD)?;
    if let Some(form) = utf16(&head) {
        return Ok(Some(Transform::Utf16(form)));
    }
    if let Some(form) = log::form(&head) {
        return Ok(Some(Transform::Log(form)));
    }
    if let Some(form) = Plain::of(&head) {
        return Ok(Some(Transform::Plain(form)));
    }
    let is_text = !head.iter().any(|b| matches!(b, 0 | 0xFF));
    if ON_PC
        && is_text
        && let Some(form) = later_log(source)?
    {
        return Ok(Some(Transform::Log(form)));
    }
    let len = source.len();
    for copies in 2..=8 {
        if len == copies * CHIP && has_map(source, 0)? && has_map(source, len - CHIP)? {
            let equal = equal_parts(source, copies)?;
            return Ok(Some(Transform::Repeated { copies, equal }));
        }
    }
    if head.iter().all(|&b| b == 0xFF || b == 0) && !has_anything(source)? {
        return Ok(None);
    }
    if ON_PC && let Some(found) = stuck(source)? {
        return Ok(Some(found));
    }
    if ON_PC && let Some(found) = halved(source, &head)? {
        return Ok(Some(found));
    }
    let swapped = [(1, 2), (1, 4), (2, 4), (1, 8), (4, 8)]
        .map(|(unit, group)| Transform::Swapped { unit, group });
    let rare = [Transform::Nibbles, Transform::Backwards, Transform::Stretched];
    let guesses = swapped
        .into_iter()
        .chain([Transform::Inverted, Transform::Mirrored])
        .chain(rare.into_iter().filter(|_| ON_PC))
        .chain((2..16).map(|i| Transform::BitsMoved { by: i / 2, early: i % 2 == 0 }));
    // Where the map can be read as it is, nothing was turned: moved by four bytes, a chip's beginning
    // looks like groups that were swapped.
    let map = find_map(source, true)?;
    for guess in guesses.take_while(|_| map.is_none()) {
        let seen = undo(source, &guess)?.source;
        if is_known(seen.as_ref())? {
            return Ok(Some(guess));
        }
    }
    for unit in (8..12).map(|bit| 1 << bit).filter(|_| ON_PC && map.is_none()) {
        let guess = Transform::Swapped { unit, group: unit * 2 };
        if has_map(undo(source, &guess)?.source.as_ref(), 0)? {
            return Ok(Some(guess));
        }
    }
    // A text of several lines was not sent as one by mistake.
    let ends = lines::count(source)?;
    if !is_text && ends.feeds >= ENOUGH && ends.feeds == ends.pairs {
        return Ok(Some(Transform::LineEnds));
    }
    // Bytes inserted within the table leave its first record alone.
    let at = match map {
        Some(at) => Some(at),
        None => find_map(source, false)?,
    };
    match at {
        Some(at) if at != TABLE => match swapped_blocks(source, at)? {
            None => moved(source, at),
            found => Ok(found),
        },
        _ => Ok(None),
    }
}

/// Of how many bytes how many are missing: the map and U-Boot are that much nearer.
///
/// # Errors
/// Where it cannot be read.
pub fn lost_bytes(source: &dyn Source) -> io::Result<Option<(u64, u64)>> {
    // Their first bytes may be among those that are missing, but then of both: what is equally too
    // early in both places lacks only the chip's beginning.
    const LEFT: [&[usize]; 5] = [&[0, 1, 2, 3], &[1, 2, 3], &[2, 3], &[0, 2], &[1, 3]];
    for every in (1..17).map(|i| 1 << i) {
        for count in (1..=8).filter(|count| count * 2 <= every) {
            let there = |at: u64| peek(source, at - at / every * count, 4);
            let (table, uboot) = (there(TABLE)?, there(UBOOT)?);
            let begins = |bytes: &[u8], magic: [u8; 4], left: &[usize]| {
                bytes.len() == 4 && left.iter().zip(bytes).all(|(i, byte)| magic[*i] == *byte)
            };
            let kinds = if every == 2 { LEFT.len() } else { 3 };
            if LEFT[..kinds].iter().any(|left| {
                begins(&table, *b"MXPT", left) && begins(&uboot, *b"\x27\x05\x19\x56", left)
            }) {
                return Ok(Some((every, count)));
            }
        }
    }
    Ok(None)
}

/// The numbers behind the words of a long console log.
fn later_log(source: &dyn Source) -> io::Result<Option<log::Log>> {
    let mut at = HEAD as u64;
    while at < source.len().min(LATEST) {
        let piece = peek(source, at, HEAD)?;
        if let Some(form) = log::form(&piece) {
            return Ok(Some(form));
        }
        at += HEAD as u64;
    }
    Ok(None)
}

fn utf16(head: &[u8]) -> Option<Utf16> {
    let (little, mark) = match head {
        [0xFF, 0xFE, a, b, ..] if (*a, *b) != (0xFF, 0xFF) => (true, 2),
        [0xFE, 0xFF, a, b, ..] if (*a, *b) != (0xFF, 0xFF) => (false, 2),
        _ => {
            let zeros = |odd: usize| head.iter().skip(odd).step_by(2).filter(|b| **b == 0).count();
            let (first, second) = (zeros(0), zeros(1));
            let most = head.len() / 2 * 95 / 100;
            let varied = head.len() >= 64;
            match (first, second) {
                _ if !varied => return None,
                (a, b) if b > most && a < head.len() / 8 => (true, 0),
                (a, b) if a > most && b < head.len() / 8 => (false, 0),
                _ => return None,
            }
        }
    };
    let units = head[mark..].chunks_exact(2).map(|pair| {
        if little {
            u16::from_le_bytes([pair[0], pair[1]])
        } else {
            u16::from_be_bytes([pair[0], pair[1]])
        }
    });
    Some(Utf16 { little, mark: mark as u64, page: Page::of(units) })
}

fn has_anything(source: &dyn Source) -> io::Result<bool> {
    let mut at = 0;
    while at < source.len() {
        let bytes = peek(source, at, WINDOW as usize)?;
        if bytes.iter().any(|&b| b != 0xFF && b != 0) {
            return Ok(true);
        }
        at += bytes.len() as u64;
    }
    Ok(false)
}

/// Whether a chip begins at `start`: its first loader, or its map.
fn has_map(source: &dyn Source, start: u64) -> io::Result<bool> {
    let boot = begins_like(Role::Boot, &peek(source, start, 16)?);
    Ok(boot || is_map(&peek(source, start + TABLE, mxp::TABLE_SIZE)?))
}

fn is_map(table: &[u8]) -> bool {
    crate::chip::table::map_of(table).is_some_and(|raw| FlashMap::conclude(&raw).is_known())
}

/// Whether a file is something of a camera: a part begins it, or is where one
/// belongs on a chip.
fn is_known(source: &dyn Source) -> io::Result<bool> {
    // A chip may be rotated, too.
    for at in [0, 0x5_0000, 0xFF_0000, CHIP / 4, CHIP / 2, CHIP / 4 * 3] {
        let head = peek(source, at, WINDOW as usize)?;
        // Another maker's squashfs may begin like one of this camera that was swapped.
        if [Role::Kernel, Role::Factory].into_iter().any(|role| begins_like(role, &head))
            || squashfs::parse(&head).is_ok()
        {
            return Ok(true);
        }
        // In a chip that lacks its first four bytes, some groups swapped look like its loaders.
        if begins_like(Role::Boot, &head) {
            let uboot = peek(source, at + UBOOT, 4)?;
            let is_there = begins_like(Role::Kernel, &uboot) || uboot.len() < 4;
            if is_there || is_map(&peek(source, at + TABLE, mxp::TABLE_SIZE)?) {
                return Ok(true);
            }
        }
        // Two bytes may be chance.
        if begins_like(Role::Data, &head) && jffs2::walk(&head).nodes() > 0 {
            return Ok(true);
        }
    }
    Ok(is_map(&peek(source, TABLE, mxp::TABLE_SIZE)?))
}

/// Where the first flash map begins; where it must be `whole`, a known one.
fn find_map(source: &dyn Source, whole: bool) -> io::Result<Option<u64>> {
    let mut at = 0;
    while at < source.len() {
        // One table more than a window, so that none is lost on a border.
        let bytes = peek(source, at, WINDOW as usize + mxp::TABLE_SIZE)?;
        let now = bytes.len().min(WINDOW as usize);
        let mut from = 0;
        while let Some(i) = bytes[from..now].iter().position(|&b| b == b'M') {
            let place = from + i;
            let rest = &bytes[place..];
            if rest.starts_with(b"MXPT\x01") && (!whole || is_map(rest)) {
                return Ok(Some(at + place as u64));
            }
            from = place + 1;
        }
        at += now as u64;
    }
    Ok(None)
}

/// What moved a map to `at`.
fn moved(source: &dyn Source, at: u64) -> io::Result<Option<Transform>> {
    let len = source.len();
    if at > TABLE {
        let by = at - TABLE;
        // Something before the chip is longest, and what is inserted is regular.
        let regular = EVERY.into_iter().flat_map(|every| {
            let count = by / (TABLE / every);
            // A transfer of a round length has less of the chip in it.
            let short = (1..=MOST_OF_TRANSFER).map(move |count| (every - count, count));
            let ahead = by / (TABLE / every + 1);
            [(every, count, false), (every, ahead, true)]
                .into_iter()
                .chain(short.clone().map(|(every, count)| (every, count, false)))
                .chain(short.map(|(every, count)| (every, count, true)))
        });
        let guesses = regular.filter(|(every, count, ahead)| {
            let places = TABLE / every + u64::from(*ahead);
            (1..=MOST_INSERTED).contains(count) && places * count == by
        });
        // Twice as much at half as many places moves a chip's end as far: the bytes tell first.
        for are_equal in [true, false] {
            for (every, count, ahead) in guesses.clone() {
                let guess = Transform::Inserted { every, count, ahead };
                if is_inserted(source, guess.clone(), are_equal)? {
                    return Ok(Some(guess));
                }
            }
        }
    }
    if len != CHIP {
        return Ok(None);
    }
    let by = (at + len - TABLE) % len;
    if by >= 0x1_0000 {
        // Where the chip's first bytes are missing, what is at the end is no beginning.
        let end = peek(source, by, (len - by).min(WINDOW.into()) as usize)?;
        let is_lost = end.iter().all(|b| *b == end[0]);
        // Rotated, what belongs at the chip's end is before its beginning.
        let rotated = Transform::Rotated { by };
        if !is_lost && turns_at_its_end(undo(source, &rotated)?.source.as_ref(), by)? {
            return Ok(Some(rotated));
        }
    }
    Ok(None)
}

/// Whether what came first in the file ends a chip that is rotated by so much. A CONFIG that was not
/// among it shows nothing: a block more at the beginning moves it as far.
fn turns_at_its_end(chip: &dyn Source, by: u64) -> io::Result<bool> {
    let is_flsh = |at| Ok::<_, io::Error>(begins_like(Role::Config, &peek(chip, at, 32)?));
    let is_turned = |at| at + by >= chip.len();
    Ok(is_flsh(0xFF_0000)? || (is_turned(0xFE_0000) && is_flsh(0xFE_0000)?))
}

/// Groups of blocks or sectors that changed places two by two.
fn swapped_blocks(source: &dyn Source, at: u64) -> io::Result<Option<Transform>> {
    let unit = at ^ TABLE;
    if !ON_PC || !unit.is_power_of_two() || !(0x100..=0x8_0000).contains(&unit) {
        return Ok(None);
    }
    let guess = Transform::Swapped { unit, group: unit * 2 };
    let view = undo(source, &guess)?.source;
    let begins = |role, at| Ok::<_, io::Error>(begins_like(role, &peek(view.as_ref(), at, 16)?));
    let is_right =
        begins(Role::Boot, 0)? && begins(Role::Kernel, UBOOT)? && begins(Role::Kernel, 0x5_0000)?;
    // A chip that is moved by as much has its marks there, too, but no whole loader.
    let mut loader = ipl::Check::default();
    loader.feed(&peek(view.as_ref(), 0, WINDOW as usize)?);
    let is_whole = loader.finish(ipl::IPL, WINDOW) == ipl::IplCheck::Good;
    Ok((is_right && is_whole).then_some(guess))
}

/// The halves of each byte, one in each byte.
fn halved(source: &dyn Source, head: &[u8]) -> io::Result<Option<Transform>> {
    if head.iter().any(|byte| *byte > 0xF) || head.len() < 64 {
        return Ok(None);
    }
    for upper in [true, false] {
        let guess = Transform::Halved { upper };
        if is_known(undo(source, &guess)?.source.as_ref())? {
            return Ok(Some(guess));
        }
    }
    Ok(None)
}

/// Whether CONFIG or FACTORY is where a chip ends.
///
/// # Errors
/// Where it cannot be read.
pub fn ends_like_a_chip(chip: &dyn Source) -> io::Result<bool> {
    let is_flsh = |at| Ok::<_, io::Error>(begins_like(Role::Config, &peek(chip, at, 32)?));
    Ok(is_flsh(0xFF_0000)? || is_flsh(0xFE_0000)?)
}

/// Whether the map can be read without what was inserted, and that is the same at all places, or
/// the chip's end is in its place.
fn is_inserted(source: &dyn Source, guess: Transform, are_equal: bool) -> io::Result<bool> {
    let Transform::Inserted { every, count, ahead } = guess else { return Ok(false) };
    let view = undo(source, &guess)?.source;
    if !is_map(&peek(view.as_ref(), TABLE, mxp::TABLE_SIZE)?) {
        return Ok(false);
    }
    if !are_equal {
        return ends_like_a_chip(view.as_ref());
    }
    let places = (source.len() / (every + count)).min(0x8000);
    let start = if ahead { 0 } else { every };
    let first = peek(source, start, count as usize)?;
    for i in 1..places {
        if peek(source, i * (every + count) + start, count as usize)? != first {
            return Ok(false);
        }
    }
    // What is in each short transfer is at the beginnings of longer ones, too.
    let is_certain = !ahead && every.is_power_of_two();
    Ok(places > 1 && (is_certain || ends_like_a_chip(view.as_ref())?))
}
