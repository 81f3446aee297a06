//! The role of a unit of an Annex-B stream in the picture that is being received. Pure.

use super::params::{Codec, Memory};
use super::{h264, h265};

/// What a unit is for the picture that is being received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnitKind {
    /// More bytes are needed.
    Unknown,
    /// Of no use to a viewer.
    Drop,
    /// A parameter set.
    Set,
    /// Stands before a picture's slices.
    Before,
    /// Stands behind them.
    After,
    /// The first slice of a picture.
    FirstSlice {
        /// A viewer can begin here.
        key: bool,
    },
    /// Another slice, or something that no sound stream contains.
    OtherSlice,
}

/// What a unit is; `whole` says that no more bytes of it come.
pub fn classify(nal: &[u8], memory: &Memory, whole: bool) -> UnitKind {
    let Some(&header) = nal.first() else { return UnitKind::Unknown };
    let codec = memory.codec();
    // A set may be of the other codec: its reader detects that.
    let set264 = matches!(header, 0x67 | 0x47 | 0x27);
    let set265 = matches!(header, 0x40 | 0x42) && nal.get(1) == Some(&1);
    match codec {
        None if set264 || set265 => return UnitKind::Set,
        None => return UnitKind::Drop,
        Some(Codec::H264) if set265 => {
            return if whole { foreign(nal, memory) } else { UnitKind::Unknown };
        }
        Some(Codec::H265) if set264 => {
            return if whole { foreign(nal, memory) } else { UnitKind::Unknown };
        }
        _ => {}
    }
    if header & 0x80 != 0 {
        return UnitKind::OtherSlice;
    }
    let first = |begins: Option<bool>, key| match begins {
        Some(true) => UnitKind::FirstSlice { key },
        Some(false) => UnitKind::OtherSlice,
        None => UnitKind::Unknown,
    };
    match codec {
        Some(Codec::H264) => match h264::kind(header) {
            h264::SLICE => first(h264::begins_picture(nal), false),
            h264::IDR => first(h264::begins_picture(nal), true),
            h264::SPS | h264::PPS => UnitKind::Set,
            h264::SEI => UnitKind::Before,
            // Data partitions are of a profile that no camera has.
            2..=4 => UnitKind::OtherSlice,
            _ => UnitKind::Drop,
        },
        _ => match h265::kind(header) {
            kind if kind <= h265::LAST_SLICE => {
                first(h265::begins_picture(nal), h265::is_key(kind))
            }
            h265::VPS | h265::SPS | h265::PPS => UnitKind::Set,
            h265::SEI => UnitKind::Before,
            h265::SEI_AFTER => UnitKind::After,
            _ => UnitKind::Drop,
        },
    }
}

/// A unit that looks like a parameter set of the other codec.
fn foreign(nal: &[u8], memory: &Memory) -> UnitKind {
    let other = match memory.codec() {
        Some(Codec::H264) => h265::is_vps(nal) || h265::Sps::parse(nal).is_some(),
        _ => h264::Sps::parse(nal).is_some(),
    };
    if other { UnitKind::Set } else { UnitKind::Drop }
}

/// What is read of a first slice's header, and the parameter set that it refers to.
pub enum Header<'m> {
    /// Of H.264.
    H264(h264::Slice, &'m h264::Sps),
    /// Of H.265, with the picture's place in the order of showing.
    H265(u32, &'m h265::Sps),
}

/// The header of a first slice; `None` where not enough of it is there, or its sets never came.
pub fn header_of<'m>(nal: &[u8], memory: &'m Memory) -> Option<Header<'m>> {
    if memory.codec() == Some(Codec::H264) {
        return slice264(nal, memory).map(|(slice, sps)| Header::H264(slice, sps));
    }
    let (sps, pps) = memory.sets265(h265::slice_pps(nal)?)?;
    Some(Header::H265(h265::picture_order(nal, sps, pps)?, sps))
}

/// The same for H.264, of any slice.
pub fn slice264<'m>(nal: &[u8], memory: &'m Memory) -> Option<(h264::Slice, &'m h264::Sps)> {
    // The number of the parameter set is before anything that depends on it.
    let pps = h264::slice_pps(nal)?;
    let sps = memory.sps264(pps)?;
    Some((h264::Slice::parse(nal, sps)?, sps))
}
