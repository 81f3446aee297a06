//! The laws of a backup, on the simulated chip: what is saved, what is verified, and what is reported
//! when something is wrong.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::large_stack_arrays,
    clippy::case_sensitive_file_extension_comparisons
)]

mod damage;
mod identity;
mod making;
mod readings;
#[path = "../rig/mod.rs"]
mod rig;
