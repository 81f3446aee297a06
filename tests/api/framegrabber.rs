//! The original's framegrabber out of its zip, and the codec's byte in a library: what is
//! taken, what is refused, and what the files are afterwards.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use mi360d::formats::crc32;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::client::{Answer, call};
use crate::rig::daemon::Daemon;
use crate::rig::{Sim, names};
use crate::things::upload;

const PATH: &str = "/api/v1/framegrabber";
const CODEC_AT: usize = 0x4318;

/// A 32-bit ARM program that wants a loader and two libraries.
fn program() -> Vec<u8> {
    let strings = b"\0libc.so.6\0libboardav.so.1\0/lib/ld-test.so.3\0";
    let mut elf = b"\x7fELF\x01\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x28\0\x01\0\0\0".to_vec();
    let words = |elf: &mut Vec<u8>, all: &[u32]| {
        elf.extend(all.iter().flat_map(|word| word.to_le_bytes()));
    };
    // Entry, program headers, sections, flags; sizes and counts of both tables.
    words(&mut elf, &[0x1_0000, 52, 0, 0x500_0400]);
    elf.extend([52, 0, 32, 0, 3, 0, 40, 0, 0, 0, 0, 0]);
    let (dynamic, at) = (52 + 3 * 32, 52 + 3 * 32 + 4 * 8);
    let end = at + strings.len() as u32;
    words(&mut elf, &[1, 0, 0x1_0000, 0x1_0000, end, end, 5, 0x1000]);
    words(&mut elf, &[2, dynamic, 0x1_0000 + dynamic, 0, 32, 32, 6, 4]);
    words(&mut elf, &[3, at + 27, 0x1_0000 + at + 27, 0, 18, 18, 4, 1]);
    words(&mut elf, &[1, 1, 1, 11, 5, 0x1_0000 + at, 0, 0]);
    elf.extend(strings);
    elf
}

/// A zip of stored files.
fn zipped(files: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut zip, mut list) = (Vec::new(), Vec::new());
    for (name, bytes) in files {
        let mut hasher = crc32::Hasher::new();
        hasher.update(bytes);
        let mut common = vec![10, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        for word in [hasher.finalize(), bytes.len() as u32, bytes.len() as u32] {
            common.extend(word.to_le_bytes());
        }
        common.extend([name.len() as u8, 0, 0, 0]);
        list.extend(b"PK\x01\x02\x0a\0");
        list.extend(&common);
        list.extend([0; 10]);
        list.extend((zip.len() as u32).to_le_bytes());
        list.extend(name.bytes());
        zip.extend(b"PK\x03\x04");
        zip.extend(&common);
        zip.extend(name.bytes());
        zip.extend(*bytes);
    }
    let at = zip.len() as u32;
    zip.extend(&list);
    zip.extend(b"PK\x05\x06\0\0\0\0");
    zip.extend([files.len() as u8, 0, files.len() as u8, 0]);
    zip.extend((list.len() as u32).to_le_bytes());
    zip.extend(at.to_le_bytes());
    zip.extend([0, 0]);
    zip
}

/// A camera whose card has the hack; its page, logged in.
fn camera() -> (Sim, Daemon) {
    let sim = Sim::small();
    let hack = sim.path().join("sdcard/hacks/framegrabber");
    fs::create_dir_all(&hack).unwrap();
    let toml = "rootfs-overlay/mnt/sdcard/hacks/framegrabber/hack.toml";
    fs::copy(toml, hack.join("hack.toml")).unwrap();
    let daemon = Daemon::start(&sim);
    daemon.backup();
    (sim, daemon)
}

fn send(daemon: &Daemon, zip: &[u8]) -> Answer {
    let image = upload(daemon, "hacks.zip", zip).json()["id"].clone();
    let answer = call(daemon, "POST", PATH, &json!({ "image": image }));
    if answer.status != 200 {
        call(
            daemon,
            "DELETE",
            &format!("/api/v1/images/{}", image.as_str().unwrap()),
            &Value::Null,
        );
    }
    answer
}

