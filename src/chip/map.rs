//! The flash map: which partitions a chip has, what each is for, where it
//! lies, and whether the whole is a map that this program knows.
//!
//! Facts: the camera's `/proc/mtd` and its MXP table (docs/formats.md, "Flash map").

use std::fmt;

use serde::{Deserialize, Serialize};

use super::ChipError;

/// Bytes read, hashed and compared at a time. Every partition of every known
/// map is a multiple of it, and JFFS2 nodes never cross such a border.
pub const WINDOW: u32 = 0x1_0000;

/// What a partition is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// IPL, MXP table, U-Boot and its environment.
    Boot,
    /// The Linux kernel, a uImage.
    Kernel,
    /// The root file system, squashfs.
    Rootfs,
    /// The vendor's app and settings, JFFS2.
    Data,
    /// NVRAM carried across an update, FLSH.
    Config,
    /// The cloud identity, FLSH: unique, irreplaceable.
    Factory,
    /// Anything this program has no name for.
    Other,
}

impl Role {
    /// The words that stand for them in files.
    pub const WORDS: [(&'static str, Role); 7] = [
        ("boot", Role::Boot),
        ("kernel", Role::Kernel),
        ("rootfs", Role::Rootfs),
        ("data", Role::Data),
        ("config", Role::Config),
        ("factory", Role::Factory),
        ("other", Role::Other),
    ];

    /// Its word in files.
    pub fn word(self) -> &'static str {
        Role::WORDS.iter().find(|(_, role)| *role == self).map_or("other", |(word, _)| word)
    }

    /// The six roles of a camera, in the order of the chip.
    pub const ALL: [Role; 6] =
        [Role::Boot, Role::Kernel, Role::Rootfs, Role::Data, Role::Config, Role::Factory];

    /// The role of a partition of this name; the match is exact.
    pub fn of_name(name: &str) -> Role {
        Role::ALL.into_iter().find(|r| r.name() == name).unwrap_or(Role::Other)
    }

    /// The name that the kernel gives the partition of this role.
    pub fn name(self) -> &'static str {
        match self {
            Role::Boot => "BOOT",
            Role::Kernel => "KERNEL",
            Role::Rootfs => "ROOTFS",
            Role::Data => "DATA",
            Role::Config => "CONFIG",
            Role::Factory => "FACTORY",
            Role::Other => "OTHER",
        }
    }

    /// What the partition holds, in a few words for its owner.
    pub fn meaning(self) -> &'static str {
        match self {
            Role::Boot => "boot loader",
            Role::Kernel => "Linux kernel",
            Role::Rootfs => "root file system",
            Role::Data => "vendor app and settings",
            Role::Config => "settings carried across an update",
            Role::Factory => "cloud identity: unique, irreplaceable",
            Role::Other => "not known to this program",
        }
    }

    /// Whether nothing but this camera's own backup may ever be written here.
    pub fn is_protected(self) -> bool {
        matches!(self, Role::Boot | Role::Config | Role::Factory)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// Its number: `/dev/mtdN` on the camera, its place in the table elsewhere.
    pub index: u32,
    /// Its name, as the kernel has it.
    pub name: String,
    /// What it is for.
    pub role: Role,
    /// Where it starts on the chip, in bytes; `None` where that is not certain.
    pub offset: Option<u32>,
    /// Its size in bytes.
    pub size: u32,
    /// Its erase block in bytes, a power of two.
    pub erase_size: u32,
    /// Whether it is another name for bytes that the others have too ("all").
    pub is_alias: bool,
}

impl Partition {
    /// How many windows of [`WINDOW`] bytes it has; the last may be shorter.
    pub fn windows(&self) -> u32 {
        self.size.div_ceil(WINDOW)
    }

    /// How many erase blocks it has.
    pub fn blocks(&self) -> u32 {
        self.size.checked_div(self.erase_size).unwrap_or(0)
    }

    /// Whether `length` bytes from `offset` on are within it.
    ///
    /// # Errors
    /// [`ChipError::OutOfRange`] where they are not.
    pub fn check_range(&self, offset: u32, length: usize) -> Result<(), ChipError> {
        if u64::from(offset) + length as u64 <= u64::from(self.size) {
            return Ok(());
        }
        let (partition, size) = (self.name.clone(), self.size);
        Err(ChipError::OutOfRange { partition, size, offset, length })
    }

    /// The erase block of this number; `None` beyond the last.
    pub fn erase_block(&self, number: u32) -> Option<EraseBlock<'_>> {
        (number < self.blocks()).then(|| EraseBlock { part: self, start: number * self.erase_size })
    }
}

