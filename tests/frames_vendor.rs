//! Our reader and our broadcaster in place of those of the vendor's proof rig, against the vendor's
//! own library and programs, under qemu-arm. docs/vendor-mode.md has the table: which proof of the
//! rig is which test.
//!
//! By name only: `tests/rtsp/run.py test_rig` builds the rig and runs them; `MI360D_RIG` names it.
//! Its broadcaster is changed in two places (see there): its pictures begin with a start code.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

use mi360d::vendor::frames::payload::{jpeg_header, picture_header};
use mi360d::vendor::frames::{Broadcaster, Endpoint, EndpointKind, Event, Reader, State};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// One test leaves this process without descriptors: it runs alone.
static DESCRIPTORS: RwLock<()> = RwLock::new(());

fn shared() -> RwLockReadGuard<'static, ()> {
    DESCRIPTORS.read().unwrap_or_else(PoisonError::into_inner)
}

fn alone() -> RwLockWriteGuard<'static, ()> {
    DESCRIPTORS.write().unwrap_or_else(PoisonError::into_inner)
}

fn until(what: &str, mut done: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !done() {
        assert!(Instant::now() < end, "waited for {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// The folder of the vendor's proof rig, built: `MI360D_RIG`.
fn rig() -> PathBuf {
    std::env::var_os("MI360D_RIG").map(PathBuf::from).expect("MI360D_RIG names the built rig")
}

/// A program of the rig on the vendor's library, and the lines that it printed.
struct Vendor {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Vendor {
    /// One of the rig's own.
    fn start(program: &str, endpoint: &Path, words: &[&str]) -> Vendor {
        let mut command = Command::new("qemu-arm-static");
        command.args(["-L", "/usr/arm-linux-gnueabihf", "-E"]);
        command.arg(format!("LD_LIBRARY_PATH={}", rig().join("build/lib").display()));
        command.arg(rig().join("build").join(program)).arg(endpoint).args(words);
        Vendor::of(command)
    }

    /// The rig's broadcaster, once it is ready.
    fn broadcaster(endpoint: &Path, words: &[&str]) -> Vendor {
        let vendor = Vendor::start("vbrd-pictures", endpoint, words);
        until("READY", || vendor.count("READY") == 1);
        vendor
    }

    fn of(mut command: Command) -> Vendor {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let (out, lines) = (child.stdout.take().unwrap(), Arc::new(Mutex::new(Vec::new())));
        let said = Arc::clone(&lines);
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                said.lock().unwrap().push(line);
            }
        });
        Vendor { child, lines }
    }

    /// How many of its lines contain this.
    fn count(&self, part: &str) -> usize {
        self.lines.lock().unwrap().iter().filter(|line| line.contains(part)).count()
    }

    fn last(&self) -> String {
        self.lines.lock().unwrap().last().cloned().unwrap_or_default()
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).unwrap();
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Vendor {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The bytes of the rig's frames.
fn pattern(number: u32, length: usize) -> Vec<u8> {
    (0..length as u32).map(|at| (at * 7 + (at >> 8) + number * 31) as u8).collect()
}

/// A reader, and what it reported of each endpoint.
struct Ours {
    reader: Reader,
    /// Always readable: nothing waits.
    wake: File,
    seen: Vec<Seen>,
}

#[derive(Default)]
struct Seen {
    /// Number, bytes, whether something was lost before it.
    frames: Vec<(u32, usize, bool)>,
    texts: Vec<Vec<u8>>,
    states: Vec<State>,
}

impl Ours {
    fn of(endpoint: &Path, kinds: &[EndpointKind]) -> Ours {
        let one = |kind: &EndpointKind| Endpoint { folder: endpoint.to_owned(), kind: *kind };
        Ours {
            reader: Reader::new(kinds.iter().map(one).collect()),
            wake: File::open("/dev/zero").unwrap(),
            seen: kinds.iter().map(|_| Seen::default()).collect(),
        }
    }

    /// Each byte of each frame is checked as it comes.
    fn turn(&mut self) {
        let seen = &mut self.seen;
        self.reader.turn(Some(self.wake.as_fd()), &mut |at, event| match event {
            Event::Message(text) => seen[at].texts.push(text.to_vec()),
            Event::State(state) => seen[at].states.push(state.clone()),
            Event::Frame { payload, lost } => {
                let data = payload.data;
                let (number, begin) =
                    if data.starts_with(&[0xff, 0xd8]) { (77, 2) } else { (payload.number, 6) };
                let same = data.get(begin..) == pattern(number, data.len()).get(begin..);
                assert!(same, "the bytes of frame {number}");
                seen[at].frames.push((payload.number, data.len(), lost));
            }
        });
    }

    fn until_live(mut self, count: usize) -> Ours {
        until("frames", || {
            self.turn();
            self.seen[0].frames.len() >= count
        });
        self
    }

    fn state(&self) -> Option<&State> {
        self.seen[0].states.last()
    }

    fn frames(&self) -> &[(u32, usize, bool)] {
        &self.seen[0].frames
    }

    fn lost(&self) -> usize {
        self.frames().iter().filter(|frame| frame.2).count()
    }

    /// Each follows the one before it, and none was reported lost.
    fn assert_whole(&self) {
        let follows = |pair: &[(u32, usize, bool)]| pair[1].0 == pair[0].0 + 1;
        assert!(self.frames().windows(2).all(follows) && self.lost() == 0);
    }
}

/// `prove.py read`.
#[test]
fn every_frame_of_the_vendor_s_library_arrives_whole() {
    let (_shared, folder) = (shared(), tempfile::tempdir().unwrap());
    let endpoint = folder.path().join("e");
    let vendor = Vendor::broadcaster(&endpoint, &["fps=80", "frames=440"]);
    let ours = Ours::of(&endpoint, &[EndpointKind::Picture]).until_live(400);
    ours.assert_whole();
    assert!(ours.frames().iter().filter(|frame| frame.1 == 102_400).count() >= 19);
    assert_eq!(ours.seen[0].states, [State::Connected, State::Live]);
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
    assert_eq!(other.state(), Some(&State::Live));
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
    assert_eq!((still.lost(), still.state()), (1, Some(&State::Live)));
    assert_eq!(still.seen[0].states, [State::Connected, State::Live]);
    still.reader.end();
}

/// `prove.py slow_kick`.
#[test]
fn a_reader_that_was_thrown_out_reads_what_was_queued_and_comes_back() {
    let _shared = shared();
    let still = standing_still("keep=0");
    let (seen, connected) = (&still.seen[0].states, State::Connected);
    assert_eq!(
        seen[..],
        [connected.clone(), State::Live, State::Gone, connected, State::Live][..seen.len()]
    );
    assert!(seen.contains(&State::Gone));
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
    turn_until("the end", &mut ours, &|ours| ours.state() == Some(&State::Gone));
    // A dead socket is there: it is tried once a second, and that is no news.
    let began = Instant::now();
    turn_until("a try", &mut ours, &|_| began.elapsed() > Duration::from_millis(1_200));
    assert_eq!(ours.state(), Some(&State::Gone));
    let _vendor = Vendor::broadcaster(&endpoint, &["fps=40", "start=500"]);
    let before = ours.frames().len();
    turn_until("frames again", &mut ours, &|ours| ours.frames().len() > before + 5);
    assert!(ours.frames()[before].0 >= 500);
    let lost = ours.frames()[before + 1..].iter().any(|frame| frame.2);
    assert!(!lost && ours.state() == Some(&State::Live));
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
    assert_eq!(vendor.count("EV message"), 3);
    assert!(ours.reader.speak(b"KICK"));
    let before = ours.frames().len();
    until("its end", || {
        ours.turn();
        ours.seen[2].states.contains(&State::Gone) && ours.frames().len() > before
    });
    assert_eq!(ours.state(), Some(&State::Live));
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
    assert_eq!((ours.lost(), ours.state()), (1, Some(&State::Live)));
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
    let refused = ours.seen.iter().filter(|seen| seen.states == [State::Missing]).count();
    assert!((1..20).contains(&refused) || ours.seen.iter().any(|seen| seen.states.is_empty()));
    vendor.signal(Signal::SIGCONT);
    until("all", || {
        ours.turn();
        ours.seen.iter().all(|seen| seen.states.last() == Some(&State::Live))
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

/// `prove.py reverse` and `reverse_bad`: the vendor's library (libshbf 0.2 of an `ipc019`) as the
/// reader checks every byte of a thousand frames, what either side says arrives, and our end is
/// seen.
#[test]
fn the_vendor_s_library_reads_every_byte_that_the_broadcaster_sends() {
    let (_shared, folder) = (shared(), tempfile::tempdir().unwrap());
    let endpoint = folder.path().join("video_mainstream");
    let mut broadcaster = Broadcaster::bind(&endpoint).unwrap();
    let words = ["frames=1000", "say=REQ_IDR", "every=250", "seconds=120"];
    let reader = Vendor::start("vrcv", &endpoint, &words);
    let stays = Vendor::start("vrcv", &endpoint, &["seconds=120"]);
    let mut texts = Vec::new();
    until("the vendor's readers", || {
        broadcaster.serve(&mut |_, text| texts.push(text.to_vec()));
        broadcaster.readers() == 2
    });
    for number in 1..=1000u32 {
        let key = number % 20 == 1;
        let length = if key { 261_120 } else { 200 + number * 977 % 12_000 };
        let data = pattern(number, length as usize);
        let header = picture_header(number, u64::from(number) * 50_000, length, key);
        assert_eq!(broadcaster.broadcast(&header, &data).unwrap(), 2, "{number}");
        broadcaster.serve(&mut |_, text| texts.push(text.to_vec()));
        if number == 100 {
            broadcaster.tell(b"note from us");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    until("its end", || {
        broadcaster.serve(&mut |_, text| texts.push(text.to_vec()));
        reader.count("END") == 1
    });
    assert_eq!(reader.count("END got=1000 bad=0"), 1, "{}", reader.last());
    assert_eq!(reader.count("EV message len=12 text=note from us"), 1);
    assert!(texts.len() >= 4 && texts.iter().all(|text| text == b"REQ_IDR"), "{texts:?}");
    let files = || folder.path().join("video_mainstream").read_dir().unwrap().count();
    assert!(files() <= 1, "no file stays");
    drop(broadcaster);
    until("our end to be seen", || stays.count("EV closed") == 1);
    assert_eq!((stays.count(" ok"), stays.count("BAD")), (1000, 0));
}

/// `real.py md`: the vendor's miio_md hears of motion, and comes back to a new broadcaster.
#[test]
fn the_vendor_s_miio_md_hears_motion_and_comes_back_after_a_restart() {
    let (_shared, run) = (shared(), tempfile::tempdir().unwrap());
    let mut broadcaster = Broadcaster::bind(&run.path().join("md_event")).unwrap();
    // It prints line by line to a terminal only.
    let words = format!("{} {} miio_md", rig().join("vendor.sh").display(), run.path().display());
    let mut command = Command::new("script");
    command.args(["-q", "-f", "-e", "-c", &words, "/dev/null"]);
    let vendor = Vendor::of(command);
    for round in 0..2u64 {
        until("miio_md", || {
            broadcaster.serve(&mut |_, _| {});
            broadcaster.readers() == 1
        });
        broadcaster.tell(&(1_234_567_890_123 + round).to_le_bytes());
        let line = format!("timestamp ={}", 1_234_567_890_123 + round);
        until(&line, || vendor.count(&line) == 1);
        drop(broadcaster);
        until("our end to be seen", || vendor.count("receiver closed!") > round as usize);
        broadcaster = Broadcaster::bind(&run.path().join("md_event")).unwrap();
    }
}

/// `real.py snap`: the vendor's shbf_client asks for a snapshot once a minute and keeps it as a file.
#[test]
fn the_vendor_s_client_keeps_the_snapshot_that_the_broadcaster_sends() {
    let (_shared, run) = (shared(), tempfile::tempdir().unwrap());
    let mut broadcaster = Broadcaster::bind(&run.path().join("jpeg_snap")).unwrap();
    // The client connects to it at /run.
    let mut command = Command::new(rig().join("vendor.sh"));
    command.arg(run.path()).arg("shbf_client").stderr(Stdio::null());
    let _client = Vendor::of(command);
    let mut asker = None;
    let end = Instant::now() + Duration::from_secs(100);
    while asker.is_none() {
        assert!(Instant::now() < end, "it asks once a minute");
        std::thread::sleep(Duration::from_millis(20));
        // It says "hello": any text is a request there.
        broadcaster.serve(&mut |reader, _| asker = Some(reader));
    }
    let jpeg: Vec<u8> = (0..150_000u32).map(|n| (n.wrapping_mul(n) >> 7) as u8).collect();
    let jpeg = [&[0xff, 0xd8, 0xff, 0xe0][..], &jpeg, &[0xff, 0xd9]].concat();
    let header = jpeg_header(99_887_766, jpeg.len() as u32);
    assert!(broadcaster.send(asker.unwrap(), &header, &jpeg).unwrap());
    until("the file", || {
        let files = run.path().join("sdcard").read_dir().unwrap();
        files.flatten().any(|file| fs::read(file.path()).is_ok_and(|bytes| bytes == jpeg))
    });
}
