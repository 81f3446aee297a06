//! The wireless extensions of Linux, only the one call that we need. Number and layout:
//! linux/include/uapi/linux/wireless.h.

use std::os::fd::AsRawFd;

use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};

use self::raw::Request;

/// The longest name of a network, in bytes (IW_ESSID_MAX_SIZE).
const LONGEST: u16 = 32;

#[allow(missing_docs)]
mod raw {
    /// `struct iwreq` with a `struct iw_point` in it; the kernel copies 32 bytes at most.
    #[repr(C)]
    #[allow(dead_code)] // the kernel reads them
    pub struct Request {
        pub interface: [u8; 16],
        pub name: *mut u8,
        pub length: u16,
        pub flags: u16,
        pub rest: [u64; 2],
    }

    nix::ioctl_readwrite_bad!(siocgiwessid, 0x8B1B, Request);
}

/// The name of the network that an interface is in (SIOCGIWESSID); `None` where it is in none, or
/// the driver does not tell.
pub fn network(interface: &str) -> Option<String> {
    let any = socket(AddressFamily::Inet, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None).ok()?;
    // One byte more than the length given to the kernel.
    let mut name = [0_u8; 33];
    let mut request = Request {
        interface: [0; 16],
        name: name.as_mut_ptr(),
        length: LONGEST,
        flags: 0,
        rest: [0; 2],
    };
    // The last byte stays 0.
    let place = request.interface.get_mut(..interface.len().min(15))?;
    place.copy_from_slice(interface.as_bytes().get(..place.len())?);
    // SAFETY: `request` is a live, writable iwreq that is at least as large as the kernel's; its
    // pointer is to `name`, which has at least `length` bytes and outlives the call. The descriptor
    // is owned here.
    unsafe { raw::siocgiwessid(any.as_raw_fd(), &raw mut request) }.ok()?;
    let name = name.get(..usize::from(request.length.min(LONGEST)))?;
    let name = String::from_utf8_lossy(name).trim_end_matches('\0').to_owned();
    Some(name).filter(|name| !name.is_empty())
}
