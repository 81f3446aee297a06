//! The hacks: the supervisor on programs that misbehave, `hack.toml` with all that
//! can be wrong in it, and folders of the original hack.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod misbehave;
mod original;
mod rig;
mod switching;
mod values;
