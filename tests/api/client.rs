//! A plain client: one request, one answer, whatever stands in it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

use crate::rig::daemon::{Daemon, Session};

/// An answer.
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| {
            panic!("{e}: {} {}", self.head, String::from_utf8_lossy(&self.body))
        })
    }

    /// The code of an error, which is whole.
    pub fn code(&self) -> String {
        let error = &self.json()["error"];
        assert!(error["message"].is_string() && error["hint"].is_string(), "{error}");
        error["code"].as_str().unwrap().to_owned()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

/// Sends bytes as they are, and reads to the end; `None` where the gate closed without a word.
pub fn raw(port: u16, bytes: &[u8]) -> Option<Answer> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    // It may be refused before all of it is taken.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let end = answer.windows(4).position(|w| w == b"\r\n\r\n")?;
    let body = answer.split_off(end + 4);
    let head = String::from_utf8(answer).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Some(Answer { status, head, body })
}

/// A request with these header lines.
pub fn send(port: u16, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let mut bytes = format!("{method} {path} HTTP/1.1\r\n").into_bytes();
    if !headers.iter().any(|(name, _)| *name == "Host") {
        bytes.extend(b"Host: localhost\r\n");
    }
    for (name, value) in headers {
        bytes.extend(format!("{name}: {value}\r\n").bytes());
    }
    if method != "GET" && method != "HEAD" {
        bytes.extend(format!("Content-Length: {}\r\n", body.len()).bytes());
    }
    bytes.extend(b"\r\n");
    bytes.extend(body);
    raw(port, &bytes).unwrap_or_else(|| panic!("{method} {path}: no answer"))
}

/// A call as a logged-in browser makes it.
pub fn call(daemon: &Daemon, method: &str, path: &str, body: &Value) -> Answer {
    let session = daemon.session.as_ref().unwrap();
    let headers = [("Cookie", session.cookie.as_str()), ("X-CSRF-Token", session.csrf.as_str())];
    let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
    send(daemon.port, method, path, &headers, &body)
}

/// The session that an answer opened.
pub fn session(answer: &Answer) -> Session {
    let cookie = answer.header("Set-Cookie").unwrap().split(';').next().unwrap().to_owned();
    Session { cookie, csrf: answer.json()["csrf"].as_str().unwrap().to_owned() }
}
