//! Our reader at the vendor's library.

use std::time::{Duration, Instant};

use mi360d::vendor::frames::{EndpointKind, EndpointState};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::Signal;

use super::{Ours, Vendor, alone, shared, until};

/// `prove.py read`.
#[test]
fn every_frame_of_the_vendor_s_library_arrives_whole() {
    let (_shared, folder) = (shared(), tempfile::tempdir().unwrap());
    let endpoint = folder.path().join("e");
    let vendor = Vendor::broadcaster(&endpoint, &["fps=80", "frames=440"]);
    let ours = Ours::of(&endpoint, &[EndpointKind::Picture]).until_live(400);
    ours.assert_whole();
    assert!(ours.frames().iter().filter(|frame| frame.1 == 102_400).count() >= 19);
    assert_eq!(ours.seen[0].states, [EndpointState::Connected, EndpointState::Live]);
    ours.reader.end();
    until("its end", || vendor.count("EV gone") == 1 && vendor.count("END") == 1);
    assert_eq!(endpoint.read_dir().unwrap().count(), 1, "only the socket is there");
}

/// `prove.py two`: one that is closed hard harms neither the others nor the library.
#[test]
fn two_of_ours_and_the_vendor_s_own_reader_get_everything_while_a_third_is_closed_hard() {
    let (_shared, folder) = (shared(), tempfile::tempdir().unwrap());
    let endpoint = folder.path().join("e");
    let vendor = Vendor::broadcaster(&endpoint, &["fps=40"]);
    let other = Vendor::start("vrcv-pictures", &endpoint, &["frames=60"]);
    let mut both = [(); 2].map(|()| Ours::of(&endpoint, &[EndpointKind::Picture]));
    let turn = |both: &mut [Ours; 2]| both.iter_mut().for_each(Ours::turn);
    until("three readers", || {
        turn(&mut both);
        vendor.count("peers=3") > 0
    });
    let mut third = Ours::of(&endpoint, &[EndpointKind::Picture]);
    until("the third", || {
        turn(&mut both);
        third.turn();
        !third.frames().is_empty()
    });
    drop(third);
    let before = both[1].frames().len();
    until("the vendor's reader, and more frames", || {
        turn(&mut both);
        other.count("END") == 1 && both[1].frames().len() > before + 20
    });
    assert_eq!(other.count("END got=60 bad=0"), 1, "{}", other.last());
    for ours in both {
        ours.assert_whole();
        ours.reader.end();
    }
    until("all to be gone", || vendor.count("EV gone") == 4);
    assert_eq!(vendor.count("EV accept"), 4);
    until("a frame for nobody", || vendor.count("peers=0") > 0);
}

/// A reader that stands still, and another one meanwhile; what the library does with the first is
/// `keep`.
fn standing_still(keep: &str) -> Ours {
    let folder = tempfile::tempdir().unwrap();
    let endpoint = folder.path().join("e");
    let words = ["fps=200", "min=3000", "max=3000", "gop=0", keep];
    let vendor = Vendor::broadcaster(&endpoint, &words);
    let mut still = Ours::of(&endpoint, &[EndpointKind::Picture]).until_live(1);
    let mut other = Ours::of(&endpoint, &[EndpointKind::Picture]);
    until("a full queue", || {
        other.turn();
        vendor.count("EV error") == 1
    });
    let before = other.frames().len();
    until("more for the other", || {
        other.turn();
        other.frames().len() > before + 100
    });
    other.assert_whole();
    assert_eq!(other.state(), Some(&EndpointState::Live));
    // It reads on: what was queued, and what comes behind the gap.
    let queued = still.frames().len() + 100;
    until("what was queued", || {
        still.turn();
        still.frames().len() > queued && (still.lost() > 0 || still.seen[0].states.len() > 3)
    });
    other.reader.end();
    still
}

/// `prove.py slow_keep`: what fetch_av does.
#[test]
fn a_reader_that_stood_still_stays_connected_and_knows_its_one_gap() {
    let _shared = shared();
    let still = standing_still("keep=1");
    assert_eq!((still.lost(), still.state()), (1, Some(&EndpointState::Live)));
    assert_eq!(still.seen[0].states, [EndpointState::Connected, EndpointState::Live]);
    still.reader.end();
}