/// One erase block of a partition: aligned and within it, by construction,
/// because the kernel checks neither.
#[derive(Clone, Copy, Debug)]
pub struct EraseBlock<'p> {
    part: &'p Partition,
    start: u32,
}

impl<'p> EraseBlock<'p> {
    /// The partition.
    pub fn partition(&self) -> &'p Partition {
        self.part
    }

    /// Bytes from the partition's start.
    pub fn start(&self) -> u32 {
        self.start
    }

    /// Its length in bytes.
    pub fn length(&self) -> u32 {
        self.part.erase_size
    }
}

/// What is certain about the map as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Layout {
    /// The six partitions of a Mi 360 camera, contiguous, covering the chip.
    Known,
    /// Some other map, or an uncertain one: it is backed up, never written.
    Unknown {
        /// Why, in words.
        reason: String,
    },
}

/// All partitions of a chip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlashMap {
    /// The partitions, in the order of their numbers.
    pub partitions: Vec<Partition>,
    /// The chip's size in bytes, where the partitions prove it.
    pub chip_size: Option<u32>,
    /// Whether this is a map that the program knows.
    pub layout: Layout,
}

/// A partition as its source names it, before anything is concluded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawPartition {
    /// Its number.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// Its size in bytes.
    pub size: u32,
    /// Its erase block in bytes.
    pub erase_size: u32,
    /// Where it starts, if the source says so (sysfs of newer kernels, an MXP table).
    pub offset: Option<u32>,
}

impl FlashMap {
    /// Concludes roles and offsets from what a source names.
    ///
    /// Offsets that the source gives are believed where they do not overlap.
    /// Otherwise they are the running sum in the order given, and only where
    /// that sum is a whole chip: a power of two of at least 1 MiB. A partition
    /// named for the whole chip and as large as all others together is an
    /// alias and stays aside. One that is no alias but has no place either
    /// ("upgrade", next to the six) is kept, without an offset.
    pub fn conclude(raw: &[RawPartition]) -> FlashMap {
        let alias = alias_of_all(raw);
        let known_six = has_each_role_once(raw);
        // An alias or an overlapping extra ("upgrade") has no place in the sum.
        let counts = |p: &RawPartition| {
            Some(p.index) != alias && (!known_six || Role::of_name(&p.name) != Role::Other)
        };
        let counted: Vec<&RawPartition> = raw.iter().filter(|p| counts(p)).collect();
        let offsets = given_offsets(&counted).or_else(|| summed_offsets(&counted));
        let sum: u64 = counted.iter().map(|p| u64::from(p.size)).sum();
        let chip_size = offsets.as_ref().and(u32::try_from(sum).ok());
        let partitions: Vec<Partition> = raw
            .iter()
            .map(|p| Partition {
                index: p.index,
                name: p.name.clone(),
                role: if is_named_once(raw, &p.name) {
                    Role::of_name(&p.name)
                } else {
                    Role::Other
                },
                offset: offsets
                    .as_ref()
                    .and_then(|o| o.iter().find(|(i, _)| *i == p.index).map(|(_, at)| *at)),
                size: p.size,
                erase_size: p.erase_size,
                is_alias: Some(p.index) == alias,
            })
            .collect();
        let layout = judge(raw, known_six, offsets.is_some(), &partitions);
        FlashMap { partitions, chip_size, layout }
    }

    /// The partition of this role, if the map has it.
    pub fn by_role(&self, role: Role) -> Option<&Partition> {
        self.partitions.iter().find(|p| p.role == role)
    }

    /// The partition of this name, if the map has it.
    pub fn by_name(&self, name: &str) -> Option<&Partition> {
        self.partitions.iter().find(|p| p.name == name)
    }

    /// Whether this is a map that the program knows.
    pub fn is_known(&self) -> bool {
        self.layout == Layout::Known
    }

    /// The partitions that make up the whole chip, in the order of their
    /// offsets; empty where that is not certain.
    pub fn covering(&self) -> Vec<&Partition> {
        let mut parts: Vec<&Partition> =
            self.partitions.iter().filter(|p| p.offset.is_some()).collect();
        parts.sort_by_key(|p| p.offset);
        parts
    }

    /// Whether both have the same roles at the same places; erase blocks do
    /// not matter.
    pub fn places_like(&self, other: &FlashMap) -> bool {
        let places = |map: &FlashMap| -> Vec<(Role, Option<u32>, u32)> {
            map.covering().into_iter().map(|p| (p.role, p.offset, p.size)).collect()
        };
        places(self) == places(other)
    }

