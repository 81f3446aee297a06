//! The laws of a backup, on the simulated chip: what is saved, what is
//! proven, and what is said when something is wrong.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::large_stack_arrays,
    clippy::case_sensitive_file_extension_comparisons
)]

mod rig;

use std::fs;

use mi360d::backup::set::{self, SetFolder, SetState};
use mi360d::backup::verify::verify;
use mi360d::backup::{BackupError, Silent};
use mi360d::camera::{notice, notices};
use proptest::prelude::*;
use rig::{SMALL, SMALL_SIZE, Sim, factory, names};

fn make(sim: &Sim, faults: &str) -> Result<(String, bool), BackupError> {
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
fn the_identity_is_on_the_card_before_anything_else_is_read() {
    let sim = Sim::small();
    // All of the chip but FACTORY and CONFIG fails: those two are saved all the same.
    let camera = sim.camera("eio@0,eio@0x30000,eio@0x60000,eio@0xA0000");
    camera.secure_identity();
    let folders = names(&sim.home().join("identity"));
    assert_eq!(folders.len(), 1);
    let folder = sim.home().join("identity").join(&folders[0]);
    assert_eq!(names(&folder), ["CONFIG.bin", "FACTORY.bin", "SHA256SUMS"]);
    assert!(fs::read(folder.join("FACTORY.bin")).unwrap() == factory(1));
    assert!(!sim.backups().exists());
}

#[test]
fn a_healthy_identity_on_the_card_is_never_overwritten_but_a_damaged_copy_is_mended() {
    let sim = Sim::small();
    sim.camera("").secure_identity();
    let folder = sim.home().join("identity").join(&names(&sim.home().join("identity"))[0]);
    let stamp = |name: &str| fs::metadata(folder.join(name)).unwrap().modified().unwrap();
    let before = (stamp("FACTORY.bin"), stamp("CONFIG.bin"));
    sim.poke(0xE_0000, &mi360d::formats::flsh::build(&[(b"a", b"b")], 0x1_0000).unwrap());
    sim.camera("").secure_identity();
    assert_eq!(before, (stamp("FACTORY.bin"), stamp("CONFIG.bin")));

    let mut rotten = factory(1);
    rotten[100] ^= 1;
    fs::write(folder.join("FACTORY.bin"), rotten).unwrap();
    sim.camera("").secure_identity();
    assert!(fs::read(folder.join("FACTORY.bin")).unwrap() == factory(1));
}

#[test]
fn a_right_copy_of_the_identity_is_not_written_again_for_want_of_its_sums() {
    use std::os::unix::fs::MetadataExt as _;
    let sim = Sim::small();
    sim.camera("").secure_identity();
    let folder = sim.home().join("identity").join(&names(&sim.home().join("identity"))[0]);
    let file = |name: &str| fs::metadata(folder.join(name)).unwrap().ino();
    let before = (file("FACTORY.bin"), file("CONFIG.bin"));
    // It may be the only copy there is: a new file in its place would be a risk for nothing.
    fs::remove_file(folder.join("SHA256SUMS")).unwrap();
    sim.camera("").secure_identity();
    assert_eq!((file("FACTORY.bin"), file("CONFIG.bin")), before);
    assert!(folder.join("SHA256SUMS").exists());
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
fn a_flip_in_any_partition_is_caught_and_healed_in_either_reading() {
    for (name, offset, size) in SMALL {
        for reading in 1..=3 {
            let sim = Sim::small();
            let at = offset + size / 2 + 5;
            // The n-th reading of this byte is wrong: 1 and 2 of FACTORY and CONFIG are the vault's.
            let faults: String = format!("flip@{at}:3");
            let camera = sim.camera("");
            camera.secure_identity();
            let chip = Delayed {
                chip: sim.chip(&faults),
                clean: sim.chip(""),
                at,
                left: (reading - 1).into(),
            };
            let source = mi360d::camera::Source::Simulated {
                dir: sim.path().into(),
                model: "ipc009".into(),
            };
            let card = mi360d::card::Card::folder(&sim.path().join("sdcard"));
            let camera = mi360d::camera::Camera::new(Box::new(chip), card, source);
            let outcome = camera.backup(Some(5), &Silent).unwrap();
            let id = outcome.set.name.to_string();
            let folder = sim.backups().join(&id);
            assert!(
                fs::read(folder.join("chip.bin")).unwrap() == fs::read(sim.flash()).unwrap(),
                "{name}: a flip in reading {reading} reached the card"
            );
            assert_eq!(sim.sets(), std::slice::from_ref(&id));
            let digest = sha256(&fs::read(sim.flash()).unwrap());
            assert_eq!(&id[5..], &digest[..8], "{name}: the name is of the wrong reading");
            assert!(verify(&folder, &Silent).unwrap().is_whole());
        }
    }
}

/// A chip whose faults begin only after a byte has been read some times.
struct Delayed {
    chip: mi360d::chip::SimChip,
    clean: mi360d::chip::SimChip,
    at: u32,
    left: std::sync::atomic::AtomicU32,
}

impl mi360d::chip::Chip for Delayed {
    fn map(&self) -> &mi360d::chip::FlashMap {
        self.chip.map()
    }
    fn read(
        &self,
        part: &mi360d::chip::Partition,
        offset: u32,
        buf: &mut [u8],
    ) -> Result<(), mi360d::chip::ChipError> {
        use std::sync::atomic::Ordering::Relaxed;
        let start = part.offset.unwrap() + offset;
        let hit = (start..start + buf.len() as u32).contains(&self.at);
        if hit && self.left.load(Relaxed) > 0 {
            self.left.fetch_sub(1, Relaxed);
            return self.clean.read(part, offset, buf);
        }
        self.chip.read(part, offset, buf)
    }
    fn erase(&self, block: &mi360d::chip::EraseBlock<'_>) -> Result<(), mi360d::chip::ChipError> {
        self.chip.erase(block)
    }
    fn program(
        &self,
        part: &mi360d::chip::Partition,
        offset: u32,
        data: &[u8],
    ) -> Result<(), mi360d::chip::ChipError> {
        self.chip.program(part, offset, data)
    }
    fn is_writable(&self, part: &mi360d::chip::Partition) -> bool {
        self.chip.is_writable(part)
    }
}

/// A chip that gives another content from its second reading on, whose CRC32 is that of the first.
struct Colliding {
    chip: mi360d::chip::SimChip,
    at: u32,
    reads: std::sync::atomic::AtomicU32,
}

impl mi360d::chip::Chip for Colliding {
    fn map(&self) -> &mi360d::chip::FlashMap {
        self.chip.map()
    }
    fn read(
        &self,
        part: &mi360d::chip::Partition,
        offset: u32,
        buf: &mut [u8],
    ) -> Result<(), mi360d::chip::ChipError> {
        self.chip.read(part, offset, buf)?;
        let start = part.offset.unwrap() + offset;
        let hit = (start..start + buf.len() as u32).contains(&self.at);
        if hit && self.reads.fetch_add(1, std::sync::atomic::Ordering::Relaxed) > 0 {
            // CRC32's own polynomial, from its highest power on, the lowest bit of a byte first:
            // what is changed by a multiple of it keeps its CRC32.
            let polynomial: u64 = 0x1_04C1_1DB7;
            let at = (self.at - start) as usize;
            for bit in 0..33 {
                if polynomial >> (32 - bit) & 1 == 1 {
                    buf[at + bit / 8] ^= 1 << (bit % 8);
                }
            }
        }
        Ok(())
    }
    fn erase(&self, block: &mi360d::chip::EraseBlock<'_>) -> Result<(), mi360d::chip::ChipError> {
        self.chip.erase(block)
    }
    fn program(
        &self,
        part: &mi360d::chip::Partition,
        offset: u32,
        data: &[u8],
    ) -> Result<(), mi360d::chip::ChipError> {
        self.chip.program(part, offset, data)
    }
    fn is_writable(&self, part: &mi360d::chip::Partition) -> bool {
        self.chip.is_writable(part)
    }
}

#[test]
fn two_readings_that_differ_and_have_one_crc32_close_no_set() {
    let sim = Sim::small();
    sim.camera("").secure_identity();
    let chip = Colliding { chip: sim.chip(""), at: 0x7_1234, reads: 0.into() };
    let source =
        mi360d::camera::Source::Simulated { dir: sim.path().into(), model: "ipc009".into() };
    let card = mi360d::card::Card::folder(&sim.path().join("sdcard"));
    let camera = mi360d::camera::Camera::new(Box::new(chip), card, source);
    let refused = camera.backup(Some(5), &Silent).expect_err("it is noticed");
    assert!(matches!(refused, BackupError::NotProven { .. }), "{refused}");
    assert_eq!(sim.sets(), Vec::<String>::new(), "and nothing is left that counts");
}

#[test]
fn a_manifest_that_says_something_else_than_the_files_is_damage_although_its_sum_is_right() {
    let sim = Sim::small();
    let (id, _) = make(&sim, "").unwrap();
    let folder = sim.backups().join(id);
    let text = fs::read_to_string(folder.join("manifest.toml")).unwrap();
    let kernel = sha256(&fs::read(folder.join("KERNEL.bin")).unwrap());
    let chip = sha256(&fs::read(folder.join("chip.bin")).unwrap());
    let sums = fs::read_to_string(folder.join("SHA256SUMS")).unwrap();
    for (named, file) in [(kernel, "KERNEL.bin"), (chip, "chip.bin")] {
        let other = text.replace(&named, &"5a".repeat(32));
        assert_ne!(other, text);
        fs::write(folder.join("manifest.toml"), &other).unwrap();
        let right = sums.replace(&sha256(text.as_bytes()), &sha256(other.as_bytes()));
        assert_ne!(right, sums);
        fs::write(folder.join("SHA256SUMS"), right).unwrap();
        let verdict = verify(&folder, &Silent).unwrap();
        assert!(!verdict.is_whole(), "{file}");
    }
}

fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    mi360d::base::hex(&sha2::Sha256::digest(bytes))
}

#[test]
fn what_cannot_be_read_leaves_the_rest_as_an_incomplete_set_that_stays() {
    for (name, offset, size) in SMALL {
        let sim = Sim::small();
        let at = offset + size - 1000;
        let faults = format!("eio@{at}");
        let (id, made) = make(&sim, &faults).unwrap();
        assert!(made);
        assert_eq!(id, "0001-incomplete");
        let set = SetFolder::read(&sim.backups().join(&id)).unwrap();
        let SetState::Incomplete { manifest } = &set.state else { panic!("{:?}", set.state) };
        for part in &manifest.partitions {
            let start = SMALL.iter().find(|p| p.0 == part.name).unwrap().1 as usize;
            let file = fs::read(set.path.join(&part.file)).unwrap();
            let mut wanted = fs::read(sim.flash()).unwrap()[start..start + file.len()].to_vec();
            if part.name == name {
                let gap = &part.gaps[0];
                let inside = (at - offset) / 512 * 512;
                assert_eq!((gap.offset, gap.length), (inside, 512), "{name}");
                assert_eq!(part.file, format!("{name}.partial.bin"));
                wanted[gap.offset as usize..(gap.offset + gap.length) as usize].fill(0xFF);
            } else {
                assert!(part.gaps.is_empty());
            }
            assert!(file == wanted, "{name}: {}", part.file);
        }
        assert!(!set.path.join("chip.bin").exists());
        // A second start adds nothing, and a healed chip does not take it away.
        assert_eq!(make(&sim, &faults).unwrap(), (id.clone(), false));
        for change in 0..9u8 {
            sim.poke(0x4_0000, &[change]);
            make(&sim, "").unwrap();
        }
        assert!(sim.sets().contains(&id), "{:?}", sim.sets());
        let camera = sim.camera(&faults);
        camera.secure_identity();
    }
}

#[test]
fn a_blank_factory_is_said_and_its_set_is_not_pristine_but_a_later_healthy_one_is() {
    let sim = Sim::small();
    sim.poke(0xF_0000, &[0xFF; 0x1_0000]);
    let ran = sim.run(&["--json", "backup"], "");
    assert_eq!(ran.status, Some(0), "{ran:?}");
    let codes = ran.json()["notices"].to_string();
    assert!(codes.contains("identity-blank"), "{codes}");
    assert!(sim.run(&["map"], "").out.contains("identity blank"));
    let listed = sim.run(&["--json", "backups"], "").json();
    assert_eq!(listed["backups"][0]["pristine"], false);
    assert_eq!(listed["backups"][0]["identity"], "blank");

    sim.poke(0xF_0000, &factory(7));
    assert_eq!(sim.run(&["backup"], "").status, Some(0));
    let listed = sim.run(&["--json", "backups"], "").json();
    assert_eq!(listed["backups"][0]["pristine"], false);
    assert_eq!(listed["backups"][1]["pristine"], true);
}

#[test]
fn a_factory_with_a_wrong_crc_is_a_warning_and_is_backed_up() {
    let sim = Sim::small();
    let mut bad = factory(1);
    bad[8] ^= 0x55;
    sim.poke(0xF_0000, &bad);
    let camera = sim.camera("");
    camera.secure_identity();
    let outcome = camera.backup(Some(5), &Silent).unwrap();
    assert!(outcome.set.closed().is_some());
    let notices = notices::all(&camera);
    let found = notices.iter().find(|n| n.code == "identity-damaged").unwrap();
    assert_eq!(found.severity, notice::Severity::Warning);
    assert!(fs::read(outcome.set.path.join("FACTORY.bin")).unwrap() == bad);
}

#[test]
fn a_set_that_no_longer_holds_is_said_and_a_new_one_is_made() {
    let sim = Sim::small();
    let (first, _) = make(&sim, "").unwrap();
    flip(&sim.backups().join(&first).join("KERNEL.bin"), 70_000);
    let camera = sim.camera("");
    camera.secure_identity();
    let outcome = camera.backup(Some(5), &Silent).unwrap();
    assert!(outcome.made);
    let (name, verdict) = &outcome.proofs[0];
    assert_eq!(name.to_string(), first);
    assert_eq!(
        verdict.damage[0].to_string(),
        "KERNEL.bin at offset 70000 (0x11170): its bytes differ from what was saved"
    );
    assert!(sim.sets().contains(&first), "a damaged pristine set is still the owner's");
}

fn flip(path: &std::path::Path, offset: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[offset] ^= 0x10;
    fs::write(path, bytes).unwrap();
}

#[test]
fn one_flipped_byte_anywhere_in_a_set_is_named_with_file_and_offset() {
    let sim = Sim::small();
    let (id, _) = make(&sim, "").unwrap();
    let folder = sim.backups().join(id);
    for name in names(&folder) {
        let path = folder.join(&name);
        let whole = fs::read(&path).unwrap();
        let step = match name.as_str() {
            "SHA256SUMS" => 1,
            bin if bin.ends_with(".bin") => whole.len() / 40 + 1,
            _ => 7,
        };
        for offset in (0..whole.len()).step_by(step) {
            let mut bytes = whole.clone();
            bytes[offset] ^= 1 << (offset % 8);
            fs::write(&path, &bytes).unwrap();
            let verdict = verify(&folder, &Silent).unwrap();
            let named =
                verdict.damage.iter().any(|d| d.file == name && d.offset == Some(offset as u64));
            assert!(named, "{name} at {offset}: {:?}", verdict.damage);
        }
        fs::write(&path, whole).unwrap();
    }
    assert!(verify(&folder, &Silent).unwrap().is_whole());
}

#[test]
fn a_file_cut_short_or_missing_is_named() {
    let sim = Sim::small();
    let (id, _) = make(&sim, "").unwrap();
    let folder = sim.backups().join(id);
    for name in names(&folder) {
        let path = folder.join(&name);
        let whole = fs::read(&path).unwrap();
        for length in [0, 1, whole.len() / 2, whole.len() - 1] {
            fs::write(&path, &whole[..length]).unwrap();
            let verdict = verify(&folder, &Silent).unwrap();
            let named =
                verdict.damage.iter().any(|d| d.file == name && d.offset == Some(length as u64));
            assert!(named, "{name} of {length} bytes: {:?}", verdict.damage);
        }
        fs::remove_file(&path).unwrap();
        let verdict = verify(&folder, &Silent).unwrap();
        assert!(verdict.damage.iter().any(|d| d.file == name), "{name}: {:?}", verdict.damage);
        fs::write(&path, whole).unwrap();
    }
}

#[test]
fn an_unfinished_folder_goes_once_a_later_set_is_complete_and_not_before() {
    let sim = Sim::small();
    let folder = sim.backups().join("0001-00000000");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("UNFINISHED"), b"").unwrap();
    fs::write(folder.join("BOOT.bin"), [1; 1000]).unwrap();
    assert!(matches!(set::list(&sim.backups())[0].state, SetState::Unfinished));
    // A backup that fails leaves it.
    assert!(make(&sim, "flip@0:0,flip@0x10000:0,eio@0xFFFFFFF").is_ok());
    assert_eq!(sim.sets().len(), 1);
    assert!(sim.sets()[0].starts_with("0002-"));
}

