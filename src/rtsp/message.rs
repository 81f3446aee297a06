//! RTSP 1.0 on a connection (RFC 2326): requests, and RTP and RTCP between them (section 10.12).
//! Pure and bounded; nothing a stranger sends is kept beyond [`HEAD`] bytes.

use std::fmt::Write as _;

/// Bytes of a request's head. A Digest login with its nonces has some 600.
pub const HEAD: usize = 4096;
/// Bytes of a request's body. What clients put there is a few names of parameters.
pub const BODY: u64 = 4096;
/// Lines of a head.
const LINES: usize = 48;

/// What is at the front of the bytes that have come.
#[derive(Debug, PartialEq, Eq)]
pub enum Item<'a> {
    /// Too little to tell.
    More,
    /// So many bytes mean nothing: blank lines between requests.
    Skip(usize),
    /// RTP or RTCP from the client: so many bytes follow the four of the frame's head.
    Interleaved {
        /// The channel.
        channel: u8,
        /// Bytes of data behind the four of the frame's head.
        length: usize,
    },
    /// A request, and the bytes of its head; its body follows.
    Request(Request<'a>, usize),
    /// Nothing that can be understood: the connection is of no more use.
    Bad(RequestError),
}

/// Why a request is not understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestError {
    /// Not RTSP at all.
    NotRtsp,
    /// The head is too long, or has too many lines.
    TooLong,
    /// Another version.
    Version,
    /// The body is too large.
    Body,
}

impl RequestError {
    /// The status to answer with.
    pub fn status(self) -> Status {
        match self {
            RequestError::NotRtsp => Status::BadRequest,
            RequestError::TooLong => Status::HeadTooLong,
            RequestError::Version => Status::Version,
            RequestError::Body => Status::BodyTooLarge,
        }
    }
}

/// A request's head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// The method, as it was sent.
    pub method: &'a str,
    /// The address, as it was sent.
    pub uri: &'a str,
    /// Bytes of its body.
    pub body: u64,
    lines: Vec<(&'a str, &'a str)>,
}

impl<'a> Request<'a> {
    /// A header's value; names are compared without case, the first one counts.
    pub fn header(&self, name: &str) -> Option<&'a str> {
        self.lines.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
    }

    /// CSeq, if it is a number.
    pub fn sequence(&self) -> Option<u32> {
        self.header("CSeq")?.parse().ok()
    }

    /// The session's name without its parameters.
    pub fn session(&self) -> Option<&'a str> {
        self.header("Session")?.split(';').next().map(str::trim).filter(|id| !id.is_empty())
    }

    /// The stream that the address names, and what follows it: `/mainstream/trackID=0`. Several
    /// slashes count as one: clients join an address that ends in a slash and a path that begins
    /// with one.
    pub fn path(&self) -> (&'a str, &'a str) {
        let path = match self.uri.split_once("://") {
            Some((_, rest)) => rest.split_once('/').map_or("", |(_, path)| path),
            None => self.uri.trim_start_matches('/'),
        };
        let path = path.split(['?', '#']).next().unwrap_or("");
        let path = path.trim_matches('/');
        let (name, rest) = path.split_once('/').unwrap_or((path, ""));
        (name, rest.trim_start_matches('/'))
    }
}

/// Looks at the front of what has come.
pub fn item(bytes: &[u8]) -> Item<'_> {
    match bytes {
        [b'$', channel, high, low, ..] => {
            let length = usize::from(u16::from_be_bytes([*high, *low]));
            return Item::Interleaved { channel: *channel, length };
        }
        [] | [b'$', ..] => return Item::More,
        _ => {}
    }
    let blank = bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    if blank > 0 {
        return Item::Skip(blank);
    }
    if !bytes.first().is_some_and(u8::is_ascii_uppercase) {
        return Item::Bad(RequestError::NotRtsp);
    }
    let Some(end) = head_end(bytes) else {
        return if bytes.len() >= HEAD { Item::Bad(RequestError::TooLong) } else { Item::More };
    };
    if end > HEAD {
        return Item::Bad(RequestError::TooLong);
    }
    match parse(bytes.get(..end).unwrap_or_default()) {
        Ok(request) => Item::Request(request, end),
        Err(fault) => Item::Bad(fault),
    }
}

