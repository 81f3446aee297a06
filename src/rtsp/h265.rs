//! H.265: kinds of NAL units, what a sequence parameter set says of the picture, and the few bits
//! of a slice header that tell whether a picture was lost. From ITU-T H.265 (08/2021), sections
//! 7.3.1.2, 7.3.2.2, 7.3.2.3, 7.3.3, 7.3.6.1 and annex E. Pure, bounded, no panics.

use super::bits::Bits;
use super::picture::{Rate, Size, sane_rate, sane_size};

/// The kind of a NAL unit, from its first byte.
pub fn kind(header: u8) -> u8 {
    header >> 1 & 0x3f
}

/// Slices end here; of these, 16 to 23 are of pictures that a viewer can begin with.
pub const LAST_SLICE: u8 = 31;
/// Video parameter set.
pub const VPS: u8 = 32;
/// Sequence parameter set.
pub const SPS: u8 = 33;
/// Picture parameter set.
pub const PPS: u8 = 34;
/// Supplemental enhancement information before the slices.
pub const SEI: u8 = 39;
/// The same behind them: it belongs to the picture before.
pub const SEI_AFTER: u8 = 40;

/// Whether this slice is of a picture that a viewer can begin with.
pub fn is_key(kind: u8) -> bool {
    (16..=23).contains(&kind)
}

fn is_idr(kind: u8) -> bool {
    matches!(kind, 19 | 20)
}

/// The payload behind the two bytes of header, if it is of the base layer and of this kind.
fn payload(nal: &[u8], wanted: u8) -> Option<&[u8]> {
    let (header, payload) = nal.split_at_checked(2)?;
    let base_layer = header[0] & 0x81 == 0 && header[1] & 0xf8 == 0 && header[1] & 7 != 0;
    (base_layer && kind(header[0]) == wanted).then_some(payload)
}

/// Whether this is a video parameter set of the base layer.
pub fn is_vps(nal: &[u8]) -> bool {
    // vps_reserved_0xffff_16bits: no H.264 unit looks like this by chance.
    payload(nal, VPS).is_some_and(|bytes| bytes.get(2..4) == Some(&[0xff, 0xff]))
}

/// What is read of a sequence parameter set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sps {
    /// Its number, 0 to 15.
    pub id: u8,
    /// General profile, compatibility, constraints and level: 12 bytes as `hvcC` wants them.
    pub profile: [u8; 12],
    /// Temporal layers less one, and whether they are nested.
    pub layers: (u8, bool),
    /// chroma_format_idc.
    pub chroma: u8,
    /// Bits of luma and chroma beyond 8.
    pub depth: [u8; 2],
    /// The picture.
    pub size: Size,
    /// Pictures a second, if it tells.
    pub rate: Option<Rate>,
    separate_planes: bool,
    order_bits: u32,
}

impl Sps {
    /// Reads one; `nal` begins with the NAL unit's header.
    pub fn parse(nal: &[u8]) -> Option<Sps> {
        let mut bits = Bits::new(payload(nal, SPS)?);
        bits.skip(4)?;
        let layers = bits.take(3).filter(|n| *n <= 6)?;
        let nested = bits.bit()?;
        let mut profile = [0; 12];
        for byte in &mut profile {
            *byte = bits.take(8)? as u8;
        }
        skip_sub_layers(&mut bits, layers)?;
        let id = u8::try_from(bits.ue()?).ok().filter(|id| *id < 16)?;
        let chroma = bits.ue().filter(|c| *c <= 3)?;
        let separate_planes = chroma == 3 && bits.bit()?;
        let mut size = Size { width: bits.ue()?, height: bits.ue()? };
        if bits.bit()? {
            let (unit_x, unit_y) = match chroma {
                1 => (2, 2),
                2 => (2, 1),
                _ => (1, 1),
            };
            let mut edge = |unit: u32| bits.ue()?.checked_mul(unit);
            let (left, right) = (edge(unit_x)?, edge(unit_x)?);
            let (top, bottom) = (edge(unit_y)?, edge(unit_y)?);
            size.width = size.width.checked_sub(left)?.checked_sub(right)?;
            size.height = size.height.checked_sub(top)?.checked_sub(bottom)?;
        }
        let mut depth = [0; 2];
        for plane in &mut depth {
            *plane = u8::try_from(bits.ue()?).ok().filter(|d| *d <= 8)?;
        }
        let order_bits = bits.ue().filter(|n| *n <= 12)? + 4;
        // Damage from here on costs the rate only.
        let rate = rate_at_the_end(&mut bits, layers, order_bits);
        Some(Sps {
            id,
            profile,
            layers: (layers as u8, nested),
            chroma: chroma as u8,
            depth,
            size: sane_size(size)?,
            rate,
            separate_planes,
            order_bits,
        })
    }
}

/// profile_tier_level's sub-layers (7.3.3).
fn skip_sub_layers(bits: &mut Bits<'_>, layers: u32) -> Option<()> {
    let mut length = 0;
    for _ in 0..layers {
        length += if bits.bit()? { 88 } else { 0 };
        length += if bits.bit()? { 8 } else { 0 };
    }
    if layers > 0 {
        bits.skip(2 * (8 - layers))?;
    }
    bits.skip(length)
}

