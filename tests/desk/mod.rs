//! What the tests of dumps share: a folder to work in, and that every command which is advised
//! takes the very file.
#![allow(dead_code, clippy::unwrap_used)] // each test file uses its part

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use mi360d::chip::Role;
use mi360d::image::{Health, Report, inspect};

use crate::rig::{Ran, program};
use crate::synthetic::{chip, tf_image};

pub const KERNEL: usize = 0x5_0000;
pub const ROOTFS: usize = 0x26_0000;
pub const DATA: usize = 0x9B_0000;
pub const CONFIG: usize = 0xFE_0000;
pub const FACTORY: usize = 0xFF_0000;

/// A folder to work in, gone with the value.
pub struct Desk(pub tempfile::TempDir);

impl Desk {
    pub fn new() -> Desk {
        Desk(tempfile::tempdir().unwrap())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn put(&self, name: &str, bytes: &[u8]) -> PathBuf {
        fs::write(self.path(name), bytes).unwrap();
        self.path(name)
    }

    pub fn run(&self, words: &[&str]) -> Ran {
        Ran::of(Command::new(program()).args(words).current_dir(self.0.path()))
    }

    /// Recovers the files named, and gives what was said and made.
    pub fn recover(&self, words: &[&str]) -> (Ran, Vec<u8>) {
        let _ = fs::remove_file(self.path("made.bin"));
        let all = [&["--json", "recover", "--out", "made.bin"][..], words].concat();
        let ran = self.run(&all);
        (ran, fs::read(self.path("made.bin")).unwrap_or_default())
    }
}

pub fn look(bytes: &[u8]) -> Report {
    inspect(&bytes).unwrap()
}

pub fn codes(report: &Report) -> Vec<&'static str> {
    report.findings.iter().map(|f| f.code).collect()
}

pub fn health(report: &Report, role: Role) -> Health {
    report.by_role(role).unwrap().health
}

pub fn never_posts(report: &Report) -> bool {
    report.next.iter().any(|step| step.starts_with("Never post"))
}

/// Every command that an inspection of this file advises takes it.
pub fn advice_is_taken(bytes: &[u8]) {
    let desk = Desk::new();
    desk.put("file.bin", bytes);
    steps_lead_somewhere(&desk, "file.bin", &look(bytes).next);
}

/// The same for a file or a folder that lies on the desk.
pub fn advice_on_is_taken(desk: &Desk, what: &str) {
    let next = desk.run(&["--json", "inspect", what]).json()["next"].clone();
    let next: Vec<String> = serde_json::from_value(next).unwrap();
    steps_lead_somewhere(desk, what, &next);
}

fn steps_lead_somewhere(desk: &Desk, what: &str, next: &[String]) {
    if !desk.path("donor.img").exists() {
        desk.put("donor.img", &tf_image("ipc009"));
    }
    let mut brick = chip("ipc009");
    brick[DATA..CONFIG].fill(0xFF);
    desk.put("dump.bin", &brick);
    let commands = next.iter().flat_map(|step| step.split('`').skip(1).step_by(2));
    for command in commands {
        for out in ["chip.bin", "safe.bin"] {
            let _ = fs::remove_file(desk.path(out));
        }
        let line: Vec<&str> = command
            .split_whitespace()
            .map(|word| match word {
                "FILE" => what,
                "DONOR" => "donor.img",
                "DUMP" => "dump.bin",
                "mi360d" => program(),
                other => other,
            })
            .collect();
        let mut words = line.join(" ");
        let sim = tempfile::tempdir().unwrap();
        if command.starts_with("mi360d plan") {
            desk.put("whole.bin", &chip("ipc009"));
            let dir = sim.path().join("c");
            let made = desk.run(&["sim", "create", dir.to_str().unwrap(), "--from", "whole.bin"]);
            assert_eq!(made.status, Some(0), "{made:?}");
            words = format!("{words} --sim {}", dir.display());
        }
        let ran = Ran::of(Command::new("sh").arg("-c").arg(&words).current_dir(desk.0.path()));
        let is_fine = match ran.status {
            Some(0) => true,
            // What was recovered may lack something: that is said, and the image is there.
            Some(4) => command.starts_with("mi360d recover") && desk.path("chip.bin").exists(),
            _ => false,
        };
        assert!(is_fine, "{words}: {ran:?}\n{next:?}");
    }
}
