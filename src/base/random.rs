//! Unpredictable bytes, and the comparison of secrets.

use std::fs::File;
use std::io::{self, Read as _};

/// Fills `bytes` from the system's random source.
///
/// # Errors
/// Where `/dev/urandom` cannot be read.
pub fn fill_random(bytes: &mut [u8]) -> io::Result<()> {
    File::open("/dev/urandom")?.read_exact(bytes)
}

/// `N` bytes from the system's random source.
///
/// # Errors
/// As [`fill_random`].
pub fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    fill_random(&mut bytes)?;
    Ok(bytes)
}

/// Compares secrets in a time that depends on their length only.
pub fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |bits, (x, y)| bits | (x ^ y)) == 0
}
