//! H.264: kinds of NAL units, what a sequence parameter set says of the picture, and the few bits
//! of a slice header that tell whether a picture was lost. From ITU-T H.264 (08/2021), sections
//! 7.3.1, 7.3.2.1.1, 7.3.2.2, 7.3.3 and annex E. Pure, bounded, no panics.

use super::bits::Bits;
use super::picture::{Rate, Size, sane_rate, sane_size};

/// The kind of a NAL unit, from its first byte.
pub fn kind(header: u8) -> u8 {
    header & 0x1f
}

/// Slice of a picture that is not a key frame.
pub const SLICE: u8 = 1;
/// Slice of a key frame.
pub const IDR: u8 = 5;
/// Supplemental enhancement information.
pub const SEI: u8 = 6;
/// Sequence parameter set.
pub const SPS: u8 = 7;
/// Picture parameter set.
pub const PPS: u8 = 8;

/// What is read of a sequence parameter set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sps {
    /// Its number, 0 to 31.
    pub id: u8,
    /// profile_idc, constraint flags, level_idc: what the SDP and `avc1.` show.
    pub profile: [u8; 3],
    /// chroma_format_idc.
    pub chroma: u8,
    /// Bits of luma and chroma beyond 8.
    pub depth: [u8; 2],
    /// The picture.
    pub size: Size,
    /// Pictures a second, if it tells.
    pub rate: Option<Rate>,
    /// Bits of frame_num.
    frame_num_bits: u32,
    /// Gaps in frame_num are allowed: then they say nothing.
    gaps_allowed: bool,
    separate_planes: bool,
    frames_only: bool,
}

fn high_profile(profile: u32) -> bool {
    matches!(profile, 100 | 110 | 122 | 244 | 44 | 83 | 86 | 118 | 128 | 138 | 139 | 134 | 135)
}

impl Sps {
    /// Reads one; `nal` begins with the NAL unit's header.
    pub fn parse(nal: &[u8]) -> Option<Sps> {
        let (&header, payload) = nal.split_first()?;
        if header & 0x80 != 0 || kind(header) != SPS {
            return None;
        }
        let mut bits = Bits::new(payload);
        let profile = bits.take(8)?;
        let flags = bits.take(8)?;
        let level = bits.take(8)?;
        let id = u8::try_from(bits.ue()?).ok().filter(|id| *id < 32)?;
        let mut chroma = 1;
        let mut depth = [0; 2];
        let mut separate_planes = false;
        if high_profile(profile) {
            chroma = bits.ue().filter(|c| *c <= 3)?;
            separate_planes = chroma == 3 && bits.bit()?;
            for plane in &mut depth {
                *plane = u8::try_from(bits.ue()?).ok().filter(|d| *d <= 6)?;
            }
            bits.skip(1)?;
            if bits.bit()? {
                let lists = if chroma == 3 { 12 } else { 8 };
                for list in 0..lists {
                    if bits.bit()? {
                        skip_scaling_list(&mut bits, if list < 6 { 16 } else { 64 })?;
                    }
                }
            }
        }
        let frame_num_bits = bits.ue().filter(|n| *n <= 12)? + 4;
        skip_order_count(&mut bits)?;
        bits.ue()?; // max_num_ref_frames
        let gaps_allowed = bits.bit()?;
        let width = bits.ue()?.checked_add(1)?.checked_mul(16)?;
        let map_units = bits.ue()?.checked_add(1)?.checked_mul(16)?;
        let frames_only = bits.bit()?;
        let height = map_units.checked_mul(if frames_only { 1 } else { 2 })?;
        if !frames_only {
            bits.skip(1)?;
        }
        bits.skip(1)?; // direct_8x8_inference_flag
        let mut size = Size { width, height };
        if bits.bit()? {
            let planes = if separate_planes { 0 } else { chroma };
            let unit_x = if matches!(planes, 1 | 2) { 2 } else { 1 };
            let unit_y = (if planes == 1 { 2 } else { 1 }) * (if frames_only { 1 } else { 2 });
            let mut edge = |unit: u32| bits.ue()?.checked_mul(unit);
            let (left, right) = (edge(unit_x)?, edge(unit_x)?);
            let (top, bottom) = (edge(unit_y)?, edge(unit_y)?);
            size.width = size.width.checked_sub(left)?.checked_sub(right)?;
            size.height = size.height.checked_sub(top)?.checked_sub(bottom)?;
        }
        // A damaged end costs the rate only.
        let rate = if bits.bit() == Some(true) { vui_rate(&mut bits) } else { None };
        Some(Sps {
            id,
            profile: [profile as u8, flags as u8, level as u8],
            chroma: chroma as u8,
            depth,
            size: sane_size(size)?,
            rate,
            frame_num_bits,
            gaps_allowed,
            separate_planes,
            frames_only,
        })
    }
}

