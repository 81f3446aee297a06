//! What a review found, and what a card, a chip or a stranger may do to a
//! backup: nothing that is good goes, nothing that is bad is called good.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::large_stack_arrays,
    clippy::case_sensitive_file_extension_comparisons
)]

mod rig;

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use mi360d::backup::Silent;
use mi360d::backup::set::{self, SetState};
use mi360d::backup::verify::verify;
use mi360d::camera::startup;
use mi360d::card::Card;
use rig::{Sim, factory, names};
use sha2::Digest as _;

fn make(sim: &Sim, keep: usize) -> (String, bool) {
    let camera = sim.camera("");
    camera.secure_identity();
    let outcome = camera.backup(Some(keep), &Silent).unwrap();
    (outcome.set.name.to_string(), outcome.made)
}

fn flip(path: &Path, offset: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[offset] ^= 0x10;
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_set_that_lost_its_checksums_and_manifest_stays_and_so_does_a_stranger_s_folder() {
    let sim = Sim::small();
    let (first, _) = make(&sim, 1);
    for name in ["SHA256SUMS", "manifest.toml"] {
        fs::remove_file(sim.backups().join(&first).join(name)).unwrap();
    }
    fs::create_dir(sim.backups().join("0002-deadbeef")).unwrap();
    fs::write(sim.backups().join("0002-deadbeef/chip.bin"), "the owner's own").unwrap();
    for change in 0..4u8 {
        sim.poke(0x4_0000, &[change]);
        make(&sim, 1);
    }
    assert!(sim.backups().join(&first).join("FACTORY.bin").exists(), "{:?}", sim.sets());
    assert!(sim.backups().join("0002-deadbeef/chip.bin").exists(), "{:?}", sim.sets());
}

#[test]
fn a_number_is_taken_by_any_folder_that_begins_with_it() {
    let sim = Sim::small();
    for name in ["0007-ABCDEF01", "0003-x"] {
        fs::create_dir_all(sim.backups().join(name)).unwrap();
        fs::write(sim.backups().join(name).join("file"), "").unwrap();
    }
    fs::create_dir_all(sim.backups().join("9999-00000000")).unwrap();
    assert!(make(&sim, 5).0.starts_with("0008-"), "{:?}", sim.sets());
}

#[test]
fn an_empty_folder_that_a_power_cut_left_under_the_very_name_is_taken() {
    let sim = Sim::small();
    let (id, _) = make(&sim, 5);
    fs::remove_dir_all(sim.backups()).unwrap();
    fs::create_dir_all(sim.backups().join(&id)).unwrap();
    assert_eq!(make(&sim, 5), (id, true));
}

#[test]
fn backups_that_cannot_be_listed_are_an_error_and_nothing_is_made_or_removed() {
    let sim = Sim::small();
    fs::create_dir_all(sim.home()).unwrap();
    fs::write(sim.backups(), "not a folder").unwrap();
    let ran = sim.run(&["--json", "backup"], "");
    assert_eq!(ran.status, Some(1), "{ran:?}");
    assert_eq!(fs::read(sim.backups()).unwrap(), b"not a folder");
}

#[test]
fn the_mark_that_a_power_cut_left_on_a_closed_set_goes_at_the_next_start() {
    let sim = Sim::small();
    let (id, _) = make(&sim, 5);
    let mark = sim.backups().join(&id).join("UNFINISHED");
    fs::write(&mark, "").unwrap();
    assert_eq!(make(&sim, 5), (id.clone(), false));
    assert!(!mark.exists());
    flip(&sim.backups().join(&id).join("SHA256SUMS"), 9);
    for change in 0..3u8 {
        sim.poke(0x4_0000, &[change]);
        make(&sim, 1);
    }
    assert!(sim.sets().contains(&id), "{:?}", sim.sets());
}

#[test]
fn an_unfinished_folder_goes_at_the_next_start_also_when_nothing_new_is_made() {
    let sim = Sim::small();
    fs::create_dir_all(sim.backups().join("0001-00000000")).unwrap();
    fs::write(sim.backups().join("0001-00000000/UNFINISHED"), "").unwrap();
    fs::write(sim.backups().join("0001-00000000/BOOT.bin"), "half").unwrap();
    let camera = sim.camera("");
    camera.secure_identity();
    let id = camera.backup(None, &Silent).unwrap().set.name.to_string();
    assert_eq!(sim.sets().len(), 2, "with a broken config nothing is removed");
    assert_eq!(make(&sim, 5), (id.clone(), false));
    assert_eq!(sim.sets(), [id]);
}

#[test]
fn every_partition_of_an_unknown_map_is_saved_also_one_that_is_half_the_chip() {
    let map =
        [("loader", 0, 0x2_0000), ("system", 0x2_0000, 0x6_0000), ("data", 0x8_0000, 0x8_0000)];
    let sim = Sim::with_map(&map, 0x1_0000);
    let chip: Vec<u8> = (0..rig::SMALL_SIZE).map(|i| (i / 7) as u8).collect();
    fs::write(sim.flash(), &chip).unwrap();
    let (id, _) = make(&sim, 5);
    assert!(fs::read(sim.backups().join(&id).join("chip.bin")).unwrap() == chip);

    let mut map = rig::SMALL.to_vec();
    map.push(("upgrade", 0x3_0000, 0x7_0000));
    let sim = Sim::with_map(&map, 0x1_0000);
    fs::write(sim.flash(), &chip).unwrap();
    let (id, _) = make(&sim, 5);
    let folder = sim.backups().join(&id);
    assert!(fs::read(folder.join("chip.bin")).unwrap() == chip);
    assert!(fs::read(folder.join("mtd6-upgrade.bin")).unwrap() == chip[0x3_0000..0xA_0000]);
    assert!(verify(&folder, &Silent).unwrap().is_whole());

    // Partitions that do not make up a chip are saved, and no image pretends they do.
    let sim = Sim::with_map(&[("a", 0, 0x3_0000), ("b", 0x5_0000, 0x1_0000)], 0x1_0000);
    fs::write(sim.flash(), &chip).unwrap();
    let (id, _) = make(&sim, 5);
    let files = names(&sim.backups().join(&id));
    assert!(
        files.contains(&"mtd0-a.bin".into()) && files.contains(&"mtd1-b.bin".into()),
        "{files:?}"
    );
    assert!(!files.contains(&"chip.bin".into()), "{files:?}");
    assert!(verify(&sim.backups().join(&id), &Silent).unwrap().is_whole());
    assert!(!make(&sim, 5).1);
}

#[test]
fn a_byte_that_never_reads_the_same_costs_its_block_and_nothing_else() {
    for (name, at) in [("KERNEL", 0x4_1234u32), ("DATA", 0xB_0000)] {
        let sim = Sim::small();
        // One byte that is never the same twice.
        let count = AtomicU8::new(0);
        let camera = sim.misread("", move |part, offset, buf| {
            if let Some(place) = rig::place(at, part, offset, buf.len()) {
                buf[place] = count.fetch_add(1, Ordering::Relaxed);
            }
        });
        camera.secure_identity();
        let outcome = camera.backup(Some(5), &Silent).unwrap();
        let SetState::Incomplete { manifest } = &outcome.set.state else {
            panic!("{name}: {:?}", outcome.set.state)
        };
        for part in &manifest.partitions {
            let gaps: Vec<u32> = part.gaps.iter().map(|g| g.offset).collect();
            let start = rig::SMALL.iter().find(|p| p.0 == part.name).unwrap().1;
            let wanted =
                if part.name == name { vec![(at - start) / 0x1_0000 * 0x1_0000] } else { vec![] };
            assert_eq!(gaps, wanted, "{}", part.name);
        }
        assert!(verify(&outcome.set.path, &Silent).unwrap().is_whole());
    }
}

#[test]
fn a_bad_sector_in_factory_s_padding_costs_neither_identity_nor_config() {
    let sim = Sim::small();
    let camera = sim.camera("eio@0xFFF00");
    camera.secure_identity();
    let folder = sim.home().join("identity");
    let folder = folder.join(&names(&folder)[0]);
    assert_eq!(names(&folder), ["CONFIG.bin", "FACTORY.partial.bin", "SHA256SUMS"]);
    let saved = fs::read(folder.join("FACTORY.partial.bin")).unwrap();
    assert!(saved[..0xFE00] == factory(1)[..0xFE00]);
    let state = camera.state();
    let judgement = &state.vaulted.as_ref().unwrap().judgement;
    assert_eq!(judgement.health.name(), "damaged");
    assert!(judgement.identity.is_some(), "the keys can be read");
}

#[test]
fn the_good_copy_of_a_rotted_first_set_stays() {
    let sim = Sim::small();
    let (first, _) = make(&sim, 1);
    flip(&sim.backups().join(&first).join("KERNEL.bin"), 5);
    flip(&sim.backups().join(&first).join("chip.bin"), 0x3_0005);
    let (second, made) = make(&sim, 1);
    assert!(made);
    for change in 0..4u8 {
        sim.poke(0x4_0000, &[change]);
        make(&sim, 1);
    }
    let sets = sim.sets();
    assert!(sets.contains(&first) && sets.contains(&second), "{first} {second} of {sets:?}");
}

#[test]
fn two_cameras_without_identity_do_not_push_each_other_s_sets_out() {
    let sim = Sim::small();
    sim.poke(0xF_0000, &vec![0xFF; 0x1_0000]);
    let mut ids = Vec::new();
    for camera in [1u8, 2, 1, 2, 1, 2] {
        sim.poke(0x100, &[camera]);
        ids.push(make(&sim, 1));
    }
    assert!(ids[0].1 && ids[1].1);
    assert!(ids[2..].iter().all(|(_, made)| !made), "{ids:?}");
    assert_eq!(sim.sets().len(), 2);
}

#[test]
fn fifteen_hundred_bad_sectors_still_make_a_set_and_only_one() {
    let sim = Sim::small();
    let faults: Vec<String> = (0..1500u32).map(|i| format!("eio@{}", i * 600)).collect();
    let (one, two) = (
        sim.run(&["--json", "backup"], &faults.join(",")),
        sim.run(&["--json", "backup"], &faults.join(",")),
    );
    assert_eq!(one.json()["id"], "0001-incomplete", "{one:?}");
    assert_eq!(two.json()["made"], false, "{two:?}");
    assert!(matches!(set::list(&sim.backups())[0].state, SetState::Incomplete { .. }));
}

#[test]
fn a_hostile_set_costs_neither_memory_nor_time() {
    let sim = Sim::small();
    let (id, _) = make(&sim, 5);
    let folder = sim.backups().join(id);
    let manifest = fs::read_to_string(folder.join("manifest.toml")).unwrap();
    let hostile = manifest
        .replace("size = 196608", "size = 4294967295")
        .replace("erase_size = 65536", "erase_size = 1");
    fs::write(folder.join("manifest.toml"), &hostile).unwrap();
    let recovery = vec![b'x'; 250_000];
    fs::write(folder.join("RECOVERY.txt"), &recovery).unwrap();
    let blocks = fs::read_to_string(folder.join("BLOCKSUMS")).unwrap();
    let hostile_blocks: String = blocks.replace(" 64\n", " 4294967295\n");
    fs::write(
        folder.join("BLOCKSUMS"),
        format!("RECOVERY.txt 250000 4294967295\n00000000\n{hostile_blocks}"),
    )
    .unwrap();
    // Its checksums are right for the manifest only, so the rest is looked into.
    let sums = fs::read_to_string(folder.join("SHA256SUMS")).unwrap();
    let digest = mi360d::base::hex(&sha2::Sha256::digest(&hostile));
    let sums: String = sums
        .lines()
        .map(|l| {
            if l.ends_with("manifest.toml") {
                format!("{digest}  manifest.toml\n")
            } else {
                format!("{l}\n")
            }
        })
        .collect();
    fs::write(folder.join("SHA256SUMS"), sums).unwrap();
    let started = Instant::now();
    let ran = rig::Ran::of(
        Command::new("sh")
            .args(["-c", "ulimit -v 400000; exec \"$0\" verify \"$1\"", rig::program()])
            .arg(&folder),
    );
    assert_eq!(ran.status, Some(4), "{ran:?}");
    assert!(started.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_count_of_starts_that_nobody_counted_is_not_believed() {
    let sim = Sim::small();
    let body = format!("{0} {0} {1}", u64::MAX, u32::MAX);
    let text = format!("{body} {:08x}\n", mi360d::formats::crc32::hash(body.as_bytes()));
    fs::create_dir_all(sim.home().join("state")).unwrap();
    fs::write(sim.home().join("state/starts.a"), text).unwrap();
    let card = Card::folder(&sim.path().join("sdcard"));
    assert_eq!(mi360d::machine::boots::Boots::count_start(&card).count, 1);
}

#[test]
fn a_port_that_is_taken_costs_the_page_and_not_the_backup() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let sim = Sim::small();
    let mut child = sim
        .command(&["run", "--listen", &taken.local_addr().unwrap().to_string()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    let said = || {
        let text = fs::read_to_string(sim.path().join("sdcard/STATUS.txt")).unwrap_or_default();
        text.contains("made and verified") && text.contains("the page cannot be served")
    };
    while !said() {
        assert!(Instant::now() < deadline, "no backup, or not a word about the page");
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_card_that_was_exchanged_gets_everything_again() {
    let sim = Sim::small();
    let camera = std::sync::Arc::new(sim.camera(""));
    startup::before_serving(&camera, &sim.home().join("config.toml"));
    startup::beside_serving(&camera);
    assert_eq!(sim.sets().len(), 1);
    fs::remove_dir_all(sim.home()).unwrap();
    startup::look_again(&camera);
    assert_eq!(sim.sets().len(), 1);
    assert_eq!(names(&sim.home().join("identity")).len(), 1);
}

#[test]
fn a_set_with_files_missing_is_not_listed_as_good() {
    let sim = Sim::small();
    let (id, _) = make(&sim, 5);
    fs::remove_file(sim.backups().join(&id).join("FACTORY.bin")).unwrap();
    let listed = sim.run(&["--json", "backups"], "").json();
    assert_eq!(listed["backups"][0]["state"], "broken", "{listed}");
    assert!(listed["backups"][0]["good_for"].as_str().unwrap().contains("FACTORY.bin is missing"));
}
