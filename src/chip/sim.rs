//! The simulated chip: a file with the rules of NOR flash, and with the
//! faults that a real chip has too rarely. The chip of the tests and of `--sim`.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use memmap2::MmapMut;
use serde::{Deserialize, Serialize};

use super::{Chip, ChipError, EraseBlock, Faults, FlashMap, Partition, RawPartition, Spent, time};
use crate::formats::document;
use crate::sys;

/// The variable that names a file to which each operation is appended, one a line:
/// `read`, `erase` or `program`, the partition, offset and length in hex. For tests of an order.
pub const TRACE: &str = "MI360D_SIM_TRACE";
/// What is worth a nap: a shorter one takes longer than it should.
const NAP: Duration = Duration::from_millis(2);

/// What `camera.toml` of a simulated camera says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SimCamera {
    /// `ipc009`, `ipc019`, ...
    pub model: String,
    /// The address of the simulated WiFi, as `/sys/class/net/wlan0/address` has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wifi_mac: Option<String>,
    /// Bytes of a page: one program operation.
    #[serde(default = "usual_page")]
    pub page_size: u32,
    /// The partitions, in the order of `/proc/mtd`.
    #[serde(rename = "partition")]
    pub partitions: Vec<SimPartition>,
}

/// One `[[partition]]` of `camera.toml`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SimPartition {
    /// As `/proc/mtd` would name it.
    pub name: String,
    /// Bytes from the chip's start.
    pub offset: u32,
    /// Bytes.
    pub size: u32,
    /// Bytes of an erase block.
    pub erase_size: u32,
}

impl SimCamera {
    /// The text of the file.
    ///
    /// # Errors
    /// As [`document::to_toml`].
    pub fn to_text(&self) -> io::Result<String> {
        document::to_toml(self)
    }
}

/// Bytes of a page, where the file names none.
fn usual_page() -> u32 {
    256
}

/// What happens when the simulated power fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnCut {
    /// The process ends at once with status 137, as a killed one.
    EndProcess,
    /// Every operation from now on is [`ChipError::PowerCut`]; for tests within one process.
    Fail,
}

/// A chip in a file.
pub struct SimChip {
    map: FlashMap,
    camera: SimCamera,
    on_cut: OnCut,
    pace: f64,
    state: Mutex<State>,
}

struct State {
    bytes: MmapMut,
    faults: Faults,
    operations: u64,
    spent: Spent,
    /// Microseconds of `spent` that were waited for, or not to be.
    waited: u64,
    dead: bool,
    trace: Option<File>,
}

impl SimChip {
    /// Opens the simulated camera in `dir`: `flash.bin` and `camera.toml`.
    ///
    /// # Errors
    /// [`ChipError::Sim`] where one is missing, or they contradict each other.
    pub fn open(dir: &Path, faults: Faults, on_cut: OnCut) -> Result<SimChip, ChipError> {
        let settings = dir.join("camera.toml");
        let text = std::fs::read_to_string(&settings).map_err(|e| bad(&settings, &e))?;
        let camera: SimCamera = document::from_toml(&text).map_err(|e| bad(&settings, &e))?;
        let path = dir.join("flash.bin");
        let file =
            OpenOptions::new().read(true).write(true).open(&path).map_err(|e| bad(&path, &e))?;
        let bytes = sys::mmap::map_shared(&file).map_err(|e| bad(&path, &e))?;
        let pace = match std::env::var(time::PACE) {
            Ok(text) => time::pace(&text).ok_or_else(|| {
                bad(&path, &format!("{} takes a number from 0 to 10", time::PACE))
            })?,
            Err(_) => 0.0,
        };
        let trace = match std::env::var_os(TRACE) {
            Some(name) => Some(
                OpenOptions::new()
                    .create(true)
                    .append(true)
                    .open(&name)
                    .map_err(|e| bad(Path::new(&name), &e))?,
            ),
            None => None,
        };
        let chip = SimChip::with_bytes(&path, camera, bytes, faults, on_cut)?;
        chip.lock()?.trace = trace;
        Ok(SimChip { pace, ..chip })
    }

