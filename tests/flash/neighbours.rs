//! Blocks that an erase took along, and what another program wrote since: what is put back, from
//! where, and what is never touched.

use std::path::PathBuf;

use mi360d::backup::Silent;
use mi360d::camera::flashing::{Flashed, WhatCame};
use mi360d::error::{Exit, Explain};
use mi360d::flash::{PlanRequest, Unwatched};

use crate::rig::{
    BLOCK, Bench, CONFIG, DATA, FACTORY, KERNEL, ROOTFS, data_block, everything, flash, flashed,
    image, only, resume, set, six_blocks,
};

/// An image, the byte that is wrong, and the partitions that are flashed.
type Case<'a> = (&'a [u8], usize, Option<&'a [&'a str]>);

#[test]
fn a_block_that_was_erased_and_should_not_have_been_is_noticed_and_put_back() {
    let tf = everything();
    // Of ROOTFS only the first block changes: it is erased when all else was read and hashed.
    let mut first_only = crate::synthetic::chip("ipc009");
    // When it was made: no checksum covers that.
    for byte in &mut first_only[ROOTFS + 8..ROOTFS + 12] {
        *byte = !*byte;
    }
    let first_only = crate::rig::tf_of(&first_only);
    let whole = [KERNEL, ROOTFS + 9 * BLOCK, DATA - BLOCK, DATA, CONFIG - BLOCK, ROOTFS - BLOCK];
    let mut cases: Vec<Case<'_>> = vec![(&first_only, ROOTFS, None)];
    cases.extend(whole.iter().map(|at| (&tf[..], *at, None)));
    cases.push((&tf, ROOTFS - BLOCK, Some(&["KERNEL"])));
    cases.push((&tf, CONFIG - BLOCK, Some(&["DATA"])));
    for (tf, at, names) in cases {
        let bench = Bench::new();
        let mut before = bench.bytes();
        // What lies behind is not erased, so that its loss shows.
        for start in [KERNEL, ROOTFS, DATA, CONFIG] {
            before[start - BLOCK + 0x100..start - BLOCK + 0x200].fill(0x42);
        }
        bench.set(&before);
        let path = bench.upload("image.img", tf);
        let request = match names {
            Some(names) => only(image(&path), names),
            None => image(&path),
        };
        let mut wanted = flashed(&before, tf);
        if let Some(names) = names {
            wanted = before.clone();
            let (from, to) = if names == ["KERNEL"] { (KERNEL, ROOTFS) } else { (DATA, CONFIG) };
            wanted[from..to].copy_from_slice(&tf[from - KERNEL..to - KERNEL]);
        }
        let done = flash(&bench.camera(&format!("over-erase@{at}")), &request).unwrap();
        let what = format!("over-erase at {at:#x} of {names:?}: {:?}", done.error);
        assert_eq!(done.outcome, WhatCame::Done, "{what}");
        assert!(bench.bytes() == wanted, "{what}");
        let behind = at + BLOCK == CONFIG || names == Some(&["KERNEL"]);
        assert_eq!(done.warnings.len(), usize::from(behind), "{what}: {:?}", done.warnings);
    }
}

