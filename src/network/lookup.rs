//! From a server as it is set (`HOST`, `HOST:PORT`, `[IPv6]:PORT`) to its addresses. Names that end
//! in `.local` are asked for by multicast DNS, which the C library of the camera does not know.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};

use super::mdns;

/// Addresses of one name that are used.
const MOST: usize = 8;

/// Host and port of a server; `port` where it names none. An IPv6 address may be in brackets, and
/// is returned without them. Pure.
pub fn split(server: &str, port: u16) -> Option<(&str, u16)> {
    let number = |text: &str| text.parse().ok().filter(|port| *port > 0);
    if let Some(rest) = server.strip_prefix('[') {
        let (host, rest) = rest.split_once(']')?;
        host.parse::<std::net::Ipv6Addr>().ok()?;
        return match rest.strip_prefix(':') {
            Some(text) => Some((host, number(text)?)),
            None => rest.is_empty().then_some((host, port)),
        };
    }
    match server.split_once(':') {
        None => Some((server, port)),
        Some((host, text)) if !text.contains(':') => Some((host, number(text)?)),
        // An IPv6 address without brackets has no port.
        Some(_) => server.parse::<std::net::Ipv6Addr>().ok().map(|_| (server, port)),
    }
}

/// All addresses of a server, in the order in which they are to be tried.
///
/// # Errors
/// What the system says, or that nobody answered to a `.local` name.
pub fn addresses(server: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    let (host, port) = split(server, port)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "no host and port"))?;
    let mut found: Vec<SocketAddr> = Vec::new();
    if is_local(host) {
        let answered = mdns::resolve(host)?;
        found.extend(answered.into_iter().map(|ip| SocketAddr::new(IpAddr::V4(ip), port)));
    }
    if found.is_empty() {
        // A PC may know `.local` names by other ways.
        found.extend((host, port).to_socket_addrs()?.take(MOST));
    }
    found.dedup();
    found.truncate(MOST);
    if found.is_empty() { Err(io::Error::other("the name has no address")) } else { Ok(found) }
}

fn is_local(host: &str) -> bool {
    let name = host.strip_suffix('.').unwrap_or(host).as_bytes();
    let ending = name.len().checked_sub(b".local".len()).and_then(|at| name.get(at..));
    ending.is_some_and(|ending| ending.eq_ignore_ascii_case(b".local"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_a_host_and_a_port() {
        for (server, wanted) in [
            ("broker", Some(("broker", 1883))),
            ("broker:1", Some(("broker", 1))),
            ("10.0.0.2:65535", Some(("10.0.0.2", 65535))),
            ("[::1]:1883", Some(("::1", 1883))),
            ("[fd00::2]:8883", Some(("fd00::2", 8883))),
            ("[::1]", Some(("::1", 1883))),
            ("fd00::2", Some(("fd00::2", 1883))),
            ("broker:", None),
            ("broker:0", None),
            ("broker:65536", None),
            ("broker:18:83", None),
            ("[::1", None),
            ("[::1]1883", None),
            ("[broker]:1", None),
        ] {
            assert_eq!(split(server, 1883), wanted, "{server}");
        }
    }

    #[test]
    fn only_names_of_the_link_are_asked_for_by_multicast() {
        for (host, wanted) in [
            ("homeassistant.local", true),
            ("HA.LOCAL.", true),
            ("local", false),
            ("a.local.lan", false),
            ("alocal", false),
            ("é.local", true),
        ] {
            assert_eq!(is_local(host), wanted, "{host}");
        }
    }

    #[test]
    fn an_ipv6_address_needs_no_name_server() {
        let found = addresses("[::1]:1883", 1).unwrap();
        assert_eq!(found, ["[::1]:1883".parse().unwrap()]);
    }
}
