//! Answers, with the headers that every one of them carries.

use std::io::{Cursor, Read};

use serde::Serialize;
use tiny_http::{Header, Response, StatusCode};

/// An answer of any kind.
pub type Reply = Response<Box<dyn Read + Send>>;

/// Assets and API of this program only: no inline script, no frame, no other host.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self' data: blob:; media-src 'self' blob:; connect-src 'self'; form-action 'self'; \
    base-uri 'none'; frame-ancestors 'none'";

/// A header; `None` for bytes that cannot stand in one.
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

/// A part of the program itself: kept by browsers as long as its tag is the same.
pub fn asset(kind: &str, body: &dyn Fn() -> Vec<u8>, tag: &str, known: Option<&str>) -> Reply {
    let quoted = format!("\"{tag}\"");
    let is_known = known == Some(quoted.as_str());
    let (status, body) = if is_known { (304, Vec::new()) } else { (200, body()) };
    let length = body.len();
    let answer = stream(status, kind, Box::new(Cursor::new(body)), length);
    with(with(answer, "Cache-Control", "no-cache"), "ETag", &quoted)
}

/// A body that goes on until one side ends it.
pub fn endless(kind: &str, body: Box<dyn Read + Send>) -> Reply {
    let answer = stream(200, kind, body, 0);
    let (status, headers) = (answer.status_code(), answer.headers().to_vec());
    let endless = Response::new(status, headers, answer.into_reader(), None, None);
    with(endless, "Cache-Control", "no-store")
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
