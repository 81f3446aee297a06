//! The flash chip: its map, and one trait for the real and the simulated one.
//! Knows nothing of cards, images or HTTP.

pub mod error;
pub mod faults;
pub mod map;
pub mod mtd;
pub mod sim;
pub mod simulate;
pub mod synthetic;
pub mod table;
pub mod tf;
pub mod time;

pub use error::ChipError;
pub use faults::Faults;
pub use map::{EraseBlock, FlashMap, Layout, Partition, RawPartition, Role, WINDOW};
pub use mtd::MtdChip;
pub use sim::SimChip;
pub use time::Spent;

/// A NOR flash chip, by its partitions.
///
/// All offsets are bytes from the start of the partition. Programming only
/// clears bits; erasing sets a whole erase block to 0xFF. Success of a write
/// is what a later read returns; a protected chip reports
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

    /// Whether the driver lets the partition be written at all. Opens what
    /// writing needs, so that nothing has to be found once it has begun.
    fn is_writable(&self, part: &Partition) -> bool;

    /// Whether a block is write-protected; `None` where the driver does not tell.
    fn is_locked(&self, _block: &EraseBlock<'_>) -> Option<bool> {
        None
    }

    /// Lifts or restores the protection of `length` bytes from `offset` on.
    ///
    /// # Errors
    /// [`ChipError::Protect`] where the driver says no: many chips can protect
    /// only certain ranges.
    fn set_locked(
        &self,
        part: &Partition,
        offset: u32,
        length: u32,
        _locked: bool,
    ) -> Result<(), ChipError> {
        let source = std::io::Error::from(std::io::ErrorKind::Unsupported);
        Err(ChipError::Protect { partition: part.name.clone(), offset, length, source })
    }

    /// The time a real chip would have taken so far; `None` for a real one,
    /// where clocks tell.
    fn spent(&self) -> Option<Spent> {
        None
    }
}