/// All between the picture's size and the usability information, then its rate.
fn rate_at_the_end(bits: &mut Bits<'_>, layers: u32, order_bits: u32) -> Option<Rate> {
    let all_layers = bits.bit()?;
    for _ in 0..=(if all_layers { layers } else { 0 }) {
        for _ in 0..3 {
            bits.ue()?;
        }
    }
    for _ in 0..6 {
        bits.ue()?; // block sizes and depths
    }
    if bits.bit()? && bits.bit()? {
        skip_scaling_lists(bits)?;
    }
    bits.skip(2)?; // amp, sao
    if bits.bit()? {
        bits.skip(8)?;
        bits.ue()?;
        bits.ue()?;
        bits.skip(1)?;
    }
    skip_reference_sets(bits)?;
    if bits.bit()? {
        for _ in 0..bits.ue().filter(|n| *n <= 32)? {
            bits.skip(order_bits + 1)?;
        }
    }
    bits.skip(2)?; // temporal_mvp, strong_intra_smoothing
    if bits.bit()? { vui_rate(bits) } else { None }
}

fn skip_scaling_lists(bits: &mut Bits<'_>) -> Option<()> {
    for size in 0..4u32 {
        for _ in 0..(if size == 3 { 2 } else { 6 }) {
            if bits.bit()? {
                if size > 1 {
                    bits.se()?;
                }
                for _ in 0..64.min(1 << (4 + 2 * size)) {
                    bits.se()?;
                }
            } else {
                bits.ue()?;
            }
        }
    }
    Some(())
}

/// st_ref_pic_set for each (7.3.7): only how many pictures each has must be known.
fn skip_reference_sets(bits: &mut Bits<'_>) -> Option<()> {
    let sets = bits.ue().filter(|n| *n <= 64)?;
    let mut before = 0u32;
    for index in 0..sets {
        let predicted = index > 0 && bits.bit()?;
        if predicted {
            bits.skip(1)?;
            bits.ue()?;
            let mut count = 0;
            for _ in 0..=before {
                let used = bits.bit()?;
                if used || bits.bit()? {
                    count += 1;
                }
            }
            before = count;
        } else {
            let negative = bits.ue().filter(|n| *n <= 16)?;
            let positive = bits.ue().filter(|n| *n <= 16)?;
            for _ in 0..negative + positive {
                bits.ue()?;
                bits.skip(1)?;
            }
            before = negative + positive;
        }
    }
    Some(())
}

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
    bits.skip(3)?; // neutral_chroma, field_seq, frame_field_info
    if bits.bit()? {
        for _ in 0..4 {
            bits.ue()?;
        }
    }
    if !bits.bit()? {
        return None;
    }
    let tick = bits.take(32)?;
    sane_rate(bits.take(32)?, tick)
}

/// What is read of a picture parameter set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pps {
    /// Its number, 0 to 63.
    pub id: u8,
    /// The sequence parameter set it uses.
    pub sps: u8,
    output_flag: bool,
    extra_bits: u32,
}

impl Pps {
    /// Reads one; `nal` begins with the NAL unit's header.
    pub fn parse(nal: &[u8]) -> Option<Pps> {
        let mut bits = Bits::new(payload(nal, PPS)?);
        let id = u8::try_from(bits.ue()?).ok().filter(|id| *id < 64)?;
        let sps = u8::try_from(bits.ue()?).ok().filter(|id| *id < 16)?;
        bits.skip(1)?;
        let output_flag = bits.bit()?;
        let extra_bits = bits.take(3)?;
        Some(Pps { id, sps, output_flag, extra_bits })
    }
}

/// Whether a slice begins a picture.
pub fn begins_picture(nal: &[u8]) -> Option<bool> {
    Some(nal.get(2)? & 0x80 != 0)
}

/// The low bits of a picture's place in the order of showing; none for a key frame that starts
/// the count again.
pub fn picture_order(nal: &[u8], sps: &Sps, pps: &Pps) -> Option<u32> {
    let (header, payload) = nal.split_at_checked(2)?;
    let kind = kind(header[0]);
    let mut bits = Bits::new(payload);
    bits.skip(1)?;
    if is_key(kind) {
        bits.skip(1)?;
    }
    bits.ue()?; // slice_pic_parameter_set_id
    bits.skip(pps.extra_bits)?;
    bits.ue().filter(|slice_type| *slice_type <= 2)?;
    if pps.output_flag {
        bits.skip(1)?;
    }
    if sps.separate_planes {
        bits.skip(2)?;
    }
    if is_idr(kind) { Some(0) } else { bits.take(sps.order_bits) }
}

/// The picture parameter set that a picture's first slice names.
pub fn slice_pps(nal: &[u8]) -> Option<u8> {
    let (header, payload) = nal.split_at_checked(2)?;
    let mut bits = Bits::new(payload);
    bits.skip(if is_key(kind(header[0])) { 2 } else { 1 })?;
    u8::try_from(bits.ue()?).ok().filter(|id| *id < 64)
}

/// How many equal steps make a step trusted.
const TRUSTED: u32 = 8;

/// Tells from picture to picture whether one between them is missing. H.265 has no number that
/// counts pictures, but a camera shows them in the order they come: their places grow by the same
/// step. While they do, a larger step is a loss; where they do not (B pictures), nothing is
/// reported.
#[derive(Clone, Copy, Debug, Default)]
pub struct Continuity {
    last: Option<u32>,
    step: u32,
    seen: u32,
}

impl Continuity {
    /// The next picture's first slice: whether one before it is missing.
    pub fn missing(&mut self, key: bool, order: u32, sps: &Sps) -> bool {
        let last = self.last.replace(order);
        let Some(last) = last.filter(|_| !(key && order == 0)) else { return false };
        let step = order.wrapping_sub(last) % (1u32 << sps.order_bits);
        if self.step == step {
            self.seen = self.seen.saturating_add(1);
            return false;
        }
        let trusted = self.seen >= TRUSTED;
        if trusted && self.step != 0 && step.is_multiple_of(self.step) && !key {
            return true;
        }
        self.step = step;
        self.seen = 0;
        false
    }

    /// Forgets the last picture, not the step: what comes next follows nothing.
    pub fn reset(&mut self) {
        self.last = None;
    }
}