    /// The map of a model's stock firmware; `None` for a model it is not known of.
    pub fn stock(model: &str) -> Option<FlashMap> {
        let kernel = match model {
            "ipc009" | "ipc016" => 0x21_0000,
            "ipc019" | "ipc019e" | "ipc021" | "ipc029" => 0x20_0000,
            _ => return None,
        };
        let sizes = [0x05_0000, kernel, 0x96_0000 - kernel, 0x63_0000, 0x01_0000, 0x01_0000];
        let raw: Vec<RawPartition> = Role::ALL
            .into_iter()
            .zip(sizes)
            .enumerate()
            .map(|(i, (role, size))| RawPartition {
                index: i as u32,
                name: role.name().to_owned(),
                size,
                erase_size: 0x1_0000,
                offset: None,
            })
            .collect();
        Some(FlashMap::conclude(&raw))
    }
}

/// The partition that is named for the whole chip, and as large as all others
/// together. Size alone does not tell: a partition may be half of a chip.
fn alias_of_all(raw: &[RawPartition]) -> Option<u32> {
    const NAMES: [&str; 5] = ["all", "whole", "flash", "full", "chip"];
    let sum = |of: &dyn Fn(&RawPartition) -> bool| -> u64 {
        raw.iter().filter(|p| of(p)).map(|p| u64::from(p.size)).sum()
    };
    let of_six = sum(&|p| Role::of_name(&p.name) != Role::Other);
    raw.iter()
        .find(|p| {
            let rest = sum(&|other| other.index != p.index);
            NAMES.contains(&p.name.to_ascii_lowercase().as_str())
                && (u64::from(p.size) == rest || u64::from(p.size) == of_six)
        })
        .map(|p| p.index)
}

fn is_named_once(raw: &[RawPartition], name: &str) -> bool {
    raw.iter().filter(|p| p.name == name).count() == 1
}

fn has_each_role_once(raw: &[RawPartition]) -> bool {
    Role::ALL.into_iter().all(|r| is_named_once(raw, r.name()))
}

/// The offsets that the source gave, if all are there and they tile a chip from 0.
fn given_offsets(parts: &[&RawPartition]) -> Option<Vec<(u32, u32)>> {
    let mut all: Vec<(u32, u32, u32)> =
        parts.iter().map(|p| p.offset.map(|o| (p.index, o, p.size))).collect::<Option<_>>()?;
    all.sort_by_key(|&(_, offset, _)| offset);
    let mut end = 0u64;
    for &(_, offset, size) in &all {
        if u64::from(offset) != end {
            return None;
        }
        end += u64::from(size);
    }
    is_chip_size(end).then(|| all.into_iter().map(|(i, o, _)| (i, o)).collect())
}

/// The running sum, where it ends at the end of a chip.
fn summed_offsets(parts: &[&RawPartition]) -> Option<Vec<(u32, u32)>> {
    if parts.iter().any(|p| p.offset.is_some()) {
        return None; // what the source said contradicts a sum
    }
    let mut at = 0u64;
    let mut offsets = Vec::with_capacity(parts.len());
    for p in parts {
        offsets.push((p.index, u32::try_from(at).ok()?));
        at += u64::from(p.size);
    }
    is_chip_size(at).then_some(offsets)
}

/// Whether a chip has this many bytes: a power of two from 1 MiB to 256 MiB.
pub(super) fn is_chip_size(bytes: u64) -> bool {
    bytes.is_power_of_two() && (0x10_0000..=0x1000_0000).contains(&bytes)
}

fn judge(raw: &[RawPartition], six: bool, placed: bool, parts: &[Partition]) -> Layout {
    let unknown = |reason: String| Layout::Unknown { reason };
    if raw.is_empty() {
        return unknown("no flash partitions were found".into());
    }
    if !six {
        let names: Vec<&str> = raw.iter().map(|p| p.name.as_str()).collect();
        return unknown(format!(
            "the partitions are named {}, not BOOT, KERNEL, ROOTFS, DATA, CONFIG, FACTORY",
            names.join(", ")
        ));
    }
    if !placed {
        return unknown("the partitions do not add up to a whole chip".into());
    }
    if let Some(p) = parts.iter().find(|p| {
        p.erase_size == 0
            || !p.erase_size.is_power_of_two()
            || p.size % p.erase_size != 0
            || p.offset.is_some_and(|o| o % p.erase_size != 0)
    }) {
        return unknown(format!("{} is not made of whole erase blocks", p.name));
    }
    let mut placed: Vec<&Partition> = parts.iter().filter(|p| p.role != Role::Other).collect();
    placed.sort_by_key(|p| p.offset);
    if placed.iter().map(|p| p.role).ne(Role::ALL) {
        return unknown("the partitions are in an unusual order".into());
    }
    Layout::Known
}
