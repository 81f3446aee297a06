//! Laws of the RTSP server's pure parts: streams made by hand, cut anywhere. The real thing, with
//! real viewers, is in `tests/rtsp/`.

use std::sync::Arc;

use mi360d::rtsp::assemble::{Assembler, LARGEST_PICTURE, Losses};
use mi360d::rtsp::bits::BitWriter;
use mi360d::rtsp::frame::{Frame, PAYLOAD};
use mi360d::rtsp::params::Codec;
use mi360d::rtsp::ring::{Ring, Room};
use mi360d::rtsp::{Form, fmp4, h264, h265, sdp};
use proptest::prelude::*;

/// An H.264 sequence parameter set: 640x360 at 20 in a second, frame_num of 4 bits.
fn sps264() -> Vec<u8> {
    let mut bits = BitWriter::new();
    for byte in [77, 0, 30] {
        bits.byte(byte);
    }
    for value in [0, 0, 2, 1] {
        bits.ue(value);
    }
    bits.bit(false);
    bits.ue(39);
    bits.ue(22);
    bits.put(2, 0b11);
    bits.bit(true); // cropped
    for value in [0, 0, 0, 4] {
        bits.ue(value);
    }
    bits.bit(true);
    bits.put(4, 0);
    bits.bit(true);
    bits.put(32, 1000);
    bits.put(32, 40_000);
    [vec![0x67], bits.finish()].concat()
}

fn pps264() -> Vec<u8> {
    let mut bits = BitWriter::new();
    bits.ue(0);
    bits.ue(0);
    bits.put(8, 0);
    [vec![0x68], bits.finish()].concat()
}

/// A slice of picture `number` (0 is a key frame) with so many bytes behind its header.
fn slice264(number: u32, first: bool, length: usize) -> Vec<u8> {
    let mut bits = BitWriter::new();
    bits.ue(u32::from(!first) * 40);
    bits.ue(if number == 0 { 7 } else { 5 });
    bits.ue(0);
    bits.put(4, number % 16);
    bits.put(8, number);
    let mut unit = vec![if number == 0 { 0x65 } else { 0x41 }];
    unit.extend(bits.finish());
    unit.extend((0..length).map(|at| (at % 251 + 4) as u8));
    unit
}

/// An H.265 stream's sets, as x265 writes them for 640x360.
const SETS265: [&[u8]; 3] = [
    &[
        0x40, 1, 0x0c, 1, 0xff, 0xff, 1, 0x60, 0, 0, 3, 0, 0x90, 0, 0, 3, 0, 0, 3, 0, 0x3f, 0x95,
        0x98, 9,
    ],
    &[
        0x42, 1, 1, 1, 0x60, 0, 0, 3, 0, 0x90, 0, 0, 3, 0, 0, 3, 0, 0x3f, 0xa0, 5, 2, 1, 0x69,
        0x65, 0x95, 0x9a, 0x49, 0x32, 0xbc, 5, 0xa0, 0x20, 0, 0, 3, 0, 0x20, 0, 0, 3, 2, 0x81,
    ],
    &[0x44, 1, 0xc1, 0x72, 0xb4, 0x62, 0x40],
];

fn code(out: &mut Vec<u8>, unit: &[u8]) {
    out.extend_from_slice(&[0, 0, 0, 1]);
    out.extend_from_slice(unit);
}

/// One picture of an H.264 stream as it is written: two slices, sets before a key frame.
fn picture264(number: u32, length: usize) -> Vec<u8> {
    let mut out = Vec::new();
    if number == 0 {
        code(&mut out, &sps264());
        code(&mut out, &pps264());
    }
    code(&mut out, &slice264(number, true, length));
    code(&mut out, &slice264(number, false, length / 2));
    out
}

/// What an assembler made of these pieces: the pictures' units, and whether each is a key frame.
type Shown = Vec<(bool, Vec<Vec<u8>>)>;

fn assemble(pieces: &[&[u8]], cut_behind: Option<usize>) -> (Shown, Losses) {
    let mut assembler = Assembler::new();
    let mut shown = Shown::new();
    let mut sink = |picture: &mi360d::rtsp::assemble::Picture<'_>| {
        shown.push((picture.key, picture.units().map(<[u8]>::to_vec).collect()));
    };
    for (index, piece) in pieces.iter().enumerate() {
        assembler.feed(piece, index as u64, &mut sink);
        if cut_behind == Some(index) {
            assembler.cut();
        }
    }
    assembler.end(&mut sink);
    let losses = assembler.losses();
    (shown, losses)
}