fn message(answer: &Answer) -> String {
    answer.json()["error"]["message"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn the_program_of_this_model_is_taken_out_of_the_zip_and_what_is_missing_is_said() {
    let (sim, daemon) = camera();
    let before = daemon.json(PATH);
    assert_eq!((&before["there"], &before["model"]), (&json!(false), &json!("ipc009")));
    assert!(before["reason"].as_str().unwrap().contains("upload the zip"), "{before}");
    let elf = program();
    let zip = zipped(&[
        ("release/sdcard/hacks/framegrabber/bin/ipc019/framegrabber", b"another model's"),
        ("release/sdcard/hacks/framegrabber/bin/ipc009/framegrabber", &elf),
        ("release/sdcard/hacks/web-config/bin/web-config", b"not wanted"),
    ]);
    let answer = send(&daemon, &zip);
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    let hacks = sim.path().join("sdcard/hacks");
    assert_eq!(names(&hacks), ["framegrabber"]);
    let folder = hacks.join("framegrabber/bin");
    assert_eq!(names(&folder), ["ipc009"]);
    assert_eq!(names(&folder.join("ipc009")), ["framegrabber"]);
    let place = folder.join("ipc009/framegrabber");
    assert_eq!(fs::read(&place).unwrap(), elf);
    assert_ne!(fs::metadata(&place).unwrap().permissions().mode() & 0o111, 0);
    assert_eq!(names(&sim.home().join("images")), [""; 0], "the zip was for this only");
    // None of its libraries is in the simulated camera yet.
    let found = answer.json();
    assert_eq!(found["missing"], json!(["libc.so.6", "libboardav.so.1", "ld-test.so.3"]));
    assert!(found["reason"].as_str().unwrap().contains("firmware lacks"), "{found}");
    for (folder, name) in
        [("usr/lib", "libc.so.6"), ("data/lib", "libboardav.so.1"), ("lib", "ld-test.so.3")]
    {
        fs::create_dir_all(sim.path().join(folder)).unwrap();
        fs::write(sim.path().join(folder).join(name), "").unwrap();
    }
    let now = daemon.json(PATH);
    assert_eq!(
        (&now["there"], &now["missing"], &now["reason"]),
        (&json!(true), &json!([]), &Value::Null)
    );
}

#[test]
fn a_zip_without_it_or_with_something_else_leaves_the_card_as_it_was() {
    const NAME: &str = "hacks/framegrabber/bin/ipc009/framegrabber";
    let (sim, daemon) = camera();
    let elf = program();
    let mut foreign = elf.clone();
    foreign[18] = 8;
    let mut wide = elf.clone();
    wide[4] = 2;
    let mut torn = zipped(&[(NAME, &elf)]);
    torn[100] ^= 1;
    let other = ("hacks/framegrabber/bin/ipc019/framegrabber", &elf[..]);
    for (zip, words) in [
        (zipped(&[other]), "no framegrabber for the model ipc009; it has ipc019"),
        (zipped(&[("README.md", b"x")]), "it has no model"),
        (zipped(&[(NAME, &foreign)]), "not a program for ARM"),
        (zipped(&[(NAME, &wide)]), "not a program for ARM"),
        (
            zipped(&[(NAME, &[b"#!/bin/sh\n".to_vec(), vec![b'#'; 60]].concat())]),
            "not a program for ARM",
        ),
        (zipped(&[(NAME, b"\x7fELF\x01\x01")]), "has 6 bytes"),
        (torn, "damaged in the archive"),
        (elf.clone(), "not a zip archive"),
        (vec![0; 10], "not a zip archive"),
    ] {
        let answer = send(&daemon, &zip);
        assert_eq!((answer.status, answer.code().as_str()), (409, "framegrabber"), "{words}");
        assert!(message(&answer).contains(words), "{words}: {}", message(&answer));
        let left = sim.path().join("sdcard/hacks/framegrabber/bin/ipc009");
        assert_eq!(names(&left), [""; 0], "{words}");
    }
    // One that is there stays when another is refused.
    assert_eq!(send(&daemon, &zipped(&[(NAME, &elf)])).status, 200);
    assert_eq!(send(&daemon, &zipped(&[(NAME, &foreign)])).status, 409);
    let place = sim.path().join("sdcard").join(NAME);
    assert_eq!(fs::read(place).unwrap(), elf);
    let none = call(&daemon, "POST", PATH, &json!({ "image": "0123456789abcdef" }));
    assert_eq!((none.status, none.code().as_str()), (404, "no-such-image"));
}

/// A library with this codec; and its hash as the card names it.
fn library(codec: u8) -> (Vec<u8>, String) {
    let mut bytes: Vec<u8> = (0..48_000u32).map(|i| (i * 7 % 251) as u8).collect();
    bytes[..20].copy_from_slice(b"\x7fELF\x01\x01\x01\0\0\0\0\0\0\0\0\0\x03\0\x28\0");
    bytes[CODEC_AT] = 0;
    let hash = mi360d::base::hex(&Sha256::digest(&bytes));
    bytes[CODEC_AT] = codec;
    (bytes, hash)
}

fn place(sim: &Sim) -> PathBuf {
    let folder = sim.path().join("data/lib");
    fs::create_dir_all(&folder).unwrap();
    folder.join("libboardav.so.1.0.0")
}

fn put(daemon: &Daemon, codec: &str) -> Answer {
    call(daemon, "PUT", PATH, &json!({ "codec": codec }))
}

#[test]
fn the_codec_is_switched_in_a_known_library_and_put_back_byte_for_byte() {
    let (sim, daemon) = camera();
    let (bytes, hash) = library(1);
    let file = place(&sim);
    fs::write(&file, &bytes).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o750)).unwrap();
    fs::write(sim.home().join("known-libboardav.txt"), format!("# mine\n{hash}  3.4.2\n")).unwrap();
    let codec = |answer: &Answer| {
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
        let found = answer.json();
        assert_eq!(found["codec_problem"], Value::Null);
        ["codec", "codec_now"].map(|name| found[name].as_str().unwrap().to_owned())
    };
    let is = |value: &str, now: &str| [value.to_owned(), now.to_owned()];
    assert_eq!(codec(&call(&daemon, "GET", PATH, &Value::Null)), is("firmware", "h265"));
    // What is so already is not written.
    assert_eq!(codec(&put(&daemon, "h265")), is("firmware", "h265"));
    assert!(!sim.home().join("originals").exists());
    assert_eq!(codec(&put(&daemon, "h264")), is("h264", "h264"));
    let mut wanted = bytes.clone();
    wanted[CODEC_AT] = 2;
    assert!(fs::read(&file).unwrap() == wanted, "one byte, and no other");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o750);
    let kept = sim.home().join("originals").join(format!("libboardav-{}.so", &hash[..16]));
    assert!(fs::read(&kept).unwrap() == bytes, "kept before the change");
    assert_eq!(codec(&put(&daemon, "firmware")), is("firmware", "h265"));
    assert!(fs::read(&file).unwrap() == bytes);
    assert_eq!(names(file.parent().unwrap()), ["libboardav.so.1.0.0"]);
    for wish in [json!({ "codec": "av1" }), json!({ "codec": "" })] {
        let answer = call(&daemon, "PUT", PATH, &wish);
        assert_eq!((answer.status, answer.code().as_str()), (422, "setting"));
        assert_eq!(answer.json()["error"]["field"], "codec");
    }
    // What was kept is part of what is left when mi360d goes.
    assert!(daemon.json("/api/v1/uninstall").to_string().contains("mi360d/originals"));
}

