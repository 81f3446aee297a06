//! Access: the one throttle for wrong passwords and codes, for the page, ONVIF and RTSP.
//! Each of them decides which password is valid there.
//!
//! A try is judged first. A right one is admitted, however many wrong ones came before; a wrong one
//! waits for its answer, or gets the time to wait. Guessing is bounded by a budget of tries over
//! all addresses, not a lock. docs/network.md, "Wrong passwords", has the numbers.
//!
//! | file | contents |
//! | --- | --- |
//! | [`throttle`] | what a wrong try costs its source, and all sources together; pure |
//! | [`login`] | the page's password, its sessions and tokens |
//! | [`line`] | tries that take the processor long: few at once, each source in turn |

pub mod line;
pub mod login;
pub mod throttle;

mod error;
mod password;
mod refused;
mod sessions;
mod setup;
mod tokens;

use std::net::{IpAddr, Ipv6Addr};

/// Where a try comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginSource {
    /// An address; an IPv6 address stands for all of its network.
    Address(IpAddr),
    /// An open session, by its own number: a client that sends the password again
    /// waits for no other at the same address.
    Session(u64),
}

impl LoginSource {
    /// The source at this address.
    pub fn address(from: IpAddr) -> LoginSource {
        LoginSource::Address(network(from))
    }
}

/// The address that counts: one IPv6 address stands for all of its /64. Loopback is unchanged.
pub fn network(from: IpAddr) -> IpAddr {
    match from.to_canonical() {
        IpAddr::V6(v6) if !v6.is_loopback() => {
            IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)))
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_of_ipv6_is_one_address_and_an_ipv4_address_is_one_in_any_clothes() {
        let of = |text: &str| network(text.parse().unwrap());
        assert_eq!(of("fd00::1:2:3:4"), of("fd00::ffff:0:0:9"));
        assert_ne!(of("fd00::1"), of("fd00:0:0:1::1"));
        assert_eq!(of("::ffff:10.0.0.9"), of("10.0.0.9"));
        assert_ne!(of("10.0.0.8"), of("10.0.0.9"));
        assert_eq!(of("::1"), "::1".parse::<IpAddr>().unwrap());
    }
}
