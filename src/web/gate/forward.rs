//! Heads on their way through the gate: the request's on its way in, the response's on its way
//! out. Pure: text in, bytes out.
//!
//! One request for each connection, always: the gate says `Connection: close` to both sides.
//! So nothing that follows a request can be taken for another one (no smuggling, no pipelining),
//! an idle client never holds a place, and tiny_http ends its thread after the answer. What it
//! costs is a TCP handshake for each request, some milliseconds in a home network.

use std::net::IpAddr;

use crate::web::gate::answer::Refusal;
use crate::web::gate::head::Head;

/// The client's address, as the gate saw it; the only header that tells who asks.
pub const PEER: &str = "X-Mi360d-Peer";
/// The number under which [`Clients`](crate::web::clients::Clients) knows the client.
pub const NUMBER: &str = "X-Mi360d-Number";
/// What proves that a request came through the gate (see [`Door`](crate::web::door::Door)).
pub const KEY: &str = "X-Mi360d-Key";

/// Headers that concern only this connection, or that a client could use to seem someone else.
const DROPPED: [&str; 14] = [
    "Host",
    "Connection",
    "Keep-Alive",
    "Proxy-Connection",
    "Proxy-Authenticate",
    "Proxy-Authorization",
    "TE",
    "Trailer",
    "Transfer-Encoding",
    "Upgrade",
    "Expect",
    "Content-Length",
    "Forwarded",
    "X-Real-IP",
];
/// The same, by the beginning of the name.
const DROPPED_PREFIXES: [&str; 2] = ["X-Mi360d-", "X-Forwarded-"];

/// What the gate adds to a head.
#[derive(Clone, Copy, Debug)]
pub struct Added<'a> {
    /// The client's address.
    pub peer: IpAddr,
    /// The host that was asked, or our own address on its connection.
    pub host: &'a str,
    /// The client's number.
    pub number: u64,
    /// The door's key.
    pub key: &'a str,
}

/// The head that tiny_http gets instead of the client's; `room` bytes are kept free for the body.
pub fn request(head: &Head<'_>, added: &Added<'_>, room: usize) -> Vec<u8> {
    use std::io::Write as _;

    let mut out = Vec::with_capacity(
        256 + head.target.len()
            + head.headers.iter().map(|h| h.name.len() + h.value.len() + 4).sum::<usize>()
            + room,
    );
    let Added { peer, host, number, key } = added;
    // Writing into memory cannot fail.
    let _ = write!(out, "{} {} {}\r\n", head.method, head.target, head.version.as_str());
    let _ = write!(out, "Host: {host}\r\n");
    for header in head.headers.iter().filter(|h| !is_dropped(h.name) && !is_named(head, h.name)) {
        let _ = write!(out, "{}: ", header.name);
        // tiny_http accepts only plain ASCII, and no handler reads anything else.
        out.extend(header.value.iter().map(|&byte| if byte.is_ascii() { byte } else { b'?' }));
        out.extend_from_slice(b"\r\n");
    }
    if let Some(length) = head.content_length {
        let _ = write!(out, "Content-Length: {length}\r\n");
    }
    let _ = write!(out, "Connection: close\r\n{PEER}: {peer}\r\n{NUMBER}: {number}\r\n");
    let _ = write!(out, "{KEY}: {key}\r\n\r\n");
    out
}

fn is_dropped(name: &str) -> bool {
    DROPPED.iter().any(|dropped| name.eq_ignore_ascii_case(dropped))
        || DROPPED_PREFIXES.iter().any(|prefix| {
            name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
        })
}

/// Whether a Connection line names this header as one for this connection only.
fn is_named(head: &Head<'_>, name: &str) -> bool {
    let lines = head.headers.iter().filter(|h| h.name.eq_ignore_ascii_case("Connection"));
    lines
        .flat_map(|h| h.value.split(|&b| b == b','))
        .any(|named| named.trim_ascii().eq_ignore_ascii_case(name.as_bytes()))
}

