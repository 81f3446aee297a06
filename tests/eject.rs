//! The vendor's app formats and ejects the card while everything of ours is at it: a backup, a hack
//! that runs from the card, the log. Real mounts, in a mount namespace of their own; what sets
//! `sdcard_status` and calls umount stands in for `miio_sdcard`, by its own steps and times.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use mi360d::camera::{Camera, Hardware, eject, services, startup};
use mi360d::card::Card;
use mi360d::card::log::{LogFile, Recent};
use mi360d::card::pieces::Pieces;
use mi360d::chip::sim::OnCut;
use mi360d::chip::{Faults, SimChip};
use nix::mount::{MsFlags, mount, umount};

const CARD: &str = "/mnt/sdcard";
const TEST: &str =
    "the_card_is_let_go_for_format_and_eject_and_everything_is_saved_on_the_next_one";

fn tmpfs(place: &str) {
    fs::create_dir_all(place).unwrap();
    mount(Some("tmpfs"), place, Some("tmpfs"), MsFlags::empty(), None::<&str>).unwrap();
}

/// Stands in for mortoxd: pushes `sdcard_status` to everybody who registered.
#[derive(Clone, Default)]
struct Mortoxd(Arc<Mutex<Vec<UnixStream>>>);

impl Mortoxd {
    fn start() -> Mortoxd {
        let listener = UnixListener::bind("/tmp/mortox.socket").unwrap();
        let daemon = Mortoxd::default();
        let mine = daemon.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut packet = [0; 256];
                let length = stream.read(&mut packet).unwrap();
                assert!(length > 34 && packet.starts_with(b"MORTOX") && packet[25] == 6);
                if !packet.windows(14).any(|word| word == b"sdcard_status\0") {
                    // A panic of this thread alone would be lost, and so would `eprintln`.
                    let _ = std::io::stderr().write_all(b"mortoxd was asked for another key\n");
                    std::process::abort();
                }
                stream.write_all(&message(10, "0")).unwrap();
                mine.0.lock().unwrap().push(stream);
            }
        });
        daemon
    }

    fn wait_for_a_client(&self) {
        wait("a client of mortoxd", || !self.0.lock().unwrap().is_empty());
    }

    fn push(&self, status: u32) {
        for stream in self.0.lock().unwrap().iter_mut() {
            stream.write_all(&message(11, &status.to_string())).unwrap();
        }
    }
}

/// A packet with layer, group, key and value, as mortoxd sends it.
fn message(command: u16, value: &str) -> Vec<u8> {
    let mut parameters = Vec::new();
    for text in ["mem", "default", "sdcard_status", value] {
        parameters.extend(1u16.to_be_bytes());
        parameters.extend((text.len() as u16 + 1).to_be_bytes());
        parameters.extend(text.as_bytes());
        parameters.push(0);
    }
    let length = parameters.len() as u32 + 12;
    let mut packet = b"MORTOX".to_vec();
    for word in [1, 1, 1, length] {
        packet.extend(word.to_be_bytes());
    }
    packet.extend([0x06, 0x72]);
    packet.extend(command.to_be_bytes());
    packet.extend(length.to_be_bytes());
    packet.extend(4u32.to_be_bytes());
    packet.extend(parameters);
    packet
}

