//! Which bytes of this camera's U-Boot may be the key that it checks images
//! with. It contains one somewhere, 32 bytes that look like any others. Compiled
//! code names what it uses by its address, and keeps these addresses together:
//! so those near the texts that the check prints come first, then all others.
//!
//! Facts: docs/formats.md, "The key in U-Boot".

use std::collections::BTreeSet;
use std::io;

use super::source::Source;
use super::uboot::{self, NoUboot};
use crate::formats::le32;

/// Bytes of a key.
const KEY: usize = 32;
/// The most keys that are tried: some milliseconds each on the camera.
const MOST: usize = 4096;
/// Different values that random 32 bytes have at least, but for one in a million.
const LEAST_VALUES: usize = 22;
/// How far around the address of a text others are near, in bytes.
const NEAR: usize = 256;
/// What the check prints: part of the text.
const TEXTS: [&[u8]; 4] = [b"libsodium", b"data check NG", b"Verifying sin", b"Ed25519"];

/// An unpacked U-Boot, and where in it a key may be: the likeliest first.
pub struct Candidates {
    uboot: Vec<u8>,
    places: Vec<usize>,
}

impl Candidates {
    /// The places and the bytes there.
    pub fn iter(&self) -> impl Iterator<Item = (usize, &[u8; KEY])> {
        self.places
            .iter()
            .filter_map(|&at| Some((at, self.uboot.get(at..at + KEY)?.try_into().ok()?)))
    }
}

/// Looks into a BOOT.
///
/// # Errors
/// Where it cannot be read; that nothing can be found in it is no error.
pub fn candidates(boot: &dyn Source) -> io::Result<Result<Candidates, NoUboot>> {
    let uboot = match uboot::unpack(boot)? {
        Ok(uboot) => uboot,
        Err(why) => return Ok(Err(why)),
    };
    let places = places(&uboot);
    Ok(Ok(Candidates { uboot, places }))
}

fn places(uboot: &[u8]) -> Vec<usize> {
    let Some(base) = uboot::base(uboot) else { return Vec::new() };
    let target = |at: usize| {
        let word = le32(uboot, at)?;
        let to = word.checked_sub(base)? as usize;
        uboot.get(to..to + KEY).filter(|bytes| may_be_key(bytes)).map(|_| to)
    };
    let texts: Vec<usize> = TEXTS.iter().flat_map(|text| texts_with(uboot, text)).collect();
    let mut seen = BTreeSet::new();
    let mut places = Vec::new();
    let mut take = |at: usize| {
        if let Some(to) = target(at).filter(|to| seen.insert(*to)) {
            places.push(to);
        }
    };
    for at in (0..uboot.len()).step_by(4) {
        let to = le32(uboot, at).and_then(|word| word.checked_sub(base));
        if to.is_some_and(|to| texts.contains(&(to as usize))) {
            (at.saturating_sub(NEAR)..at + NEAR).step_by(4).for_each(&mut take);
        }
    }
    (0..uboot.len()).step_by(4).for_each(&mut take);
    places.truncate(MOST);
    places
}

/// Where the texts that contain this begin.
fn texts_with(uboot: &[u8], part: &[u8]) -> Vec<usize> {
    let hits = uboot.windows(part.len()).enumerate().filter(|(_, w)| *w == part);
    hits.take(4)
        .map(|(at, _)| uboot[..at].iter().rposition(|b| !is_text(*b)).map_or(0, |end| end + 1))
        .collect()
}

fn is_text(byte: u8) -> bool {
    byte == b'\n' || byte == b'\t' || (0x20..0x7F).contains(&byte)
}

/// Whether 32 bytes look like those of a key: neither text nor a table.
fn may_be_key(bytes: &[u8]) -> bool {
    let mut values = [false; 256];
    for byte in bytes {
        values[usize::from(*byte)] = true;
    }
    values.iter().filter(|v| **v).count() >= LEAST_VALUES && !bytes.iter().all(|b| is_text(*b))
}
