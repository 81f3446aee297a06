//! Answers, with the headers that all of them have.

use std::io::{self, Cursor, Read, Write as _};

use serde::Serialize;
use tiny_http::{HTTPVersion, Header, Request, Response, StatusCode};

use super::packed::Asset;

/// An answer of any kind.
pub type Reply = Response<Box<dyn Read + Send>>;

/// Most bytes of one piece of an endless answer.
const PIECE: usize = 16 * 1024;

/// Assets and API of this program only: no inline script, no frame, no other host.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self' data: blob:; media-src 'self' blob:; connect-src 'self'; form-action 'self'; \
    base-uri 'none'; frame-ancestors 'none'";

/// A header; `None` for bytes that cannot be in one.
fn header(name: &str, value: &str) -> Option<Header> {
    Header::from_bytes(name, value).ok()
}

/// The same answer with one more header.
pub fn with(answer: Reply, name: &str, value: &str) -> Reply {
    match header(name, value) {
        Some(h) => answer.with_header(h),
        None => answer,
    }
}

/// An answer whose body is read while it is sent; a known length is always said, so that a cut
/// transfer is seen as one.
pub fn stream(status: u16, kind: &str, body: Box<dyn Read + Send>, length: usize) -> Reply {
    let headers = [
        ("Content-Type", kind),
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "no-referrer"),
        ("Content-Security-Policy", CONTENT_SECURITY_POLICY),
        ("X-Frame-Options", "DENY"),
        ("Cross-Origin-Resource-Policy", "same-origin"),
    ]
    .into_iter()
    .filter_map(|(name, value)| header(name, value))
    .collect();
    Response::new(StatusCode(status), headers, body, Some(length), None)
        .with_chunked_threshold(usize::MAX)
}

/// A whole body that nobody keeps.
pub fn bytes(status: u16, kind: &str, body: Vec<u8>) -> Reply {
    let length = body.len();
    with(stream(status, kind, Box::new(Cursor::new(body)), length), "Cache-Control", "no-store")
}

/// A part of the program itself, as gzip where the browser takes it: kept by browsers as long as
/// its tag is the same.
pub fn asset(kind: &str, asset: Asset, accepted: Option<&str>, known: Option<&str>) -> Reply {
    let packed = takes_gzip(accepted.unwrap_or_default());
    let quoted = format!("\"{}{}\"", asset.tag(), if packed { "-gzip" } else { "" });
    let is_known = known.is_some_and(|tags| tags.split(',').any(|tag| is_tag(tag, &quoted)));
    let body = match (is_known, packed) {
        (true, _) => Vec::new(),
        (false, true) => asset.gzip().to_vec(),
        (false, false) => asset.text().into_bytes(),
    };
    let length = body.len();
    let status = if is_known { 304 } else { 200 };
    let mut answer = stream(status, kind, Box::new(Cursor::new(body)), length);
    if packed && !is_known {
        answer = with(answer, "Content-Encoding", "gzip");
    }
    let answer = with(with(answer, "Cache-Control", "no-cache"), "Vary", "Accept-Encoding");
    with(answer, "ETag", &quoted)
}

/// Whether a tag of `If-None-Match` is ours; a proxy may have made it a weak one.
fn is_tag(tag: &str, ours: &str) -> bool {
    let tag = tag.trim();
    tag.strip_prefix("W/").unwrap_or(tag) == ours
}

/// Whether an `Accept-Encoding` takes gzip (RFC 9110, section 12.5.3).
fn takes_gzip(accepted: &str) -> bool {
    let weight = |wanted: &str| {
        accepted.split(',').find_map(|one| {
            let mut parts = one.split(';').map(str::trim);
            if !parts.next()?.eq_ignore_ascii_case(wanted) {
                return None;
            }
            let q = parts.find_map(|part| part.strip_prefix("q=").or(part.strip_prefix("Q=")));
            Some(q.is_none_or(|q| q.bytes().any(|b| (b'1'..=b'9').contains(&b))))
        })
    };
    weight("gzip").or_else(|| weight("*")).unwrap_or(false)
}