fn units264(number: u32, length: usize) -> Vec<Vec<u8>> {
    vec![slice264(number, true, length), slice264(number, false, length / 2)]
}

#[test]
fn parameter_sets_tell_size_and_rate() {
    let sps = h264::Sps::parse(&sps264()).unwrap();
    assert_eq!((sps.size.width, sps.size.height), (640, 360));
    assert!((sps.rate.unwrap().per_second() - 20.0).abs() < 1e-9);
    let sps = h265::Sps::parse(SETS265[1]).unwrap();
    assert_eq!((sps.size.width, sps.size.height), (640, 360));
    assert!((sps.rate.unwrap().per_second() - 20.0).abs() < 1e-9);
    assert!(h265::is_vps(SETS265[0]) && h265::Pps::parse(SETS265[2]).is_some());
}

#[test]
fn a_set_of_one_codec_is_none_of_the_other() {
    for set in SETS265 {
        assert!(h264::Sps::parse(set).is_none());
    }
    assert!(h265::Sps::parse(&sps264()).is_none() && !h265::is_vps(&sps264()));
}

#[test]
fn a_cut_picture_is_dropped_with_all_that_builds_on_it() {
    let whole: Vec<Vec<u8>> =
        [0, 1, 2, 3, 0, 1].iter().map(|number| picture264(*number, 3000)).collect();
    // Wherever in the third picture the pipe ran full.
    for cut in 0..whole[2].len() {
        let (kept, _) = whole[2].split_at(cut);
        let pieces: Vec<&[u8]> = vec![&whole[0], &whole[1], kept, &whole[3], &whole[4], &whole[5]];
        let (shown, losses) = assemble(&pieces, Some(2));
        // The second picture is whole, which only the beginning of the third can prove.
        let numbers: &[u32] = if shown.len() == 3 && cut < 64 { &[0, 0, 1] } else { &[0, 1, 0, 1] };
        let shown: Vec<Vec<Vec<u8>>> = shown.into_iter().map(|(_, units)| units).collect();
        let expected: Vec<_> = numbers.iter().map(|number| units264(*number, 3000)).collect();
        assert!(shown == expected, "cut at {cut}: {} pictures", shown.len());
        assert_eq!(losses.breaks, 1, "cut at {cut}");
    }
}

#[test]
fn a_full_pipe_whose_writer_waited_is_no_loss() {
    let whole: Vec<u8> = (0..6).flat_map(|number| picture264(number, 700)).collect();
    for at in 0..whole.len() {
        let (a, b) = whole.split_at(at);
        let (shown, losses) = assemble(&[a, b], Some(0));
        // A writer that waited just where a unit ends looks like one that gave up.
        if b.starts_with(&[0, 0, 0, 1]) || b.starts_with(&[0, 0, 1]) || b.is_empty() {
            continue;
        }
        assert_eq!((shown.len(), losses.breaks), (6, 0), "at {at}");
    }
}

#[test]
fn a_picture_that_is_missing_is_noticed_by_the_numbers() {
    let numbers = [0, 1, 2, 4, 5, 0, 1];
    let whole: Vec<Vec<u8>> = numbers.iter().map(|number| picture264(*number, 100)).collect();
    let pieces: Vec<&[u8]> = whole.iter().map(Vec::as_slice).collect();
    let (shown, losses) = assemble(&pieces, None);
    let shown: Vec<Vec<Vec<u8>>> = shown.into_iter().map(|(_, units)| units).collect();
    // The picture before the gap may have been cut itself, and is not trusted.
    let expected: Vec<_> = [0, 1, 0, 1].iter().map(|number| units264(*number, 100)).collect();
    assert_eq!(shown, expected);
    assert_eq!(losses, Losses { breaks: 1, dropped: 3 });
}

