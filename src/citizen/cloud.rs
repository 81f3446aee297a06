//! The vendor's cloud, blocked: null routes for the addresses of its hosts. They
//! live in the kernel, so a restart of the camera takes them away, and so does
//! switching it off. The price: the vendor's app no longer reaches the camera, and
//! the camera takes no updates.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, ToSocketAddrs};

use crate::sys::route::null_route;

/// The vendor's hosts for devices, in each of its regions.
const HOSTS: [&str; 4] =
    ["ot.io.mi.com", "ott.io.mi.com", "dns.io.mi.com", "business.smartcamera.api.io.mi.com"];
/// Before a host's name and a dot; the first is China's.
const REGIONS: [&str; 7] = ["", "de", "sg", "us", "ru", "i2", "tw"];
/// Addresses blocked at a time.
const MANY: usize = 256;
/// EEXIST: the route is there already.
const THERE: i32 = nix::libc::EEXIST;
/// ESRCH: it is gone already.
const GONE: i32 = nix::libc::ESRCH;

/// What is blocked.
#[derive(Debug, Default)]
pub struct Blocked {
    addresses: BTreeSet<Ipv4Addr>,
}

impl Blocked {
    /// Looks the hosts up, and blocks what is new; how many addresses are blocked.
    /// Names that nobody knows are left out: the next call asks again.
    ///
    /// # Errors
    /// What the kernel says, in words.
    pub fn block(&mut self, look_up: impl Fn(&str) -> Vec<Ipv4Addr>) -> Result<usize, String> {
        for name in names() {
            for address in look_up(&name).into_iter().filter(|address| is_public(*address)) {
                if self.addresses.len() >= MANY || self.addresses.contains(&address) {
                    continue;
                }
                match null_route(address, true) {
                    Ok(()) => {}
                    Err(e) if e.raw_os_error() == Some(THERE) => {}
                    Err(e) => return Err(format!("{name} cannot be blocked: {e}")),
                }
                self.addresses.insert(address);
            }
        }
        Ok(self.addresses.len())
    }

    /// Takes all of it back.
    pub fn release(&mut self) {
        for address in std::mem::take(&mut self.addresses) {
            match null_route(address, false) {
                Ok(()) => {}
                Err(e) if e.raw_os_error() == Some(GONE) => {}
                Err(e) => log::warn!("{address} stays blocked until the camera restarts: {e}"),
            }
        }
    }

    /// Whether anything is blocked.
    pub fn is_empty(&self) -> bool {
        self.addresses.is_empty()
    }
}

/// All names of the vendor's hosts.
fn names() -> impl Iterator<Item = String> {
    REGIONS.iter().flat_map(|region| {
        HOSTS.iter().map(move |host| match *region {
            "" => (*host).to_owned(),
            region => format!("{region}.{host}"),
        })
    })
}

/// A name server that answers with the owner's own machines must not cut them off.
fn is_public(address: Ipv4Addr) -> bool {
    !(address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_broadcast()
        || address.is_unspecified())
}

/// The IPv4 addresses of a host.
pub fn look_up(name: &str) -> Vec<Ipv4Addr> {
    let found = (name, 443).to_socket_addrs().into_iter().flatten();
    let v4 = found.filter_map(|address| match address.ip() {
        IpAddr::V4(v4) => Some(v4),
        IpAddr::V6(_) => None,
    });
    v4.take(16).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_host_of_every_region_is_named_and_nothing_at_home_is_ever_blocked() {
        let names: Vec<String> = names().collect();
        assert_eq!(names.len(), HOSTS.len() * REGIONS.len());
        assert!(names.contains(&"de.ot.io.mi.com".to_owned()));
        for home in
            ["192.168.1.1", "10.0.2.2", "127.0.0.1", "169.254.1.1", "0.0.0.0", "224.0.0.251"]
        {
            assert!(!is_public(home.parse().unwrap()), "{home}");
        }
        // Names that lead home block nothing, and ask the kernel for nothing.
        let mut blocked = Blocked::default();
        assert_eq!(blocked.block(|_| vec![Ipv4Addr::new(192, 168, 1, 1)]), Ok(0));
        assert!(blocked.is_empty());
    }
}
