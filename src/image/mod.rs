//! What a file or a partition is, and what is wrong with it. The bytes'
//! meaning is in [`crate::formats`]; nothing here reads or writes a card or a
//! chip.

pub mod content;
pub mod finding;

pub use content::{Content, ContentCheck, Health};
pub use finding::{Finding, Severity};
