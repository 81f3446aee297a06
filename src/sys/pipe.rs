//! Pipes: how much is in one.

use std::io;
use std::os::fd::{AsFd, AsRawFd};

use nix::libc;

mod raw {
    use nix::libc;
    nix::ioctl_read_bad!(fionread, libc::FIONREAD, libc::c_int);
}

/// Bytes that can be read now (FIONREAD).
pub fn unread(pipe: &impl AsFd) -> io::Result<usize> {
    let mut count: libc::c_int = 0;
    // SAFETY: the pointer is to a live, writable int, which FIONREAD fills; the descriptor is
    // borrowed for the length of the call.
    unsafe { raw::fionread(pipe.as_fd().as_raw_fd(), &raw mut count) }?;
    Ok(usize::try_from(count).unwrap_or(0))
}