#[test]
fn an_unfinished_folder_that_no_later_set_follows_stays() {
    let sim = Sim::small();
    let (first, _) = make(&sim, "").unwrap();
    let folder = sim.backups().join("0002-00000000");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("UNFINISHED"), b"").unwrap();
    fs::write(folder.join("BOOT.bin"), [1; 1000]).unwrap();
    assert_eq!(make(&sim, "").unwrap(), (first, false));
    assert!(folder.join("BOOT.bin").exists(), "{:?}", sim.sets());
}

#[test]
fn the_first_and_the_newest_healthy_set_are_protected_and_one_backup_is_made_at_a_time() {
    use mi360d::backup::retention::{Standing, standings};
    let sim = Sim::small();
    for change in 0..4u8 {
        sim.poke(0x4_0000, &[change, 9]);
        make(&sim, "").unwrap();
    }
    let sets = set::list(&sim.backups());
    let found = standings(&sets, 2, &|_| false);
    let wanted = [Standing::Pristine, Standing::Kept, Standing::NewestHealthy];
    assert_eq!(found[0], wanted[0]);
    assert_eq!(found[found.len() - 2..], wanted[1..]);
    assert!(found[0].is_protected() && found[found.len() - 1].is_protected());
    let held = mi360d::card::file::lock_dir(&sim.backups()).unwrap();
    sim.poke(0x4_0000, &[77]);
    let refused = make(&sim, "").expect_err("another process makes one");
    assert_eq!(mi360d::error::Explain::code(&refused), "busy", "{refused}");
    drop(held);
    assert!(make(&sim, "").unwrap().1);
}

