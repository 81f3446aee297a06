//! The broadcaster of frames against the vendor's own library and client, under qemu-arm.
//!
//! By name only (`cargo test --test frames_vendor`): `MI360D_RIG` names the built proof rig, and it
//! takes a minute and a half.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use mi360d::vendor::frames::Broadcaster;
use mi360d::vendor::frames::payload::{jpeg_header, picture_header};

fn until(what: &str, mut done: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !done() {
        assert!(Instant::now() < end, "waited for {what}");
    }
}

/// The folder of the vendor's proof rig, built: `MI360D_RIG`.
fn rig() -> PathBuf {
    std::env::var_os("MI360D_RIG").map(PathBuf::from).expect("MI360D_RIG names the built rig")
}

fn ends_with_the_test(child: Child) -> impl Drop {
    struct Ends(Child);
    impl Drop for Ends {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }
    Ends(child)
}

/// The vendor's library (libshbf 0.2 of an `ipc019`) as the reader, under qemu-arm: it checks
/// every byte of a thousand frames, and what it says arrives.
#[test]
fn the_vendor_s_library_reads_every_byte_that_the_broadcaster_sends() {
    let (rig, folder) = (rig(), tempfile::tempdir().unwrap());
    let endpoint = folder.path().join("video_mainstream");
    let mut broadcaster = Broadcaster::bind(&endpoint).unwrap();
    let mut reader = Command::new("qemu-arm-static");
    reader.args(["-L", "/usr/arm-linux-gnueabihf", "-E"]);
    reader.arg(format!("LD_LIBRARY_PATH={}", rig.join("build/lib").display()));
    reader.arg(rig.join("build/vrcv")).arg(&endpoint);
    reader.args(["frames=1000", "say=REQ_IDR", "every=250", "seconds=120"]);
    let child = reader.stdout(Stdio::piped()).spawn().unwrap();
    let mut texts = Vec::new();
    until("the vendor's reader", || {
        std::thread::sleep(Duration::from_millis(5));
        broadcaster.serve(&mut |_, text| texts.push(text.to_vec()));
        broadcaster.readers() == 1
    });
    for number in 1..=1000u32 {
        let key = number % 20 == 1;
        let length = if key { 261_120 } else { 200 + number * 977 % 12_000 };
        let data: Vec<u8> =
            (0..length).map(|at| (at * 7 + (at >> 8) + number * 31) as u8).collect();
        let header = picture_header(number, u64::from(number) * 50_000, length, key);
        assert_eq!(broadcaster.broadcast(&header, &data).unwrap(), 1, "{number}");
        broadcaster.serve(&mut |_, text| texts.push(text.to_vec()));
        std::thread::sleep(Duration::from_millis(5));
    }
    let out = child.wait_with_output().unwrap();
    broadcaster.serve(&mut |_, text| texts.push(text.to_vec()));
    let said = String::from_utf8_lossy(&out.stdout);
    assert!(said.contains("END got=1000 bad=0"), "{}", said.lines().last().unwrap_or_default());
    assert!(texts.len() >= 4 && texts.iter().all(|text| text == b"REQ_IDR"), "{texts:?}");
    assert!(
        folder.path().join("video_mainstream").read_dir().unwrap().count() <= 1,
        "no file stays"
    );
}

/// The vendor's shbf_client asks for a snapshot once a minute and keeps it as a file.
#[test]
fn the_vendor_s_client_keeps_the_snapshot_that_the_broadcaster_sends() {
    let (rig, run) = (rig(), tempfile::tempdir().unwrap());
    let mut broadcaster = Broadcaster::bind(&run.path().join("jpeg_snap")).unwrap();
    // The client connects to it at /run.
    let child = Command::new(rig.join("vendor.sh"))
        .arg(run.path())
        .arg("shbf_client")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let _client = ends_with_the_test(child);
    let mut asker = None;
    let end = Instant::now() + Duration::from_secs(100);
    while asker.is_none() {
        assert!(Instant::now() < end, "it asks once a minute");
        std::thread::sleep(Duration::from_millis(20));
        // It says "hello": any text is a request there.
        broadcaster.serve(&mut |reader, _| asker = Some(reader));
    }
    let jpeg: Vec<u8> = (0..150_000u32).map(|n| (n * n >> 7) as u8).collect();
    let jpeg = [&[0xff, 0xd8, 0xff, 0xe0][..], &jpeg, &[0xff, 0xd9]].concat();
    let header = jpeg_header(99_887_766, jpeg.len() as u32);
    assert!(broadcaster.send(asker.unwrap(), &header, &jpeg).unwrap());
    until("the file", || {
        let files = run.path().join("sdcard").read_dir().unwrap();
        files.flatten().any(|file| fs::read(file.path()).is_ok_and(|bytes| bytes == jpeg))
    });
}
