//! The ioctls of `/dev/watchdog`. Numbers: linux/include/uapi/linux/watchdog.h;
//! the same on 32-bit ARM and x86_64.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

/// The calls as the macros of nix make them.
#[allow(missing_docs)]
mod raw {
    use nix::libc::c_int;
    nix::ioctl_read!(setoptions, b'W', 4, c_int);
    nix::ioctl_read!(keepalive, b'W', 5, c_int);
    nix::ioctl_readwrite!(settimeout, b'W', 6, c_int);
}

/// WDIOC_KEEPALIVE: the time begins again.
pub fn keep_alive(device: &File) -> io::Result<()> {
    let mut unused = 0;
    // SAFETY: the pointer is to a live int; the kernel does nothing with it.
    unsafe { raw::keepalive(device.as_raw_fd(), &raw mut unused) }?;
    Ok(())
}

/// WDIOC_SETTIMEOUT: how many seconds may pass; the answer is what the driver took.
pub fn set_timeout(device: &File, seconds: i32) -> io::Result<i32> {
    let mut timeout = seconds;
    // SAFETY: the pointer is to a live, writable int, which the kernel reads and writes.
    unsafe { raw::settimeout(device.as_raw_fd(), &raw mut timeout) }?;
    Ok(timeout)
}

/// WDIOC_SETOPTIONS with WDIOS_DISABLECARD: the watchdog no longer runs.
pub fn disable(device: &File) -> io::Result<()> {
    set_options(device, 1)
}

/// WDIOC_SETOPTIONS with WDIOS_ENABLECARD: the watchdog runs, and its time begins.
pub fn enable(device: &File) -> io::Result<()> {
    set_options(device, 2)
}

fn set_options(device: &File, options: i32) -> io::Result<()> {
    let mut options = options;
    // SAFETY: the pointer is to a live int, which the kernel only reads.
    unsafe { raw::setoptions(device.as_raw_fd(), &raw mut options) }?;
    Ok(())
}