/// What to do with the first bytes of a response.
#[derive(Debug, PartialEq, Eq)]
pub enum ResponseStart {
    /// The head is not whole yet.
    More,
    /// Send this instead of what arrived so far.
    Send(Vec<u8>),
    /// Say this instead.
    Refuse(Refusal),
}

/// Reads the beginning of tiny_http's response and puts `Connection: close` into its head, which
/// tiny_http itself never says. A request dropped without an answer (a panic in a handler) comes
/// as an empty 500: it gets the body every error has.
pub fn response(so_far: &[u8]) -> ResponseStart {
    let Some(end) = so_far.windows(4).position(|w| w == b"\r\n\r\n") else {
        return ResponseStart::More;
    };
    let (head, rest) = so_far.split_at(end + 2);
    let mut lines = head.split_inclusive(|&b| b == b'\n');
    let status_line = lines.next().unwrap_or_default();
    if !status_line.starts_with(b"HTTP/1.") {
        return ResponseStart::Refuse(Refusal::BackendGone);
    }
    let is_500 = status_line.get(9..12) == Some(b"500");
    let mut out = Vec::with_capacity(so_far.len() + 20);
    out.extend_from_slice(status_line);
    out.extend_from_slice(b"Connection: close\r\n");
    for line in lines {
        if is_500 && line.eq_ignore_ascii_case(b"Content-Length: 0\r\n") {
            return ResponseStart::Refuse(Refusal::HandlerFailed);
        }
        let name = line.split(|&b| b == b':').next().unwrap_or_default();
        if !name.eq_ignore_ascii_case(b"Connection") && !name.eq_ignore_ascii_case(b"Keep-Alive") {
            out.extend_from_slice(line);
        }
    }
    out.extend_from_slice(rest);
    ResponseStart::Send(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::gate::head::parse;

    #[test]
    fn what_a_client_says_about_itself_is_dropped_and_the_gate_says_it() {
        let head = parse(
            b"POST /a HTTP/1.1\r\nHost: cam.local\r\nX-MI360D-Peer: 127.0.0.1\r\n\
              X-Forwarded-For: 127.0.0.1\r\nForwarded: for=127.0.0.1\r\nX-Real-Ip: 127.0.0.1\r\n\
              Connection: keep-alive, X-Once, Host\r\nX-Once: 1\r\nUpgrade: websocket\r\n\
              TE: trailers\r\nExpect: 100-continue\r\nContent-Length: 007\r\nCookie: a=\xfc\r\n\r\n",
        )
        .unwrap();
        let peer = "10.0.0.9".parse().unwrap();
        let added = Added { peer, host: "cam.local", number: 3, key: "secret" };
        let bytes = request(&head, &added, 7);
        assert_eq!(
            String::from_utf8(bytes).unwrap(),
            "POST /a HTTP/1.1\r\nHost: cam.local\r\nCookie: a=?\r\nContent-Length: 7\r\n\
             Connection: close\r\nX-Mi360d-Peer: 10.0.0.9\r\nX-Mi360d-Number: 3\r\n\
             X-Mi360d-Key: secret\r\n\r\n"
        );
    }

    #[test]
    fn the_response_says_close_once() {
        let whole = b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nA: b\r\n\r\nbody";
        for cut in 0..whole.len() - 5 {
            assert_eq!(response(&whole[..cut]), ResponseStart::More, "{cut}");
        }
        let expected = b"HTTP/1.1 200 OK\r\nConnection: close\r\nA: b\r\n\r\nbody";
        assert_eq!(response(whole), ResponseStart::Send(expected.to_vec()));
    }

    #[test]
    fn an_empty_500_becomes_an_error_with_a_body_and_a_full_one_stays() {
        let empty = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n";
        assert_eq!(response(empty), ResponseStart::Refuse(Refusal::HandlerFailed));
        let full = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 2\r\n\r\n{}";
        assert!(matches!(response(full), ResponseStart::Send(_)));
        assert_eq!(response(b"junk\r\n\r\n"), ResponseStart::Refuse(Refusal::BackendGone));
    }
}
