//! Chips that cannot be read, or read differently each time.

use std::fs;

use mi360d::backup::set::{SetFolder, SetState};
use mi360d::backup::verify::verify;
use mi360d::backup::{BackupError, Silent};

use crate::damage::sha256;
use crate::making::make;
use crate::rig::{SMALL, Sim};

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
