//! Chips that do not do what they are told.

use mi360d::camera::flashing::{FlashingError, WhatCame};
use mi360d::error::Explain;

use crate::rig::{
    BLOCK, Bench, DATA, KERNEL, ROOTFS, everything, flash, flashed, image, only, resume,
    six_blocks, untouched,
};

/// The first, a middle and the last block of ROOTFS.
const PLACES: [usize; 3] = [ROOTFS, ROOTFS + 50 * BLOCK, DATA - BLOCK];

/// A chip whose ROOTFS has no erased block, so that each needs an erase.
fn full_chip() -> Vec<u8> {
    let mut chip = crate::synthetic::chip("ipc009");
    let content = crate::synthetic::noise(0x75_0000);
    let image = mi360d::formats::squashfs::build_bare(0x75_0000, 3, &content).unwrap();
    chip[ROOTFS..DATA].copy_from_slice(&image);
    chip
}

/// A flash of ROOTFS alone, in which every block changes, with a fault.
fn with_fault(fault: &str) -> (Bench, Vec<u8>, Vec<u8>, mi360d::camera::flashing::Flashed) {
    let chip = full_chip();
    let bench = Bench::with(&chip, BLOCK as u32);
    let tf = everything();
    let path = bench.upload("all.img", &tf);
    let request = only(image(&path), &["ROOTFS"]);
    let mut wanted = chip.clone();
    wanted[ROOTFS..DATA].copy_from_slice(&tf[ROOTFS - KERNEL..DATA - KERNEL]);
    let flashed = flash(&bench.camera(fault), &request).unwrap();
    (bench, chip, wanted, flashed)
}

#[test]
fn a_write_protected_block_is_named_wherever_it_lies_and_harms_nothing_else() {
    for at in PLACES {
        let (bench, before, wanted, flashed) = with_fault(&format!("wp@{at}"));
        let error = flashed.error.unwrap();
        assert_eq!(error.code().name(), "write-protected", "{error}");
        let place = format!("{:#x}", at - ROOTFS);
        assert!(error.to_string().contains("ROOTFS") && error.to_string().contains(&place));
        let now = bench.bytes();
        assert!(untouched(&before, &now));
        assert!(now[at..at + BLOCK] == before[at..at + BLOCK], "the block is as it was");
        if at == ROOTFS {
            assert_eq!(flashed.outcome, WhatCame::Unchanged);
            assert!(now == before, "recognised at the first block, before anything was erased");
            assert!(resume(&bench.camera("")).unwrap().is_none());
        } else {
            assert_eq!(flashed.outcome, WhatCame::Partly);
            assert!(
                now[ROOTFS..ROOTFS + BLOCK] == wanted[ROOTFS..ROOTFS + BLOCK],
                "what was erased first is not left so"
            );
            let done = resume(&bench.camera("")).unwrap().unwrap();
            assert_eq!(done.outcome, WhatCame::Done, "{:?}", done.error);
            assert!(bench.bytes() == wanted, "without the fault the journal goes on");
        }
    }
}

#[test]
fn a_block_that_does_not_erase_is_named_and_the_journal_goes_on_once_it_does() {
    for at in &PLACES[1..] {
        let (bench, before, wanted, flashed) = with_fault(&format!("stuck@{at}"));
        let error = flashed.error.unwrap();
        assert_eq!(
            (error.code().name(), flashed.outcome),
            ("block-stuck", WhatCame::Partly),
            "{error}"
        );
        assert!(error.to_string().contains(&format!("{:#x}", at - ROOTFS)), "{error}");
        assert!(untouched(&before, &bench.bytes()));
        let again = resume(&bench.camera(&format!("stuck@{at}"))).unwrap().unwrap();
        // Now that the bits lie as they do, nothing changes any more: it may be protection too.
        let error = again.error.unwrap();
        assert!(error.to_string().contains("write-protected or worn"), "{error}");
        let done = resume(&bench.camera("")).unwrap().unwrap();
        assert_eq!(done.outcome, WhatCame::Done, "{:?}", done.error);
        assert!(bench.bytes() == wanted);
    }
    // The very first is told before anything is lost; to tell a worn block from a protected one
    // its content would have to be risked.
    let (bench, before, _, flashed) = with_fault(&format!("stuck@{ROOTFS}"));
    let error = flashed.error.unwrap();
    assert!(error.to_string().contains("write-protected or worn"), "{error}");
    assert!(flashed.outcome == WhatCame::Unchanged && bench.bytes() == before);
}

