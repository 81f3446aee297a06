//! Whether a Host is one of ours. Pure; no name is looked up.
//!
//! Without this check a page anywhere could point a name of its own at the camera's address
//! ("DNS rebinding"), and the owner's browser would take it for the camera's own page. A Host
//! that is an address cannot be rebound; `localhost` and `*.local` are not for sale.

use std::net::{Ipv4Addr, Ipv6Addr};

/// Whether `host`, the value of a Host line, is an IP address (v6 in brackets), `localhost`, a name
/// under `.local` or one of `names`; each with or without a port, in any case, with or without
/// the root's dot.
pub fn is_ours(host: &str, names: &[String]) -> bool {
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
            || names.iter().any(|own| without_root(own).eq_ignore_ascii_case(name)))
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

    #[test]
    fn addresses_and_own_names_are_ours() {
        let names = ["Door-Cam.example".to_owned(), "cam.".to_owned()];
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
        ] {
            assert!(is_ours(host, &names), "{host}");
        }
    }

    #[test]
    fn foreign_names_and_disguises_are_not() {
        let names = ["cam.example".to_owned()];
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
        ] {
            assert!(!is_ours(host, &names), "{host:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_answered_and_a_foreign_ending_is_never_ours(text in "\\PC{0,40}") {
            let _ = is_ours(&text, &[]);
            let foreign = format!("{text}.evil.com");
            prop_assert!(!is_ours(&foreign, &[]));
        }
    }
}