/// `prove.py slow_kick`.
#[test]
fn a_reader_that_was_thrown_out_reads_what_was_queued_and_comes_back() {
    let _shared = shared();
    let still = standing_still("keep=0");
    let (seen, connected) = (&still.seen[0].states, EndpointState::Connected);
    assert_eq!(
        seen[..],
        [
            connected.clone(),
            EndpointState::Live,
            EndpointState::Gone,
            connected,
            EndpointState::Live
        ][..seen.len()]
    );
    assert!(seen.contains(&EndpointState::Gone));
    still.reader.end();
}

/// `prove.py restart`.
#[test]
fn a_broadcaster_that_is_killed_and_started_again_is_found_again() {
    let (_shared, folder) = (shared(), tempfile::tempdir().unwrap());
    let endpoint = folder.path().join("e");
    let mut vendor = Vendor::broadcaster(&endpoint, &["fps=40"]);
    let mut ours = Ours::of(&endpoint, &[EndpointKind::Picture]).until_live(5);
    vendor.kill();
    let turn_until = |what: &str, ours: &mut Ours, done: &dyn Fn(&Ours) -> bool| {
        until(what, || {
            ours.turn();
            done(ours)
        });
    };
    turn_until("the end", &mut ours, &|ours| ours.state() == Some(&EndpointState::Gone));
    // A dead socket is there: it is tried once a second, and that is no news.
    let began = Instant::now();
    turn_until("a try", &mut ours, &|_| began.elapsed() > Duration::from_millis(1_200));
    assert_eq!(ours.state(), Some(&EndpointState::Gone));
    let _vendor = Vendor::broadcaster(&endpoint, &["fps=40", "start=500"]);
    let before = ours.frames().len();
    turn_until("frames again", &mut ours, &|ours| ours.frames().len() > before + 5);
    assert!(ours.frames()[before].0 >= 500);
    let lost = ours.frames()[before + 1..].iter().any(|frame| frame.2);
    assert!(!lost && ours.state() == Some(&EndpointState::Live));
    ours.reader.end();
}

/// `prove.py idr`: what is said arrives, both ways, and one that is thrown out sees it.
#[test]
fn requests_reach_the_vendor_s_library_and_its_texts_reach_us() {
    let (_shared, folder) = (shared(), tempfile::tempdir().unwrap());
    let endpoint = folder.path().join("e");
    let vendor = Vendor::broadcaster(&endpoint, &["fps=20", "gop=0"]);
    let kinds = [EndpointKind::Picture, EndpointKind::Messages, EndpointKind::Speaker];
    let mut ours = Ours::of(&endpoint, &kinds).until_live(5);
    let began = Instant::now();
    // One by itself when it connected; the next not before a second is over.
    ours.reader.request_key_frame();
    ours.reader.request_key_frame();
    until("two requests", || {
        ours.turn();
        vendor.count("text=REQ_IDR") == 2 && vendor.count(" IDR") == 2
    });
    assert!(began.elapsed() > Duration::from_millis(500), "{:?}", began.elapsed());
    assert!(ours.reader.speak(b"TEXT hello"));
    until("the text", || {
        ours.turn();
        !ours.seen[1].texts.is_empty()
    });
    assert_eq!(ours.seen[1].texts, [b"TEXT hello".to_vec()]);
    until("three messages", || vendor.count("EV message") == 3);
    assert!(ours.reader.speak(b"KICK"));
    let before = ours.frames().len();
    until("its end", || {
        ours.turn();
        ours.seen[2].states.contains(&EndpointState::Gone) && ours.frames().len() > before
    });
    assert_eq!(ours.state(), Some(&EndpointState::Live));
    ours.reader.end();
}

