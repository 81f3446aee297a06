//! Fragmented MP4 (ISO/IEC 14496-12, -15): what a browser plays through Media Source Extensions,
//! and a file of one key frame. Written by hand: a track of pictures, one of sound (FLAC) where it
//! is wanted, one picture or piece of sound to a fragment. Pure.

use super::flac;
use super::frame::Frame;
use super::params::{Codec, Params};
use super::rtp::ticks;

/// Ticks of the media's clock in a second.
pub const TIMESCALE: u32 = 90_000;

/// The `codecs` parameter of the media type (RFC 6381): `avc1.64001f`, `hvc1.1.6.L93.B0`.
pub fn codec_string(params: &Params) -> String {
    match params.codec {
        Codec::H264 => {
            let [profile, flags, level] = params.h264().map_or([0; 3], |sps| sps.profile);
            format!("avc1.{profile:02x}{flags:02x}{level:02x}")
        }
        Codec::H265 => params.h265().map_or_else(
            || "hvc1".to_owned(),
            |sps| {
                let [first, c0, c1, c2, c3, constraints @ .., level] = sps.profile;
                let space = ["", "A", "B", "C"][usize::from(first >> 6)];
                let tier = if first & 0x20 == 0 { 'L' } else { 'H' };
                let compatible = u32::from_be_bytes([c0, c1, c2, c3]).reverse_bits();
                let used = constraints.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1);
                let constraints = constraints.iter().take(used);
                let tail = constraints.fold(String::new(), |text, byte| format!("{text}.{byte:X}"));
                format!("hvc1.{space}{}.{compatible:X}.{tier}{level}{tail}", first & 31)
            },
        ),
    }
}

/// The media type whole; with sound if it has a rate.
pub fn media_type(params: &Params, sound: Option<u32>) -> String {
    let sound = if sound.is_some() { ", flac" } else { "" };
    format!("video/mp4; codecs=\"{}{sound}\"", codec_string(params))
}

/// A box: its length is filled in when its content is written.
fn boxed(out: &mut Vec<u8>, name: [u8; 4], content: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&name);
    content(out);
    let length = (out.len() - start) as u32;
    if let Some(place) = out.get_mut(start..start + 4) {
        place.copy_from_slice(&length.to_be_bytes());
    }
}

/// A box with version and flags.
fn full(out: &mut Vec<u8>, name: [u8; 4], flags: u32, content: impl FnOnce(&mut Vec<u8>)) {
    boxed(out, name, |out| {
        put32(out, &[flags]);
        content(out);
    });
}

fn put32(out: &mut Vec<u8>, words: &[u32]) {
    for word in words {
        out.extend_from_slice(&word.to_be_bytes());
    }
}

fn put16(out: &mut Vec<u8>, words: &[u16]) {
    for word in words {
        out.extend_from_slice(&word.to_be_bytes());
    }
}

/// Numbers of the tracks.
const PICTURES: u32 = 1;
/// See [`PICTURES`].
const SOUND: u32 = 2;
const MATRIX: [u32; 9] = [0x1_0000, 0, 0, 0, 0x1_0000, 0, 0, 0, 0x4000_0000];

/// The beginning of a stream or file: `ftyp` and `moov`; with a track of sound if it has a rate, in
/// samples per second.
pub fn header(params: &Params, sound: Option<u32>) -> Vec<u8> {
    let mut out = Vec::with_capacity(1024);
    boxed(&mut out, *b"ftyp", |out| {
        out.extend_from_slice(b"iso5\0\0\x02\0iso5iso6mp41");
    });
    boxed(&mut out, *b"moov", |out| {
        full(out, *b"mvhd", 0, |out| {
            put32(out, &[0, 0, TIMESCALE, 0, 0x1_0000, 0x0100_0000, 0, 0]);
            put32(out, &MATRIX);
            put32(out, &[0, 0, 0, 0, 0, 0, SOUND + 1]);
        });
        boxed(out, *b"trak", |out| {
            let size = params.size;
            track(
                out,
                PICTURES,
                [size.width << 16, size.height << 16],
                TIMESCALE,
                &Content {
                    handler: b"vide",
                    header: &|out| full(out, *b"vmhd", 1, |out| put32(out, &[0, 0])),
                    entry: &|out| sample_entry(out, params),
                },
            );
        });
        if let Some(rate) = sound {
            boxed(out, *b"trak", |out| {
                track(
                    out,
                    SOUND,
                    [0, 0],
                    rate,
                    &Content {
                        handler: b"soun",
                        header: &|out| full(out, *b"smhd", 0, |out| put32(out, &[0])),
                        entry: &|out| sound_entry(out, rate),
                    },
                );
            });
        }
        boxed(out, *b"mvex", |out| {
            for track in [Some(PICTURES), sound.map(|_| SOUND)].into_iter().flatten() {
                full(out, *b"trex", 0, |out| put32(out, &[track, 1, 0, 0, 0]));
            }
        });
    });
    out
}

