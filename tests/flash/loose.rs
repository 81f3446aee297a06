//! Folders of partition files and tars of them as the source of a flash: what is cut off goes on,
//! also without them.

use std::fs;
use std::path::{Path, PathBuf};

use mi360d::backup::Silent;
use mi360d::camera::flashing::WhatCame;
use mi360d::error::Explain as _;
use mi360d::flash::{PlanRequest, PlanSource, Step, Unwatched};
use mi360d::formats::jffs2;

use crate::card::at;
use crate::rig::{BLOCK, Bench, CONFIG, DATA, KERNEL, ROOTFS, everything, flash, flashed, plan};

/// What of a tf image is in which partition.
const PARTS: [(&str, usize, usize); 3] =
    [("KERNEL", KERNEL, ROOTFS), ("ROOTFS", ROOTFS, DATA), ("DATA", DATA, CONFIG)];

/// The files of a folder, by partition.
fn files(tf: &[u8], names: &[&str]) -> Vec<(String, Vec<u8>)> {
    let named = PARTS.iter().filter(|(name, ..)| names.contains(name));
    named
        .map(|(name, from, to)| (format!("{name}.bin"), tf[from - KERNEL..to - KERNEL].to_vec()))
        .collect()
}

fn folder(at: &Path, files: &[(String, Vec<u8>)]) -> PathBuf {
    fs::create_dir_all(at).unwrap();
    for (name, bytes) in files {
        fs::write(at.join(name), bytes).unwrap();
    }
    at.to_owned()
}

fn tar(at: &Path, files: &[(String, Vec<u8>)]) -> PathBuf {
    let mut bytes = Vec::new();
    for (name, file) in files {
        let mut head = [0_u8; 512];
        head[..name.len()].copy_from_slice(name.as_bytes());
        head[124..135].copy_from_slice(format!("{:011o}", file.len()).as_bytes());
        head[156] = b'0';
        head[257..262].copy_from_slice(b"ustar");
        bytes.extend(head);
        bytes.extend(file);
        bytes.resize(bytes.len().next_multiple_of(512), 0);
    }
    fs::write(at, bytes).unwrap();
    at.to_owned()
}

fn request(path: &Path) -> PlanRequest {
    PlanRequest { source: PlanSource::of(path.to_owned()), only: None, did: None, sha256: None }
}

/// The chip with these partitions of the image.
fn wanted(before: &[u8], tf: &[u8], names: &[&str]) -> Vec<u8> {
    let all = flashed(before, tf);
    let mut chip = before.to_vec();
    for (_, from, to) in PARTS.iter().filter(|(name, ..)| names.contains(name)) {
        chip[*from..*to].copy_from_slice(&all[*from..*to]);
    }
    chip
}

#[test]
fn a_flash_from_a_folder_or_a_tar_goes_on_without_them() {
    let tf = everything();
    for (names, is_tar, place) in [
        (&["KERNEL"][..], false, "parts"),
        // Where images are kept a folder is copied, too.
        (&["ROOTFS"], false, "sdcard/mi360d/images/parts"),
        (&["KERNEL", "ROOTFS", "DATA"], true, "parts"),
    ] {
        let bench = Bench::new();
        let before = bench.bytes();
        let files = files(&tf, names);
        let elsewhere = bench.path().join(place);
        let path = if is_tar { tar(&elsewhere, &files) } else { folder(&elsewhere, &files) };
        let cut = flash(&bench.camera("cut@300"), &request(&path)).unwrap();
        assert!(cut.error.is_some(), "{names:?}: the power was cut");
        if is_tar { fs::remove_file(&path) } else { fs::remove_dir_all(&path) }.unwrap();
        let done = bench.camera("").resume(true, &Unwatched, &Silent).unwrap().unwrap();
        assert_eq!(done.outcome, WhatCame::Done, "{names:?}: {:?}", done.error);
        assert!(bench.bytes() == wanted(&before, &tf, names), "{names:?}");
        let left = fs::read_dir(bench.home().join("images")).unwrap().count();
        assert_eq!(left, 0, "{names:?}: the copy is removed");
    }
}

#[test]
fn a_copied_folder_goes_on_whatever_else_it_looks_like() {
    let mut tf = everything();
    // A file of another system's name, next to which the whole would be taken for that system's chip.
    let node = jffs2::dirent(1, 9, 2, 8, b"openipc.sh").unwrap();
    let at = DATA - KERNEL + jffs2::CLEANMARKER.len();
    tf[at..at + BLOCK - jffs2::CLEANMARKER.len()].fill(0xFF);
    tf[at..at + node.len()].copy_from_slice(&node);
    let bench = Bench::new();
    let before = bench.bytes();
    let path = folder(&bench.path().join("parts"), &files(&tf, &["DATA"]));
    let cut = flash(&bench.camera("cut@300"), &request(&path)).unwrap();
    assert!(cut.error.is_some(), "the power was cut");
    fs::remove_dir_all(&path).unwrap();
    let done = bench.camera("").resume(true, &Unwatched, &Silent).unwrap().unwrap();
    assert_eq!(done.outcome, WhatCame::Done, "{:?}", done.error);
    assert!(bench.bytes() == wanted(&before, &tf, &["DATA"]));
}

#[test]
fn a_folder_that_changes_after_the_plan_is_not_written() {
    let tf = everything();
    let bench = Bench::new();
    let before = bench.bytes();
    let path = folder(&bench.path().join("parts"), &files(&tf, &["ROOTFS", "DATA"]));
    let spoil = |step| {
        let spoil = || {
            use std::os::unix::fs::FileExt as _;
            let file = fs::OpenOptions::new().write(true).open(path.join("DATA.bin")).unwrap();
            file.write_all_at(&[0x42; 3], 0x3_1000).unwrap();
        };
        let camera = bench.camera("");
        let phrase = plan(&camera, &request(&path)).plan.confirm;
        camera.flash(&request(&path), phrase.as_deref(), &at(step, &spoil), &Silent)
    };
    // Before the copy: nothing is written, and nothing stays.
    let refused = spoil(Step::Preparing).err().expect("a copy of something else");
    assert!(bench.bytes() == before);
    assert_eq!(fs::read_dir(bench.home().join("images")).unwrap().count(), 0, "{refused}");
    // After it: the copy is what was agreed to.
    folder(&path, &files(&tf, &["ROOTFS", "DATA"]));
    let cut = spoil(Step::Writing).unwrap();
    assert_eq!(cut.error.as_ref().unwrap().code().name(), "image-changed");
    let done = bench.camera("").resume(true, &Unwatched, &Silent).unwrap().unwrap();
    assert_eq!(done.outcome, WhatCame::Done, "{:?}", done.error);
    assert!(bench.bytes() == wanted(&before, &tf, &["ROOTFS", "DATA"]));
}
