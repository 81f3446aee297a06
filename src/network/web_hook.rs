//! A web hook: one POST with a JSON document to an address that the owner names. Plain HTTP only, in
//! the owner's own network; redirects are not followed. The address may be a secret (Home Assistant's
//! are): it is in no message.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::lookup;

/// How long connecting, sending and the answer may take, each.
const PATIENCE: Duration = Duration::from_secs(5);
/// Addresses of a name that are tried.
const MOST_ADDRESSES: usize = 4;
/// Bytes of an answer that are read: its first line.
const ANSWER: u64 = 64;
/// Bytes of an address.
const LONGEST: usize = 200;
const SCHEME: &str = "http://";

/// What became of a try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// It was taken.
    Taken,
    /// It may be taken later, and why it was not.
    Later(String),
    /// It will not be taken, and why.
    Never(String),
}

/// Server and path of an address; `None` if it is not plain HTTP. Pure.
pub fn split(address: &str) -> Option<(&str, &str)> {
    let rest = address.strip_prefix(SCHEME).filter(|_| address.len() <= LONGEST)?;
    let at = rest.find('/').unwrap_or(rest.len());
    let (server, path) = rest.split_at(at);
    let (host, _) = lookup::split(server, 80)?;
    let plain = !host.is_empty() && rest.bytes().all(|byte| byte.is_ascii_graphic());
    let mine = !server.contains(['@', '?', '#']) && !path.contains('#');
    (plain && mine).then_some((server, if path.is_empty() { "/" } else { path }))
}

/// Sends a document once.
pub fn post(address: &str, document: &str) -> Delivery {
    let Some((server, path)) = split(address) else {
        return Delivery::Never("the address is not plain HTTP".to_owned());
    };
    match try_post(server, path, document) {
        Ok(line) => judge(&line),
        Err(error) => Delivery::Later(error.to_string()),
    }
}

fn try_post(server: &str, path: &str, document: &str) -> io::Result<String> {
    let address = lookup::addresses(server, 80)?;
    let mut tried = Err(io::ErrorKind::NotFound.into());
    for address in address.iter().take(MOST_ADDRESSES) {
        tried = TcpStream::connect_timeout(address, PATIENCE);
        if tried.is_ok() {
            break;
        }
    }
    let mut stream = tried?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let length = document.len();
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: {server}\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\nConnection: close\r\n\r\n{document}"
    );
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    let mut piece = [0; ANSWER as usize];
    let until = Instant::now() + PATIENCE;
    while !answer.contains(&b'\n') && (answer.len() as u64) < ANSWER && Instant::now() < until {
        match stream.read(&mut piece)? {
            0 => break,
            count => answer.extend_from_slice(piece.get(..count).unwrap_or_default()),
        }
    }
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// What the first line of an answer says.
fn judge(line: &str) -> Delivery {
    let status = line.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..5)?.parse().ok());
    let said = |status: u16| format!("the server answered {status}");
    match status {
        Some(200..300) => Delivery::Taken,
        Some(status @ 300..400) => {
            Delivery::Never(format!("{}; redirects are not followed", said(status)))
        }
        Some(status @ (..200 | 408 | 429 | 500..)) => Delivery::Later(said(status)),
        Some(status) => Delivery::Never(said(status)),
        None => Delivery::Later("the answer is not HTTP".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_plain_http_are_taken() {
        for (address, wanted) in [
            ("http://ha:8123/api/webhook/x?a=b", Some(("ha:8123", "/api/webhook/x?a=b"))),
            ("http://192.168.1.2", Some(("192.168.1.2", "/"))),
            ("http://[fd00::1]:80/", Some(("[fd00::1]:80", "/"))),
            ("https://ha/", None),
            ("ha/", None),
            ("http://", None),
            ("http:///x", None),
            ("http://user:pass@ha/", None),
            ("http://ha:0/", None),
            ("http://ha/a b", None),
            ("http://ha/\r\nX: y", None),
            ("http://ha?x", None),
            ("http://ha/x#y", None),
        ] {
            assert_eq!(split(address), wanted, "{address}");
        }
        assert_eq!(split(&format!("http://ha/{}", "x".repeat(LONGEST))), None);
    }

    #[test]
    fn what_may_be_taken_later_is_told_from_what_never_is() {
        let later = |line| matches!(judge(line), Delivery::Later(_));
        let never = |line| matches!(judge(line), Delivery::Never(_));
        assert!(["HTTP/1.1 200 OK", "HTTP/1.0 204 "].iter().all(|l| judge(l) == Delivery::Taken));
        assert!(
            ["HTTP/1.1 503 x", "HTTP/1.1 429 x", "", "HTTP/1.1", "SSH-2.0"].into_iter().all(later)
        );
        assert!(["HTTP/1.1 302 Found", "HTTP/1.1 404 x", "HTTP/1.1 401 x"].into_iter().all(never));
    }
}
