//! Pictures as RTP packets, their description, and the ring that viewers read from.

use std::sync::Arc;

use mi360d::rtsp::assemble::Assembler;
use mi360d::rtsp::frame::{Frame, PAYLOAD};
use mi360d::rtsp::params::Codec;
use mi360d::rtsp::ring::{Ring, Room};
use mi360d::rtsp::{SoundForm, fmp4, sdp};

use crate::streams::{frames, picture264, pps264, sps264, units264};

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
        [(SoundForm::G711, "8", "8 PCMA/8000"), (SoundForm::L16, "97", "97 L16/16000/1")]
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
fn a_viewer_that_falls_behind_continues_at_a_key_frame_and_knows_what_it_lost() {
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
