//! The firmware's frame transport: our reader against our broadcaster, and against broadcasters that
//! break each of its rules. The vendor's own programs: tests/rtsp/test_vendor.py.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod liars;

use std::fs::File;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use mi360d::vendor::frames::payload::{jpeg_header, picture_header, sound_header};
use mi360d::vendor::frames::{Broadcaster, Endpoint, EndpointKind, EndpointState, Event, Reader};

/// What a reader reported.
#[derive(Debug, Default)]
struct Seen {
    /// Number, time, data, whether something was lost before it.
    frames: Vec<(u32, u64, Vec<u8>, bool)>,
    states: Vec<EndpointState>,
}

fn turn(reader: &mut Reader, seen: &mut Seen) {
    // A device that is always readable: nothing waits.
    let wake = File::open("/dev/zero").unwrap();
    std::thread::sleep(Duration::from_millis(1));
    reader.turn(Some(wake.as_fd()), &mut |_, event| match event {
        Event::Message(_) => {}
        Event::Frame { payload, lost } => {
            seen.frames.push((payload.number, payload.micros, payload.data.to_vec(), lost));
        }
        Event::State(state) => seen.states.push(state.clone()),
    });
}

fn until(what: &str, mut done: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !done() {
        assert!(Instant::now() < end, "waited for {what}");
    }
}

fn reader_of(folder: &Path, kind: EndpointKind) -> Reader {
    Reader::new(vec![Endpoint { folder: folder.to_owned(), kind }])
}

fn picture(number: u32, length: usize) -> ([u8; 32], Vec<u8>) {
    let mut data = vec![0, 0, 0, 1, 0x26, 1];
    data.extend((6..length).map(|at| (at as u32 * 7 + number * 31) as u8 | 1));
    let header = picture_header(number, u64::from(number) * 50_000, data.len() as u32, true);
    (header, data)
}

#[test]
fn every_byte_of_every_frame_arrives_and_nothing_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let endpoint = folder.path().join("video_mainstream");
    let (mut broadcaster, mut reader) =
        (Broadcaster::bind(&endpoint).unwrap(), reader_of(&endpoint, EndpointKind::Picture));
    let mut seen = Seen::default();
    let mut texts = Vec::new();
    until("the descriptor", || {
        turn(&mut reader, &mut seen);
        broadcaster.serve(&mut |_, text| texts.push(text.to_vec()));
        seen.states.contains(&EndpointState::Connected)
    });
    // The largest of a main stream; the smallest; one that fills its pages exactly.
    let lengths = [261_120, 6, 4096 - 96, 4096 - 95, 100_000];
    for number in 1..=500u32 {
        let (header, data) = picture(number, lengths[number as usize % lengths.len()]);
        assert_eq!(broadcaster.broadcast(&header, &data).unwrap(), 1);
        until("a frame", || {
            turn(&mut reader, &mut seen);
            !seen.frames.is_empty()
        });
        let expected = (number, u64::from(number) * 50_000, data, false);
        assert_eq!(seen.frames.pop(), Some(expected));
    }
    until("the request for a key frame", || {
        turn(&mut reader, &mut seen);
        broadcaster.serve(&mut |_, text| texts.push(text.to_vec()));
        !texts.is_empty()
    });
    assert_eq!(texts, [b"REQ_IDR"], "once, when it came");
    let states = [EndpointState::Connected, EndpointState::Live];
    assert_eq!(seen.states, states);
}

