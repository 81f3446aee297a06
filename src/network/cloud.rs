//! The vendor's cloud, blocked in three ways that all end with the camera's power, and are taken
//! back when the block is switched off:
//!
//! - its names lead nowhere ([`names`]): every program of the firmware asks the C library, and that
//!   reads `/etc/hosts` first;
//! - the addresses that these names have are given null routes, for a program that looked its name
//!   up before;
//! - so are the addresses that are written into the vendor's P2P libraries ([`literals`]).
//!
//! Not covered is an address that the vendor's servers gave out earlier and that a program has kept.

pub mod literals;
pub mod names;

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, ToSocketAddrs};

use crate::sys::route::null_route;

/// The vendor's hosts for devices, each of which exists in several regions.
const REGIONAL: [&str; 4] =
    ["ot.io.mi.com", "ott.io.mi.com", "dns.io.mi.com", "business.smartcamera.api.io.mi.com"];
/// Before a regional host's name and a dot; the first is China's.
const REGIONS: [&str; 7] = ["", "de", "sg", "us", "ru", "i2", "tw"];
/// Hosts that have no regions: logs, and the P2P platform (camera.md, "The vendor's programs").
const OTHERS: [&str; 3] = ["dlg.io.mi.com", "gm.iotcplatform.com", "cm.iotcplatform.com"];
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

/// How many addresses are blocked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// All of them.
    pub all: usize,
    /// Those that belong to a name.
    pub of_names: usize,
}

impl Blocked {
    /// Looks the hosts up and gives what is new a null route, `literals` too. A name without an
    /// address is left out: the next call looks it up again.
    ///
    /// # Errors
    /// What the kernel says, in words.
    pub fn block(
        &mut self,
        literals: &BTreeSet<Ipv4Addr>,
        mut look_up: impl FnMut(&str) -> Vec<Ipv4Addr>,
    ) -> Result<Count, String> {
        self.add(&names::nowhere().to_string(), [names::nowhere()])?;
        let fixed: BTreeSet<_> =
            literals.iter().copied().filter(|address| is_public(*address)).collect();
        self.add("an address in the P2P libraries", fixed.iter().copied())?;
        for name in hosts() {
            self.add(&name, look_up(&name).into_iter().filter(|address| is_public(*address)))?;
        }
        let all = self.addresses.len().saturating_sub(1);
        Ok(Count { all, of_names: all.saturating_sub(fixed.len()) })
    }

    fn add(&mut self, what: &str, new: impl IntoIterator<Item = Ipv4Addr>) -> Result<(), String> {
        for address in new {
            if self.addresses.len() >= MANY || self.addresses.contains(&address) {
                continue;
            }
            match null_route(address, true) {
                Ok(()) => {}
                Err(e) if e.raw_os_error() == Some(THERE) => {}
                Err(e) => return Err(format!("{what} cannot be blocked: {e}")),
            }
            self.addresses.insert(address);
        }
        Ok(())
    }

    /// Takes all routes back.
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

/// The names of all hosts of the vendor's.
pub fn hosts() -> impl Iterator<Item = String> {
    let regional = REGIONS.iter().flat_map(|region| {
        REGIONAL.iter().map(move |host| match *region {
            "" => (*host).to_owned(),
            region => format!("{region}.{host}"),
        })
    });
    regional.chain(OTHERS.iter().map(|host| (*host).to_owned()))
}

/// A name server that answers with the owner's own machines must not cut them off.
fn is_public(address: Ipv4Addr) -> bool {
    !(address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_broadcast()
        || address.is_unspecified()
        || address.is_documentation())
}

/// The IPv4 addresses of a host, from the camera's name server.
pub fn look_up(name: &str) -> Vec<Ipv4Addr> {
    // With its last dot no line of `/etc/hosts` has this name, so that our own entry is not found.
    let found = (format!("{name}."), 443).to_socket_addrs().into_iter().flatten();
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
        let names: Vec<String> = hosts().collect();
        assert_eq!(names.len(), REGIONAL.len() * REGIONS.len() + OTHERS.len());
        for name in ["ot.io.mi.com", "de.ot.io.mi.com", "dlg.io.mi.com", "cm.iotcplatform.com"] {
            assert!(names.contains(&name.to_owned()), "{name}");
        }
        for home in [
            "192.168.1.1",
            "10.0.2.2",
            "127.0.0.1",
            "169.254.1.1",
            "0.0.0.0",
            "224.0.0.251",
            "192.0.2.1",
        ] {
            assert!(!is_public(home.parse().unwrap()), "{home}");
        }
    }
}
