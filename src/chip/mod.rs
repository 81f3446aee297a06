//! The flash chip: its map, and one trait for the real and the simulated one.
//! Knows nothing of cards, images or HTTP.

pub mod error;
pub mod faults;
pub mod map;
pub mod mtd;
pub mod sim;

pub use error::ChipError;
pub use faults::Faults;
pub use map::{EraseBlock, FlashMap, Layout, Partition, RawPartition, Role, WINDOW};
pub use mtd::MtdChip;
pub use sim::SimChip;

/// A NOR flash chip, by its partitions.
///
/// All offsets are bytes from the start of the partition. Programming only
/// clears bits; erasing sets a whole erase block to 0xFF. Success of a write
/// is what a later read gives back, nothing else: a protected chip reports
/// success and changes nothing.
pub trait Chip: Send + Sync {
    /// The partitions.
    fn map(&self) -> &FlashMap;

    /// Fills `buf` from `offset` on.
    ///
    /// # Errors
    /// [`ChipError::OutOfRange`] beyond the partition's end, [`ChipError::Read`]
    /// where the chip or its driver fails.
    fn read(&self, part: &Partition, offset: u32, buf: &mut [u8]) -> Result<(), ChipError>;

    /// Erases one block.
    ///
    /// # Errors
    /// [`ChipError::Erase`] where the driver says no; silence proves nothing.
    fn erase(&self, block: &EraseBlock<'_>) -> Result<(), ChipError>;

    /// Programs `data` at `offset`; bits that are 0 stay 0.
    ///
    /// # Errors
    /// [`ChipError::Program`] where the driver says no; silence proves nothing.
    fn program(&self, part: &Partition, offset: u32, data: &[u8]) -> Result<(), ChipError>;
}
