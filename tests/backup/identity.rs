//! The identity in a backup: it is saved first, and a damaged or blank one is reported.

use std::fs;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;

use mi360d::backup::{Silent, set};
use mi360d::camera::{notice, notices};

use crate::rig::{Sim, factory, names};

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
fn no_set_says_another_identity_than_the_one_in_it() {
    let sim = Sim::small();
    // Another FACTORY from its third reading on.
    let reads = AtomicU32::new(0);
    let camera = sim.misread("", move |part, _, buf| {
        let seen = || reads.fetch_add(1, Relaxed);
        if part.name == "FACTORY" && buf.len() == 0x1_0000 && seen() >= 2 {
            buf.copy_from_slice(&factory(2));
        }
    });
    camera.secure_identity();
    let _ = camera.backup(Some(5), &Silent);
    for set in set::list(&sim.backups()) {
        let Some(manifest) = set.closed() else { continue };
        let print = mi360d::identity::fingerprint(&fs::read(set.path.join("FACTORY.bin")).unwrap());
        assert_eq!(manifest.identity.fingerprint.as_deref(), Some(print.as_str()), "{}", set.name);
    }
}
