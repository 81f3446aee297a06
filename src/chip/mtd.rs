//! The camera's own chip, through Linux: `/proc/mtd`, sysfs and `/dev/mtdN`.
//! Never `/dev/mtdblockN`: its cache keeps old bytes after a write.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::{Chip, ChipError, EraseBlock, FlashMap, Partition, RawPartition};
use crate::sys;

/// MTD_NORFLASH of mtd-abi.h.
const KIND_NOR: u8 = 3;
/// MTD_WRITEABLE of mtd-abi.h.
const FLAG_WRITEABLE: u32 = 0x400;

/// The chip behind `/dev/mtdN`.
pub struct MtdChip {
    map: FlashMap,
    devices: Vec<Device>,
}

/// One `/dev/mtdN`.
struct Device {
    index: u32,
    path: PathBuf,
    reads: File,
    /// Opened once, before the first erase: `/dev` may be gone after it.
    writes: OnceLock<File>,
    flags: u32,
}

impl MtdChip {
    /// Opens every partition for reading.
    ///
    /// # Errors
    /// [`ChipError::Map`] where there is no `/proc/mtd` or it names nothing.
    pub fn open() -> Result<MtdChip, ChipError> {
        let path = Path::new("/proc/mtd");
        let map_error = |reason: String| ChipError::Map { path: path.to_owned(), reason };
        let text = std::fs::read_to_string(path).map_err(|e| map_error(e.to_string()))?;
        let mut raw = parse_proc_mtd(&text);
        if raw.is_empty() {
            return Err(map_error("it lists no partitions".into()));
        }
        let mut devices = Vec::with_capacity(raw.len());
        for p in &mut raw {
            p.offset = sysfs_offset(p.index);
            let device = device_path(p.index);
            let file = match File::open(&device) {
                Ok(file) => file,
                Err(e) => {
                    log::warn!("{} ({}) cannot be opened: {e}", device.display(), p.name);
                    continue;
                }
            };
            let mut flags = 0;
            match sys::mtd::info(&file) {
                Ok(info) => {
                    flags = info.flags;
                    if info.kind != KIND_NOR {
                        log::warn!("{} is flash of kind {}, not NOR", p.name, info.kind);
                    }
                    // The device knows better than a table.
                    p.size = info.size;
                    p.erase_size = info.erase_size;
                }
                Err(e) => log::warn!("{} does not report its size: {e}", device.display()),
            }
            let writes = OnceLock::new();
            devices.push(Device { index: p.index, path: device, reads: file, writes, flags });
        }
        // sysfs numbers count only where every partition has one.
        if raw.iter().any(|p| p.offset.is_none()) {
            for p in &mut raw {
                p.offset = None;
            }
        }
        Ok(MtdChip { map: FlashMap::conclude(&raw), devices })
    }

    fn device(&self, part: &Partition) -> io::Result<&Device> {
        self.devices
            .iter()
            .find(|device| device.index == part.index)
            .ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }

    fn writable(&self, part: &Partition) -> io::Result<&File> {
        let device = self.device(part)?;
        if let Some(file) = device.writes.get() {
            return Ok(file);
        }
        let file = OpenOptions::new().read(true).write(true).open(&device.path)?;
        Ok(device.writes.get_or_init(|| file))
    }
}

impl Chip for MtdChip {
    fn map(&self) -> &FlashMap {
        &self.map
    }

    fn read(&self, part: &Partition, offset: u32, buf: &mut [u8]) -> Result<(), ChipError> {
        part.check_range(offset, buf.len())?;
        self.device(part)
            .and_then(|device| device.reads.read_exact_at(buf, u64::from(offset)))
            .map_err(|source| ChipError::Read { partition: part.name.clone(), offset, source })
    }

    fn erase(&self, block: &EraseBlock<'_>) -> Result<(), ChipError> {
        let part = block.partition();
        self.writable(part)
            .and_then(|file| sys::mtd::erase(file, block.start(), block.length()))
            .map_err(|source| ChipError::Erase {
                partition: part.name.clone(),
                offset: block.start(),
                source,
            })
    }

    fn program(&self, part: &Partition, offset: u32, data: &[u8]) -> Result<(), ChipError> {
        part.check_range(offset, data.len())?;
        self.writable(part)
            .and_then(|file| file.write_all_at(data, u64::from(offset)))
            .map_err(|source| ChipError::Program { partition: part.name.clone(), offset, source })
    }

    fn is_writable(&self, part: &Partition) -> bool {
        self.device(part).is_ok_and(|device| device.flags & FLAG_WRITEABLE != 0)
            && self.writable(part).is_ok()
    }

    fn is_locked(&self, block: &EraseBlock<'_>) -> Option<bool> {
        let device = self.device(block.partition()).ok()?;
        // Drivers without it answer EOPNOTSUPP, ENOTSUPP or EINVAL: they do not know.
        sys::mtd::is_locked(&device.reads, block.start(), block.length()).ok()
    }

    fn set_locked(
        &self,
        part: &Partition,
        offset: u32,
        length: u32,
        locked: bool,
    ) -> Result<(), ChipError> {
        self.writable(part)
            .and_then(|file| sys::mtd::set_locked(file, offset, length, locked))
            .map_err(|source| ChipError::Protect {
                partition: part.name.clone(),
                offset,
                length,
                source,
            })
    }
}

fn device_path(index: u32) -> PathBuf {
    let plain = PathBuf::from(format!("/dev/mtd{index}"));
    let nested = PathBuf::from(format!("/dev/mtd/{index}"));
    if !plain.exists() && nested.exists() { nested } else { plain }
}

/// Newer kernels tell where a partition starts; 3.18 does not.
fn sysfs_offset(index: u32) -> Option<u32> {
    let path = format!("/sys/class/mtd/mtd{index}/offset");
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// Parses lines like `mtd5: 00010000 00010000 "FACTORY"`; anything else is skipped.
pub fn parse_proc_mtd(text: &str) -> Vec<RawPartition> {
    text.lines().filter_map(parse_line).collect()
}

fn parse_line(line: &str) -> Option<RawPartition> {
    let (number, rest) = line.strip_prefix("mtd")?.split_once(':')?;
    let (numbers, name) = rest.trim().split_once('"')?;
    let mut hex = numbers.split_whitespace().map(|n| u32::from_str_radix(n, 16));
    Some(RawPartition {
        index: number.parse().ok()?,
        size: hex.next()?.ok()?,
        erase_size: hex.next()?.ok()?,
        name: name.strip_suffix('"').unwrap_or(name).to_owned(),
        offset: None,
    })
}
