//! Address bits that were always the same while a chip was read: each block that they lead to is in
//! the file twice, and the others are not.

use std::io;

use super::Transform;
use crate::chip::{Role, WINDOW};
use crate::image::marks::{CHIP, begins_like};
use crate::image::source::{Source, peek};

/// The lowest bit that is looked at: below it a page repeats in itself.
const LOWEST: u32 = 8;
/// More of them at once are no chip that was read.
const MOST: u32 = 4;

/// Which bits were stuck; none where the chip's beginning follows itself: a reader set to a smaller
/// chip does that, too.
pub(super) fn stuck(source: &dyn Source) -> io::Result<Option<Transform>> {
    let len = source.len();
    if !cfg!(feature = "pc") || !len.is_power_of_two() || len < CHIP / 16 {
        return Ok(None);
    }
    let mut mask = 0u64;
    for bit in LOWEST..len.ilog2() {
        if is_stuck(source, bit)? {
            mask |= 1 << bit;
        }
    }
    let high = !begins_like(Role::Boot, &peek(source, 0, 16)?);
    // All bits from one on to the highest: only what ends like a chip is one's end.
    let is_top = mask != 0 && mask + (1 << mask.trailing_zeros()) == len;
    let ends = begins_like(Role::Factory, &peek(source, len - u64::from(WINDOW), 32)?);
    let is_end = is_top && !(high && ends);
    let is_other = mask == 0 || mask.count_ones() > MOST || is_end;
    Ok((!is_other).then_some(Transform::Stuck { mask, high }))
}

/// Whether nothing changes with this bit of the address.
fn is_stuck(source: &dyn Source, bit: u32) -> io::Result<bool> {
    let step = 1u64 << bit;
    let window = u64::from(WINDOW);
    let mut at = 0;
    while at < source.len() {
        if at & step != 0 {
            at += window;
            continue;
        }
        let bytes = peek(source, at, WINDOW as usize)?;
        let is_same = if step < window {
            bytes.chunks(2 * step as usize).all(|pair| {
                let (one, other) = pair.split_at(pair.len() / 2);
                one == other
            })
        } else {
            bytes == peek(source, at + step, WINDOW as usize)?
        };
        if !is_same {
            return Ok(false);
        }
        at += window;
    }
    Ok(true)
}

/// What a whole dump shows that was not read right: its beginning several times, as a reader gives
/// that was set to a smaller chip, or an address bit that was stuck.
///
/// # Errors
/// Where it cannot be read.
pub fn of_dump(source: &dyn Source) -> io::Result<Option<Transform>> {
    if let Some(found) = stuck(source)? {
        return Ok(Some(found));
    }
    for copies in [4, 2] {
        if source.len() == CHIP && equal_parts(source, copies)? {
            return Ok(Some(Transform::Wrapped { copies }));
        }
    }
    Ok(None)
}

/// Whether a file is so many times the same.
pub(super) fn equal_parts(source: &dyn Source, copies: u64) -> io::Result<bool> {
    let len = source.len() / copies;
    let mut at = 0;
    while at < len {
        let first = peek(source, at, WINDOW as usize)?;
        for copy in 1..copies {
            if peek(source, copy * len + at, WINDOW as usize)? != first {
                return Ok(false);
            }
        }
        at += first.len() as u64;
    }
    Ok(true)
}
