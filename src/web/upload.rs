//! Uploads: judged by the same table and the same check as every call, before a byte of the body
//! is read, then streamed to the card by a thread of their own.

use std::fmt;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::gate::head::{Head, Header, Version};
use super::gate::spool::{Admission, Spool};
use super::guard::{self, Asking};
use super::problem::Problem;
use super::routes;
use crate::camera::Camera;
use crate::camera::images::{self, ImageError};
use crate::camera::jobs::Busy;
use crate::camera::sounds::{self, SoundError};
use crate::error::Chain;

/// The calls that take a file.
const IMAGES: &str = "/api/v1/images";
/// See [`IMAGES`]; with a JSON document as body it is no upload.
const SOUNDS: &str = "/api/v1/sounds";
/// How long the client may send nothing.
const STALL: Duration = Duration::from_secs(20);
/// How long it may take in all: a chip at 20 KiB/s.
const LONGEST: Duration = Duration::from_secs(15 * 60);
/// How long the client's next bytes are waited for after the answer.
const LEAVE: Duration = Duration::from_secs(2);
/// How long they may take in all: what was refused in the middle is still on its way.
const LEAVE_IN_ALL: Duration = Duration::from_secs(180);
/// Bytes: shorter than any sound, longer than the document that names one.
const SHORT: u64 = 256;
/// Stack of the thread; inspecting is the deepest it goes.
const STACK: usize = 256 << 10;

/// Judges uploads, and takes one at a time.
pub(super) struct Uploads {
    camera: Arc<Camera>,
    taken: Arc<AtomicBool>,
}

impl Uploads {
    pub fn new(camera: &Arc<Camera>) -> Uploads {
        Uploads { camera: Arc::clone(camera), taken: Arc::default() }
    }

    fn admit(&self, head: &Head<'_>, peer: IpAddr, size: u64) -> Result<(), Problem> {
        let value = |name: &str| {
            head.headers.iter().find(|h| h.name.eq_ignore_ascii_case(name)).map(Header::text)
        };
        let (origin, fetch_site) = (value("Origin"), value("Sec-Fetch-Site"));
        let (cookie, csrf) = (value("Cookie"), value("X-CSRF-Token"));
        let authorization = value("Authorization");
        let (path, _) = routes::split(&head.target);
        let (route, _) = routes::find(head.method, path).ok_or_else(Problem::not_found)?;
        guard::check(
            self.camera.login(),
            route.access,
            &Asking {
                method: head.method,
                host: head.host,
                origin: origin.as_deref(),
                fetch_site: fetch_site.as_deref(),
                cookie: cookie.as_deref(),
                authorization: authorization.as_deref(),
                csrf: csrf.as_deref(),
                peer,
            },
        )?;
        if let Some(job) = self.camera.jobs().running() {
            return Err(Busy { step: job.step }.into());
        }
        if path == SOUNDS {
            if size > sounds::LARGEST {
                return Err(SoundError::TooLarge(size).into());
            }
            return Ok(());
        }
        Ok(images::check(&self.camera, size)?)
    }
}

impl fmt::Debug for Uploads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Uploads")
    }
}

/// The permit for the one upload at a time, free again when this is dropped.
struct Permit(Arc<AtomicBool>);

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

impl Spool for Uploads {
    fn judge(&self, head: &Head<'_>, peer: IpAddr) -> Admission {
        let (path, _) = routes::split(&head.target);
        let Some(size) = head.content_length else { return Admission::NotMine };
        let value = |name: &str| {
            let mut headers = head.headers.iter();
            headers.find(|h| h.name.eq_ignore_ascii_case(name)).map(|h| h.value)
        };
        // Without a type: no sound is as short as a document.
        let is_json = value("Content-Type").map_or(size < SHORT, |kind| {
            kind.to_ascii_lowercase().starts_with(b"application/json")
        });
        let is_mine = path == IMAGES || (path == SOUNDS && !is_json);
        if head.method != "POST" || !is_mine {
            return Admission::NotMine;
        }
        let is_sound = path == SOUNDS;
        if let Err(problem) = self.admit(head, peer, size) {
            return Admission::Refused(response(problem.status, &problem.document()));
        }
        if self.taken.swap(true, Ordering::AcqRel) {
            let problem = Problem::from(ImageError::Arriving);
            return Admission::Refused(response(problem.status, &problem.document()));
        }
        let permit = Permit(Arc::clone(&self.taken));
        let camera = Arc::clone(&self.camera);
        let name = value("X-Filename").map_or_else(String::new, decode);
        let asks = head.expects_continue && head.version == Version::Http11;
        Admission::Taken(Box::new(move |stream, begun| {
            let body = move || {
                receive(stream, &begun, asks, permit, &mut |next| {
                    if is_sound {
                        take_sound(&camera, size, next)
                    } else {
                        take_image(&camera, size, &name, next)
                    }
                });
            };
            let thread = std::thread::Builder::new().name("upload".into()).stack_size(STACK);
            if let Err(e) = thread.spawn(body) {
                log::error!("an upload has no thread: {e}", e = Chain(&e));
            }
        }))
    }
}

