//! Content of files and partitions, and everything that is wrong with it. The formats are in
//! [`crate::formats`]; nothing here reads or writes a card or a chip.

pub mod assemble;
pub mod bundle;
pub mod content;
pub mod finding;
pub mod genuine;
pub mod inspect;
mod marks;
pub mod parts;
pub mod recover;
pub mod redact;
pub mod slices;
pub mod source;
mod text;
pub mod transform;
pub mod uboot;
pub mod uboot_key;

pub use content::{Content, ContentCheck, Depth, Health};
pub use finding::{Finding, Severity};
pub use inspect::{InspectError, Report, inspect};
pub use slices::{Slice, Slices, Target};
pub use source::{OnChip, Source};