#[test]
fn a_slice_of_another_picture_spoils_the_one_it_stands_in() {
    let mut spoiled = Vec::new();
    code(&mut spoiled, &slice264(1, true, 50));
    code(&mut spoiled, &slice264(2, false, 50));
    let (first, last) = (picture264(0, 50), picture264(0, 60));
    let (shown, losses) = assemble(&[&first, &spoiled, &last], None);
    assert_eq!(shown.len(), 2);
    assert!(shown.iter().all(|(key, _)| *key));
    assert_eq!(losses.breaks, 1);
}

#[test]
fn h265_pictures_that_are_missing_are_noticed_by_their_order() {
    let slice = |order: u32| {
        let mut bits = BitWriter::new();
        bits.bit(true);
        if order == 0 {
            bits.bit(false);
        }
        bits.ue(0);
        bits.ue(if order == 0 { 2 } else { 1 });
        if order != 0 {
            bits.put(8, order);
        }
        let mut unit = vec![if order == 0 { 19 << 1 } else { 1 << 1 }, 1];
        unit.extend(bits.finish());
        unit.extend([0x55; 80]);
        unit
    };
    let stream = |orders: &[u32]| {
        let mut out = Vec::new();
        for order in orders {
            if *order == 0 {
                for set in SETS265 {
                    code(&mut out, set);
                }
            }
            code(&mut out, &slice(*order));
        }
        out
    };
    let even: Vec<u32> = (0..20).chain(0..20).collect();
    let (shown, losses) = assemble(&[&stream(&even)], None);
    assert_eq!((shown.len(), losses.breaks), (40, 0));
    let holey: Vec<u32> = (0..12).chain(13..20).chain(0..20).collect();
    let (shown, losses) = assemble(&[&stream(&holey)], None);
    assert_eq!((shown.len(), losses), (31, Losses { breaks: 1, dropped: 8 }));
    // Pictures out of order, as B pictures are, are no loss.
    let shuffled: Vec<u32> =
        (0..3).flat_map(|g| [4 * g, 4 * g + 3, 4 * g + 1, 4 * g + 2]).collect();
    assert_eq!(assemble(&[&stream(&shuffled)], None).1.breaks, 0);
}

/// A picture goes out when the next one begins, however short that one is, with the time at which
/// its own bytes came: with one that waits for the next, two would go out at once.
#[test]
fn a_picture_of_a_few_bytes_delays_no_other_and_keeps_its_time() {
    let tiny = |number: u32| {
        let mut out = Vec::new();
        if number == 0 {
            code(&mut out, &sps264());
            code(&mut out, &pps264());
        }
        code(&mut out, &slice264(number, true, if number % 5 < 2 { 300 } else { 4 }));
        out
    };
    let mut scene = mi360d::rtsp::scene::Scene::new();
    let streams: [(&str, Vec<Vec<u8>>); 2] = [
        ("short and long", (0..40).map(|at| tiny(at % 16)).collect()),
        ("the scene, two of its days", (0..400).map(|_| scene.next_picture()).collect()),
    ];
    for (name, pictures) in streams {
        let mut assembler = Assembler::new();
        let mut shown = Vec::new();
        for (at, picture) in pictures.iter().enumerate() {
            let at = at as u64;
            let mut sink = |picture: &mi360d::rtsp::assemble::Picture<'_>| {
                shown.push((picture.arrived, at));
            };
            assembler.feed(picture, at, &mut sink);
        }
        let wanted: Vec<(u64, u64)> = (1..pictures.len() as u64).map(|at| (at - 1, at)).collect();
        assert_eq!(shown, wanted, "{name}: when it came, and when it went out");
    }
}

#[test]
fn garbage_and_endless_pictures_take_no_more_than_their_room() {
    let mut assembler = Assembler::new();
    let mut shown = 0;
    let first = picture264(0, 10);
    assembler.feed(&first, 0, &mut |_| shown += 1);
    let endless = vec![0x55; 64 << 10];
    for _ in 0..64 {
        assembler.feed(&endless, 0, &mut |_| shown += 1);
    }
    let key = picture264(0, 20);
    assembler.feed(&key, 0, &mut |_| shown += 1);
    assembler.end(&mut |_| shown += 1);
    assert_eq!(shown, 1, "only the whole one");
    assert!(assembler.losses().breaks <= 1 && LARGEST_PICTURE < 64 * endless.len());
}

