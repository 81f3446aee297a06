//! Files that are no files, or have odd names: every command that opens one answers at once.

#![allow(clippy::unwrap_used)] // in the helpers too

mod desk;
mod rig;
mod synthetic;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use desk::Desk;
use mi360d::image::inspect;
use mi360d::image::source::{OpenFile, Source};
use rig::{Ran, program};
use synthetic::{chip, factory};

#[test]
fn odd_names_and_odd_files_are_answered_at_once() {
    let desk = Desk::new();
    let name = std::ffi::OsStr::from_bytes(b"d\xFFmp.bin");
    fs::write(desk.0.path().join(name), factory("123456789")).unwrap();
    for json in [&["--json"][..], &[]] {
        let ran = Ran::of(
            Command::new(program()).args(json).arg("inspect").arg(name).current_dir(desk.0.path()),
        );
        assert_eq!(ran.status, Some(0), "{ran:?}");
        assert!(ran.out.contains("FACTORY"), "{ran:?}");
    }
    let escape = desk.put("a\u{1b}[31mb.bin", &factory("123456789"));
    let ran = Ran::of(Command::new(program()).arg("inspect").arg(&escape));
    assert!(!ran.out.contains('\u{1b}') && ran.out.contains("\\u{1b}"), "{}", ran.out);
    let ran = Ran::of(Command::new(program()).arg("inspect").arg("no\u{1b}[0msuch"));
    assert!(!ran.err.contains('\u{1b}'), "{}", ran.err);

    let fifo = desk.path("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let sparse = desk.path("sparse");
    fs::File::create(&sparse).unwrap().set_len(15 << 40).unwrap();
    for odd in [fifo.as_path(), sparse.as_path(), Path::new("/dev/zero")] {
        for words in
            [&["inspect"][..], &["redact", "--out", "r.bin"], &["recover", "--out", "r.bin"]]
        {
            let ran =
                Ran::of(Command::new(program()).args(words).arg(odd).current_dir(desk.0.path()));
            assert_eq!(ran.status, Some(1), "{words:?} {odd:?}: {ran:?}");
        }
    }
}

#[test]
fn a_file_that_grows_ends_where_it_ended_when_it_was_opened() {
    let desk = Desk::new();
    let whole = chip("ipc009");
    let path = desk.put("growing.bin", &whole);
    let open = OpenFile::open(&path).unwrap();
    let more = vec![0x55; 0x2_0000];
    fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(&more).unwrap();
    let report = inspect(&open).unwrap();
    assert_eq!((open.len(), report.size), (0x100_0000, 0x100_0000));
    assert_eq!(report.sha256, inspect(&whole).unwrap().sha256);
    // One that shrinks is an error, and no shorter dump.
    let open = OpenFile::open(&path).unwrap();
    fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(0x80_0000).unwrap();
    assert!(inspect(&open).is_err());
}

/// The time of the processor that a process has used.
fn used(pid: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    // utime and stime are the 14th and 15th field, in hundredths of a second; two are before this.
    let fields = stat.rsplit(')').next().unwrap().split_whitespace().skip(11).take(2);
    Duration::from_millis(fields.map(|field| 10 * field.parse::<u64>().unwrap()).sum())
}

#[test]
fn odd_paths_of_streams_leave_the_server_answering_and_idle() {
    let desk = Desk::new();
    nix::unistd::mkfifo(&desk.path("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    fs::create_dir(desk.path("folder")).unwrap();
    fs::File::create(desk.path("endless")).unwrap().set_len(1 << 40).unwrap();
    let latin = std::ffi::OsString::from_vec(b"b\xFF\x1B[31m.h264".to_vec());
    fs::write(desk.0.path().join(&latin), b"no video").unwrap();
    let mut words: Vec<std::ffi::OsString> = Vec::new();
    for word in ["a=fifo", "b=folder", "c=endless", "d=/dev/zero", "e=/dev/null", "f=missing"] {
        words.extend(["--stream".into(), word.into()]);
    }
    words.extend([
        "--stream".into(),
        std::ffi::OsString::from_vec([b"g=", latin.as_bytes()].concat()),
    ]);
    let mut child = Command::new(program())
        .arg("rtsp")
        .args(&words)
        .args(["--listen", "127.0.0.1:0"])
        .current_dir(desk.0.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let address =
        line.trim().strip_prefix("rtsp://").unwrap().split('/').next().unwrap().to_owned();
    let (began, before) = (Instant::now(), used(child.id()));
    // Each waits some seconds for a picture: all are asked at once.
    let asked = ["a", "b", "c", "d", "e", "f", "g"].map(|name| {
        let mut conn = TcpStream::connect(&address).unwrap();
        conn.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let ask = format!("DESCRIBE rtsp://{address}/{name} RTSP/1.0\r\nCSeq: 1\r\n\r\n");
        conn.write_all(ask.as_bytes()).unwrap();
        (name, conn)
    });
    for (name, mut conn) in asked {
        let mut answer = [0; 12];
        conn.read_exact(&mut answer).unwrap();
        assert!(answer.starts_with(b"RTSP/1.0 "), "{name}");
        assert!(!answer.ends_with(b"200"), "{name} has no picture");
    }
    let share =
        used(child.id()).saturating_sub(before).as_secs_f64() / began.elapsed().as_secs_f64();
    nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(child.id().try_into().unwrap()),
        nix::sys::signal::Signal::SIGTERM,
    )
    .unwrap();
    let done = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    println!("{share:.2} of a processor\n{said}");
    assert!(done.status.success() && !said.contains('\u{1b}'), "{said}");
    assert!(said.lines().count() < 20, "each is reported once: {said}");
    assert!(share < 1.0, "{share:.2} of a processor, for nothing");
}
