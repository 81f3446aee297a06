//! The ioctls of `/dev/mtdN`. Numbers and layouts: linux/include/uapi/mtd/mtd-abi.h;
//! the same on 32-bit ARM and x86_64.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

/// `struct mtd_info_user`, 32 bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct MtdInfo {
    /// Kind of memory; 3 is NOR flash.
    pub kind: u8,
    /// Bit 0x400: writable.
    pub flags: u32,
    /// Size of the partition in bytes.
    pub size: u32,
    /// Erase block in bytes.
    pub erase_size: u32,
    /// Smallest unit of writing in bytes; 1 for NOR.
    pub write_size: u32,
    /// Spare bytes; 0 for NOR.
    pub oob_size: u32,
    padding: u64,
}

/// `struct erase_info_user`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct EraseInfo {
    /// Bytes from the partition's start.
    pub start: u32,
    /// Bytes.
    pub length: u32,
}

/// The calls as the macros of nix make them, from the numbers of mtd-abi.h.
#[allow(missing_docs)]
mod raw {
    use super::{EraseInfo, MtdInfo};
    nix::ioctl_read!(memgetinfo, b'M', 1, MtdInfo);
    nix::ioctl_write_ptr!(memerase, b'M', 2, EraseInfo);
    nix::ioctl_write_ptr!(memlock, b'M', 5, EraseInfo);
    nix::ioctl_write_ptr!(memunlock, b'M', 6, EraseInfo);
    // The kernel reads the range as well, and answers by the return value.
    nix::ioctl_read!(memislocked, b'M', 23, EraseInfo);
}

/// MEMGETINFO.
pub fn info(device: &File) -> io::Result<MtdInfo> {
    let mut info = MtdInfo::default();
    // SAFETY: the pointer is to a live, writable `MtdInfo` of the layout that
    // MEMGETINFO fills; the descriptor is open for the length of the call.
    unsafe { raw::memgetinfo(device.as_raw_fd(), &raw mut info) }?;
    Ok(info)
}

/// MEMERASE of `length` bytes at `start`. The kernel does not check that
/// `start` is aligned: the caller's type does.
pub fn erase(device: &File, start: u32, length: u32) -> io::Result<()> {
    let request = EraseInfo { start, length };
    // SAFETY: the pointer is to a live `EraseInfo`, which the kernel only reads.
    unsafe { raw::memerase(device.as_raw_fd(), &raw const request) }?;
    Ok(())
}

/// MEMLOCK or MEMUNLOCK of `length` bytes at `start`.
pub fn set_locked(device: &File, start: u32, length: u32, locked: bool) -> io::Result<()> {
    let request = EraseInfo { start, length };
    let fd = device.as_raw_fd();
    // SAFETY: the pointer is to a live `EraseInfo`, which the kernel only reads.
    unsafe {
        if locked {
            raw::memlock(fd, &raw const request)
        } else {
            raw::memunlock(fd, &raw const request)
        }
    }?;
    Ok(())
}

/// MEMISLOCKED: whether all of `length` bytes at `start` are protected.
pub fn is_locked(device: &File, start: u32, length: u32) -> io::Result<bool> {
    let mut request = EraseInfo { start, length };
    // SAFETY: the pointer is to a live, writable `EraseInfo`, which the kernel reads.
    let answer = unsafe { raw::memislocked(device.as_raw_fd(), &raw mut request) }?;
    Ok(answer > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_structs_have_the_kernels_size() {
        assert_eq!(size_of::<MtdInfo>(), 32);
        assert_eq!(size_of::<EraseInfo>(), 8);
    }
}
