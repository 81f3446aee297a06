//! Parameter sets remembered: what every viewer needs before the first picture, whenever it comes.
//! Pure and bounded.

use std::sync::Arc;

use serde::Serialize;

use super::picture::{Rate, Size};
use super::{h264, h265};

/// How the pictures are coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Codec {
    /// ITU-T H.264.
    H264,
    /// ITU-T H.265.
    H265,
}

/// Bytes of one set; a real one has some forty.
const LARGEST: usize = 1024;
/// Sets of one kind.
const MOST: usize = 16;

/// The parameter sets in force, as they are shared by the frames that need them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Params {
    /// The codec.
    pub codec: Codec,
    /// H.265 only.
    pub vps: Vec<Vec<u8>>,
    /// Each with its header.
    pub sps: Vec<Vec<u8>>,
    /// Each with its header.
    pub pps: Vec<Vec<u8>>,
    /// The picture.
    pub size: Size,
    /// Pictures a second, if the stream tells.
    pub rate: Option<Rate>,
}

impl Params {
    /// All of them, in the order a decoder wants them.
    pub fn units(&self) -> impl Iterator<Item = &[u8]> {
        self.vps.iter().chain(&self.sps).chain(&self.pps).map(Vec::as_slice)
    }

    /// What an SDP, an MP4 and a browser want to know of an H.264 stream.
    pub fn h264(&self) -> Option<h264::Sps> {
        self.sps.first().and_then(|nal| h264::Sps::parse(nal))
    }

    /// The same of an H.265 stream.
    pub fn h265(&self) -> Option<h265::Sps> {
        self.sps.first().and_then(|nal| h265::Sps::parse(nal))
    }
}

/// Sets of one kind by their number, each as it came and as it was understood.
#[derive(Clone, Debug)]
struct Shelf<T>(Vec<(u8, Vec<u8>, T)>);

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Shelf(Vec::new())
    }
}

impl<T> Shelf<T> {
    /// Whether something is new.
    fn put(&mut self, id: u8, nal: &[u8], meaning: T) -> bool {
        if let Some(entry) = self.0.iter_mut().find(|(known, ..)| *known == id) {
            if entry.1 == nal {
                return false;
            }
            *entry = (id, nal.to_vec(), meaning);
            return true;
        }
        if self.0.len() >= MOST {
            return false;
        }
        self.0.push((id, nal.to_vec(), meaning));
        self.0.sort_by_key(|(id, ..)| *id);
        true
    }

    fn get(&self, id: u8) -> Option<&T> {
        self.0.iter().find(|(known, ..)| *known == id).map(|(.., meaning)| meaning)
    }

    fn bytes(&self) -> Vec<Vec<u8>> {
        self.0.iter().map(|(_, bytes, _)| bytes.clone()).collect()
    }
}

/// What was said so far.
#[derive(Debug, Default)]
pub(super) struct Memory {
    codec: Option<Codec>,
    vps: Shelf<()>,
    sps264: Shelf<h264::Sps>,
    /// Each with the number of its sequence parameter set.
    pps264: Shelf<u8>,
    sps265: Shelf<h265::Sps>,
    pps265: Shelf<h265::Pps>,
    /// What was built of it last; none where something is new since.
    built: Option<Arc<Params>>,
}

impl Memory {
    pub(super) fn codec(&self) -> Option<Codec> {
        self.codec
    }

    /// Forgets all but what codec it was.
    fn turn_to(&mut self, codec: Codec) {
        if self.codec != Some(codec) {
            *self = Memory { codec: Some(codec), ..Memory::default() };
        }
    }

    /// Whether this unit is a set that only a stream of the other codec, or the first one seen, can
    /// hold; if so, that codec is taken.
    pub(super) fn announces_codec(&mut self, nal: &[u8]) -> bool {
        if nal.len() > LARGEST {
            return false;
        }
        let codec = if h265::is_vps(nal) || h265::Sps::parse(nal).is_some() {
            Codec::H265
        } else if self.codec != Some(Codec::H264)
            // H.265 units have an even first byte in every real stream, H.264's sets an odd one.
            && nal.first().is_some_and(|header| matches!(header, 0x67 | 0x47 | 0x27))
            && h264::Sps::parse(nal).is_some()
        {
            Codec::H264
        } else {
            return false;
        };
        if self.codec == Some(codec) {
            return false;
        }
        self.turn_to(codec);
        true
    }

    /// Keeps a parameter set. False if the unit is none, or not a sound one.
    pub(super) fn keep(&mut self, nal: &[u8]) -> bool {
        if nal.len() > LARGEST {
            return false;
        }
        let fresh = match self.codec {
            Some(Codec::H264) => {
                if let Some(sps) = h264::Sps::parse(nal) {
                    self.sps264.put(sps.id, nal, sps)
                } else if let Some((id, sps)) = h264::pps_ids(nal) {
                    self.pps264.put(id, nal, sps)
                } else {
                    return false;
                }
            }
            Some(Codec::H265) => {
                if h265::is_vps(nal) {
                    self.vps.put(nal.get(2).copied().unwrap_or(0) >> 4, nal, ())
                } else if let Some(sps) = h265::Sps::parse(nal) {
                    self.sps265.put(sps.id, nal, sps)
                } else if let Some(pps) = h265::Pps::parse(nal) {
                    self.pps265.put(pps.id, nal, pps)
                } else {
                    return false;
                }
            }
            None => return false,
        };
        if fresh {
            self.built = None;
        }
        true
    }

    /// The H.264 sequence parameter set behind a picture parameter set's number.
    pub(super) fn sps264(&self, pps: u8) -> Option<&h264::Sps> {
        self.sps264.get(*self.pps264.get(pps)?)
    }

    /// The H.265 sets behind a picture parameter set's number.
    pub(super) fn sets265(&self, pps: u8) -> Option<(&h265::Sps, &h265::Pps)> {
        let pps = self.pps265.get(pps)?;
        Some((self.sps265.get(pps.sps)?, pps))
    }

    /// The sets in force, if what a viewer needs is whole.
    pub(super) fn params(&mut self) -> Option<Arc<Params>> {
        if let Some(built) = &self.built {
            return Some(Arc::clone(built));
        }
        let codec = self.codec?;
        let (sps, pps, facts) = match codec {
            Codec::H264 => {
                let first = self.sps264.0.first().map(|(.., sps)| (sps.size, sps.rate));
                (self.sps264.bytes(), self.pps264.bytes(), first)
            }
            Codec::H265 => {
                let first = self.sps265.0.first().map(|(.., sps)| (sps.size, sps.rate));
                (self.sps265.bytes(), self.pps265.bytes(), first)
            }
        };
        let (size, rate) = facts?;
        if pps.is_empty() {
            return None;
        }
        let params = Arc::new(Params { codec, vps: self.vps.bytes(), sps, pps, size, rate });
        self.built = Some(Arc::clone(&params));
        Some(params)
    }
}
