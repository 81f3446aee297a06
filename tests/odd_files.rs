//! Files that are no files, or have odd names: every command that opens one answers at once.

#![allow(clippy::unwrap_used)] // in the helpers too

mod desk;
mod rig;
mod synthetic;

use std::fs;
use std::path::Path;
use std::process::Command;

use desk::Desk;
use rig::{Ran, program};
use synthetic::factory;

#[test]
fn odd_names_and_odd_files_are_answered_at_once() {
    use std::os::unix::ffi::OsStrExt;
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