/// A body that continues until one side ends it; sent by [`send`] only.
pub fn endless(kind: &str, body: Box<dyn Read + Send>) -> Reply {
    let answer = stream(200, kind, body, 0);
    let (status, headers) = (answer.status_code(), answer.headers().to_vec());
    let endless = Response::new(status, headers, answer.into_reader(), None, None);
    with(endless, "Cache-Control", "no-store")
}

/// Sends an answer. One without a length is never given to tiny_http's own `respond`: for HTTP/1.0
/// that collects the whole body in memory before it sends a byte. Here it goes out piece by piece,
/// chunked for HTTP/1.1 and until the connection closes for HTTP/1.0 (RFC 9112, section 6.3).
///
/// # Errors
/// The client went away, or the body broke off.
pub fn send(request: Request, answer: Reply) -> io::Result<()> {
    if answer.data_length().is_some() {
        return request.respond(answer);
    }
    let chunked = *request.http_version() >= HTTPVersion(1, 1);
    let mut out = request.into_writer();
    out.write_all(&head_of(&answer, chunked))?;
    let mut body = answer.into_reader();
    let mut piece = vec![0; PIECE];
    loop {
        // The head and every picture go out now, not when a buffer is full.
        out.flush()?;
        let count = body.read(&mut piece)?;
        let bytes = piece.get(..count).unwrap_or_default();
        match (chunked, count) {
            (true, 0) => out.write_all(b"0\r\n\r\n")?,
            (true, _) => {
                write!(out, "{count:x}\r\n")?;
                out.write_all(bytes)?;
                out.write_all(b"\r\n")?;
            }
            (false, _) => out.write_all(bytes)?,
        }
        if count == 0 {
            return out.flush();
        }
    }
}

/// The head of an answer without a length. The gate adds `Connection: close`.
fn head_of(answer: &Reply, chunked: bool) -> Vec<u8> {
    let status = answer.status_code();
    let mut head = format!("HTTP/1.1 {} {}\r\n", status.0, status.default_reason_phrase());
    for header in answer.headers() {
        head.push_str(&format!("{}: {}\r\n", header.field, header.value));
    }
    head.push_str(if chunked { "Transfer-Encoding: chunked\r\n\r\n" } else { "\r\n" });
    head.into_bytes()
}

/// A document.
pub fn json<T: Serialize>(document: &T) -> Reply {
    json_as(200, document)
}

/// A document with another status than 200.
pub fn json_as<T: Serialize>(status: u16, document: &T) -> Reply {
    match serde_json::to_vec(document) {
        Ok(body) => bytes(status, "application/json", body),
        Err(_) => bytes(500, "application/json", Vec::new()),
    }
}

/// A file to keep, streamed. The name is one of ours: plain ASCII.
pub fn download(body: Box<dyn Read + Send>, length: usize, name: &str) -> Reply {
    let kind = match name.rsplit('.').next() {
        Some("bin") => "application/octet-stream",
        Some("zip") => "application/zip",
        Some("json") => "application/json",
        _ => "text/plain; charset=utf-8",
    };
    let answer = with(stream(200, kind, body, length), "Cache-Control", "no-store");
    with(answer, "Content-Disposition", &format!("attachment; filename=\"{name}\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_sent_to_who_accepts_it() {
        for (accepted, takes) in [
            ("", false),
            ("gzip", true),
            ("gzip, deflate, br, zstd", true),
            ("br;q=1.0, GZIP;q=0.8, *;q=0.1", true),
            ("gzip;q=0", false),
            ("gzip; q=0.000, *", false),
            ("*", true),
            ("identity", false),
            ("*;q=0", false),
            ("xgzip", false),
            (";;,=", false),
        ] {
            assert_eq!(takes_gzip(accepted), takes, "{accepted}");
        }
    }

    #[test]
    fn a_tag_is_known_also_when_a_proxy_weakened_it() {
        assert!(is_tag(" W/\"1-gzip\"", "\"1-gzip\"") && is_tag("\"1\"", "\"1\""));
        assert!(!is_tag("\"1-gzip\"", "\"1\"") && !is_tag("*", "\"1\""));
    }
}