fn skip_scaling_list(bits: &mut Bits<'_>, size: u32) -> Option<()> {
    let (mut last, mut next) = (8i32, 8i32);
    for _ in 0..size {
        if next != 0 {
            next = last.checked_add(bits.se()?)?.rem_euclid(256);
        }
        if next != 0 {
            last = next;
        }
    }
    Some(())
}

fn skip_order_count(bits: &mut Bits<'_>) -> Option<()> {
    match bits.ue()? {
        0 => {
            bits.ue()?;
        }
        1 => {
            bits.skip(1)?;
            bits.se()?;
            bits.se()?;
            let cycle = bits.ue().filter(|n| *n <= 255)?;
            for _ in 0..cycle {
                bits.se()?;
            }
        }
        2 => {}
        _ => return None,
    }
    Some(())
}

/// The rate in the video usability information: two ticks for a picture (E.2.1).
fn vui_rate(bits: &mut Bits<'_>) -> Option<Rate> {
    if bits.bit()? && bits.take(8)? == 255 {
        bits.skip(32)?;
    }
    if bits.bit()? {
        bits.skip(1)?;
    }
    if bits.bit()? {
        bits.skip(4)?;
        if bits.bit()? {
            bits.skip(24)?;
        }
    }
    if bits.bit()? {
        bits.ue()?;
        bits.ue()?;
    }
    if !bits.bit()? {
        return None;
    }
    let tick = bits.take(32)?;
    let scale = bits.take(32)?;
    sane_rate(scale, tick.checked_mul(2)?)
}

/// The number of a picture parameter set, and that of its sequence parameter set.
pub fn pps_ids(nal: &[u8]) -> Option<(u8, u8)> {
    let (&header, payload) = nal.split_first()?;
    if header & 0x80 != 0 || kind(header) != PPS {
        return None;
    }
    let mut bits = Bits::new(payload);
    let pps = u8::try_from(bits.ue()?).ok()?;
    let sps = u8::try_from(bits.ue()?).ok().filter(|id| *id < 32)?;
    Some((pps, sps))
}

/// Whether a slice begins a picture: its first macroblock is the picture's.
pub fn begins_picture(nal: &[u8]) -> Option<bool> {
    Some(nal.get(1)? & 0x80 != 0)
}

/// The picture parameter set that a slice names.
pub fn slice_pps(nal: &[u8]) -> Option<u8> {
    let mut bits = Bits::new(nal.get(1..)?);
    bits.ue()?;
    bits.ue()?;
    u8::try_from(bits.ue()?).ok()
}

/// What a slice header says of its picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slice {
    /// The picture parameter set it uses.
    pub pps: u8,
    /// The picture's number among those that others refer to.
    pub frame_num: u32,
    /// Others may refer to it (nal_ref_idc).
    pub reference: bool,
    /// A field, not a frame: numbers repeat.
    pub field: bool,
}

impl Slice {
    /// Reads the beginning of a slice, by the sequence parameter set in use.
    pub fn parse(nal: &[u8], sps: &Sps) -> Option<Slice> {
        let (&header, payload) = nal.split_first()?;
        let mut bits = Bits::new(payload);
        bits.ue()?; // first_mb_in_slice
        bits.ue().filter(|slice_type| *slice_type <= 9)?;
        let pps = u8::try_from(bits.ue()?).ok()?;
        if sps.separate_planes {
            bits.skip(2)?;
        }
        let frame_num = bits.take(sps.frame_num_bits)?;
        let field = !sps.frames_only && bits.bit()?;
        Some(Slice { pps, frame_num, reference: header & 0x60 != 0, field })
    }
}

/// Tells from picture to picture whether one between them is missing (7.4.3, frame_num).
#[derive(Clone, Copy, Debug, Default)]
pub struct Continuity {
    /// The number of the last reference picture.
    last: Option<u32>,
}

impl Continuity {
    /// The next picture's first slice: whether one before it is missing.
    pub fn missing(&mut self, key: bool, slice: &Slice, sps: &Sps) -> bool {
        let modulus = 1u32 << sps.frame_num_bits;
        let last = self.last;
        if key {
            self.last = Some(0);
            return false;
        }
        if slice.reference {
            self.last = Some(slice.frame_num);
        }
        let Some(last) = last else { return false };
        if sps.gaps_allowed || slice.field {
            return false;
        }
        let next = (last + 1) % modulus;
        // Equal to the last reference's: a field's other half, which frames never are, or an
        // encoder that numbers sloppily. It hides nothing.
        slice.frame_num != next && slice.frame_num != last
    }

    /// Forgets: what comes next follows nothing.
    pub fn reset(&mut self) {
        self.last = None;
    }
}
