//! The head of a request: where it ends, and what it says. Pure; no I/O, no clock, no policy
//! (who may ask for what is decided in [`super::conn`], which names are ours in [`super::host`]).
//!
//! Strict on purpose. Behind the gate is another parser, and every byte on which two parsers can
//! disagree is a way around the gate: so line folding, bare line ends, control characters, blanks
//! before a colon, two lengths and every transfer coding are refused. Bytes from 0x80 up are opaque
//! in a value (RFC 9110, section 5.5): a proxy's cookie may contain them. They are refused in all
//! else, and never reach the other parser (see [`super::forward`]).

use std::borrow::Cow;

use crate::web::gate::answer::Refusal;

/// Most header lines in a head. A browser sends about 15; the copy for tiny_http keeps a small
/// allocation for each.
pub const MAX_HEADERS: usize = 64;

/// The version of a request; nothing else is spoken here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.0
    Http10,
    /// HTTP/1.1
    Http11,
}

impl Version {
    /// As it is in a request line.
    pub fn as_str(self) -> &'static str {
        match self {
            Version::Http10 => "HTTP/1.0",
            Version::Http11 => "HTTP/1.1",
        }
    }
}

/// One header line, blanks around the value removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    /// A token, in the client's spelling.
    pub name: &'a str,
    /// No control characters but tabs; bytes from 0x80 up are in no known encoding.
    pub value: &'a [u8],
}

impl<'a> Header<'a> {
    /// The value as text; bytes that are no UTF-8 are replaced.
    pub fn text(&self) -> Cow<'a, str> {
        String::from_utf8_lossy(self.value)
    }

    /// The value, where it is plain ASCII.
    fn ascii(&self) -> Option<&'a str> {
        std::str::from_utf8(self.value).ok().filter(|text| text.is_ascii())
    }
}

/// A whole head that passed every rule of this module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head<'a> {
    /// A token, as sent: methods are case-sensitive.
    pub method: &'a str,
    /// In origin form: begins with `/`, visible ASCII, no `#`. What came in absolute form is
    /// brought into this one.
    pub target: Cow<'a, str>,
    /// The version of the request line.
    pub version: Version,
    /// All header lines in their order, at most [`MAX_HEADERS`].
    pub headers: Vec<Header<'a>>,
    /// The host that is asked: of a target in absolute form, else of the one Host line. Only
    /// HTTP/1.0 has none; an empty one counts as none.
    pub host: Option<&'a str>,
    /// The one Content-Length in bytes; a number too large for 64 bits is `u64::MAX`.
    pub content_length: Option<u64>,
    /// The client waits for `100 Continue` before it sends the body.
    pub expects_continue: bool,
}

/// Reads a whole head: everything up to and including its blank line, as [`HeadBuffer::feed`](super::head_buffer::HeadBuffer::feed)
/// marks it.
pub fn parse(head: &[u8]) -> Result<Head<'_>, Refusal> {
    let bytes =
        head.strip_suffix(b"\r\n\r\n").ok_or(Refusal::Malformed("lines must end in CR LF"))?;
    check_bytes(bytes)?;
    // Every LF has its CR before it.
    let mut lines =
        bytes.split(|&b| b == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let first = std::str::from_utf8(lines.next().unwrap_or_default())
        .map_err(|_| Refusal::Malformed("the first line is not plain ASCII"))?;
    let (method, target, version) = request_line(first)?;
    let (authority, target) = origin_form(target)?;

    let mut out = Head {
        method,
        target,
        version,
        headers: Vec::new(),
        host: None,
        content_length: None,
        expects_continue: false,
    };
    for line in lines {
        if out.headers.len() == MAX_HEADERS {
            return Err(Refusal::TooManyHeaders);
        }
        let header = header_line(line)?;
        note(&mut out, header)?;
        out.headers.push(header);
    }
    if out.version == Version::Http11 && out.host.is_none() {
        return Err(Refusal::Malformed("HTTP/1.1 needs a Host"));
    }
    // What the target names counts, whatever Host says (RFC 9112, section 3.2.2).
    out.host = authority.or(out.host).filter(|host| !host.is_empty());
    Ok(out)
}

