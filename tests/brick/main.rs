//! Laws of the PC's side of a brick: an assembled image holds the camera's own
//! BOOT, CONFIG and FACTORY and nobody else's, a redacted one holds no secret,
//! and neither overwrites anything.

#![allow(clippy::unwrap_used)] // in the helpers too

mod redact;
#[path = "../rig/mod.rs"]
mod rig;
#[path = "../synthetic/mod.rs"]
mod synthetic;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use mi360d::formats::flsh;
use rig::{Ran, Sim, program};
use sha2::{Digest as _, Sha256};
use synthetic::{chip, noise, tf_image};

struct Desk(tempfile::TempDir);

impl Desk {
    fn new() -> Desk {
        Desk(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn put(&self, name: &str, bytes: &[u8]) -> PathBuf {
        fs::write(self.path(name), bytes).unwrap();
        self.path(name)
    }

    /// Nothing but these is on the desk.
    fn holds(&self, names: &[&str]) {
        assert_eq!(rig::names(self.0.path()), names);
    }
}

fn assemble(own: &Path, donor: &Path, out: &Path, more: &[&str]) -> Ran {
    let mut command = Command::new(program());
    command.args(["--json", "assemble", "--own"]).arg(own).arg("--donor").arg(donor);
    Ran::of(command.arg("--out").arg(out).args(more))
}

fn redact(dump: &Path, out: &Path) -> Ran {
    Ran::of(Command::new(program()).args(["--json", "redact"]).arg(dump).arg("--out").arg(out))
}

fn inspect(file: &Path) -> Ran {
    Ran::of(Command::new(program()).args(["--json", "inspect"]).arg(file))
}

/// A camera of which only BOOT, CONFIG and FACTORY are alive.
fn brick() -> Vec<u8> {
    let mut dump = chip("ipc009");
    dump[0x5_0000..0xFE_0000].copy_from_slice(&noise(0xF9_0000));
    dump[0xFE_0000..0xFF_0000]
        .copy_from_slice(&flsh::build(&[(b"timezone", b"Asia/Tokyo")], 0x1_0000).unwrap());
    dump
}

fn assert_refused(ran: &Ran, code: &str) {
    assert_eq!(ran.status, Some(3), "{ran:?}");
    let error = ran.json()["error"].clone();
    assert_eq!(error["code"], code, "{error}");
    assert!(!error["hint"].as_str().unwrap().is_empty(), "{error}");
}

#[test]
fn a_brick_and_a_tf_image_make_a_whole_camera() {
    let desk = Desk::new();
    let own = desk.put("own.bin", &brick());
    let donor = desk.put("tf_recovery.img", &tf_image("ipc009"));
    let ran = assemble(&own, &donor, &desk.path("chip.bin"), &[]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    let made = fs::read(desk.path("chip.bin")).unwrap();
    let (own_bytes, tf) = (brick(), tf_image("ipc009"));
    assert!(made[..0x5_0000] == own_bytes[..0x5_0000]);
    assert!(made[0x5_0000..0xFE_0000] == tf[..0xF9_0000]);
    assert!(made[0xFE_0000..] == own_bytes[0xFE_0000..]);
    let said = ran.json();
    assert_eq!(said["sha256"], mi360d::base::hex(&Sha256::digest(&made)));
    let from: Vec<&str> =
        said["parts"].as_array().unwrap().iter().map(|p| p["from"].as_str().unwrap()).collect();
    assert_eq!(from, ["own", "donor", "donor", "donor", "own", "own"]);
    assert_eq!(inspect(&desk.path("chip.bin")).status, Some(0));
    desk.holds(&["chip.bin", "own.bin", "tf_recovery.img"]);

    // In words, too: what came from where, and the last step.
    let mut command = Command::new(program());
    command.arg("assemble").arg("--own").arg(&own).arg("--donor").arg(&donor);
    let ran = Ran::of(command.arg("--out").arg(desk.path("again.bin")));
    assert!(ran.out.contains("own.bin: FLSH, identity"), "{}", ran.out);
    assert!(ran.out.contains("tf_recovery.img: squashfs"), "{}", ran.out);
    assert!(ran.out.contains("protect the chip again"), "{}", ran.out);
    assert!(!ran.out.contains(synthetic::KEY) && !ran.out.contains("123456789"));
}

#[test]
fn sets_and_dumps_serve_on_both_sides() {
    let desk = Desk::new();
    let sim = Sim::whole();
    assert_eq!(sim.run(&["backup"], "").status, Some(0));
    let set = sim.backups().join(&sim.sets()[0]);
    let own_chip = fs::read(sim.flash()).unwrap();
    let ran = assemble(&set, &set, &desk.path("same.bin"), &[]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert!(fs::read(desk.path("same.bin")).unwrap() == own_chip);

    // A dump of another camera gives its firmware, and nothing of its identity.
    let donor = desk.put("donor.bin", &chip("ipc009"));
    let ran = assemble(&set, &donor, &desk.path("mixed.bin"), &[]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    let made = fs::read(desk.path("mixed.bin")).unwrap();
    assert!(made[0xFE_0000..] == own_chip[0xFE_0000..] && made[..0x5_0000] == own_chip[..0x5_0000]);
    assert!(made[0x5_0000..0xFE_0000] == chip("ipc009")[0x5_0000..0xFE_0000]);
    let codes: Vec<String> = ran.json()["warnings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| f["code"].as_str().unwrap().to_owned())
        .collect();
    assert!(codes.contains(&"foreign-settings".to_owned()), "{codes:?}");

    // A set that no longer holds.
    let file = set.join("FACTORY.bin");
    let mut bytes = fs::read(&file).unwrap();
    bytes[0x30] ^= 1;
    fs::write(file, bytes).unwrap();
    let ran = assemble(&set, &donor, &desk.path("never.bin"), &[]);
    assert_refused(&ran, "set-damaged");
    desk.holds(&["donor.bin", "mixed.bin", "same.bin"]);
}

#[test]
fn a_dead_identity_is_never_filled_with_the_donors() {
    let desk = Desk::new();
    let mut own = brick();
    own[0xFF_0000..].fill(0xFF);
    let own = desk.put("own.bin", &own);
    let donor = desk.put("donor.bin", &chip("ipc009"));
    let out = desk.path("chip.bin");
    let ran = assemble(&own, &donor, &out, &[]);
    assert_refused(&ran, "identity-blank");
    let hint = ran.json()["error"]["hint"].as_str().unwrap().to_owned();
    assert!(hint.contains("donor's is never used"), "{hint}");
    assert!(!out.exists());
    // As it is, where the owner asks for that.
    let ran = assemble(&own, &donor, &out, &["--damaged-factory"]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert!(fs::read(&out).unwrap()[0xFF_0000..].iter().all(|b| *b == 0xFF));
    desk.holds(&["chip.bin", "donor.bin", "own.bin"]);
}

#[test]
fn what_does_not_go_together_is_refused() {
    let desk = Desk::new();
    let own = desk.put("own.bin", &brick());
    let out = desk.path("chip.bin");
    let refuse = |name: &str, bytes: Vec<u8>, code: &str| {
        let donor = desk.put(name, &bytes);
        assert_refused(&assemble(&own, &donor, &out, &[]), code);
        fs::remove_file(donor).unwrap();
    };
    refuse("map.img", tf_image("ipc019"), "wrong-map");
    refuse("dump-of-another-map.bin", chip("ipc019"), "wrong-map");
    refuse("cut.img", tf_image("ipc009")[..0x80_0000].to_vec(), "truncated");
    refuse("noise.img", noise(tf_image("ipc009").len()), "nothing-alive");
    refuse("kernel.bin", chip("ipc009")[0x5_0000..0x26_0000].to_vec(), "incomplete");
    let mut new = tf_image("ipc009");
    // Behind the file system, where no checksum speaks first.
    new[0x2A_0000..0x2A_000C].copy_from_slice(b" 4.0.9_0409 ");
    refuse("new.img", new, "one-way");
    let mut kernel = tf_image("ipc009");
    kernel[0x1000] ^= 1;
    refuse("kernel-crc.img", kernel, "kernel-crc");

    let donor = desk.put("donor.img", &tf_image("ipc009"));
    let mut boot = brick();
    boot[0x3_0100] ^= 1;
    let dead = desk.put("boot.bin", &boot);
    assert_refused(&assemble(&dead, &donor, &out, &[]), "uboot-damaged");
    boot[..0x5_0000].fill(0xFF);
    let dead = desk.put("boot.bin", &boot);
    assert_refused(&assemble(&dead, &donor, &out, &[]), "no-map");
    let short = desk.put("boot.bin", &brick()[..0xF0_0000]);
    assert_eq!(assemble(&short, &donor, &out, &[]).status, Some(3));
    desk.holds(&["boot.bin", "donor.img", "own.bin"]);
}

#[test]
fn nothing_is_overwritten() {
    let desk = Desk::new();
    let own = desk.put("own.bin", &brick());
    let donor = desk.put("donor.img", &tf_image("ipc009"));
    let out = desk.put("out.bin", b"precious");
    assert_refused(&assemble(&own, &donor, &out, &[]), "file-exists");
    assert_refused(&redact(&own, &out), "file-exists");
    assert_refused(&assemble(&own, &donor, &own, &[]), "file-exists");
    // Nor what lies where the new file would be made.
    let free = desk.path("free.bin");
    desk.put("free.bin.new", b"precious, too");
    assert_refused(&redact(&own, &free), "file-exists");
    assert_eq!(fs::read(&out).unwrap(), b"precious");
    desk.holds(&["donor.img", "free.bin.new", "out.bin", "own.bin"]);
}