/// The bytes up to and with the blank line.
fn head_end(bytes: &[u8]) -> Option<usize> {
    let bytes = bytes.get(..bytes.len().min(HEAD + 1)).unwrap_or_default();
    let mut line = 0;
    for (at, byte) in bytes.iter().enumerate() {
        if *byte == b'\n' {
            if bytes.get(line..at).is_some_and(|l| l.is_empty() || l == b"\r") {
                return Some(at + 1);
            }
            line = at + 1;
        }
    }
    None
}

fn parse(head: &[u8]) -> Result<Request<'_>, RequestError> {
    let head = std::str::from_utf8(head).map_err(|_| RequestError::NotRtsp)?;
    if head.bytes().any(|byte| byte.is_ascii_control() && !matches!(byte, b'\r' | b'\n' | b'\t')) {
        return Err(RequestError::NotRtsp);
    }
    let mut rows = head.lines();
    let mut words =
        rows.next().ok_or(RequestError::NotRtsp)?.split(' ').filter(|word| !word.is_empty());
    let (Some(method), Some(uri), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(RequestError::NotRtsp);
    };
    if !version.starts_with("RTSP/") || !method.bytes().all(|b| b.is_ascii_uppercase() || b == b'_')
    {
        return Err(RequestError::NotRtsp);
    }
    if version != "RTSP/1.0" {
        return Err(RequestError::Version);
    }
    let mut lines = Vec::new();
    for row in rows.filter(|row| !row.is_empty()) {
        // A line that continues in the next one (RFC 2326, 15.1) is sent by nobody but smugglers.
        let (name, value) = row.split_once(':').ok_or(RequestError::NotRtsp)?;
        if name.is_empty() || name.contains([' ', '\t']) {
            return Err(RequestError::NotRtsp);
        }
        if lines.len() == LINES {
            return Err(RequestError::TooLong);
        }
        lines.push((name, value.trim()));
    }
    let mut request = Request { method, uri, body: 0, lines };
    if let Some(length) = request.header("Content-Length") {
        let digits = !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit());
        request.body = match length.parse::<u64>() {
            Ok(length) if length <= BODY => length,
            _ if digits => return Err(RequestError::Body),
            _ => return Err(RequestError::NotRtsp),
        };
    }
    Ok(request)
}

/// The answer where the camera is switched off.
pub const OFF: &str = "The camera is switched off";

/// The statuses this server says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Status {
    Ok,
    BadRequest,
    Unauthorized,
    NotFound,
    BodyTooLarge,
    HeadTooLong,
    NoBandwidth,
    NoSession,
    NotInThisState,
    Transport,
    Busy,
    /// Privacy: no picture is handed out.
    Off,
    NotImplemented,
    Version,
    OptionUnknown,
}

impl Status {
    /// Its number and its words.
    pub fn words(self) -> (u16, &'static str) {
        match self {
            Status::Ok => (200, "OK"),
            Status::BadRequest => (400, "Bad Request"),
            Status::Unauthorized => (401, "Unauthorized"),
            Status::NotFound => (404, "Stream Not Found"),
            Status::BodyTooLarge => (413, "Request Entity Too Large"),
            Status::HeadTooLong => (414, "Request-URI Too Long"),
            Status::NoBandwidth => (453, "Not Enough Bandwidth"),
            Status::NoSession => (454, "Session Not Found"),
            Status::NotInThisState => (455, "Method Not Valid in This State"),
            Status::Transport => (461, "Unsupported Transport"),
            Status::NotImplemented => (501, "Not Implemented"),
            Status::Busy => (503, "Service Unavailable"),
            Status::Off => (503, OFF),
            Status::Version => (505, "RTSP Version Not Supported"),
            Status::OptionUnknown => (551, "Option Not Supported"),
        }
    }
}

/// An answer that is being written.
#[derive(Debug)]
pub struct RtspResponse {
    head: String,
    body: String,
}