fn frames(lengths: &[(u32, usize)]) -> Vec<Arc<Frame>> {
    let mut assembler = Assembler::new();
    let mut out = Vec::new();
    let mut sink = |picture: &mi360d::rtsp::assemble::Picture<'_>| {
        out.push(Arc::new(Frame::new(picture, out.len() as u64 * 50_000)));
    };
    for (number, length) in lengths {
        assembler.feed(&picture264(*number, *length), 0, &mut sink);
    }
    assembler.end(&mut sink);
    out
}

#[test]
fn packets_give_the_picture_back() {
    for length in [0, 1, 1385, 1386, 1387, 1388, 1389, 5000, 200_000] {
        let frame = &frames(&[(0, length)])[0];
        let packets = frame.packets();
        assert!(packets.iter().all(|packet| packet.length() <= PAYLOAD));
        assert_eq!(
            packets.iter().map(|packet| packet.marker).rposition(|m| !m).map(|at| at + 2),
            Some(packets.len()),
            "only the last has a marker"
        );
        let mut units: Vec<Vec<u8>> = Vec::new();
        for packet in packets {
            let piece = frame.piece(packet);
            match *packet.prefix() {
                [] if piece[0] & 31 == 24 => {
                    let mut rest = &piece[1..];
                    while let [high, low, more @ ..] = rest {
                        let (unit, behind) =
                            more.split_at(usize::from(*high) << 8 | usize::from(*low));
                        units.push(unit.to_vec());
                        rest = behind;
                    }
                }
                [] => units.push(piece.to_vec()),
                [indicator, header] => {
                    if header & 0x80 != 0 {
                        units.push(vec![indicator & 0xe0 | header & 31]);
                    }
                    units.last_mut().unwrap().extend_from_slice(piece);
                }
                _ => panic!("no such prefix"),
            }
        }
        let expected = [vec![sps264(), pps264()], units264(0, length)].concat();
        assert_eq!(units, expected, "{length}");
    }
}

#[test]
fn the_description_is_one_that_others_read() {
    let frame = &frames(&[(0, 10)])[0];
    let params = frame.params.as_ref().unwrap();
    for (form, format, map) in
        [(Form::G711, "8", "8 PCMA/8000"), (Form::L16, "97", "97 L16/16000/1")]
    {
        let text = sdp::describe("mainstream", [10, 0, 0, 2].into(), 3, params, Some(form), true);
        let session = sdp_types::Session::parse(text.as_bytes()).unwrap();
        let sound = &session.medias[1];
        assert_eq!((sound.media.as_str(), sound.fmt.as_str()), ("audio", format));
        assert_eq!(sound.get_first_attribute_value("rtpmap").unwrap(), Some(map));
        let control = sound.get_first_attribute_value("control").unwrap();
        assert_eq!(control, Some(sdp::SOUND_TRACK));
    }
    let text = sdp::describe("mainstream", [10, 0, 0, 2].into(), 3, params, None, true);
    let session = sdp_types::Session::parse(text.as_bytes()).unwrap();
    let speech = &session.medias[1];
    assert_eq!((speech.media.as_str(), speech.fmt.as_str()), ("audio", "0 8"));
    assert_eq!(speech.get_first_attribute_value("sendonly"), Some(None));
    let control = speech.get_first_attribute_value("control").unwrap();
    assert_eq!(control, Some(sdp::SPEECH_TRACK));
    let text = sdp::describe("mainstream", [10, 0, 0, 2].into(), 3, params, None, false);
    let session = sdp_types::Session::parse(text.as_bytes()).unwrap();
    assert_eq!(session.medias.len(), 1, "no sound where there is none");
    let media = &session.medias[0];
    assert_eq!(
        (media.media.as_str(), media.proto.as_str(), media.fmt.as_str()),
        ("video", "RTP/AVP", "96")
    );
    let fmtp = media.get_first_attribute_value("fmtp").unwrap().unwrap();
    assert!(fmtp.contains("profile-level-id=4D001E") && fmtp.contains("packetization-mode=1"));
    let sets = fmtp.split("sprop-parameter-sets=").nth(1).unwrap();
    let sets: Vec<Vec<u8>> = sets
        .split(',')
        .map(|set| <base64ct::Base64 as base64ct::Encoding>::decode_vec(set).unwrap())
        .collect();
    assert_eq!(sets, [sps264(), pps264()]);
    assert_eq!(params.codec, Codec::H264);
    assert_eq!(fmp4::codec_string(params), "avc1.4d001e");
}

