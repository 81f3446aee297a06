//! Answers, with the headers that every one of them carries.

use std::fs::File;
use std::io::{self, Cursor, Read};

use serde::Serialize;
use tiny_http::{Header, Response, StatusCode};

/// An answer of any kind.
pub type Reply = Response<Box<dyn Read + Send>>;

/// Assets and API of this program only: no script, no frame, no other host.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self' data:; \
    form-action 'none'; base-uri 'none'; frame-ancestors 'none'";

/// A header; `None` for bytes that cannot stand in one.
fn header(name: &str, value: &str) -> Option<Header> {
    Header::from_bytes(name, value).ok()
}

fn reply(status: u16, kind: &str, body: Box<dyn Read + Send>, length: Option<usize>) -> Reply {
    let headers = [
        ("Content-Type", kind),
        ("Cache-Control", "no-store"),
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "no-referrer"),
        ("Content-Security-Policy", CONTENT_SECURITY_POLICY),
    ]
    .into_iter()
    .filter_map(|(name, value)| header(name, value))
    .collect();
    // A known length is always said, so that a cut transfer is seen as one.
    Response::new(StatusCode(status), headers, body, length, None)
        .with_chunked_threshold(usize::MAX)
}

fn bytes(status: u16, kind: &str, body: Vec<u8>) -> Reply {
    let length = body.len();
    reply(status, kind, Box::new(Cursor::new(body)), Some(length))
}

/// A text of this kind.
pub fn text(kind: &str, body: String) -> Reply {
    bytes(200, kind, body.into_bytes())
}

/// A document.
pub fn json<T: Serialize>(document: &T) -> Reply {
    match serde_json::to_vec(document) {
        Ok(body) => bytes(200, "application/json", body),
        Err(_) => error(500, "internal", "The answer could not be written.", "Report this."),
    }
}

/// An error, in the form of the contract.
pub fn error(status: u16, code: &str, message: &str, hint: &str) -> Reply {
    let document = serde_json::json!({
        "error": { "code": code, "message": message, "hint": hint }
    });
    bytes(status, "application/json", document.to_string().into_bytes())
}

/// A file, streamed.
///
/// # Errors
/// Where its length cannot be told.
pub fn file(file: File, name: &str) -> io::Result<Reply> {
    let length = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
    let kind = if name.rsplit('.').next() == Some("bin") {
        "application/octet-stream"
    } else {
        "text/plain; charset=utf-8"
    };
    let answer = reply(200, kind, Box::new(file), Some(length));
    let disposition = header("Content-Disposition", &format!("attachment; filename=\"{name}\""));
    Ok(match disposition {
        Some(h) => answer.with_header(h),
        None => answer,
    })
}
