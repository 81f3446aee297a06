//! Bringing a range of a file to the disk.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

use nix::libc;

/// Writes a range of a file's data to the disk and waits for it; not its
/// length or place, which cost a seek each time. Linux 2.6.17 and later.
pub fn write_out(file: &File, at: u64, length: u64) -> io::Result<()> {
    let flags = libc::SYNC_FILE_RANGE_WAIT_BEFORE
        | libc::SYNC_FILE_RANGE_WRITE
        | libc::SYNC_FILE_RANGE_WAIT_AFTER;
    // SAFETY: the call takes numbers only; the descriptor is open for its length.
    let done = unsafe {
        libc::sync_file_range(file.as_raw_fd(), at.cast_signed(), length.cast_signed(), flags)
    };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