/// A chip whose FACTORY is another identity's after it was read some times.
struct Exchanged {
    chip: mi360d::chip::SimChip,
    reads: std::sync::atomic::AtomicU32,
}

impl mi360d::chip::Chip for Exchanged {
    fn map(&self) -> &mi360d::chip::FlashMap {
        self.chip.map()
    }
    fn read(
        &self,
        part: &mi360d::chip::Partition,
        offset: u32,
        buf: &mut [u8],
    ) -> Result<(), mi360d::chip::ChipError> {
        self.chip.read(part, offset, buf)?;
        let seen = || self.reads.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        if part.name == "FACTORY" && buf.len() == 0x1_0000 && seen() >= 2 {
            buf.copy_from_slice(&factory(2));
        }
        Ok(())
    }
    fn erase(&self, block: &mi360d::chip::EraseBlock<'_>) -> Result<(), mi360d::chip::ChipError> {
        self.chip.erase(block)
    }
    fn program(
        &self,
        part: &mi360d::chip::Partition,
        offset: u32,
        data: &[u8],
    ) -> Result<(), mi360d::chip::ChipError> {
        self.chip.program(part, offset, data)
    }
    fn is_writable(&self, part: &mi360d::chip::Partition) -> bool {
        self.chip.is_writable(part)
    }
}