#[test]
fn a_library_that_is_not_known_is_never_written() {
    let (sim, daemon) = camera();
    let file = place(&sim);
    let (good, hash) = library(2);
    let known = sim.home().join("known-libboardav.txt");
    let (odd, _) = library(3);
    let mut foreign = good.clone();
    foreign[18] = 62;
    let mut other = good.clone();
    other[CODEC_AT + 1] ^= 1;
    let refused = |bytes: Option<&[u8]>, words: &str| {
        let _ = fs::remove_file(&file);
        if let Some(bytes) = bytes {
            fs::write(&file, bytes).unwrap();
        }
        let shown = daemon.json(PATH);
        assert_eq!((&shown["codec"], &shown["codec_now"]), (&Value::Null, &Value::Null), "{shown}");
        assert!(shown["codec_problem"].as_str().unwrap().contains(words), "{shown}");
        let answer = put(&daemon, "h264");
        assert_eq!((answer.status, answer.code().as_str()), (409, "framegrabber"), "{words}");
        if let Some(bytes) = bytes {
            assert!(fs::read(&file).unwrap() == bytes, "{words}");
        }
        assert!(!sim.home().join("originals").exists(), "{words}");
    };
    refused(None, "has no ");
    refused(Some(&good), &hash);
    fs::write(&known, &hash).unwrap();
    refused(Some(&other), "this version");
    refused(Some(&odd), "is not a codec");
    refused(Some(&foreign), "not a library for ARM");
    refused(Some(&good[..CODEC_AT]), "not a library for ARM");
    refused(Some(&[]), "not a library for ARM");
    fs::write(&file, &good).unwrap();
    assert_eq!(put(&daemon, "h265").status, 200);
}