/// Authority, if there is one, and path of a target.
fn origin_form(target: &str) -> Result<(Option<&str>, Cow<'_, str>), Refusal> {
    if target.starts_with('/') {
        return Ok((None, Cow::Borrowed(target)));
    }
    let wrong = Refusal::Malformed("the target is not a path that begins with a slash");
    let (scheme, rest) = target.split_once("://").ok_or(wrong)?;
    if !["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
        return Err(wrong);
    }
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    // A user in it is an error (RFC 9110, section 4.2.4).
    if authority.is_empty() || authority.contains('@') {
        return Err(Refusal::Malformed("the target names no host, or a user"));
    }
    let path = match path.strip_prefix('/') {
        Some(_) => Cow::Borrowed(path),
        None => Cow::Owned(format!("/{path}")),
    };
    Ok((Some(authority), path))
}

/// Whether a head contains nothing but text and whole CR LF pairs.
fn check_bytes(bytes: &[u8]) -> Result<(), Refusal> {
    let mut previous = 0;
    for &byte in bytes {
        match byte {
            b'\n' if previous == b'\r' => {}
            _ if previous == b'\r' => return Err(Refusal::Malformed("a bare CR")),
            b'\n' => return Err(Refusal::Malformed("a bare LF")),
            b'\r' | b'\t' | 0x20..=0x7e | 0x80..=0xff => {}
            _ => return Err(Refusal::Malformed("a control character")),
        }
        previous = byte;
    }
    if previous == b'\r' {
        return Err(Refusal::Malformed("a bare CR"));
    }
    Ok(())
}

/// Method, target and version, one space between them.
fn request_line(line: &str) -> Result<(&str, &str, Version), Refusal> {
    let mut words = line.split(' ');
    let (Some(method), Some(target), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(Refusal::Malformed("the first line is not METHOD TARGET VERSION"));
    };
    if !is_token(method) {
        return Err(Refusal::Malformed("the method is not a token"));
    }
    if target.bytes().any(|b| b == b'#' || b == b'\t' || !b.is_ascii()) {
        return Err(Refusal::Malformed("the target contains bytes that no address can contain"));
    }
    let version = match version {
        "HTTP/1.1" => Version::Http11,
        "HTTP/1.0" => Version::Http10,
        other if other.starts_with("HTTP/") => return Err(Refusal::Version),
        _ => return Err(Refusal::Malformed("the first line names no HTTP version")),
    };
    Ok((method, target, version))
}

/// `Name: value`. A line that begins with a blank (folding) has no token before its colon.
fn header_line(line: &[u8]) -> Result<Header<'_>, Refusal> {
    let colon = line.iter().position(|&b| b == b':');
    let (name, value) = colon
        .and_then(|at| Some((line.get(..at)?, line.get(at + 1..)?)))
        .ok_or(Refusal::Malformed("a header line without a colon"))?;
    let name = std::str::from_utf8(name).ok().filter(|name| is_token(name));
    let name = name.ok_or(Refusal::Malformed("a header name is not a token"))?;
    Ok(Header { name, value: value.trim_ascii() })
}

