//! Memory between the requests of recorders.

use std::sync::{Mutex, OnceLock};

use super::events::Points;
use super::login::Memory;

/// What is remembered of logins.
#[derive(Default)]
pub struct Door {
    /// Nonces and tries.
    pub memory: Mutex<Memory>,
    /// What nonces are made of; new at each start.
    pub secret: OnceLock<[u8; 32]>,
    /// Pull points.
    pub points: Mutex<Points>,
}
