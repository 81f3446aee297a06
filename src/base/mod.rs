//! Base: small tools that every room may use.
//!
//! | file | contents |
//! | --- | --- |
//! | [`hex`] | bytes as hex digits, and SHA-256 digests from them |
//! | [`random`] | unpredictable bytes, and a comparison in constant time |
//! | [`accept`] | one connection accepted in a poll loop, and its errors |
//! | [`host`] | memory, addresses, kernel and clock of this machine |

pub mod host;

mod accept;
mod hex;
mod random;

pub use accept::{ACCEPTS, Accepted, accept, is_later};
pub use hex::{Digest, hex, unhex};
pub use random::{fill_random, random, same};
