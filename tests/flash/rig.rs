//! A camera of 16 MiB, an image for it, and a chip that notes what is done to it.
#![allow(dead_code)]

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use mi360d::backup::Silent;
use mi360d::camera::flashing::{Flashed, FlashingError, Planned};
use mi360d::camera::{Camera, Hardware};
use mi360d::card::Card;
use mi360d::chip::sim::{OnCut, SimCamera, SimPartition};
use mi360d::chip::{
    Chip, ChipError, EraseBlock, Faults, FlashMap, Partition, Role, SimChip, Spent,
};
use mi360d::flash::{PlanRequest, PlanSource, Unwatched};
use mi360d::formats::{jffs2, tf, uimage};

use crate::synthetic::{self, I3, noise};

pub const BLOCK: usize = 0x1_0000;
pub const KERNEL: usize = 0x05_0000;
pub const ROOTFS: usize = 0x26_0000;
pub const DATA: usize = 0x9B_0000;
pub const CONFIG: usize = 0xFE_0000;
pub const FACTORY: usize = 0xFF_0000;

/// A folder in memory where there is one: these tests write gigabytes.
pub fn folder() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir()
        && let Ok(dir) = tempfile::tempdir_in(memory)
    {
        return dir;
    }
    tempfile::tempdir().unwrap()
}

/// A simulated camera.
pub struct Bench {
    pub dir: tempfile::TempDir,
}

impl Bench {
    /// One whose chip holds these 16 MiB.
    pub fn with(chip: &[u8], erase_size: u32) -> Bench {
        let dir = folder();
        let map = FlashMap::stock("ipc009").unwrap();
        let partitions = map.covering().into_iter().map(|p| SimPartition {
            name: p.name.clone(),
            offset: p.offset.unwrap(),
            size: p.size,
            erase_size,
        });
        let camera = SimCamera {
            model: "ipc009".into(),
            wifi_mac: Some("50:ec:50:ab:cd:ef".into()),
            page_size: 256,
            partitions: partitions.collect(),
        };
        std::fs::write(dir.path().join("camera.toml"), camera.to_text().unwrap()).unwrap();
        std::fs::create_dir_all(dir.path().join("sdcard/mi360d")).unwrap();
        let bench = Bench { dir };
        bench.set(chip);
        bench
    }