#[test]
fn a_viewer_begins_at_the_last_key_frame_only_while_that_is_fresh() {
    let mut assembler = Assembler::new();
    let mut all = Vec::new();
    let mut sink = |picture: &mi360d::rtsp::assemble::Picture<'_>| {
        all.push(Arc::new(Frame::new(picture, picture.arrived)));
    };
    for at in 0..30 {
        let number = u32::try_from(at % 10).unwrap();
        assembler.feed(&picture264(number, 100), 1 + at * 50_000, &mut sink);
    }
    assembler.end(&mut sink);
    let mut ring = Ring::new(Room::default());
    for frame in &all[..15] {
        ring.push(Arc::clone(frame));
    }
    let key = &all[10];
    assert!(key.key && key.arrived > 0);
    let mut fresh = ring.at_key(key.arrived);
    assert!(Arc::ptr_eq(&ring.next(&mut fresh).unwrap().frame, key));
    let mut late = ring.at_key(key.arrived + 1);
    assert!(ring.next(&mut late).is_none(), "it waits");
    for frame in &all[15..] {
        ring.push(Arc::clone(frame));
    }
    assert!(Arc::ptr_eq(&ring.next(&mut late).unwrap().frame, &all[20]));
    assert!(Arc::ptr_eq(&ring.next(&mut fresh).unwrap().frame, &all[11]));
}

#[test]
fn who_falls_behind_goes_on_at_a_key_frame_and_knows_what_it_lost() {
    let numbers: Vec<(u32, usize)> = (0..40).map(|at| (at % 10, 3000)).collect();
    let all = frames(&numbers);
    let room = Room { bytes: 15 * all[1].held() + all[1].held() / 2, time: u64::MAX };
    let mut ring = Ring::new(room);
    let mut place = ring.at_key(u64::MAX);
    for frame in &all[..12] {
        ring.push(Arc::clone(frame));
    }
    let first = ring.next(&mut place).unwrap();
    assert!(first.frame.key && first.lost == 0);
    for frame in &all[12..] {
        ring.push(Arc::clone(frame));
    }
    assert!(ring.held() <= room.bytes, "memory is bounded");
    assert_eq!(ring.missed(&place), 25 - 1, "fifteen of forty are there");
    let next = ring.next(&mut place).unwrap();
    assert!(next.frame.key && Arc::ptr_eq(&next.frame, &all[30]));
    assert_eq!(next.lost, 29);
    for frame in &all[31..] {
        assert!(Arc::ptr_eq(&ring.next(&mut place).unwrap().frame, frame));
    }
    assert!(ring.next(&mut place).is_none());
    assert!(Arc::ptr_eq(ring.last_key().unwrap(), &all[30]));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// However the pipe deals the bytes out, the same pictures come.
    #[test]
    fn pieces_give_what_the_whole_gives(
        lengths in proptest::collection::vec(0usize..4000, 1..8),
        sizes in proptest::collection::vec(1usize..3000, 1..20),
    ) {
        let whole: Vec<u8> = lengths.iter().enumerate()
            .flat_map(|(number, length)| picture264(number as u32, *length)).collect();
        let mut pieces = Vec::new();
        let mut rest = whole.as_slice();
        for size in sizes.iter().cycle() {
            let (piece, behind) = rest.split_at((*size).min(rest.len()));
            pieces.push(piece);
            rest = behind;
            if rest.is_empty() {
                break;
            }
        }
        let (shown, losses) = assemble(&pieces, None);
        prop_assert_eq!(shown.len(), lengths.len());
        for (at, (key, units)) in shown.iter().enumerate() {
            prop_assert_eq!(*key, at == 0);
            prop_assert_eq!(units, &units264(at as u32, lengths[at]));
        }
        prop_assert_eq!(losses, Losses::default());
    }

    /// Nothing that can come out of a pipe panics.
    #[test]
    fn any_bytes_are_survived(bytes in proptest::collection::vec(0u8..8, 0..4000)) {
        let mut stream = picture264(0, 10);
        stream.extend(bytes);
        stream.extend(picture264(0, 10));
        let (shown, _) = assemble(&[&stream], None);
        prop_assert!(shown.iter().all(|(_, units)| !units.is_empty()));
    }
}
