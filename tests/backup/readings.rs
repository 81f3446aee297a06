//! Chips that cannot be read, or read differently each time.

use std::fs;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;

use mi360d::backup::set::{SetFolder, SetState};
use mi360d::backup::verify::verify;
use mi360d::backup::{BackupError, Silent};
use mi360d::chip::Chip as _;

use crate::damage::sha256;
use crate::making::make;
use crate::rig::{SMALL, Sim, place};

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
            let clean = sim.chip("");
            let left = AtomicU32::new(reading - 1);
            let camera = sim.misread(&faults, move |part, offset, buf| {
                if place(at, part, offset, buf.len()).is_some() && left.load(Relaxed) > 0 {
                    left.fetch_sub(1, Relaxed);
                    clean.read(part, offset, buf).unwrap();
                }
            });
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

#[test]
fn two_readings_that_differ_and_have_one_crc32_close_no_set() {
    let sim = Sim::small();
    sim.camera("").secure_identity();
    // Another content from the second reading on, whose CRC32 is that of the first.
    let reads = AtomicU32::new(0);
    let camera = sim.misread("", move |part, offset, buf| {
        let Some(at) = place(0x7_1234, part, offset, buf.len()) else { return };
        if reads.fetch_add(1, Relaxed) > 0 {
            // CRC32's own polynomial, from its highest power on, the lowest bit of a byte first:
            // what is changed by a multiple of it keeps its CRC32.
            let polynomial: u64 = 0x1_04C1_1DB7;
            for bit in 0..33 {
                if polynomial >> (32 - bit) & 1 == 1 {
                    buf[at + bit / 8] ^= 1 << (bit % 8);
                }
            }
        }
    });
    let refused = camera.backup(Some(5), &Silent).expect_err("it is noticed");
    assert!(matches!(refused, BackupError::NotProven { .. }), "{refused}");
    assert_eq!(sim.sets(), Vec::<String>::new(), "and nothing is left that counts");
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