#[test]
fn the_identity_that_an_erase_of_config_took_along_is_put_back_or_missed_aloud() {
    let bench = Bench::new();
    let camera = bench.camera("");
    camera.secure_identity();
    let own = camera.backup(None, &Silent).unwrap().set.path;
    drop(camera);
    let wanted = bench.bytes();
    let mut chip = wanted.clone();
    chip[CONFIG..CONFIG + 0x100].fill(0);
    bench.set(&chip);
    let request = only(set(&own), &["CONFIG"]);
    let over = format!("over-erase@{CONFIG}");
    let done = flash(&bench.camera(&over), &request).unwrap();
    assert_eq!(done.outcome, WhatCame::Done, "{:?}", done.error);
    assert!(bench.bytes() == wanted, "FACTORY is what it was");
    assert!(done.warnings[0].contains("FACTORY"), "{:?}", done.warnings);

    // It does not take what it held: that is the flash's error, with FACTORY's name.
    bench.set(&chip);
    let byte = wanted[FACTORY..].iter().position(|b| *b != 0xFF).unwrap() + FACTORY;
    let faults = format!("{over},lying-write@{byte}");
    let done = flash(&bench.camera(&faults), &request).unwrap();
    let name = done.before.clone().unwrap();
    is_lost(&done, "FACTORY", &name, "CONFIG,FACTORY");
    // It stays so as long as the chip does not take it, start or owner: nothing is "done".
    for by_itself in [true, false] {
        let camera = bench.camera(&faults);
        let again = camera.resume(by_itself, &Unwatched, &Silent).unwrap().unwrap();
        is_lost(&again, "FACTORY", &name, "CONFIG,FACTORY");
        assert!(camera.interrupted().is_some(), "the journal stays open");
    }
    assert!(bench.bytes() != wanted, "it is lost, or this shows nothing");
    // Once the chip takes it, a start puts it back from the backup, by FACTORY's own laws.
    let camera = bench.camera("");
    let done = camera.resume(true, &Unwatched, &Silent).unwrap().unwrap();
    assert_eq!((done.outcome, done.warnings.len()), (WhatCame::Done, 1), "{:?}", done.error);
    assert!(done.warnings[0].contains("FACTORY"), "{:?}", done.warnings);
    assert!(bench.bytes() == wanted, "FACTORY is what it was");
    assert!(camera.interrupted().is_none());
}

#[test]
fn law_what_another_hand_wrote_since_the_cut_is_never_overwritten_from_memory() {
    for flashes_anew in [false, true] {
        let bench = Bench::new();
        let path = bench.upload("image.img", &everything());
        let mut before = bench.bytes();
        before[ROOTFS - BLOCK + 0x100..ROOTFS - BLOCK + 0x200].fill(0x42);
        bench.set(&before);
        let request = only(image(&path), &["KERNEL"]);
        assert!(flash(&bench.camera("cut@3"), &request).unwrap().error.is_some());
        // The boot loader, or a programmer, has written another ROOTFS meanwhile: it begins as each
        // one does.
        let mut chip = bench.bytes();
        for (at, byte) in chip[ROOTFS + 4..ROOTFS + 0x2_0000].iter_mut().enumerate() {
            *byte ^= 0x5A ^ at as u8;
        }
        bench.set(&chip);
        let done = if flashes_anew {
            let other = bench.upload("other.img", &six_blocks());
            flash(&bench.camera(""), &only(image(&other), &["KERNEL"])).unwrap()
        } else {
            resume(&bench.camera("")).unwrap().unwrap()
        };
        assert_eq!(done.outcome, WhatCame::Done, "{:?}", done.error);
        assert!(bench.bytes()[ROOTFS..] == chip[ROOTFS..], "anew: {flashes_anew}");
    }
}

#[test]
fn law_what_the_firmware_wrote_into_the_first_block_since_the_cut_stays() {
    let bench = Bench::new();
    let path = bench.upload("image.img", &everything());
    let mut before = bench.bytes();
    before[DATA - BLOCK + 0x100..DATA - BLOCK + 0x200].fill(0x42);
    bench.set(&before);
    let request = only(image(&path), &["ROOTFS"]);
    assert!(flash(&bench.camera("cut@3"), &request).unwrap().error.is_some());
    // DATA is not recorded at all, since the firmware writes there whenever it runs.
    let mut chip = bench.bytes();
    data_block(&mut chip[DATA..DATA + BLOCK], 77);
    bench.set(&chip);
    let done = resume(&bench.camera("")).unwrap().unwrap();
    assert_eq!(done.outcome, WhatCame::Done, "{:?}", done.error);
    assert!(bench.bytes()[DATA..] == chip[DATA..]);
}

#[test]
fn a_neighbour_that_differs_only_where_an_erase_may_have_ruined_it_is_put_back() {
    let bench = Bench::new();
    let path = bench.upload("image.img", &everything());
    let mut before = bench.bytes();
    before[ROOTFS - BLOCK + 0x100..ROOTFS - BLOCK + 0x200].fill(0x42);
    bench.set(&before);
    assert!(
        flash(&bench.camera("cut@3"), &only(image(&path), &["KERNEL"])).unwrap().error.is_some()
    );
    // It still begins as a root file system does, and its other blocks are as they were.
    let mut chip = bench.bytes();
    let wanted = chip[ROOTFS..].to_vec();
    chip[ROOTFS + 0x100..ROOTFS + 0x1000].fill(0);
    bench.set(&chip);
    let done = resume(&bench.camera("")).unwrap().unwrap();
    assert_eq!(done.outcome, WhatCame::Done, "{:?}", done.error);
    assert!(bench.bytes()[ROOTFS..] == wanted);
}

