//! Our broadcaster, read by the vendor's library and programs.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use mi360d::vendor::frames::Broadcaster;
use mi360d::vendor::frames::payload::{jpeg_header, picture_header};

use super::{Vendor, pattern, rig, shared, until};

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