/// What a track consists of.
struct Content<'a> {
    handler: &'a [u8; 4],
    /// Its own header: `vmhd`, `smhd`.
    header: &'a dyn Fn(&mut Vec<u8>),
    /// How its samples are coded.
    entry: &'a dyn Fn(&mut Vec<u8>),
}

/// `size` is in 1/65536 pixels.
fn track(out: &mut Vec<u8>, id: u32, size: [u32; 2], timescale: u32, content: &Content<'_>) {
    full(out, *b"tkhd", 7, |out| {
        let volume = if id == SOUND { 0x0100_0000 } else { 0 };
        put32(out, &[0, 0, id, 0, 0, 0, 0, 0, volume]);
        put32(out, &MATRIX);
        put32(out, &size);
    });
    boxed(out, *b"mdia", |out| {
        full(out, *b"mdhd", 0, |out| {
            put32(out, &[0, 0, timescale, 0]);
            put16(out, &[0x55c4, 0]); // language: undetermined
        });
        full(out, *b"hdlr", 0, |out| {
            put32(out, &[0]);
            out.extend_from_slice(content.handler);
            out.extend_from_slice(b"\0\0\0\0\0\0\0\0\0\0\0\0camera\0");
        });
        boxed(out, *b"minf", |out| {
            (content.header)(out);
            boxed(out, *b"dinf", |out| {
                full(out, *b"dref", 0, |out| {
                    put32(out, &[1]);
                    full(out, *b"url ", 1, |_| {});
                });
            });
            boxed(out, *b"stbl", |out| {
                full(out, *b"stsd", 0, |out| {
                    put32(out, &[1]);
                    (content.entry)(out);
                });
                full(out, *b"stts", 0, |out| put32(out, &[0]));
                full(out, *b"stsc", 0, |out| put32(out, &[0]));
                full(out, *b"stsz", 0, |out| put32(out, &[0, 0]));
                full(out, *b"stco", 0, |out| put32(out, &[0]));
            });
        });
    });
}

/// FLAC in MP4 (Xiph's mapping, version 0.0.4): mono, 16 bit.
fn sound_entry(out: &mut Vec<u8>, rate: u32) {
    boxed(out, *b"fLaC", |out| {
        put32(out, &[0, 1, 0, 0]);
        put16(out, &[1, 16, 0, 0]);
        put32(out, &[rate << 16]);
        full(out, *b"dfLa", 0, |out| out.extend_from_slice(&flac::stream_info(rate)));
    });
}

fn sample_entry(out: &mut Vec<u8>, params: &Params) {
    let name = match params.codec {
        Codec::H264 => *b"avc1",
        Codec::H265 => *b"hvc1",
    };
    boxed(out, name, |out| {
        put32(out, &[0, 1, 0, 0, 0, 0]);
        put16(out, &[params.size.width as u16, params.size.height as u16]);
        put32(out, &[0x48_0000, 0x48_0000, 0]);
        put16(out, &[1]);
        out.extend_from_slice(&[0; 32]);
        put16(out, &[0x18, 0xffff]);
        match params.codec {
            Codec::H264 => boxed(out, *b"avcC", |out| avc_configuration(out, params)),
            Codec::H265 => boxed(out, *b"hvcC", |out| hevc_configuration(out, params)),
        }
    });
}

fn avc_configuration(out: &mut Vec<u8>, params: &Params) {
    let sps = params.h264();
    let [profile, flags, level] = sps.map_or([0; 3], |sps| sps.profile);
    out.extend_from_slice(&[1, profile, flags, level, 0xff]);
    out.push(0xe0 | params.sps.len() as u8);
    put_sets(out, &params.sps);
    out.push(params.pps.len() as u8);
    put_sets(out, &params.pps);
    if let Some(sps) = sps.filter(|_| matches!(profile, 100 | 110 | 122 | 144)) {
        out.extend_from_slice(&[0xfc | sps.chroma, 0xf8 | sps.depth[0], 0xf8 | sps.depth[1], 0]);
    }
}

