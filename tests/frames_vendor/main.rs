//! Our reader and our broadcaster in place of those of the vendor's proof rig, against the vendor's
//! own library and programs, under qemu-arm. docs/vendor-mode.md has the table: which proof of the
//! rig is which test.
//!
//! By name only: `tests/rtsp/run.py test_rig` builds the rig and runs them; `MI360D_RIG` names it.
//! Its broadcaster is changed in two places (see there): its pictures begin with a start code.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod broadcaster;
mod readers;

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

use mi360d::vendor::frames::{Endpoint, EndpointKind, EndpointState, Event, Reader};
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
    states: Vec<EndpointState>,
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

    fn state(&self) -> Option<&EndpointState> {
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
