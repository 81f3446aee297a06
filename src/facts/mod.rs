//! Facts about a camera's firmware, for support: the document, without a secret.
//!
//! | file | contains |
//! | --- | --- |
//! | `machine` | what Linux and the vendor's files tell |
//! | `flash` | what the chip tells: partitions, U-Boot, protection |
//! | `words` | which words of the system's texts are shown; pure |
//! | `scrub` | the last check: no known secret stays in the document; pure |
//! | `text` | the document as a text; pure |
//!
//! Every reading is bounded, and nothing is changed: no vendor's socket is opened but mortoxd's,
//! which is asked one harmless question; `/dev/watchdog` is never opened, since that would arm it.

pub mod flash;
pub mod known;
pub mod machine;
pub mod scrub;
pub mod text;
pub mod words;

use serde::Serialize;

/// The version of the document's form.
pub const FORMAT: u32 = 1;

/// All facts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FirmwareFacts {
    /// [`FORMAT`].
    pub format: u32,
    /// The program's version.
    pub program: String,
    /// The firmware, by the first 8 hex digits of a hash over its parts' heads.
    pub firmware: String,
    /// The camera's model, as FACTORY says it.
    pub model: String,
    /// Whether the chip is a file on a PC.
    pub simulated: bool,
    /// How the start went.
    pub start: Vec<Moment>,
    /// Linux, and the vendor's programs; none where there is only a chip.
    pub machine: Option<Machine>,
    /// The chip.
    pub flash: Flash,
}

/// The machine at one moment of its start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Moment {
    /// Seconds since this program started.
    pub after_seconds: u64,
    /// Seconds since the kernel started.
    pub uptime_seconds: u64,
    /// `/tmp/factory_mode`: `absent`, `file` or `folder`.
    pub factory_mode: String,
    /// Whether the vendor's supervisor runs.
    pub supervisor: bool,
    /// Memory that is available, in KiB.
    pub available_kib: u64,
    /// How many of the vendor's programs run.
    pub vendor_programs: usize,
}

/// What Linux and the vendor's files tell.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Machine {
    /// `/proc/version`.
    pub kernel: String,
    /// The kernel's command line, word by word; values that are not known to be harmless are left out.
    pub command_line: Vec<String>,
    /// `/proc/meminfo`, in KiB.
    pub memory: Vec<Number>,
    /// `/proc/mtd`, line by line.
    pub mtd: Vec<String>,
    /// Mounts: source, place, type, harmless options.
    pub mounts: Vec<String>,
    /// File systems that the kernel has.
    pub file_systems: Vec<String>,
    /// Modules and their sizes in bytes.
    pub modules: Vec<Number>,
    /// The vendor's programs, and the system's own, that run.
    pub programs: Vec<Program>,
    /// Unix sockets on which somebody listens.
    pub sockets: Vec<String>,
    /// TCP ports on which somebody listens.
    pub ports: Vec<u16>,
    /// The vendor's services, and what they answered.
    pub services: Vec<Inquiry>,
    /// The watchdog, as sysfs tells; it is not opened.
    pub watchdog: Vec<Inquiry>,
    /// Lines of the vendor's own version file.
    pub release: Vec<String>,
    /// The vendor's scripts and programs.
    pub files: Vec<FileFact>,
    /// How many more there are than are listed.
    pub files_left_out: usize,
}

/// A number with a name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Number {
    /// The name.
    pub name: String,
    /// The number.
    pub value: u64,
}

/// One program that runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Program {
    /// Its name, as the kernel has it: 15 characters at most.
    pub name: String,
    /// Its memory, in KiB.
    pub resident_kib: u64,
    /// How likely the kernel is to end it for want of memory: -1000 is never.
    pub oom_score_adj: i32,
}

/// What was asked, and the answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Inquiry {
    /// What was asked.
    pub name: String,
    /// The answer.
    pub answer: String,
}

/// One file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FileFact {
    /// Where it is.
    pub path: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its SHA-256.
    pub sha256: String,
}

/// What the chip tells.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Flash {
    /// Size in bytes, where it is known.
    pub size: Option<u32>,
    /// The partitions, in the chip's order.
    pub partitions: Vec<PartitionFacts>,
    /// The name in KERNEL's uImage.
    pub kernel_image: Option<String>,
    /// What U-Boot calls itself.
    pub uboot: Option<String>,
    /// File names in U-Boot: those of its rescue images are among them.
    pub uboot_files: Vec<String>,
    /// The reason if there are none.
    pub uboot_problem: Option<String>,
    /// The names in U-Boot's environment; no values.
    pub environment: Vec<String>,
}

/// One partition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PartitionFacts {
    /// Its name.
    pub name: String,
    /// Where it begins, in bytes; none where the map does not tell.
    pub offset: Option<u32>,
    /// Its size in bytes.
    pub size: u32,
    /// Its erase size in bytes.
    pub erase_size: u32,
    /// What MEMISLOCKED said of the first block: `locked`, `open`, `not told`.
    pub protection: String,
}