#[test]
fn no_set_says_another_identity_than_the_one_in_it() {
    let sim = Sim::small();
    let chip = Exchanged { chip: sim.chip(""), reads: 0.into() };
    let source =
        mi360d::camera::Source::Simulated { dir: sim.path().into(), model: "ipc009".into() };
    let card = mi360d::card::Card::folder(&sim.path().join("sdcard"));
    let camera = mi360d::camera::Camera::new(Box::new(chip), card, source);
    camera.secure_identity();
    let _ = camera.backup(Some(5), &Silent);
    for set in set::list(&sim.backups()) {
        let Some(manifest) = set.closed() else { continue };
        let print = mi360d::identity::fingerprint(&fs::read(set.path.join("FACTORY.bin")).unwrap());
        assert_eq!(manifest.identity.fingerprint.as_deref(), Some(print.as_str()), "{}", set.name);
    }
}

#[test]
fn a_set_whose_checksums_rot_is_not_taken_for_an_unfinished_one() {
    let sim = Sim::small();
    let (first, _) = make(&sim, "").unwrap();
    flip(&sim.backups().join(&first).join("SHA256SUMS"), 3);
    fs::write(sim.backups().join(&first).join("manifest.toml"), b"garbage").unwrap();
    for change in 0..7u8 {
        sim.poke(0x4_0000, &[change, 9]);
        make(&sim, "").unwrap();
    }
    assert!(sim.sets().contains(&first), "{:?}", sim.sets());
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
