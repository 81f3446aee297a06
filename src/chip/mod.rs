//! The flash chip: its map, and one trait for the real and the simulated one.

pub mod map;

pub use map::{FlashMap, Layout, Partition, RawPartition, Role, WINDOW};
