//! Bytes become whole pictures, or none.

use mi360d::rtsp::assemble::{Assembler, LARGEST_PICTURE, Losses};
use mi360d::rtsp::bits::BitWriter;
use mi360d::rtsp::{h264, h265};
use proptest::prelude::*;

use crate::streams::{SETS265, assemble, code, picture264, pps264, slice264, sps264, units264};

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