fn wait(what: &str, condition: impl Fn() -> bool) {
    let until = Instant::now() + Duration::from_secs(120);
    while !condition() {
        assert!(Instant::now() < until, "no {what} in two minutes");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// `miio_sdcard`'s umount: at once, then nine times half a second apart.
fn vendor_umount() -> Option<u32> {
    for attempt in 1..=10 {
        if umount(CARD).is_ok() {
            return Some(attempt);
        }
        std::thread::sleep(Duration::from_millis(500));
    }
    None
}

fn sets() -> Vec<PathBuf> {
    let entries = fs::read_dir(Path::new(CARD).join("mi360d/backups")).into_iter().flatten();
    entries.map(|entry| entry.unwrap().path()).collect()
}

fn closed() -> bool {
    sets().iter().any(|set| set.join("SHA256SUMS").exists())
}

fn holder_runs() -> bool {
    fs::read_dir("/proc").unwrap().flatten().any(|entry| {
        let name = fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
        name.trim() == "mi360d-holder"
    })
}

/// This test has a main function of its own (`harness = false`): a namespace is a whole process's,
/// so the first process makes the chip and becomes the second one within the namespace.
fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [first, chip] = &arguments[..]
        && first == "--inside"
    {
        inside(Path::new(chip));
        println!("test {TEST} ... ok\n\ntest result: ok. 1 passed; 0 failed");
        return;
    }
    // As cargo's own harness takes a list and a filter.
    if arguments.iter().any(|a| a == "--list") {
        return println!("{TEST}: test");
    }
    if arguments.iter().any(|a| !a.starts_with('-') && !TEST.contains(a.as_str())) {
        return println!("test result: ok. 0 passed; 0 failed; 1 filtered out");
    }
    let chip = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("eject");
    let _ = fs::remove_dir_all(&chip);
    let made =
        Command::new(env!("CARGO_BIN_EXE_mi360d")).args(["sim", "create"]).arg(&chip).output();
    assert!(made.unwrap().status.success());
    let failed = Command::new("unshare")
        .args(["--map-root-user", "--mount", "--propagation", "private"])
        .arg(std::env::current_exe().unwrap())
        .arg("--inside")
        .arg(&chip)
        .exec();
    panic!("unshare of util-linux: {failed}");
}

fn inside(dir: &Path) {
    let chip = SimChip::open(dir, Faults::default(), OnCut::EndProcess).unwrap();
    tmpfs("/mnt");
    tmpfs(CARD);
    tmpfs("/tmp");
    // A tmpfs has no block device, and without /sys none is looked for.
    tmpfs("/sys");
    let hack = Path::new(CARD).join("hacks/holder");
    fs::create_dir_all(hack.join("bin")).unwrap();
    fs::write(
        hack.join("hack.toml"),
        "id = \"holder\"\nname = \"Holder\"\nabout = \"Holds the card\"\nexec = [\"bin/mi360d-holder\"]\n",
    )
    .unwrap();
    // The program, its folder and an open file are on the card.
    let program = hack.join("bin/mi360d-holder");
    fs::write(&program, "#!/bin/sh\nexec 3>>held\nwhile :; do sleep 1; done\n").unwrap();
    fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let config = Path::new(CARD).join("mi360d/config.toml");
    fs::create_dir_all(config.parent().unwrap()).unwrap();
    fs::write(&config, "[hacks.holder]\nenabled = true\n").unwrap();

    let log = LogFile::new(Recent::default());
    let log_on_card = log.handle();
    log.take_messages(log::LevelFilter::Info);
    let mortoxd = Mortoxd::start();
    let camera = Arc::new(Camera::new(Box::new(chip), Card::of_camera(), Hardware::Device));
    startup::before_serving(&camera, &config);
    log_on_card.open(&camera.card().logs(), 1 << 20);
    services::start(&camera, &config);
    let mine = Arc::clone(&camera);
    std::thread::spawn(move || eject::watch(&mine));
    mortoxd.wait_for_a_client();
    wait("the hack", holder_runs);
    assert!(umount(CARD).is_err(), "the hack holds the card, or this shows nothing");
    let mine = Arc::clone(&camera);
    std::thread::spawn(move || startup::beside_serving(&mine));
    wait("a set begun", || !sets().is_empty());

    // The app's "format card".
    mortoxd.push(4);
    let tries = vendor_umount().expect("umount fails ten times: the app's format would fail");
    let begun = Instant::now();
    tmpfs(CARD);
    mortoxd.push(0);
    wait("a closed set on the new card", closed);
    let identity = fs::read_dir(Path::new(CARD).join("mi360d/identity")).unwrap().next().unwrap();
    assert!(identity.unwrap().path().join("FACTORY.bin").exists());
    wait("a setup code", || Path::new(CARD).join("mi360d/setup-code.txt").exists());
    println!("[eject] format: umount took {tries}; a closed set after {:?}", begun.elapsed());
    assert!(begun.elapsed() < Duration::from_secs(120));
    let text = || fs::read_to_string(Path::new(CARD).join("mi360d/logs/mi360d.log"));
    wait("the log", || text().is_ok_and(|text| text.contains("there is a card again")));
    wait("the end of what is done", || camera.jobs().running().is_none());

    // The app's "eject card": at the first try, since nothing is under way. A client pauses in the
    // middle of a recording: the file is not open.
    let recording = Path::new(CARD).join("recording.mp4");
    fs::write(&recording, vec![7; 1 << 20]).unwrap();
    let mut paused = Pieces::new(recording, 0, 1 << 20);
    paused.read_exact(&mut [0; 100]).unwrap();
    mortoxd.push(7);
    let tries = vendor_umount().expect("umount fails ten times: the app's eject would fail");
    mortoxd.push(5);
    println!("[eject] eject: umount took {tries}");
    assert!(paused.read_to_end(&mut Vec::new()).is_err(), "it breaks off");
    tmpfs(CARD);
    mortoxd.push(0);
    wait("a closed set on the third card", closed);
    fs::remove_dir_all(dir).unwrap();
}
