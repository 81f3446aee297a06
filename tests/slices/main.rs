//! Laws of splitting a file for one camera: each part is found by that camera's map, and everything
//! that prevents a flash is reported with code, reason and hint.

#![allow(clippy::unwrap_used)] // in the helpers too

mod own;
mod refused;
#[path = "../samples/mod.rs"]
mod samples;
#[path = "../synthetic/mod.rs"]
mod synthetic;
mod taken;
