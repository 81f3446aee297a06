//! The chip clipped to a PC, through flashrom: read until two readings agree, and write only an
//! image that belongs to this camera.
//!
//! | file | contents |
//! | --- | --- |
//! | `flashrom` | finding and running the program, argument vectors only |
//! | `output` | what it prints, parsed (pure) |
//! | `reading` | readings until two agree |
//! | `kept` | what was read, as a backup set; the journal of a write |
//! | `decide` | what a write would change, and what forbids it (pure) |
//! | `writing` | a write, from the kept reading to the protection restored |
//! | `error` | what can go wrong, and the next step |
//!
//! flashrom is a kept program of this trade. It is found on the PATH and never built in.

mod decide;
mod device;
mod error;
mod flashrom;
mod kept;
pub mod output;
mod reading;
mod writing;

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::backup::Progress;

pub use decide::{PartPlan, Plan};
pub use device::{CHIP_SIZE, DEFAULT_PROGRAMMER, Device};
pub use error::ProgrammerError;
pub use flashrom::Flashrom;
pub use output::{ChipFound, Protection};
pub use reading::Reading;
pub use writing::{Wish, WriteOutcome, Written, write};

/// What `programmer status` reports.
#[derive(Debug, Serialize)]
pub struct Status {
    /// The device that was asked for.
    #[serde(flatten)]
    pub device: Device,
    /// flashrom's own name and version.
    pub flashrom: String,
    /// The chip that answered.
    pub found: ChipFound,
    /// Its write protection; `None` where this flashrom cannot tell for this chip.
    pub protection: Option<Protection>,
}

/// Asks for the chip and its write protection. Changes nothing.
///
/// # Errors
/// [`ProgrammerError`]: no flashrom, no programmer, no chip, or several that fit.
pub fn status(device: &Device) -> Result<Status, ProgrammerError> {
    let flashrom = Flashrom::find(device)?;
    let (found, protection) = flashrom.status()?;
    let version = flashrom.version();
    Ok(Status { device: device.clone(), flashrom: version, found, protection })
}

/// What `programmer read` made.
#[derive(Debug, Serialize)]
pub struct ReadDone {
    /// The chip that answered.
    pub found: ChipFound,
    /// The readings.
    pub reading: Reading,
    /// The folder.
    pub kept: PathBuf,
    /// Whether it is a whole backup set; otherwise only `chip.bin` and its checksum are in it,
    /// because the chip's content does not tell its own map.
    pub is_set: bool,
    /// What `inspect` says of it.
    pub inspected: crate::image::Report,
}

/// Reads the chip until two readings agree, and keeps it in the new folder `dir`.
///
/// # Errors
/// [`ProgrammerError`]; where no two of four readings agree, all four are kept for `recover`.
pub fn read(
    device: &Device,
    dir: &Path,
    progress: &dyn Progress,
) -> Result<ReadDone, ProgrammerError> {
    let flashrom = Flashrom::find(device)?;
    kept::must_be_new(dir)?;
    let (found, _) = flashrom.status()?;
    kept::make_folder(dir)?;
    let reading = reading::until_two_agree(&flashrom, dir, None, progress)
        .inspect_err(|_| kept::forget_if_empty(dir))?;
    let (is_set, inspected) = kept::keep(dir, &reading.file, progress)?;
    Ok(ReadDone { found, reading, kept: dir.to_owned(), is_set, inspected })
}
