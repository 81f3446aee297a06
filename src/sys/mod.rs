//! Every system call that needs `unsafe`: one thin wrapper each, with a
//! SAFETY note. It contains no logic, and there is no `unsafe` anywhere else.
#![allow(unsafe_code)]

pub mod datagrams;
pub mod file;
pub mod memory;
pub mod mmap;
pub mod mtd;
pub mod pipe;
pub mod process;
pub mod received;
pub mod route;
pub mod spawn;
mod stacks;
pub mod watchdog;
pub mod wireless;

pub use stacks::{DEFAULT_STACK, set_default_stack};