fn hevc_configuration(out: &mut Vec<u8>, params: &Params) {
    let sps = params.h265();
    out.push(1);
    out.extend_from_slice(&sps.map_or([0; 12], |sps| sps.profile));
    let (chroma, depth) = sps.map_or((1, [0; 2]), |sps| (sps.chroma, sps.depth));
    let (layers, nested) = sps.map_or((0, true), |sps| sps.layers);
    out.extend_from_slice(&[0xf0, 0, 0xfc, 0xfc | chroma, 0xf8 | depth[0], 0xf8 | depth[1], 0, 0]);
    out.push((layers + 1) << 3 | u8::from(nested) << 2 | 3);
    out.push(3);
    for (kind, sets) in [(32, &params.vps), (33, &params.sps), (34, &params.pps)] {
        out.push(0x80 | kind);
        put16(out, &[sets.len() as u16]);
        put_sets(out, sets);
    }
}

fn put_sets(out: &mut Vec<u8>, sets: &[Vec<u8>]) {
    for set in sets {
        put16(out, &[set.len() as u16]);
        out.extend_from_slice(set);
    }
}

/// One sample of a track.
struct Sample {
    track: u32,
    /// All in ticks of the track's clock.
    time: u64,
    duration: u32,
    flags: u32,
    length: usize,
}

/// Depends on no other sample.
const BEGINS: u32 = 0x0200_0000;
/// Depends on others, and is no place to begin.
const FOLLOWS: u32 = 0x0101_0000;

/// A sample as a fragment: `moof` and `mdat`, whose content `put` writes.
fn one(number: u32, sample: &Sample, put: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::with_capacity(sample.length + 128);
    let mut offset_at = 0;
    boxed(&mut out, *b"moof", |out| {
        full(out, *b"mfhd", 0, |out| put32(out, &[number]));
        boxed(out, *b"traf", |out| {
            full(out, *b"tfhd", 0x02_0000, |out| put32(out, &[sample.track]));
            full(out, *b"tfdt", 0x0100_0000, |out| {
                out.extend_from_slice(&sample.time.to_be_bytes());
            });
            full(out, *b"trun", 0x0701, |out| {
                put32(out, &[1]);
                offset_at = out.len();
                put32(out, &[0, sample.duration, sample.length as u32, sample.flags]);
            });
        });
    });
    let offset = out.len() as u32 + 8;
    if let Some(place) = out.get_mut(offset_at..offset_at + 4) {
        place.copy_from_slice(&offset.to_be_bytes());
    }
    boxed(&mut out, *b"mdat", put);
    out
}

/// One picture as a fragment. Numbers begin at 1; the times are microseconds of the stream's clock,
/// `base` that of the first fragment.
pub fn fragment(frame: &Frame, number: u32, base: u64, duration: u64) -> Vec<u8> {
    let since = frame.time.saturating_sub(base);
    let sample = Sample {
        track: PICTURES,
        time: (u128::from(since) * u128::from(TIMESCALE) / 1_000_000) as u64,
        duration: ticks(duration),
        flags: if frame.key { BEGINS } else { FOLLOWS },
        length: frame.units().map(|unit| unit.len() + 4).sum(),
    };
    one(number, &sample, |out| {
        for unit in frame.units() {
            put32(out, &[unit.len() as u32]);
            out.extend_from_slice(unit);
        }
    })
}

/// One frame of FLAC as a fragment; time and length are in samples.
pub fn sound_fragment(data: &[u8], number: u32, time: u64, samples: u32) -> Vec<u8> {
    let sample =
        Sample { track: SOUND, time, duration: samples, flags: BEGINS, length: data.len() };
    one(number, &sample, |out| out.extend_from_slice(data))
}

/// A file of one key frame.
pub fn snapshot(frame: &Frame) -> Vec<u8> {
    let mut out = frame.params.as_ref().map(|params| header(params, None)).unwrap_or_default();
    out.extend_from_slice(&fragment(frame, 1, frame.time, 1_000_000));
    out
}