#[test]
fn a_flipped_bit_in_any_reading_costs_nothing() {
    for at in PLACES {
        for bit in [0, 7] {
            let fault = format!("flip@{}:{bit}", at + 77);
            let (bench, _, wanted, flashed) = with_fault(&fault);
            assert_eq!(flashed.outcome, WhatCame::Done, "{fault}: {:?}", flashed.error);
            assert!(bench.bytes() == wanted, "{fault}");
        }
    }
    // Many of them, so that some come while blocks are read back and hashed.
    let many: Vec<String> = (0..8).map(|i| format!("flip@{}:3", ROOTFS + 9 + i / 4)).collect();
    let (bench, _, wanted, flashed) = with_fault(&many.join(","));
    assert_eq!(flashed.outcome, WhatCame::Done, "{:?}", flashed.error);
    assert!(bench.bytes() == wanted);
}

#[test]
fn what_cannot_be_read_cannot_be_saved_and_is_not_overwritten() {
    for at in PLACES {
        let bench = Bench::new();
        let before = bench.bytes();
        let tf = everything();
        let path = bench.upload("all.img", &tf);
        let camera = bench.camera(&format!("eio@{}", at + 5));
        let refused = flash(&camera, &image(&path)).err().unwrap();
        let FlashingError::Blocked(planned) = &refused else { panic!("{refused}") };
        let blocker = planned.plan.blockers.iter().find(|f| f.code == "chip-read").unwrap();
        assert_eq!(blocker.partition.as_deref(), Some("ROOTFS"));
        let near = blocker.at.unwrap() as usize / 512 == (at - ROOTFS) / 512;
        assert!(near, "{blocker:?}");
        assert!(bench.bytes() == before);
    }
}

#[test]
fn small_erase_blocks_are_written_as_well() {
    let bench = Bench::with(&crate::synthetic::chip("ipc009"), 0x1000);
    let tf = six_blocks();
    let path = bench.upload("six.img", &tf);
    let wanted = flashed(&bench.bytes(), &tf);
    let done = flash(&bench.camera(""), &image(&path)).unwrap();
    assert_eq!(done.outcome, WhatCame::Done, "{:?}", done.error);
    assert!(bench.bytes() == wanted);
    // 4 KiB that are the same stay, although 64 KiB around them change.
    assert!(done.blocks < 6 * 16 + 3, "{}", done.blocks);
}

/// 5 % of the blocks cost a chip an eighth of what `flashcp -v` costs it, by the data sheet.
#[test]
fn a_chip_is_given_only_the_work_that_changes_something() {
    let mut chip = full_chip();
    let bench = Bench::with(&chip, BLOCK as u32);
    let twelve = [1, 9, 17, 25, 33, 41, 49, 57, 65, 73, 81, 89];
    for block in twelve {
        for byte in &mut chip[ROOTFS + block * BLOCK..ROOTFS + (block + 1) * BLOCK] {
            *byte = !(*byte >> 1);
        }
    }
    let tf = crate::rig::tf_of(&chip);
    let path = bench.upload("five-percent.img", &tf);
    let done = flash(&bench.camera(""), &image(&path)).unwrap();
    assert_eq!(done.outcome, WhatCame::Done, "{:?}", done.error);
    let ours = done.chip_time.unwrap();
    assert_eq!(ours.erases, 13, "twelve, and the first block");
    // Every block of the image erased, written and read back.
    let blocks = 249.0;
    let flashcp = blocks * (0.150 + 256.0 * 0.0005 + 0.0105);
    println!(
        "5 % changed: {:.2} s of chip time, flashcp -v {flashcp:.2} s: {:.1} times less; with \
         the reading before the first erase {:.2} s",
        ours.seconds(),
        flashcp / ours.seconds(),
        ours.seconds() + done.chip_time_before.unwrap().seconds()
    );
    assert!(ours.seconds() * 8.0 <= flashcp);
}
