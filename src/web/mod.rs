//! Requests become calls of `camera`, answers become JSON; nothing is decided here.

pub mod backend;
pub mod gate;
