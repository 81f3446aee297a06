//! Cards that fail: full at every file, read-only, pulled, and a program
//! killed at any moment of a backup. The mounts are real (tmpfs), in a mount
//! namespace of the test's own.

#![allow(clippy::unwrap_used, clippy::panic)]

mod rig;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use mi360d::backup::Silent;
use mi360d::backup::set::{self, SetState};
use mi360d::backup::verify::verify;
use rig::{Ran, Sim, factory, names, program};

/// Runs a shell script that mounts a tmpfs with these options as the card,
/// runs the program's `backup` as `run_backup`, and copies the card to `after/`.
fn on_card(sim: &Sim, options: &str, script: &str) -> Ran {
    let text = format!(
        "set -u; mount -t tmpfs -o {options} tmpfs sdcard || exit 99\n\
         run_backup() {{ {program:?} --json --sim . backup; }}\n\
         {script}\nstatus=$?\ncp -r sdcard after; exit $status",
        program = program()
    );
    let as_root = Command::new("id").arg("-u").output().unwrap().stdout == b"0\n";
    let flags: &[&str] = if as_root { &["-m"] } else { &["-rm"] };
    let ran = Ran::of(
        Command::new("unshare").args(flags).args(["sh", "-c", &text]).current_dir(sim.path()),
    );
    assert_ne!(ran.status, Some(99), "no tmpfs can be mounted here: {ran:?}");
    ran
}

/// Every set that counts must hold, whatever happened.
fn no_set_lies(backups: &Path) -> usize {
    let mut closed = 0;
    for set in set::list(backups) {
        match &set.state {
            SetState::Closed { .. } => {
                let verdict = verify(&set.path, &Silent).unwrap();
                assert!(verdict.is_whole(), "{}: {:?}", set.name, verdict.damage);
                closed += 1;
            }
            SetState::Broken { reason } => panic!("{}: {reason}", set.name),
            _ => {}
        }
    }
    closed
}

#[test]
fn a_card_that_is_full_at_any_file_says_so_and_no_set_lies() {
    let mut said_full = 0;
    let mut with_identity = 0;
    for inodes in 2..40 {
        let sim = Sim::small();
        let ran = on_card(&sim, &format!("size=8m,nr_inodes={inodes}"), "run_backup");
        let backups = sim.path().join("after/mi360d/backups");
        let closed = no_set_lies(&backups);
        let identity = sim.path().join("after/mi360d/identity");
        let saved = names(&identity).first().is_some_and(|id| {
            fs::read(identity.join(id).join("FACTORY.bin")).is_ok_and(|b| b == factory(1))
        });
        with_identity += usize::from(saved);
        if ran.status == Some(0) {
            assert!(closed == 1 && saved, "{inodes} inodes: {ran:?}");
            assert!(said_full > 10, "only {said_full} runs met a full card");
            break;
        }
        said_full += 1;
        assert_eq!(closed, 0);
        assert_eq!(ran.status, Some(1), "{inodes} inodes: {ran:?}");
        assert_eq!(ran.json()["error"]["code"], "card-full", "{inodes} inodes: {ran:?}");
        assert!(
            set::list(&backups).is_empty(),
            "what was begun is taken away: {:?}",
            names(&backups)
        );
        assert!(inodes < 39, "it never succeeded: {ran:?}");
    }
    println!("{said_full} full cards, the identity saved on {with_identity} of them");
    assert!(with_identity > 8);
}

#[test]
fn a_card_with_too_little_room_for_a_set_still_gets_the_identity() {
    for size in ["400k", "1m", "2m", "3000k"] {
        let sim = Sim::small();
        let ran = on_card(&sim, &format!("size={size}"), "run_backup");
        assert_eq!(ran.status, Some(1), "{size}: {ran:?}");
        assert_eq!(ran.json()["error"]["code"], "card-full");
        let identity = sim.path().join("after/mi360d/identity");
        let id = &names(&identity)[0];
        assert!(fs::read(identity.join(id).join("FACTORY.bin")).unwrap() == factory(1), "{size}");
    }
}

#[test]
fn old_logs_make_room_for_the_identity() {
    let sim = Sim::small();
    let ran = on_card(
        &sim,
        "size=600k",
        "mkdir -p sdcard/mi360d/logs; head -c 560000 /dev/zero > sdcard/mi360d/logs/mi360d.1.log; run_backup",
    );
    assert_eq!(ran.json()["error"]["code"], "card-full");
    let identity = sim.path().join("after/mi360d/identity");
    let id = &names(&identity)[0];
    assert!(fs::read(identity.join(id).join("FACTORY.bin")).unwrap() == factory(1), "{ran:?}");
}

