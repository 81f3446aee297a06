//! The API of a running daemon: who may, what is taken, and what comes of it.

#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "../rig/mod.rs"]
mod rig;

mod client;
mod doors;
mod framegrabber;
mod hostile;
mod login;
mod settings;
mod things;
