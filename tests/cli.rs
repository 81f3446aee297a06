//! Laws of the command line: one document under `--json`, whatever happens;
//! no panic where a reader goes away; words that say what is so.

#![allow(clippy::unwrap_used, clippy::panic)]

mod rig;

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use rig::{Ran, Sim, names, program};

fn run(words: &[&str]) -> Ran {
    Ran::of(Command::new(program()).args(words))
}

/// Where everything that is written fails: the disk is full.
fn full() -> Stdio {
    File::options().write(true).open("/dev/full").unwrap().into()
}

/// A pipe whose reader is gone.
fn closed() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}

#[test]
fn wrong_words_give_a_document_too() {
    for words in [
        &["--json", "nonsense"][..],
        &["nonsense", "--json"],
        &["--nonsense", "--json", "map"],
        &["--json", "verify"],
        &["--json", "help", "nonsense"],
    ] {
        let ran = run(words);
        assert_eq!(ran.status, Some(2), "{words:?}: {ran:?}");
        assert_eq!(ran.json()["error"]["code"], "usage", "{words:?}");
        assert!(ran.err.contains("mi360d help"), "{words:?}: {ran:?}");
    }
    let ran = run(&["nonsense"]);
    assert!(ran.status == Some(2) && ran.out.is_empty(), "{ran:?}");
    assert!(!ran.err.contains("help nonsense"), "there is none: {ran:?}");
    assert!(run(&["verify"]).err.contains("help verify"));
}

#[test]
fn version_and_help_are_documents_under_json() {
    for words in [&["--json", "version"][..], &["--json", "--version"]] {
        assert_eq!(run(words).json()["version"], env!("CARGO_PKG_VERSION"));
    }
    let help = run(&["--json", "help"]).json();
    assert!(help["help"].as_str().unwrap().contains("Usage"));
    for command in help["commands"].as_array().unwrap() {
        let topic = run(&["--json", "help", command.as_str().unwrap()]);
        assert_eq!((&topic.json()["command"], topic.status), (command, Some(0)));
    }
    assert!(run(&["help"]).out.starts_with("mi360d: "));
}

#[test]
fn a_reader_that_went_away_is_no_failure() {
    let sim = Sim::small();
    for words in [&["help"][..], &["help", "map"], &["version"], &["map"], &["--json", "backups"]] {
        let status = sim.command(words).stdout(closed()).stderr(closed()).status().unwrap();
        assert_eq!(status.code(), Some(0), "{words:?}");
    }
    let status = Command::new(program()).arg("nonsense").stderr(closed()).status().unwrap();
    assert_eq!(status.code(), Some(2));
}

#[test]
fn an_answer_that_is_lost_is_a_failure_and_is_said() {
    let sim = Sim::small();
    for words in [
        &["help"][..],
        &["help", "map"],
        &["version"],
        &["map"],
        &["backup"],
        &["backups"],
        &["--json", "backups"],
        &["verify", "1"],
        &["inspect", "flash.bin"],
    ] {
        let mut command = sim.command(words);
        let ran = Ran::of(command.current_dir(sim.path()).stdout(full()));
        assert_eq!(ran.status, Some(1), "{words:?}: {ran:?}");
        assert!(ran.err.contains("cannot write to standard output"), "{words:?}: {ran:?}");
    }
    assert_eq!(sim.sets().len(), 1, "the backup was made all the same");
}

#[test]
fn a_backup_does_not_need_anyone_to_listen() {
    for stderr in [full, closed] {
        let sim = Sim::small();
        let status = sim.command(&["backup"]).stdout(closed()).stderr(stderr()).status().unwrap();
        assert_eq!(status.code(), Some(0));
        assert_eq!(sim.sets().len(), 1);
    }
}

