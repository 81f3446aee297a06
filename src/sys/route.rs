//! Null routes: packets to one host are refused by the kernel itself.

use std::io;
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::AsRawFd;

use nix::libc;

/// Adds the null route to a host, or takes it away. One that is there already,
/// or gone already, is an error of the kernel: EEXIST, ESRCH.
pub fn null_route(host: Ipv4Addr, add: bool) -> io::Result<()> {
    // Any socket will do for the call.
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    // SAFETY: all zeroes is a valid `rtentry`: numbers, null pointers, addresses of
    // no family.
    let mut route: libc::rtentry = unsafe { std::mem::zeroed() };
    route.rt_dst = address(host);
    route.rt_genmask = address(Ipv4Addr::BROADCAST);
    route.rt_flags = libc::RTF_UP | libc::RTF_HOST | libc::RTF_REJECT;
    let request = if add { libc::SIOCADDRT } else { libc::SIOCDELRT };
    // SAFETY: the pointer is to a live `rtentry` that the kernel only reads; its
    // device name is null; the descriptor is open for the length of the call.
    #[allow(clippy::cast_possible_wrap)] // the request's type differs between libcs
    let done = unsafe { libc::ioctl(socket.as_raw_fd(), request as _, &raw const route) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn address(host: Ipv4Addr) -> libc::sockaddr {
    // SAFETY: all zeroes is a valid `sockaddr`.
    let mut raw: libc::sockaddr = unsafe { std::mem::zeroed() };
    raw.sa_family = libc::AF_INET as libc::sa_family_t;
    // A `sockaddr_in`: two bytes of port, then the address in network order.
    for (to, byte) in raw.sa_data[2..6].iter_mut().zip(host.octets()) {
        *to = libc::c_char::from_ne_bytes([byte]);
    }
    raw
}
