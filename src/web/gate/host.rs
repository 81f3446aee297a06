//! Check that a request's Host is one of ours. Pure; no name is looked up.
//!
//! Without this check a page anywhere could point a name of its own at the camera's address
//! ("DNS rebinding"), and the owner's browser would take it for the camera's own page. A Host
//! that is an address cannot be rebound; `localhost` and `*.local` are not for sale. Nor is a single
//! label, nor what home routers put behind it: so the name that we announce is ours with any of
//! these endings.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What home routers put behind a host's name. Nobody can register a name below one of these:
/// `home.arpa` (RFC 8375) and `internal` are reserved, `lan`, `home` and `localdomain` are no
/// top-level domains, and `fritz.box` belongs to the maker of that router.
const HOME: [&str; 6] = ["lan", "home", "home.arpa", "internal", "localdomain", "fritz.box"];

/// Names that are the camera's.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// Whole names that the owner has set.
    pub set: Vec<String>,
    /// Single labels: the name that we announce, and the system's. Each counts alone, as `NAME-2`
    /// (after a conflict on the network), and with every ending of a home router.
    pub announced: Vec<String>,
}

/// An address as a Host names it, its port left out where it is HTTP's own.
pub fn of_address(ip: IpAddr, port: u16) -> String {
    let ip = match ip.to_canonical() {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => format!("[{v6}]"),
    };
    if port == 80 { ip } else { format!("{ip}:{port}") }
}

/// Whether `host`, the value of a Host line, is an IP address (v6 in brackets), `localhost`, a name
/// under `.local` or one of `names`; each with or without a port, in any case, with or without
/// the root's dot.
pub fn is_ours(host: &str, names: &Names) -> bool {
    if let Some(rest) = host.strip_prefix('[') {
        return rest
            .split_once(']')
            .is_some_and(|(v6, port)| v6.parse::<Ipv6Addr>().is_ok() && is_port(port));
    }
    let (name, port) = host.split_at(host.find(':').unwrap_or(host.len()));
    let name = without_root(name);
    is_port(port)
        && is_name(name)
        && (name.parse::<Ipv4Addr>().is_ok()
            || name.eq_ignore_ascii_case("localhost")
            || is_local(name)
            || names.set.iter().any(|own| without_root(own).eq_ignore_ascii_case(name))
            || is_announced(name, &names.announced))
}

fn is_announced(name: &str, announced: &[String]) -> bool {
    let (label, ending) = name.split_once('.').unwrap_or((name, ""));
    let known = ending.is_empty() || HOME.iter().any(|home| home.eq_ignore_ascii_case(ending));
    let same = |own: &String| {
        let rest = label.get(..own.len()).filter(|start| start.eq_ignore_ascii_case(own));
        let rest = rest.and_then(|_| label.get(own.len()..));
        !own.is_empty()
            && rest.is_some_and(|rest| match rest.strip_prefix('-') {
                Some(number) => {
                    (1..=2).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit())
                }
                None => rest.is_empty(),
            })
    };
    known && announced.iter().any(same)
}

/// Nothing, or a colon and a port; an empty port is the scheme's own (RFC 3986, section 3.2.3).
fn is_port(text: &str) -> bool {
    match text.strip_prefix(':') {
        None => text.is_empty(),
        Some(port) => {
            port.is_empty()
                || (port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok())
        }
    }
}

fn without_root(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

/// Labels of letters, digits, `-` and `_` with dots between them, none empty.
fn is_name(name: &str) -> bool {
    name.split('.').all(|label| {
        !label.is_empty()
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    })
}

fn is_local(name: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(_, last)| last.eq_ignore_ascii_case("local"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn names(set: &[&str], announced: &[&str]) -> Names {
        let own = |list: &[&str]| list.iter().map(|name| (*name).to_owned()).collect();
        Names { set: own(set), announced: own(announced) }
    }

    #[test]
    fn an_address_is_named_as_a_browser_names_it() {
        let named = |ip: &str, port| of_address(ip.parse().unwrap(), port);
        assert_eq!(named("192.168.1.7", 80), "192.168.1.7");
        assert_eq!(named("::ffff:192.168.1.7", 8080), "192.168.1.7:8080");
        assert_eq!(named("fe80::1", 8360), "[fe80::1]:8360");
    }

    #[test]
    fn addresses_and_own_names_are_ours() {
        let names = names(&["Door-Cam.example", "cam."], &["mi360-ab12"]);
        for host in [
            "192.168.1.7",
            "192.168.1.7:8080",
            "[::1]",
            "[FE80::1]:80",
            "localhost",
            "LOCALHOST.:1",
            "mi360.local",
            "a.b.LOCAL.:8080",
            "door-cam.EXAMPLE:80",
            "door-cam.example.",
            "cam",
            "cam:",
            "mi360-ab12",
            "MI360-AB12.lan:8080",
            "mi360-ab12.home.arpa",
            "mi360-ab12.fritz.box.",
            "mi360-ab12-2.lan",
            "mi360-ab12.Home",
        ] {
            assert!(is_ours(host, &names), "{host}");
        }
    }

    #[test]
    fn foreign_names_and_disguises_are_not() {
        let names = names(&["cam.example"], &["mi360-ab12", ""]);
        for host in [
            "",
            ".",
            ":80",
            "evil.example",
            "local",
            ".local",
            "evil.example.local.evil.com",
            "local.evil.com",
            "xlocal",
            "localhost.evil.com",
            "cam.example.evil.com",
            "xcam.example",
            "192.168.1.7.evil.com",
            "192.168.1",
            "192.168.1.7:65536",
            "192.168.1.7:8o",
            "192.168.1.7:80:80",
            "192.168.1.7:+8",
            "user@192.168.1.7",
            "192.168.1.7/x",
            "::1",
            "[::1",
            "[::1]x",
            "[cam.example]",
            "cam.example..",
            "cam.example ",
            "localhost, evil.com",
            "cam",
            "router.lan",
            "evil",
            "mi360-ab12.com",
            "mi360-ab12.evil.lan",
            "x.mi360-ab12.lan",
            "mi360-ab12.lan.evil.com",
            "mi360-ab12-x.lan",
            "mi360-ab12-123.lan",
            "mi360-ab123.lan",
            "-2.lan",
        ] {
            assert!(!is_ours(host, &names), "{host:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_answered_and_a_foreign_ending_is_never_ours(text in "\\PC{0,40}") {
            let own = names(&[], &["mi360-ab12"]);
            let _ = is_ours(&text, &own);
            let foreign = format!("{text}.evil.com");
            prop_assert!(!is_ours(&foreign, &own));
        }
    }
}