#[test]
fn an_incomplete_backup_is_never_called_whole() {
    let sim = Sim::small();
    let gap = "eio@0x40000";
    for run in 0..2 {
        let ran = sim.run(&["backup"], gap);
        assert_eq!((ran.status, ran.out.as_str()), (Some(4), "0001-incomplete\n"), "{ran:?}");
        assert!(!ran.err.contains("whole"), "run {run}: {ran:?}");
    }
    assert!(
        sim.run(&["backup"], gap).err.contains("incomplete: it already contains what can be read")
    );

    let ran = sim.run(&["verify", "1"], "");
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert!(!ran.out.contains("whole") && ran.out.contains("incomplete:"), "{}", ran.out);
    assert!(ran.out.contains("KERNEL: 512 of its 196608 bytes are missing, the first at 0x10000"));
    let document = sim.run(&["--json", "verify", "1"], "").json();
    assert_eq!(document["complete"], false);
    assert_eq!(document["gaps"][0]["partition"], "KERNEL");
    assert_eq!(document["gaps"][0]["gaps"][0]["offset"], 0x1_0000);

    let file = sim.backups().join("0001-incomplete/BOOT.bin");
    fs::write(&file, b"x").unwrap();
    let ran = sim.run(&["verify", "1"], "");
    assert_eq!(ran.status, Some(4));
    assert!(ran.out.contains("BOOT.bin") && ran.out.contains("KERNEL: 512"), "{}", ran.out);
    assert!(!ran.out.contains("whole") && !ran.out.contains("chip.bin"), "{}", ran.out);
}

#[test]
fn a_whole_backup_is_called_whole_when_it_is_read_again() {
    let sim = Sim::small();
    sim.run(&["backup"], "");
    assert!(sim.run(&["backup"], "").err.contains("already contains the chip; read again"));
    let document = sim.run(&["--json", "verify", "1"], "").json();
    assert_eq!(
        (&document["complete"], document["gaps"].as_array().unwrap().len()),
        (&true.into(), 0)
    );
}

#[test]
fn a_set_that_lost_its_checksums_is_damaged_and_not_unknown() {
    let sim = Sim::small();
    sim.run(&["backup"], "");
    let folder = sim.backups().join(&sim.sets()[0]);
    let words = |out: &str| assert!(out.contains("SHA256SUMS") && out.contains("missing"), "{out}");
    for lost in ["SHA256SUMS", "manifest.toml", "RECOVERY.txt", "chip.bin", "BLOCKSUMS"] {
        fs::remove_file(folder.join(lost)).unwrap();
        for id in ["0001", "1", folder.to_str().unwrap()] {
            let ran = sim.run(&["verify", id], "");
            assert_eq!(ran.status, Some(4), "{lost}, {id}: {ran:?}");
            words(&ran.out);
            assert!(!ran.out.contains("whole"), "{}", ran.out);
        }
    }
    let document = sim.run(&["--json", "verify", "0001"], "").json();
    let files: Vec<&str> = document["damage"]
        .as_array()
        .unwrap()
        .iter()
        .map(|d| d["file"].as_str().unwrap())
        .collect();
    assert_eq!(files, ["SHA256SUMS", "manifest.toml"]);
    // Nothing is left of it, and it is listed all the same.
    for file in names(&folder) {
        fs::remove_file(folder.join(file)).unwrap();
    }
    assert_eq!(sim.run(&["verify", "0001"], "").status, Some(4));
}

#[test]
fn a_folder_that_never_was_a_set_is_wrong_use() {
    let sim = Sim::small();
    let folder = sim.path().join("photos");
    fs::create_dir(&folder).unwrap();
    let exits = |wanted: &Path| {
        let ran = sim.run(&["--json", "verify", wanted.to_str().unwrap()], "");
        assert_eq!(ran.json()["error"]["code"], "no-such-backup");
        ran.status
    };
    assert_eq!(exits(&folder), Some(2));
    File::create(folder.join("cat.jpg")).unwrap().write_all(b"cat").unwrap();
    assert_eq!(exits(&folder), Some(2));
    assert_eq!(exits(Path::new("0042")), Some(2));
}

#[test]
fn the_map_says_how_large_an_erase_block_is() {
    let small = Sim::small().run(&["map"], "").out;
    assert!(small.lines().next().unwrap().contains("16 erase blocks of 64 KiB"), "{small}");
    let sim = Sim::with_map(&[("BOOT", 0, 0x10_0000)], 0x1000);
    let fine = sim.run(&["map"], "").out;
    assert!(fine.lines().next().unwrap().contains("256 erase blocks of 4 KiB"), "{fine}");
}
