//! Flashing a simulated camera: what power cuts, faulty chips, failing cards
//! and wrong images do to it, and that none of it costs the owner his camera.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod card;
mod chip;
mod cuts;
mod decisions;
mod hostile;
mod laws;
mod loose;
mod neighbours;
mod order;
mod process;
mod protect;
mod rescue;
mod restore;
mod resumable;
mod rig;
mod situation;
#[path = "../synthetic/mod.rs"]
mod synthetic;

mod worn;
