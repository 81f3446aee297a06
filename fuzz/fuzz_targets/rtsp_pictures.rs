//! A stream from a pipe, of any bytes and in any pieces, cut anywhere: nothing panics, memory stays
//! bounded, packets give the picture back, and the first picture is a key frame.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mi360d::rtsp::assemble::{Assembler, LARGEST_PICTURE};
use mi360d::rtsp::frame::{Frame, PAYLOAD};
use mi360d::rtsp::{fmp4, h264, h265, sdp};

fuzz_target!(|input: &[u8]| {
    let _ = h264::Sps::parse(input);
    let _ = h264::pps_ids(input);
    let _ = h265::Sps::parse(input);
    let _ = h265::Pps::parse(input);
    let Some((size, bytes)) = input.split_first() else { return };
    let mut assembler = Assembler::new();
    let mut seen = 0u64;
    let mut look = |picture: &mi360d::rtsp::assemble::Picture<'_>| {
        assert!(seen > 0 || picture.key, "it begins in the middle");
        seen += 1;
        let units: Vec<&[u8]> = picture.units().collect();
        assert!(units.iter().all(|unit| !unit.is_empty()));
        assert!(units.iter().map(|unit| unit.len()).sum::<usize>() <= LARGEST_PICTURE * 2);
        let frame = Frame::new(picture, seen * 50_000);
        assert_eq!(frame.units().collect::<Vec<_>>(), units);
        let packets = frame.packets();
        assert!(packets.iter().all(|packet| packet.length() <= PAYLOAD.max(1024)));
        assert_eq!(packets.iter().filter(|packet| packet.marker).count(), 1);
        assert!(packets.last().unwrap().marker);
        let _ = sdp::describe("x", [127, 0, 0, 1].into(), 1, picture.params, None, true);
        let _ = fmp4::media_type(picture.params, Some(8_000));
        let _ = fmp4::snapshot(&frame);
    };
    for (number, piece) in bytes.chunks(usize::from(*size).max(1)).enumerate() {
        assembler.feed(piece, number as u64, &mut look);
        match piece[0] {
            7 => assembler.cut(),
            13 => assembler.writer_gone(),
            _ => {}
        }
    }
    assembler.end(&mut look);
});