/// The end of a flash that lost a partition which it does not write: named with what holds it.
fn is_lost(done: &Flashed, lost: &str, set: &str, only: &str) {
    let error = done.error.as_ref().expect("an error");
    assert_eq!((error.code().name(), done.exit()), ("neighbour-lost", Exit::Damaged), "{error}");
    assert_eq!(done.outcome, WhatCame::Partly);
    assert!(error.to_string().contains(lost), "{error}");
    let hint = error.hint();
    assert!(hint.contains(&format!("mi360d restore {set} --only {only}")), "{hint}");
    let fate = done.partitions.iter().find(|fate| fate.name == lost).expect("its fate");
    assert!(fate.words().contains("lost"), "{}", fate.words());
}

/// A camera whose CONFIG was being written when an erase took FACTORY along and the power failed:
/// its set, and the chip as it is to be.
fn identity_lost(bench: &Bench) -> (PathBuf, Vec<u8>) {
    let camera = bench.camera("");
    camera.secure_identity();
    let own = camera.backup(None, &Silent).unwrap().set.path;
    drop(camera);
    let wanted = bench.bytes();
    let mut chip = wanted.clone();
    chip[CONFIG..CONFIG + 0x100].fill(0);
    bench.set(&chip);
    // The first operation erases CONFIG and FACTORY behind it, in the second the power fails.
    let cut =
        flash(&bench.camera(&format!("over-erase@{CONFIG},cut@2")), &only(set(&own), &["CONFIG"]));
    assert!(cut.unwrap().error.is_some());
    assert!(
        bench.bytes()[FACTORY..].iter().all(|b| *b == 0xFF),
        "it is lost, or this shows nothing"
    );
    (own, wanted)
}

#[test]
fn a_power_cut_after_an_erase_that_took_the_identity_along_does_not_hide_the_loss() {
    // NOR flash clears a block before it erases it: what a cut has left may be zeros.
    for zeros in [0, 0x100, 0x400] {
        let bench = Bench::new();
        let (_, wanted) = identity_lost(&bench);
        let mut chip = bench.bytes();
        chip[FACTORY..FACTORY + zeros].fill(0);
        bench.set(&chip);
        let done = bench.camera("").resume(true, &Unwatched, &Silent).unwrap().unwrap();
        assert_eq!(done.outcome, WhatCame::Done, "{:?}", done.error);
        assert!(bench.bytes() == wanted, "{zeros} zeros");
    }
}

#[test]
fn a_flash_begun_while_the_identity_was_lost_goes_on_once_it_is_back() {
    let bench = Bench::new();
    let (own, wanted) = identity_lost(&bench);
    let mut chip = bench.bytes();
    chip[CONFIG..CONFIG + 0x100].fill(0);
    bench.set(&chip);
    // FACTORY comes back, and CONFIG does not.
    let stuck = bench.camera(&format!("stuck@{CONFIG}"));
    let done = flash(&stuck, &only(set(&own), &["CONFIG"])).unwrap();
    drop(stuck);
    assert!(done.error.is_some(), "{:?}", done.outcome);
    assert!(bench.bytes()[FACTORY..] == wanted[FACTORY..], "it is back, or this shows nothing");
    let done = resume(&bench.camera("")).unwrap().unwrap();
    assert_eq!(done.outcome, WhatCame::Done, "{:?}", done.error);
    assert!(bench.bytes() == wanted && bench.camera("").interrupted().is_none());
}