    fn with_bytes(
        path: &Path,
        camera: SimCamera,
        bytes: MmapMut,
        faults: Faults,
        on_cut: OnCut,
    ) -> Result<SimChip, ChipError> {
        let bad_map = |reason: String| ChipError::Sim { path: path.to_owned(), reason };
        for p in &camera.partitions {
            let end = u64::from(p.offset) + u64::from(p.size);
            if end > bytes.len() as u64 || u32::try_from(end).is_err() {
                return Err(bad_map(format!(
                    "it has {:#x} bytes, but in camera.toml {} ends at {end:#x}",
                    bytes.len(),
                    p.name
                )));
            }
            if !p.erase_size.is_power_of_two() || p.offset % p.erase_size != 0 {
                return Err(bad_map(format!(
                    "camera.toml: {} does not start at a whole erase block",
                    p.name
                )));
            }
        }
        if !camera.page_size.is_power_of_two() {
            return Err(bad_map("camera.toml: page_size is not a power of two".into()));
        }
        let raw: Vec<RawPartition> = camera
            .partitions
            .iter()
            .enumerate()
            .map(|(i, p)| RawPartition {
                index: i as u32,
                name: p.name.clone(),
                size: p.size,
                erase_size: p.erase_size,
                offset: Some(p.offset),
            })
            .collect();
        if raw.is_empty() {
            return Err(bad_map("camera.toml lists no partition".into()));
        }
        let map = FlashMap::conclude(&raw);
        let state = Mutex::new(State {
            bytes,
            faults,
            operations: 0,
            spent: Spent::default(),
            waited: 0,
            dead: false,
            trace: None,
        });
        Ok(SimChip { map, camera, on_cut, pace: 0.0, state })
    }

    /// Operations (erases and page programs) so far: what `cut@N` counts.
    pub fn operations(&self) -> u64 {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).operations
    }

    /// What `camera.toml` says.
    pub fn camera(&self) -> &SimCamera {
        &self.camera
    }

    /// Where a partition starts in the file, also in a map that is not known.
    fn base(&self, part: &Partition) -> u32 {
        self.camera.partitions.get(part.index as usize).map_or(0, |p| p.offset)
    }

    /// Takes the time that a real chip would, in naps long enough to be exact.
    fn take_time(&self, state: &mut State) {
        let due = Duration::from_micros(state.spent.micros - state.waited).mul_f64(self.pace);
        if due >= NAP {
            std::thread::sleep(due);
            state.waited = state.spent.micros;
        }
    }

    fn lock(&self) -> Result<MutexGuard<'_, State>, ChipError> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.dead { Err(ChipError::PowerCut) } else { Ok(state) }
    }
}

fn bad(path: &Path, error: &dyn std::fmt::Display) -> ChipError {
    ChipError::Sim { path: PathBuf::from(path), reason: error.to_string() }
}

impl Chip for SimChip {
    fn map(&self) -> &FlashMap {
        &self.map
    }

    fn read(&self, part: &Partition, offset: u32, buf: &mut [u8]) -> Result<(), ChipError> {
        part.check_range(offset, buf.len())?;
        let mut state = self.lock()?;
        state.note("read", part, offset, buf.len());
        let start = self.base(part) + offset;
        let range = start..start + buf.len() as u32;
        state.spent.add_read(buf.len() as u64);
        self.take_time(&mut state);
        if state.faults.eio.iter().any(|at| range.contains(at)) {
            return Err(ChipError::Read {
                partition: part.name.clone(),
                offset,
                source: io::Error::from_raw_os_error(nix::libc::EIO),
            });
        }
        buf.copy_from_slice(&state.bytes[range.start as usize..range.end as usize]);
        // The same one named twice is for the next reading and the one after it.
        let mut done = Vec::new();
        state.faults.flips.retain(|flip| {
            if range.contains(&flip.offset) && !done.contains(flip) {
                buf[(flip.offset - start) as usize] ^= 1 << flip.bit;
                done.push(*flip);
                return false;
            }
            true
        });
        Ok(())
    }

