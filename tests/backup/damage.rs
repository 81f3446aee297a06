//! Sets that were damaged on the card, and which sets may be deleted.

use std::fs;

use mi360d::backup::set::SetState;
use mi360d::backup::verify::verify;
use mi360d::backup::{Silent, set};

use crate::making::make;
use crate::rig::{Sim, names};

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

pub fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    mi360d::base::hex(&sha2::Sha256::digest(bytes))
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

pub fn flip(path: &std::path::Path, offset: usize) {
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