#[test]
fn a_lost_identity_goes_back_by_itself_only_where_its_laws_allow_it() {
    let bench = Bench::new();
    let camera = bench.camera("");
    camera.secure_identity();
    let own = camera.backup(None, &Silent).unwrap().set.path;
    drop(camera);
    // No WiFi tells whose camera it is, and two identities were saved on the card.
    let settings = std::fs::read_to_string(bench.path().join("camera.toml")).unwrap();
    let without: String =
        settings.lines().filter(|l| !l.starts_with("wifi_mac")).map(|l| format!("{l}\n")).collect();
    std::fs::write(bench.path().join("camera.toml"), without).unwrap();
    let other = bench.home().join("identity/00000000");
    std::fs::create_dir_all(&other).unwrap();
    std::fs::write(other.join("FACTORY.bin"), crate::synthetic::factory("987654321")).unwrap();
    let wanted = bench.bytes();
    let mut chip = wanted.clone();
    chip[CONFIG..CONFIG + 0x100].fill(0);
    bench.set(&chip);
    let cut =
        flash(&bench.camera(&format!("over-erase@{CONFIG},cut@2")), &only(set(&own), &["CONFIG"]));
    assert!(cut.unwrap().error.is_some());
    let before = bench.bytes();
    let name = bench.camera("").interrupted().unwrap().before;
    for by_itself in [true, false] {
        let camera = bench.camera("");
        let refused = camera.resume(by_itself, &Unwatched, &Silent).err().expect("uncertain");
        assert_eq!(refused.code().name(), "neighbour-lost", "{refused}");
        let way = format!("mi360d restore {name} --only CONFIG,FACTORY");
        assert!(
            refused.hint().contains(&way) && refused.hint().contains("--did"),
            "{}",
            refused.hint()
        );
        assert!(bench.bytes() == before, "nothing was written");
        assert!(camera.interrupted().is_some());
    }
    // What the hint says is possible, and only with this camera's did.
    let both = only(set(&own), &["CONFIG", "FACTORY"]);
    assert!(flash(&bench.camera(""), &both).is_err());
    let typed = PlanRequest { did: Some("123456789".to_owned()), ..both };
    let done = flash(&bench.camera(""), &typed).unwrap();
    assert_eq!(done.outcome, WhatCame::Done, "{:?}", done.error);
    assert!(bench.bytes() == wanted && bench.camera("").interrupted().is_none());
}

#[test]
fn a_resume_and_a_new_flash_are_never_done_before_what_was_lost_is_whole_again() {
    let tf = everything();
    for flashes_anew in [false, true] {
        let bench = Bench::new();
        let path = bench.upload("image.img", &tf);
        let mut before = bench.bytes();
        // KERNEL's last block has to be erased.
        before[ROOTFS - BLOCK + 0x100..ROOTFS - BLOCK + 0x200].fill(0x42);
        bench.set(&before);
        let mut wanted = before.clone();
        wanted[KERNEL..ROOTFS].copy_from_slice(&tf[..ROOTFS - KERNEL]);
        let faults = format!("over-erase@{},lying-write@{}", ROOTFS - BLOCK, ROOTFS + 0x10);
        let done = flash(&bench.camera(&faults), &only(image(&path), &["KERNEL"])).unwrap();
        let set = done.before.clone().unwrap();
        is_lost(&done, "ROOTFS", &set, "KERNEL,ROOTFS");
        assert!(bench.bytes() != wanted, "it is lost, or this shows nothing");
        let done = resume(&bench.camera(&faults)).unwrap().unwrap();
        is_lost(&done, "ROOTFS", &set, "KERNEL,ROOTFS");
        // A flash that takes its place does not take what is lost for what is right.
        let done = if flashes_anew {
            let other = bench.upload("other.img", &six_blocks());
            wanted[KERNEL..ROOTFS].copy_from_slice(&six_blocks()[..ROOTFS - KERNEL]);
            flash(&bench.camera(""), &only(image(&other), &["KERNEL"])).unwrap()
        } else {
            resume(&bench.camera("")).unwrap().unwrap()
        };
        assert_eq!(done.outcome, WhatCame::Done, "{:?}", done.error);
        assert!(done.warnings.iter().any(|w| w.contains("ROOTFS")), "{:?}", done.warnings);
        assert!(bench.bytes() == wanted, "anew: {flashes_anew}");
        assert!(bench.camera("").interrupted().is_none());
    }
}