#[test]
fn an_unfinished_backup_makes_room_for_the_identity_but_not_one_that_is_being_made() {
    for (lock, stays) in [("", false), ("exec 9<sdcard/mi360d/backups; flock 9;", true)] {
        let sim = Sim::small();
        sim.poke(0xF_0000, &factory(78));
        let script = format!(
            "d=sdcard/mi360d/backups/0001-00000000; mkdir -p $d; : > $d/UNFINISHED; \
             head -c 540000 /dev/zero > $d/BOOT.bin; {lock} run_backup"
        );
        let ran = on_card(&sim, "size=600k", &script);
        let left = sim.path().join("after/mi360d/backups/0001-00000000/BOOT.bin").exists();
        assert_eq!(left, stays, "{ran:?}");
        let id = mi360d::identity::fingerprint(&factory(78));
        let saved = sim.path().join("after/mi360d/identity").join(&id).join("FACTORY.bin");
        assert!(stays || saved.exists(), "{ran:?}");
        let _ = fs::remove_dir_all(Path::new("/tmp/mi360d-identity").join(id));
    }
}

#[test]
fn what_was_begun_of_a_failing_chip_makes_no_room_for_another_try() {
    for (fault, stays) in [("", false), ("eio@0x40000", true)] {
        let sim = Sim::small();
        let script = format!(
            "d=sdcard/mi360d/backups/0001-00000000; mkdir -p $d; : > $d/UNFINISHED; \
             head -c 540000 /dev/zero > $d/BOOT.bin; export MI360D_SIM_FAULTS={fault}; run_backup"
        );
        let ran = on_card(&sim, "size=2400k", &script);
        assert_eq!(ran.json()["error"]["code"], "card-full", "{ran:?}");
        // It may be all that there will ever be of this chip.
        let left = sim.path().join("after/mi360d/backups/0001-00000000/BOOT.bin").exists();
        assert_eq!(left, stays, "{ran:?}");
    }
}

#[test]
fn a_read_only_card_is_said_and_the_identity_is_kept_in_memory() {
    let sim = Sim::small();
    sim.poke(0xF_0000, &factory(77));
    let ran = on_card(&sim, "size=8m", "mount -o remount,ro sdcard; run_backup");
    assert_eq!(ran.status, Some(1));
    assert_eq!(ran.json()["error"]["code"], "card-read-only", "{ran:?}");
    let print = mi360d::identity::fingerprint(&factory(77));
    let copy = Path::new("/tmp/mi360d-identity").join(print).join("FACTORY.bin");
    assert!(fs::read(&copy).unwrap() == factory(77));
    fs::remove_dir_all(copy.parent().unwrap()).unwrap();
}

#[test]
fn a_card_that_turned_read_only_still_proves_the_set_it_has() {
    let sim = Sim::small();
    let ran = on_card(&sim, "size=8m", "run_backup && mount -o remount,ro sdcard && run_backup");
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert!(ran.out.contains("\"made\": false"), "{ran:?}");
}

#[test]
fn killed_at_a_hundred_random_moments_no_set_lies_and_the_next_run_succeeds() {
    let sim = Sim::whole();
    let started = Instant::now();
    assert_eq!(sim.run(&["backup"], "").status, Some(0));
    let whole = started.elapsed();
    let mut seed = u64::from(std::process::id()) | 1;
    let mut unfinished = 0;
    for round in 0..100u32 {
        fs::remove_dir_all(sim.home()).unwrap();
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        let delay = Duration::from_nanos(seed % whole.as_nanos() as u64);
        let mut child =
            sim.command(&["backup"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(delay);
        child.kill().unwrap();
        child.wait().unwrap();
        no_set_lies(&sim.backups());
        unfinished += usize::from(
            names(&sim.backups()).len() == 1 && set::list(&sim.backups())[0].closed().is_none(),
        );
        let ran = sim.run(&["backup"], "");
        assert_eq!(ran.status, Some(0), "round {round}: {ran:?}");
        assert_eq!(no_set_lies(&sim.backups()), 1);
        assert_eq!(names(&sim.backups()).len(), 1, "the unfinished folder is gone");
        let folder = sim.backups().join(&sim.sets()[0]);
        assert!(fs::read(folder.join("chip.bin")).unwrap() == fs::read(sim.flash()).unwrap());
    }
    println!("100 kills within {whole:?}, {unfinished} of them inside a set");
    assert!(unfinished > 10, "only {unfinished} kills met a set in the making");
}

#[test]
fn two_backups_at_once_are_one_backup_and_one_refusal_or_two_that_agree() {
    let sim = Sim::whole();
    let mut first =
        sim.command(&["backup"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let second = sim.run(&["--json", "backup"], "");
    let first = first.wait().unwrap().code();
    for status in [first, second.status] {
        assert!(matches!(status, Some(0 | 3)), "{first:?} {second:?}");
    }
    assert!(first == Some(0) || second.status == Some(0));
    assert_eq!(no_set_lies(&sim.backups()), 1);
}
