//! Backups of a chip that is read well: what they contain, and when a new one is made.

use std::fs;

use mi360d::backup::verify::verify;
use mi360d::backup::{BackupError, Silent};
use proptest::prelude::*;

use crate::rig::{SMALL_SIZE, Sim, factory, names};

pub fn make(sim: &Sim, faults: &str) -> Result<(String, bool), BackupError> {
    let camera = sim.camera(faults);
    camera.secure_identity();
    camera.backup(Some(5), &Silent).map(|o| (o.set.name.to_string(), o.made))
}

#[test]
fn a_set_holds_the_chip_byte_for_byte_and_sha256sum_agrees() {
    let sim = Sim::whole();
    let (id, made) = make(&sim, "").unwrap();
    assert!(made);
    let folder = sim.backups().join(&id);
    let chip = fs::read(sim.flash()).unwrap();
    assert!(fs::read(folder.join("chip.bin")).unwrap() == chip);
    let mut joined = Vec::new();
    for name in ["BOOT", "KERNEL", "ROOTFS", "DATA", "CONFIG", "FACTORY"] {
        joined.extend(fs::read(folder.join(format!("{name}.bin"))).unwrap());
    }
    assert!(joined == chip, "the partitions' files, joined, are not the chip");
    let check = std::process::Command::new("sha256sum")
        .args(["--strict", "-c", "SHA256SUMS"])
        .current_dir(&folder)
        .output()
        .unwrap();
    assert!(check.status.success(), "{check:?}");
    let lines = String::from_utf8(check.stdout).unwrap().lines().count();
    assert_eq!(lines + 1, names(&folder).len(), "every file but SHA256SUMS itself is under a sum");
}

#[test]
fn an_unchanged_chip_makes_no_new_set_and_a_change_only_in_data_neither() {
    let sim = Sim::small();
    let (first, _) = make(&sim, "").unwrap();
    assert_eq!(make(&sim, "").unwrap(), (first.clone(), false));
    sim.poke(0xB_0000, b"a setting changed");
    assert_eq!(make(&sim, "").unwrap(), (first.clone(), false));
    sim.poke(0x7_0000, b"the firmware changed");
    let (second, made) = make(&sim, "").unwrap();
    assert!(made && second != first);
    assert!(second.starts_with("0002-"));
}

#[test]
fn one_card_serves_several_cameras_and_keeps_the_first_set_of_each() {
    let sim = Sim::small();
    let mut first_sets = Vec::new();
    for camera in 1..=2 {
        sim.poke(0xF_0000, &factory(camera));
        for change in 0..8u8 {
            sim.poke(0x4_0000, &[camera as u8, change]);
            let (id, made) = make(&sim, "").unwrap();
            assert!(made);
            if change == 0 {
                first_sets.push(id);
            }
        }
    }
    let sets = sim.sets();
    assert_eq!(sets.len(), 2 * (1 + 5), "{sets:?}");
    assert!(first_sets.iter().all(|id| sets.contains(id)), "{first_sets:?} of {sets:?}");
    assert_eq!(names(&sim.home().join("identity")).len(), 2);
    // Back to the first camera, as it was last: its own newest set still holds it.
    sim.poke(0xF_0000, &factory(1));
    sim.poke(0x4_0000, &[1, 7]);
    assert!(!make(&sim, "").unwrap().1);
}

#[test]
fn an_unknown_map_is_backed_up_and_nothing_is_called_factory_that_is_not() {
    let map = [
        ("boot", 0, 0x3_0000),
        ("env", 0x3_0000, 0x1_0000),
        ("rootfs", 0x4_0000, 0xB_0000),
        ("rootfs_data", 0xF_0000, 0x1_0000),
    ];
    let sim = Sim::with_map(&map, 0x1_0000);
    let mut chip = vec![0x5A; SMALL_SIZE];
    chip[0xF_0000..].copy_from_slice(&factory(3));
    fs::write(sim.flash(), &chip).unwrap();
    let (id, made) = make(&sim, "").unwrap();
    assert!(made);
    let folder = sim.backups().join(&id);
    assert!(fs::read(folder.join("chip.bin")).unwrap() == chip);
    let listed = sim.run(&["--json", "backups"], "").json();
    assert_eq!(listed["backups"][0]["identity"], "missing");
    assert!(names(&folder).iter().all(|n| !n.contains("FACTORY")), "{:?}", names(&folder));
    assert!(!sim.home().join("identity").exists());
    assert!(sim.run(&["map"], "").out.contains("Unknown map"));
    assert_eq!(make(&sim, "").unwrap(), (id, false));
}

#[test]
fn no_secret_stands_in_any_output() {
    let sim = Sim::small();
    let mut said = String::new();
    for words in [
        &["backup"][..],
        &["-v", "map"],
        &["--json", "map"],
        &["--json", "backups"],
        &["backups"],
        &["verify", "1"],
    ] {
        let ran = sim.run(words, "");
        assert_eq!(ran.status, Some(0), "{ran:?}");
        said += &ran.out;
        said += &ran.err;
    }
    for file in names(&sim.backups().join(&sim.sets()[0])) {
        if !file.ends_with(".bin") {
            said += &fs::read_to_string(sim.backups().join(&sim.sets()[0]).join(file)).unwrap();
        }
    }
    for secret in ["PlantedKey000001", "300000001", "02:00:00:00:00:01"] {
        assert!(!said.contains(secret), "{secret} was shown");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn whatever_the_chip_holds_a_set_gives_it_back(
        bytes in proptest::collection::vec(any::<u8>(), 1..5000),
        at in 0..SMALL_SIZE - 5000,
        erased in any::<bool>(),
    ) {
        let sim = Sim::small();
        if erased {
            fs::write(sim.flash(), vec![0xFF; SMALL_SIZE]).unwrap();
        }
        sim.poke(at, &bytes);
        let (id, _) = make(&sim, "").unwrap();
        let folder = sim.backups().join(id);
        prop_assert!(fs::read(folder.join("chip.bin")).unwrap() == fs::read(sim.flash()).unwrap());
        prop_assert!(verify(&folder, &Silent).unwrap().is_whole());
    }
}
