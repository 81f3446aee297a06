//! The gate and tiny_http as they run on the camera, against clients that mean no good. Real
//! sockets on loopback; in every test a probe asks `/healthz` all the while, and at its end
//! descriptors, threads and memory must be back where they were.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod crowd;
mod full;
mod process;
mod rig;
mod words;