impl RtspResponse {
    /// With its status, and the request's number where it had one.
    pub fn new(status: Status, sequence: Option<u32>) -> RtspResponse {
        let (number, words) = status.words();
        let mut head = format!("RTSP/1.0 {number} {words}\r\n");
        if let Some(sequence) = sequence {
            let _ = write!(head, "CSeq: {sequence}\r\n");
        }
        head.push_str("Server: mi360d\r\n");
        RtspResponse { head, body: String::new() }
    }

    /// One more line.
    #[must_use]
    pub fn line(mut self, name: &str, value: &str) -> RtspResponse {
        let _ = write!(self.head, "{name}: {value}\r\n");
        self
    }

    /// With a body.
    #[must_use]
    pub fn body(mut self, kind: &str, body: String) -> RtspResponse {
        self.body = body;
        self.line("Content-Type", kind)
    }

    /// As it is sent.
    pub fn into_bytes(mut self) -> Vec<u8> {
        if !self.body.is_empty() {
            let _ = write!(self.head, "Content-Length: {}\r\n", self.body.len());
        }
        self.head.push_str("\r\n");
        self.head.push_str(&self.body);
        self.head.into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_reads_as_it_stands() {
        let bytes = b"SETUP rtsp://10.0.0.2:8554/mainstream/trackID=0?x RTSP/1.0\r\ncseq: 3\r\n\
            Session: abc;timeout=60\r\n\r\n$rest";
        let Item::Request(request, length) = item(bytes) else { panic!("{:?}", item(bytes)) };
        assert_eq!(&bytes[length..], b"$rest");
        assert_eq!(request.method, "SETUP");
        assert_eq!(request.path(), ("mainstream", "trackID=0"));
        assert_eq!((request.sequence(), request.session()), (Some(3), Some("abc")));
    }

    #[test]
    fn a_slash_too_many_names_the_same_stream() {
        for (uri, wanted) in [
            ("rtsp://h/mainstream", ("mainstream", "")),
            ("rtsp://h//mainstream", ("mainstream", "")),
            ("rtsp://h:8554//mainstream//trackID=0", ("mainstream", "trackID=0")),
            ("rtsp://h/mainstream/", ("mainstream", "")),
            ("rtsp://h/mainstream//trackID=0/", ("mainstream", "trackID=0")),
            ("//mainstream//trackID=0", ("mainstream", "trackID=0")),
            ("rtsp://h//", ("", "")),
            ("rtsp://h", ("", "")),
        ] {
            let text = format!("DESCRIBE {uri} RTSP/1.0\r\nCSeq: 1\r\n\r\n");
            let Item::Request(request, _) = item(text.as_bytes()) else { panic!("{uri}") };
            assert_eq!(request.path(), wanted, "{uri}");
        }
    }

    #[test]
    fn what_is_no_request_is_told_apart() {
        let bad = |text: &str| match item(text.as_bytes()) {
            Item::Bad(fault) => fault,
            other => panic!("{text}: {other:?}"),
        };
        assert_eq!(bad("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), RequestError::NotRtsp);
        assert_eq!(bad("PLAY * RTSP/2.0\r\n\r\n"), RequestError::Version);
        assert_eq!(bad("\x16\x03\x01"), RequestError::NotRtsp);
        assert_eq!(bad("PLAY * RTSP/1.0\r\nno colon\r\n\r\n"), RequestError::NotRtsp);
        assert_eq!(
            bad("PLAY * RTSP/1.0\r\nContent-Length: 4294967296\r\n\r\n"),
            RequestError::Body
        );
        assert_eq!(bad("PLAY * RTSP/1.0\r\nContent-Length: -1\r\n\r\n"), RequestError::NotRtsp);
        assert_eq!(bad(&format!("PLAY {}", "x".repeat(HEAD))), RequestError::TooLong);
        assert_eq!(
            bad(&format!("PLAY * RTSP/1.0\r\n{}\r\n", "a: b\r\n".repeat(49))),
            RequestError::TooLong
        );
    }

    #[test]
    fn what_is_not_whole_waits() {
        for text in ["", "OPT", "OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n", "$\0\0"] {
            assert_eq!(item(text.as_bytes()), Item::More, "{text}");
        }
        assert_eq!(item(b"$\x01\0\x05"), Item::Interleaved { channel: 1, length: 5 });
        assert_eq!(item(b"\r\n\r\nOPT"), Item::Skip(4));
    }
}