/// `prove.py snap`: answers to one reader, of any size.
#[test]
fn snapshots_of_any_size_arrive_at_the_one_who_asked() {
    let (_shared, folder) = (shared(), tempfile::tempdir().unwrap());
    let endpoint = folder.path().join("e");
    let vendor = Vendor::broadcaster(&endpoint, &["fps=0"]);
    let mut ours = Ours::of(&endpoint, &[EndpointKind::Jpeg]);
    let mut other = Ours::of(&endpoint, &[EndpointKind::Jpeg]);
    for number in 1..=4 {
        until("a snapshot", || {
            other.turn();
            ours.turn();
            let asked = ours.frames().len() + 1 > number || ours.reader.request_snapshot();
            asked && ours.frames().len() == number
        });
    }
    let sizes: Vec<usize> = ours.frames().iter().map(|frame| frame.1).collect();
    assert_eq!(sizes, [4000, 4001, 262_144, 700_000], "{}", vendor.last());
    assert!(other.frames().is_empty());
    assert_eq!(vendor.count("EV message"), 4);
    ours.reader.end();
    other.reader.end();
    until("both to be gone", || vendor.count("EV gone") == 2);
}

/// `prove.py fdlimit`: a frame that comes without its descriptor costs that frame only.
#[test]
fn without_a_free_descriptor_only_that_frame_is_lost() {
    let (_alone, folder) = (alone(), tempfile::tempdir().unwrap());
    let endpoint = folder.path().join("e");
    let vendor = Vendor::broadcaster(&endpoint, &["fps=40", "gop=0"]);
    let mut ours = Ours::of(&endpoint, &[EndpointKind::Picture]).until_live(3);
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, 64, hard).unwrap();
    let mut held = Vec::new();
    while let Ok(file) = ours.wake.try_clone() {
        held.push(file);
    }
    let before = (ours.frames().len(), vendor.count("TX"));
    while vendor.count("TX") < before.1 + 10 {
        ours.turn();
    }
    let missed = ours.frames().len() - before.0;
    drop(held);
    setrlimit(Resource::RLIMIT_NOFILE, soft, hard).unwrap();
    assert!(missed < 3, "{missed} frames came although no descriptor was free");
    let before = ours.frames().len();
    until("frames again", || {
        ours.turn();
        ours.frames().len() > before + 5
    });
    assert!(ours.frames()[before].2, "the gap is reported");
    assert_eq!((ours.lost(), ours.state()), (1, Some(&EndpointState::Live)));
    assert_eq!(vendor.count("EV accept"), 1, "on the same connection");
    ours.reader.end();
}

/// `prove.py backlog`: more than may wait while the broadcaster is busy.
#[test]
fn twenty_readers_at_a_busy_broadcaster_all_get_in_and_are_all_seen_to_leave() {
    let (_shared, folder) = (shared(), tempfile::tempdir().unwrap());
    let endpoint = folder.path().join("e");
    let vendor = Vendor::broadcaster(&endpoint, &["fps=20"]);
    vendor.signal(Signal::SIGSTOP);
    let mut ours = Ours::of(&endpoint, &[EndpointKind::Picture; 20]);
    for _ in 0..50 {
        ours.turn();
    }
    let refused = ours.seen.iter().filter(|seen| seen.states == [EndpointState::Missing]).count();
    assert!((1..20).contains(&refused) || ours.seen.iter().any(|seen| seen.states.is_empty()));
    vendor.signal(Signal::SIGCONT);
    until("all", || {
        ours.turn();
        ours.seen.iter().all(|seen| seen.states.last() == Some(&EndpointState::Live))
    });
    ours.reader.end();
    until("all to be gone", || vendor.count("EV gone") == 20);
    assert_eq!(vendor.count("EV accept"), 20);
}

/// `prove.py early`: the one thing that the library does not get over, so ours never does it.
#[test]
fn a_reader_that_ends_before_it_was_accepted_is_still_seen_to_leave() {
    let (_shared, folder) = (shared(), tempfile::tempdir().unwrap());
    let endpoint = folder.path().join("e");
    let vendor = Vendor::broadcaster(&endpoint, &["fps=10"]);
    vendor.signal(Signal::SIGSTOP);
    let mut ours = Ours::of(&endpoint, &[EndpointKind::Picture]);
    ours.turn();
    let ending = std::thread::spawn(move || ours.reader.end());
    std::thread::sleep(Duration::from_millis(500));
    vendor.signal(Signal::SIGCONT);
    ending.join().unwrap();
    until("it to be gone", || vendor.count("EV gone") == 1);
    assert_eq!(vendor.count("EV accept"), 1);
}
