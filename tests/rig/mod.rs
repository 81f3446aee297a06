//! Simulated cameras for the tests: a small one, quick to read, and the
//! program itself as a process.
#![allow(dead_code, clippy::unwrap_used, clippy::panic)] // each test file uses its part

pub mod daemon;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use mi360d::camera::{Camera, Hardware};
use mi360d::card::Card;
use mi360d::chip::sim::{OnCut, SimCamera, SimPartition};
use mi360d::chip::{Chip, ChipError, EraseBlock, Faults, FlashMap, Partition, SimChip};
use mi360d::formats::flsh;

/// Partitions of a chip of 1 MiB.
pub const SMALL: [(&str, u32, u32); 6] = [
    ("BOOT", 0x0_0000, 0x3_0000),
    ("KERNEL", 0x3_0000, 0x3_0000),
    ("ROOTFS", 0x6_0000, 0x4_0000),
    ("DATA", 0xA_0000, 0x4_0000),
    ("CONFIG", 0xE_0000, 0x1_0000),
    ("FACTORY", 0xF_0000, 0x1_0000),
];

/// Bytes of that chip.
pub const SMALL_SIZE: usize = 0x10_0000;

/// A folder with a simulated camera, gone with the value.
pub struct Sim {
    pub dir: tempfile::TempDir,
}

/// A chip of which each reading is changed.
struct Misread<F> {
    chip: SimChip,
    change: F,
}

impl<F: Fn(&Partition, u32, &mut [u8]) + Send + Sync> Chip for Misread<F> {
    fn map(&self) -> &FlashMap {
        self.chip.map()
    }

    fn read(&self, part: &Partition, offset: u32, buf: &mut [u8]) -> Result<(), ChipError> {
        self.chip.read(part, offset, buf)?;
        (self.change)(part, offset, buf);
        Ok(())
    }

    fn erase(&self, block: &EraseBlock<'_>) -> Result<(), ChipError> {
        self.chip.erase(block)
    }

    fn program(&self, part: &Partition, offset: u32, data: &[u8]) -> Result<(), ChipError> {
        self.chip.program(part, offset, data)
    }

    fn is_writable(&self, part: &Partition) -> bool {
        self.chip.is_writable(part)
    }
}

/// Where a byte of the chip is in a reading, if it is in it.
pub fn place(at: u32, part: &Partition, offset: u32, length: usize) -> Option<usize> {
    let place = at.checked_sub(part.offset? + offset)? as usize;
    (place < length).then_some(place)
}

impl Sim {
    /// A chip of 1 MiB with these partitions and a healthy identity.
    pub fn small() -> Sim {
        let sim = Sim::with_map(&SMALL, 0x1_0000);
        let mut chip: Vec<u8> = (0..SMALL_SIZE).map(|i| (i * 31 + i / 251) as u8).collect();
        chip[0xE_0000..0xF_0000].copy_from_slice(&flsh::build(&[], 0x1_0000).unwrap());
        chip[0xF_0000..].copy_from_slice(&factory(1));
        std::fs::write(sim.flash(), chip).unwrap();
        sim
    }

    /// An empty chip of 1 MiB with this map.
    pub fn with_map(map: &[(&str, u32, u32)], erase_size: u32) -> Sim {
        let dir = tempfile::tempdir().unwrap();
        let camera = SimCamera {
            model: "ipc009".into(),
            wifi_mac: None,
            page_size: 256,
            partitions: map
                .iter()
                .map(|&(name, offset, size)| SimPartition {
                    name: name.into(),
                    offset,
                    size,
                    erase_size,
                })
                .collect(),
        };
        std::fs::write(dir.path().join("camera.toml"), camera.to_text().unwrap()).unwrap();
        std::fs::write(dir.path().join("flash.bin"), vec![0xFF; SMALL_SIZE]).unwrap();
        std::fs::create_dir_all(dir.path().join("sdcard")).unwrap();
        Sim { dir }
    }

    /// A whole camera of 16 MiB, as `sim create` makes it.
    pub fn whole() -> Sim {
        let dir = tempfile::tempdir().unwrap();
        let sim = Sim { dir };
        mi360d::chip::simulate::create(&sim.dir.path().join("c"), None, None).unwrap();
        for name in ["flash.bin", "camera.toml", "sdcard"] {
            std::fs::rename(sim.dir.path().join("c").join(name), sim.dir.path().join(name))
                .unwrap();
        }
        sim
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    pub fn flash(&self) -> PathBuf {
        self.path().join("flash.bin")
    }

    pub fn home(&self) -> PathBuf {
        self.path().join("sdcard/mi360d")
    }

    pub fn backups(&self) -> PathBuf {
        self.home().join("backups")
    }

    /// Names of the folders of sets, in order.
    pub fn sets(&self) -> Vec<String> {
        names(&self.backups())
    }

    /// The chip, with faults; a power cut is an error, not the end of the test.
    pub fn chip(&self, faults: &str) -> SimChip {
        SimChip::open(self.path(), Faults::parse(faults).unwrap(), OnCut::Fail).unwrap()
    }

    /// The camera within this process.
    pub fn camera(&self, faults: &str) -> Camera {
        self.camera_on(Box::new(self.chip(faults)))
    }

    /// The camera within this process, on another chip.
    pub fn camera_on(&self, chip: Box<dyn Chip>) -> Camera {
        let source = Hardware::Simulated { dir: self.path().to_owned(), model: "ipc009".into() };
        Camera::new(chip, Card::folder(&self.path().join("sdcard")), source)
    }

    /// The camera within this process; `change` gets the partition, the offset and the bytes of
    /// each reading, and may change the bytes.
    pub fn misread(
        &self,
        faults: &str,
        change: impl Fn(&Partition, u32, &mut [u8]) + Send + Sync + 'static,
    ) -> Camera {
        self.camera_on(Box::new(Misread { chip: self.chip(faults), change }))
    }

    /// Changes bytes of the chip from outside.
    pub fn poke(&self, offset: usize, bytes: &[u8]) {
        let mut chip = std::fs::read(self.flash()).unwrap();
        chip[offset..offset + bytes.len()].copy_from_slice(bytes);
        std::fs::write(self.flash(), chip).unwrap();
    }

    /// The program, as a process on this camera.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(program());
        command.arg("--sim").arg(self.path()).args(words);
        command.env_remove("MI360D_SIM_FAULTS");
        command
    }

    /// Runs the program.
    pub fn run(&self, words: &[&str], faults: &str) -> Ran {
        Ran::of(self.command(words).env("MI360D_SIM_FAULTS", faults))
    }
}

/// What a run of the program gave.
#[derive(Debug)]
pub struct Ran {
    pub status: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Ran {
    pub fn of(command: &mut Command) -> Ran {
        let Output { status, stdout, stderr } = command.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Ran { status: status.code(), out: text(stdout), err: text(stderr) }
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }
}

/// The program under test.
pub fn program() -> &'static str {
    env!("CARGO_BIN_EXE_mi360d")
}

/// A healthy FACTORY; the number makes it another camera's.
pub fn factory(number: u32) -> Vec<u8> {
    let did = format!("{:09}", 300_000_000 + number);
    let mac = format!("02:00:00:00:00:{number:02x}");
    let key = format!("PlantedKey{number:06}");
    flsh::build(
        &[
            (b"vendor", b"chuangmi"),
            (b"model", b"chuangmi.camera.ipc009"),
            (b"mac", mac.as_bytes()),
            (b"did", did.as_bytes()),
            (b"key", key.as_bytes()),
        ],
        0x1_0000,
    )
    .unwrap()
}

/// Names in a folder, in order.
pub fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(dir)
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}