#[test]
fn a_reader_that_was_held_up_knows_what_it_lost_and_asks_for_one_key_frame() {
    let folder = tempfile::tempdir().unwrap();
    let (mut broadcaster, mut reader) = (
        Broadcaster::bind(folder.path()).unwrap(),
        reader_of(folder.path(), EndpointKind::Picture),
    );
    let mut seen = Seen::default();
    let mut requests = 0;
    until("the descriptor", || {
        turn(&mut reader, &mut seen);
        broadcaster.serve(&mut |_, _| requests += 1);
        seen.states.contains(&EndpointState::Connected)
    });
    // Nobody reads: the queue of the socket fills, and the rest is dropped.
    let mut delivered = 0;
    for number in 1..=2_000 {
        let (header, data) = picture(number, 100);
        delivered += broadcaster.broadcast(&header, &data).unwrap();
    }
    assert!((10..2_000).contains(&delivered), "{delivered}");
    until("what was queued", || {
        turn(&mut reader, &mut seen);
        seen.frames.len() == delivered
    });
    assert!(seen.frames.iter().all(|frame| !frame.3), "nothing is missing in between");
    let (header, data) = picture(2_001, 100);
    assert_eq!(broadcaster.broadcast(&header, &data).unwrap(), 1);
    until("the next", || {
        turn(&mut reader, &mut seen);
        seen.frames.len() > delivered
    });
    let last = seen.frames.last().unwrap();
    assert_eq!((last.0, last.3), (2_001, true), "a gap is reported");
    let began = Instant::now();
    until("requests", || {
        turn(&mut reader, &mut seen);
        broadcaster.serve(&mut |_, _| requests += 1);
        requests == 2
    });
    // One when it connected, one for the gap.
    while began.elapsed() < Duration::from_secs(3) {
        turn(&mut reader, &mut seen);
        broadcaster.serve(&mut |_, _| requests += 1);
    }
    assert_eq!(requests, 2);
}

#[test]
fn sound_and_snapshots_have_headers_of_their_own_and_snapshots_are_spaced() {
    let folder = tempfile::tempdir().unwrap();
    let (audio, snap) = (folder.path().join("audio_in"), folder.path().join("jpeg_snap"));
    let mut broadcasters = [Broadcaster::bind(&audio).unwrap(), Broadcaster::bind(&snap).unwrap()];
    let endpoint = |folder: &PathBuf, kind| Endpoint { folder: folder.clone(), kind };
    let mut reader = Reader::new(vec![
        endpoint(&audio, EndpointKind::Sound),
        endpoint(&snap, EndpointKind::Jpeg),
    ]);
    let mut seen = Seen::default();
    until("both", || {
        turn(&mut reader, &mut seen);
        broadcasters.iter_mut().for_each(|one| one.serve(&mut |_, _| {}));
        seen.states.len() == 2
    });
    let sound = vec![0xd5; 640];
    broadcasters[0].broadcast(&sound_header(7, 40_000, 640), &sound).unwrap();
    assert!(reader.request_snapshot());
    assert!(!reader.request_snapshot(), "the second one within a second");
    let mut asked = Vec::new();
    until("the request", || {
        turn(&mut reader, &mut seen);
        broadcasters[1].serve(&mut |peer, text| asked.push((peer, text.to_vec())));
        !asked.is_empty()
    });
    assert_eq!(asked[0].1, b"REQ_SNAPSHOT_R");
    let jpeg = [&[0xff, 0xd8][..], &vec![9; 819_198]].concat();
    assert!(broadcasters[1].send(asked[0].0, &jpeg_header(5, 819_200), &jpeg).unwrap());
    until("sound and snapshot", || {
        turn(&mut reader, &mut seen);
        seen.frames.len() == 2
    });
    seen.frames.sort_by_key(|frame| frame.0);
    assert_eq!(seen.frames, [(0, 5, jpeg, false), (7, 40_000, sound, false)]);
    assert!(!reader.request_snapshot());
    std::thread::sleep(Duration::from_millis(1_050));
    assert!(reader.request_snapshot());
}

#[test]
fn a_broadcaster_that_ends_and_comes_back_is_found_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut reader = reader_of(folder.path(), EndpointKind::Picture);
    let mut seen = Seen::default();
    turn(&mut reader, &mut seen);
    assert_eq!(seen.states, [], "a missing socket is where it begins");
    for life in 1..=2 {
        let mut broadcaster = Broadcaster::bind(folder.path()).unwrap();
        until("a reader", || {
            turn(&mut reader, &mut seen);
            broadcaster.serve(&mut |_, _| {});
            broadcaster.readers() == 1
        });
        let (header, data) = picture(life * 100, 50);
        broadcaster.broadcast(&header, &data).unwrap();
        until("the frame", || {
            turn(&mut reader, &mut seen);
            seen.frames.pop().is_some_and(|frame| (frame.0, frame.3) == (life * 100, false))
        });
        drop(broadcaster);
        until("the end", || {
            turn(&mut reader, &mut seen);
            seen.states.last() == Some(&EndpointState::Gone)
        });
    }
}