/// Keeps what of a header decides how the request is read.
fn note<'a>(head: &mut Head<'a>, header: Header<'a>) -> Result<(), Refusal> {
    let is = |name: &str| header.name.eq_ignore_ascii_case(name);
    if is("Host") {
        let host = header.ascii().ok_or(Refusal::Malformed("the Host is not plain ASCII"))?;
        if head.host.replace(host).is_some() {
            return Err(Refusal::Malformed("two Host lines"));
        }
    } else if is("Content-Length") {
        let digits = |text: &&str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let number = header.ascii().filter(digits);
        let number = number.ok_or(Refusal::Malformed("the Content-Length is not a number"))?;
        let length = number.parse().unwrap_or(u64::MAX);
        if head.content_length.replace(length).is_some() {
            return Err(Refusal::Malformed("two Content-Length lines"));
        }
    } else if is("Transfer-Encoding") {
        return Err(Refusal::TransferEncoding);
    } else if is("Expect") {
        if !header.value.eq_ignore_ascii_case(b"100-continue") {
            return Err(Refusal::Expectation);
        }
        head.expects_continue = true;
    }
    Ok(())
}

/// A token of RFC 9110, section 5.6.2: a method or a header name.
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_token_byte)
}

/// A byte of a token.
pub(super) fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    fn refusal(head: &str) -> Refusal {
        parse(head.as_bytes()).expect_err(head)
    }

    fn status(head: &str) -> u16 {
        refusal(head).status()
    }

    #[test]
    fn an_honest_head_is_read_as_it_stands() {
        let head = parse(
            b"POST /api/v1/login?x=%20 HTTP/1.1\r\nHost: cam.local\r\ncontent-length:  12\t\r\n\
              EXPECT: 100-Continue\r\nX-Empty:\r\n\r\n",
        )
        .unwrap();
        assert_eq!((head.method, &*head.target), ("POST", "/api/v1/login?x=%20"));
        assert_eq!(head.version, Version::Http11);
        assert_eq!(head.host, Some("cam.local"));
        assert_eq!(head.content_length, Some(12));
        assert!(head.expects_continue);
        assert_eq!(head.headers.len(), 4);
        assert_eq!(head.headers[3], Header { name: "X-Empty", value: b"" });
    }

    #[test]
    fn bytes_from_0x80_up_are_opaque_in_a_value_and_refused_in_all_else() {
        let head = parse(b"GET / HTTP/1.1\r\nHost: a\r\nCookie: n=Z\xfcrich \xff\r\n\r\n").unwrap();
        assert_eq!(head.headers[1].value, b"n=Z\xfcrich \xff");
        for head in [
            &b"GET / HTTP/1.1\r\nHost: \xe9\r\n\r\n"[..],
            b"GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: a\r\nX\xe9: b\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: \xb2\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: a\r\nX: \x7f\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: a\r\nX: \x00\r\n\r\n",
        ] {
            assert_eq!(parse(head).unwrap_err().status(), 400, "{}", head.escape_ascii());
        }
    }

    #[test]
    fn a_target_in_absolute_form_names_the_host_whatever_host_says() {
        for (target, host, path) in [
            ("http://cam.local/a?b", "cam.local", "/a?b"),
            ("HTTP://192.168.1.7:8080", "192.168.1.7:8080", "/"),
            ("https://[fe80::1]:1?x=http://y/", "[fe80::1]:1", "/?x=http://y/"),
        ] {
            let text = format!("GET {target} HTTP/1.1\r\nHost: other\r\n\r\n");
            let head = parse(text.as_bytes()).unwrap();
            assert_eq!((head.host, &*head.target), (Some(host), path), "{target}");
        }
        let line = |target| status(&format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n"));
        for target in ["http://", "http:///a", "http://me@cam.local/", "ftp://cam.local/", "a/b"] {
            assert_eq!(line(target), 400, "{target}");
        }
        assert_eq!(
            status("GET http://a/ HTTP/1.1\r\n\r\n"),
            400,
            "HTTP/1.1 needs Host all the same"
        );
        assert_eq!(parse(b"GET / HTTP/1.1\r\nHost:\r\n\r\n").unwrap().host, None);
    }

    #[test]
    fn version_1_0_needs_no_host_and_1_1_does() {
        assert_eq!(parse(b"GET / HTTP/1.0\r\n\r\n").unwrap().host, None);
        assert_eq!(status("GET / HTTP/1.1\r\n\r\n"), 400);
        assert_eq!(status("GET / HTTP/2.0\r\nHost: a\r\n\r\n"), 505);
    }

    #[test]
    fn what_two_parsers_could_read_differently_is_refused() {
        for line in [
            "Host: a\r\nHost: a",
            "Host: a\r\nContent-Length: 1\r\nContent-Length: 1",
            "Host: a\r\nContent-Length: 1, 1",
            "Host: a\r\nContent-Length: +1",
            "Host: a\r\nContent-Length: 0x1",
            "Host: a\r\nContent-Length:",
            "Host: a\r\nContent-Length : 1",
            "Host: a\r\nX: a\r\n folded",
            "Host: a\r\n\tX: a",
            "Host: a\r\nX: a\rb",
            "Host: a\r\nX: a\nY: b",
            "Host: a\r\nX: a\0b",
            "Host: a\r\nX: a\x7fb",
            "Host: a\r\n: nameless",
            "Host: a\r\nno colon",
        ] {
            assert_eq!(status(&format!("GET / HTTP/1.1\r\n{line}\r\n\r\n")), 400, "{line:?}");
        }
        for first in [
            "GET  / HTTP/1.1",
            "GET / HTTP/1.1 ",
            " GET / HTTP/1.1",
            "GET /",
            "OPTIONS * HTTP/1.1",
            "CONNECT cam.local:80 HTTP/1.1",
            "GET /a#b HTTP/1.1",
            "GET /a\tb HTTP/1.1",
            "G(T / HTTP/1.1",
            "GET / http/1.1",
            "",
        ] {
            assert_eq!(status(&format!("{first}\r\nHost: a\r\n\r\n")), 400, "{first:?}");
        }
    }

    #[test]
    fn transfer_codings_and_unknown_expectations_have_their_own_answers() {
        let with = |line: &str| status(&format!("POST / HTTP/1.1\r\nHost: a\r\n{line}\r\n\r\n"));
        assert_eq!(with("Transfer-Encoding: chunked"), 501);
        assert_eq!(with("Content-Length: 3\r\ntransfer-encoding: identity"), 501);
        assert_eq!(with("Expect: a-miracle"), 417);
    }

    #[test]
    fn a_length_beyond_64_bits_is_the_largest_and_not_a_small_one() {
        let text = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {:030}\r\n\r\n", 7);
        assert_eq!(parse(text.as_bytes()).unwrap().content_length, Some(7));
        let text = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551616\r\n\r\n";
        assert_eq!(parse(text.as_bytes()).unwrap().content_length, Some(u64::MAX));
    }

    #[test]
    fn sixty_four_headers_are_read_and_sixty_five_are_not() {
        let head =
            |n: usize| format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: y\r\n".repeat(n - 1));
        assert_eq!(parse(head(64).as_bytes()).unwrap().headers.len(), 64);
        assert_eq!(refusal(&head(65)), Refusal::TooManyHeaders);
    }

    /// Bytes of which heads are made, so that chance finds their ends.
    pub fn head_like() -> impl Strategy<Value = Vec<u8>> {
        let bytes = prop_oneof![
            3 => prop::sample::select(b"\r\n\r\n: GETHTP/1.\0\t".to_vec()),
            1 => any::<u8>(),
        ];
        prop::collection::vec(bytes, 0..120)
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = parse(&bytes);
        }

        #[test]
        fn what_is_read_holds_no_byte_that_could_start_another_line(bytes in head_like()) {
            if let Ok(head) = parse(&bytes) {
                let values = head.headers.iter().map(|h| h.value);
                for text in values.chain([head.target.as_bytes(), head.method.as_bytes()]) {
                    let plain = |b: &u8| *b == b'\t' || (0x20..=0x7e).contains(b) || *b >= 0x80;
                    prop_assert!(text.iter().all(plain));
                }
            }
        }
    }
}
