//! The programmer and the chip that an owner names.

use serde::Serialize;

/// Where flashrom finds the chip.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Device {
    /// What follows `-p`: `ch341a_spi`, or any name and parameters that flashrom takes.
    pub programmer: String,
    /// What follows `-c`, where flashrom cannot tell the chip alone.
    pub chip: Option<String>,
}

/// The programmer that most owners have.
pub const DEFAULT_PROGRAMMER: &str = "ch341a_spi";

/// Bytes of the chips of these cameras; nothing else is written.
pub const CHIP_SIZE: u64 = 0x100_0000;
