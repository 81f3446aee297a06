//! Laws of taking a backup set apart for a camera: what its checksums say
//! counts, file by file, and another camera's set is told.

#![allow(clippy::unwrap_used)]

mod rig;

use std::fs;
use std::path::{Path, PathBuf};

use mi360d::backup::offer::{self, OfferError};
use mi360d::chip::{Chip, Role};
use mi360d::error::{Exit, Explain};
use mi360d::formats::uimage::Family;
use mi360d::identity::Judgement;
use mi360d::image::inspect::FileKind;
use mi360d::image::{Slices, Target};
use rig::Sim;

/// A whole camera with one set, and what it knows of itself.
fn camera() -> (Sim, PathBuf, Judgement) {
    let sim = Sim::whole();
    assert_eq!(sim.run(&["backup"], "").status, Some(0));
    let set = sim.backups().join(&sim.sets()[0]);
    let identity = sim.camera("").judge_identity();
    (sim, set, identity)
}

fn take(sim: &Sim, set: &Path, identity: &Judgement) -> Result<Slices, OfferError> {
    let chip = sim.chip("");
    let target = Target {
        map: chip.map(),
        model: Some("ipc009"),
        family: Some(Family::I3),
        identity: Some(identity),
        firmware: None,
        kernel_load: None,
        known: &[],
    };
    offer::slices(set, &target)
}

#[test]
fn a_whole_set_offers_all_six_and_nothing_speaks_against_it() {
    let (sim, set, identity) = camera();
    let slices = take(&sim, &set, &identity).unwrap();
    assert_eq!(slices.kind, FileKind::Set);
    assert!(slices.blockers.is_empty(), "{slices:?}");
    let codes: Vec<_> = slices.warnings.iter().map(|f| f.code).collect();
    assert_eq!(codes, ["version-unknown"]);
    let chip = fs::read(sim.flash()).unwrap();
    let mut all = Vec::new();
    for slice in &slices.slices {
        let mut bytes = vec![0; slice.size as usize];
        slices.read(slice, 0, &mut bytes).unwrap();
        all.extend(bytes);
    }
    assert!(all == chip && slices.slices.len() == 6);
}

#[test]
fn a_wrong_byte_forbids_its_partition_and_no_other() {
    let (sim, set, identity) = camera();
    let file = set.join("ROOTFS.bin");
    let mut bytes = fs::read(&file).unwrap();
    bytes[0x30_0000] ^= 1;
    fs::write(&file, &bytes).unwrap();
    fs::remove_file(set.join("DATA.bin")).unwrap();
    let slices = take(&sim, &set, &identity).unwrap();
    for (role, holds) in
        [(Role::Kernel, true), (Role::Rootfs, false), (Role::Data, false), (Role::Factory, true)]
    {
        let chosen = vec![slices.by_role(role).unwrap()];
        let codes: Vec<_> = slices.blockers_of(&chosen).map(|f| f.code).collect();
        assert_eq!(!codes.contains(&"set-damaged"), holds, "{role}: {codes:?}");
        assert_eq!(codes.is_empty(), holds, "{role}: {codes:?}");
    }
}

#[test]
fn a_set_without_its_checksums_or_with_another_manifest_offers_nothing() {
    let (sim, set, identity) = camera();
    let manifest = set.join("manifest.toml");
    let text = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, text.replace("ipc009", "ipc019")).unwrap();
    let error = take(&sim, &set, &identity).unwrap_err();
    assert_eq!((error.code().name(), error.exit()), ("no-set", Exit::Damaged));
    fs::write(&manifest, text).unwrap();
    take(&sim, &set, &identity).unwrap();
    fs::remove_file(set.join("SHA256SUMS")).unwrap();
    assert!(!take(&sim, &set, &identity).unwrap_err().hint().is_empty());
}

#[test]
fn another_cameras_set_is_told() {
    let (_other, set, _) = camera();
    let (sim, _, identity) = camera();
    let slices = take(&sim, &set, &identity).unwrap();
    let codes: Vec<_> = slices.warnings.iter().map(|f| f.code).collect();
    assert!(codes.contains(&"foreign-identity") && codes.contains(&"foreign-settings"));
}

#[test]
fn a_set_of_another_map_is_refused_whatever_is_chosen() {
    let (_other, set, identity) = camera();
    let small = Sim::small();
    let slices = take(&small, &set, &identity).unwrap();
    // CONFIG and FACTORY would fit.
    let config = vec![slices.by_role(Role::Config).unwrap()];
    let codes: Vec<_> = slices.blockers_of(&config).map(|f| f.code).collect();
    assert_eq!(codes, ["wrong-map"; 4]);
    assert!(slices.firmware().is_empty());
}