    /// The camera of `synthetic::chip`.
    pub fn new() -> Bench {
        Bench::with(&synthetic::chip("ipc009"), BLOCK as u32)
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    pub fn card(&self) -> PathBuf {
        self.path().join("sdcard")
    }

    pub fn home(&self) -> PathBuf {
        self.card().join("mi360d")
    }

    /// What the chip holds.
    pub fn bytes(&self) -> Vec<u8> {
        std::fs::read(self.path().join("flash.bin")).unwrap()
    }

    /// Replaces what the chip holds.
    pub fn set(&self, chip: &[u8]) {
        std::fs::write(self.path().join("flash.bin"), chip).unwrap();
    }

    /// The chip; a power cut is an error, not the end of the test.
    pub fn chip(&self, faults: &str) -> SimChip {
        SimChip::open(self.path(), Faults::parse(faults).unwrap(), OnCut::Fail).unwrap()
    }

    /// The camera within this process.
    pub fn camera(&self, faults: &str) -> Camera {
        self.camera_on(Box::new(self.chip(faults)))
    }

    pub fn camera_on(&self, chip: Box<dyn Chip>) -> Camera {
        let source = Hardware::Simulated { dir: self.path().to_owned(), model: "ipc009".into() };
        Camera::new(chip, Card::folder(&self.card()), source)
    }

    /// Puts a file where uploads lie.
    pub fn upload(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let images = self.home().join("images");
        std::fs::create_dir_all(&images).unwrap();
        std::fs::write(images.join(name), bytes).unwrap();
        images.join(name)
    }

    /// The program as a process on this camera.
    pub fn run(&self, words: &[&str], faults: &str) -> Ran {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_mi360d"))
            .arg("--sim")
            .arg(self.path())
            .args(words)
            .env("MI360D_SIM_FAULTS", faults)
            .output()
            .unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Ran { status: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
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
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }
}

pub fn image(path: &Path) -> PlanRequest {
    PlanRequest { source: PlanSource::Image(path.to_owned()), only: None, did: None, sha256: None }
}

pub fn set(path: &Path) -> PlanRequest {
    PlanRequest { source: PlanSource::Set(path.to_owned()), only: None, did: None, sha256: None }
}

pub fn only(request: PlanRequest, names: &[&str]) -> PlanRequest {
    let only = Some(names.iter().map(|n| (*n).to_owned()).collect());
    PlanRequest { only, ..request }
}

pub fn plan(camera: &Camera, request: &PlanRequest) -> Planned {
    camera.plan(request, &Silent).unwrap()
}

/// Plans, agrees, flashes.
pub fn flash(camera: &Camera, request: &PlanRequest) -> Result<Flashed, FlashingError> {
    let planned = camera.plan(request, &Silent)?;
    camera.flash(request, planned.plan.confirm.as_deref(), &Unwatched, &Silent)
}

pub fn resume(camera: &Camera) -> Result<Option<Flashed>, FlashingError> {
    camera.resume(false, &Unwatched, &Silent)
}

/// The chip after the flash of a tf image.
pub fn flashed(chip: &[u8], image: &[u8]) -> Vec<u8> {
    let mut wanted = chip.to_vec();
    let body = &image[..tf::BODY as usize];
    wanted[KERNEL..KERNEL + body.len()].copy_from_slice(body);
    wanted
}

/// A tf image that changes six blocks of `synthetic::chip`: two each in
/// KERNEL, ROOTFS and DATA, and none of them otherwise.
pub fn six_blocks() -> Vec<u8> {
    let mut chip = synthetic::chip("ipc009");
    let mut payload = noise(100_000);
    payload[70_000] ^= 1;
    let kernel = uimage::build(I3, 1, &payload).unwrap();
    chip[KERNEL..KERNEL + kernel.len()].copy_from_slice(&kernel);
    // The ends of two blocks of the squashfs, each next to its checksum.
    let mut content = noise(500_000);
    for end in [0x4_0000, 0x6_0000] {
        content[end - 64..end].iter_mut().for_each(|byte| *byte ^= 0x5A);
    }
    let rootfs = mi360d::formats::squashfs::build(500_000, 1, &content).unwrap();
    chip[ROOTFS..ROOTFS + rootfs.len()].copy_from_slice(&rootfs);
    for block in [0, 7] {
        data_block(&mut chip[DATA + block * BLOCK..DATA + (block + 1) * BLOCK], block as u32 + 2);
    }
    tf_of(&chip)
}

/// A tf image in which every block is another.
pub fn everything() -> Vec<u8> {
    let mut chip = synthetic::chip("ipc009");
    let payload: Vec<u8> = noise(0x20_0000).into_iter().map(|b| b ^ 0x33).collect();
    let kernel = uimage::build(I3, 2, &payload).unwrap();
    chip[KERNEL..KERNEL + kernel.len()].copy_from_slice(&kernel);
    let content: Vec<u8> = noise(0x75_0000).into_iter().map(|b| b ^ 0xA5).collect();
    let rootfs = mi360d::formats::squashfs::build(0x75_0000, 9, &content).unwrap();
    chip[ROOTFS..DATA].copy_from_slice(&rootfs);
    for block in 0..99 {
        data_block(&mut chip[DATA + block * BLOCK..DATA + (block + 1) * BLOCK], block as u32);
    }
    tf_of(&chip)
}

/// The image of a chip, with a trailer.
pub fn tf_of(chip: &[u8]) -> Vec<u8> {
    let mut image = chip[KERNEL..CONFIG].to_vec();
    image.extend(noise(80));
    image
}

/// Fills a block with JFFS2 nodes.
pub fn data_block(block: &mut [u8], version: u32) {
    block.fill(0xFF);
    block[..12].copy_from_slice(&jffs2::CLEANMARKER);
    let mut at = 12;
    for n in 0.. {
        let name = format!("file-{version}-{n}");
        let node = jffs2::dirent(1, version, n + 2, 8, name.as_bytes()).unwrap();
        if at + node.len() > BLOCK {
            break;
        }
        block[at..at + node.len()].copy_from_slice(&node);
        at = (at + node.len()).next_multiple_of(4);
    }
}

/// One operation of a chip, as a power cut counts them.
#[derive(Clone, Debug)]
pub enum Op {
    Erase { part: String, block: u32 },
    Page { part: String, offset: u32, data: Vec<u8> },
}

/// A chip that notes its operations.
pub struct Noting {
    pub chip: SimChip,
    pub ops: Arc<Mutex<Vec<Op>>>,
}

impl Noting {
    pub fn new(chip: SimChip) -> Noting {
        Noting { chip, ops: Arc::default() }
    }
}

impl Chip for Noting {
    fn map(&self) -> &FlashMap {
        self.chip.map()
    }

    fn read(&self, part: &Partition, offset: u32, buf: &mut [u8]) -> Result<(), ChipError> {
        self.chip.read(part, offset, buf)
    }

    fn erase(&self, block: &EraseBlock<'_>) -> Result<(), ChipError> {
        let part = block.partition().name.clone();
        let block_number = block.start() / block.length();
        self.ops.lock().unwrap().push(Op::Erase { part, block: block_number });
        self.chip.erase(block)
    }

    fn program(&self, part: &Partition, offset: u32, data: &[u8]) -> Result<(), ChipError> {
        for (i, page) in data.chunks(256).enumerate() {
            self.ops.lock().unwrap().push(Op::Page {
                part: part.name.clone(),
                offset: offset + i as u32 * 256,
                data: page.to_vec(),
            });
        }
        self.chip.program(part, offset, data)
    }

    fn is_writable(&self, part: &Partition) -> bool {
        self.chip.is_writable(part)
    }

    fn spent(&self) -> Option<Spent> {
        self.chip.spent()
    }
}

/// Does one operation.
pub fn apply(chip: &SimChip, op: &Op) -> Result<(), ChipError> {
    match op {
        Op::Erase { part, block } => {
            let part = chip.map().by_name(part).unwrap();
            chip.erase(&part.erase_block(*block).unwrap())
        }
        Op::Page { part, offset, data } => {
            chip.program(chip.map().by_name(part).unwrap(), *offset, data)
        }
    }
}

/// BOOT and FACTORY, and CONFIG, which no flash of a tf image touches.
pub fn untouched(before: &[u8], after: &[u8]) -> bool {
    before[..KERNEL] == after[..KERNEL] && before[CONFIG..] == after[CONFIG..]
}

/// The roles of a flash of a tf image.
pub const FIRMWARE: [Role; 3] = [Role::Kernel, Role::Rootfs, Role::Data];

/// Any chip, whose erases are noted.
pub struct NotingAny {
    chip: Box<dyn Chip>,
    pub erases: Arc<Mutex<Vec<(String, u32)>>>,
}

impl NotingAny {
    pub fn new(chip: Box<dyn Chip>) -> NotingAny {
        NotingAny { chip, erases: Arc::default() }
    }
}

impl Chip for NotingAny {
    fn map(&self) -> &FlashMap {
        self.chip.map()
    }

    fn read(&self, part: &Partition, offset: u32, buf: &mut [u8]) -> Result<(), ChipError> {
        self.chip.read(part, offset, buf)
    }

    fn erase(&self, block: &EraseBlock<'_>) -> Result<(), ChipError> {
        let place = (block.partition().name.clone(), block.start() / block.length());
        self.erases.lock().unwrap().push(place);
        self.chip.erase(block)
    }

    fn program(&self, part: &Partition, offset: u32, data: &[u8]) -> Result<(), ChipError> {
        self.chip.program(part, offset, data)
    }

    fn is_writable(&self, part: &Partition) -> bool {
        self.chip.is_writable(part)
    }
}