/// Gives the next bytes of a body; 0 at its end.
type Next<'a> = &'a mut dyn FnMut(&mut [u8]) -> usize;

fn take_image(camera: &Camera, size: u64, name: &str, next: Next<'_>) -> (u16, String) {
    match images::take(camera, name, size, next) {
        Ok(image) => {
            log::info!("image {} arrived, {} bytes", image.id, image.size);
            (201, serde_json::to_string(&image).unwrap_or_default())
        }
        Err(e) => {
            log::warn!("an upload failed: {e}", e = Chain(&e));
            let problem = Problem::from(e);
            (problem.status, problem.document())
        }
    }
}

fn take_sound(camera: &Camera, size: u64, next: Next<'_>) -> (u16, String) {
    match sounds::take(camera, size, next) {
        Ok(playing) => (202, serde_json::to_string(&playing).unwrap_or_default()),
        Err(e) => {
            log::info!("a sound cannot be played: {e}", e = Chain(&e));
            let problem = Problem::from(e);
            (problem.status, problem.document())
        }
    }
}

/// Reads a body; `take` makes status and answer of it.
fn receive(
    stream: TcpStream,
    begun: &[u8],
    asks: bool,
    permit: Permit,
    take: &mut dyn FnMut(Next<'_>) -> (u16, String),
) {
    let ready = stream
        .set_nonblocking(false)
        .and_then(|()| stream.set_read_timeout(Some(STALL)))
        .and_then(|()| stream.set_write_timeout(Some(STALL)));
    if let Err(e) = ready {
        return log::warn!("an upload cannot begin: {e}", e = Chain(&e));
    }
    if asks && begun.is_empty() {
        // A client that gets none sends its body after a second anyway.
        let _ = (&stream).write_all(b"HTTP/1.1 100 Continue\r\n\r\n");
    }
    let began = Instant::now();
    let mut begun = begun;
    let mut next = |buffer: &mut [u8]| -> usize {
        if !begun.is_empty() {
            let count = begun.len().min(buffer.len());
            let (now, later) = begun.split_at(count);
            buffer[..count].copy_from_slice(now);
            begun = later;
            return count;
        }
        if began.elapsed() > LONGEST {
            return 0;
        }
        loop {
            match (&stream).read(buffer) {
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                other => return other.unwrap_or(0),
            }
        }
    };
    let (status, body) = take(&mut next);
    // A client that has read the answer may send the next one.
    drop(permit);
    let sent = (&stream).write_all(&response(status, &body));
    // Closing with unread bytes would take the answer from the client again.
    if sent.is_ok() && stream.shutdown(Shutdown::Write).is_ok() {
        let _ = stream.set_read_timeout(Some(LEAVE));
        let mut rest = [0; 4096];
        let until = Instant::now() + LEAVE_IN_ALL;
        while Instant::now() < until && (&stream).read(&mut rest).is_ok_and(|count| count > 0) {}
    }
}

/// A whole response; tiny_http has no part in it.
fn response(status: u16, body: &str) -> Vec<u8> {
    let phrase = tiny_http::StatusCode(status).default_reason_phrase();
    format!(
        "HTTP/1.1 {status} {phrase}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Connection: close\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n\r\n\
         {body}",
        body.len()
    )
    .into_bytes()
}

/// A file's name as browsers send it: percent-encoded UTF-8. What is neither stays as it is.
fn decode(value: &[u8]) -> String {
    let hex = |b: u8| char::from(b).to_digit(16).map(|digit| digit as u8);
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value;
    while let [first, more @ ..] = rest {
        rest = more;
        let pair = match (first, more) {
            (b'%', [high, low, ..]) => hex(*high).zip(hex(*low)),
            _ => None,
        };
        match pair {
            Some((high, low)) => {
                bytes.push(high << 4 | low);
                rest = more.get(2..).unwrap_or_default();
            }
            None => bytes.push(*first),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_decoded_and_broken_ones_survive() {
        assert_eq!(decode(b"tf%5Frecovery.img"), "tf_recovery.img");
        assert_eq!(decode(b"c%C3%A2mera.bin"), "c\u{e2}mera.bin");
        assert_eq!(decode(b"100%"), "100%");
        assert_eq!(decode(b"%zz%4"), "%zz%4");
        assert_eq!(decode(b"%ff"), "\u{fffd}");
        assert_eq!(decode("c\u{e2}mera.bin".as_bytes()), "c\u{e2}mera.bin");
    }
}