    fn erase(&self, block: &EraseBlock<'_>) -> Result<(), ChipError> {
        let mut state = self.lock()?;
        state.note("erase", block.partition(), block.start(), block.length() as usize);
        let start = self.base(block.partition()) + block.start();
        let range = start..start + block.length();
        let inert = |list: &[u32]| list.iter().any(|at| range.contains(at));
        state.spent.add_erase(block.length());
        self.take_time(&mut state);
        let does_nothing = inert(&state.faults.stuck) || inert(&state.faults.wp);
        let cut = state.count();
        if !does_nothing {
            let bytes = &mut state.bytes[range.start as usize..range.end as usize];
            if cut {
                half_erase(bytes);
            } else {
                bytes.fill(0xFF);
            }
            if !cut && inert(&state.faults.over_erase) {
                let rest = &mut state.bytes[range.end as usize..];
                let next = rest.len().min(block.length() as usize);
                rest[..next].fill(0xFF);
            }
        }
        self.end_if(cut, &mut state)
    }

    fn program(&self, part: &Partition, offset: u32, data: &[u8]) -> Result<(), ChipError> {
        part.check_range(offset, data.len())?;
        let mut state = self.lock()?;
        state.note("program", part, offset, data.len());
        let mut at = self.base(part) + offset;
        let mut data = data;
        while !data.is_empty() {
            let page = self.camera.page_size;
            let length = ((page - at % page) as usize).min(data.len());
            let (now, rest) = data.split_at(length);
            let cut = state.count();
            state.spent.add_page();
            self.take_time(&mut state);
            // A torn page is a prefix: bytes go in one after the other.
            let length = if cut { length / 2 } else { length };
            let erase_size = part.erase_size.max(1);
            let block = at / erase_size * erase_size;
            let protected = state.faults.wp.iter().any(|w| (block..block + erase_size).contains(w));
            if !protected {
                let State { bytes, faults, .. } = &mut *state;
                for (i, new) in (at..).zip(&now[..length]) {
                    let old = &mut bytes[i as usize];
                    // One bit ends wrong: it is cleared although it should stay, or stays.
                    let wrong =
                        if faults.lying_write.contains(&i) { *old & old.wrapping_neg() } else { 0 };
                    *old = (*old & new) ^ wrong;
                }
            }
            self.end_if(cut, &mut state)?;
            at += now.len() as u32;
            data = rest;
        }
        Ok(())
    }

    fn is_writable(&self, _part: &Partition) -> bool {
        true
    }

    fn spent(&self) -> Option<Spent> {
        self.lock().ok().map(|state| state.spent)
    }
}

impl SimChip {
    fn end_if(&self, cut: bool, state: &mut State) -> Result<(), ChipError> {
        if !cut {
            return Ok(());
        }
        if self.on_cut == OnCut::EndProcess {
            sys::process::power_cut(137);
        }
        state.dead = true;
        Err(ChipError::PowerCut)
    }
}

impl State {
    /// Appends an operation to the trace; one that cannot be written is missing there.
    fn note(&mut self, what: &str, part: &Partition, offset: u32, length: usize) {
        if let Some(file) = &mut self.trace {
            // One write for each line: a reader never sees half of one.
            let line = format!("{what} {} {offset:#x} {length:#x}\n", part.name);
            let _ = file.write_all(line.as_bytes());
        }
    }

    /// Counts an operation; true if power fails during it.
    fn count(&mut self) -> bool {
        self.operations += 1;
        self.faults.cuts.contains(&self.operations)
    }
}

/// What a block holds whose erase was cut: some bits set, some not yet.
fn half_erase(block: &mut [u8]) {
    let mut noise = 0x9E37_79B9u32;
    for byte in block {
        noise ^= noise << 13;
        noise ^= noise >> 17;
        noise ^= noise << 5;
        *byte |= noise as u8;
    }
}
