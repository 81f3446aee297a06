//! mortox: the stock firmware's settings daemon, as far as a flash needs it: asked to write its
//! settings to `/mnt/data/.config.nvram`, which it otherwise does up to a minute late.
//!
//! A Unix stream socket, all numbers big-endian. A message is a head of 22 bytes (`MORTOX`, its
//! id, the number of chunks, the number of this one, the bytes that follow) and a body: 0x0672,
//! the command, the body's length, the number of parameters, then each parameter with its type
//! and length. An answer has command 10 and the id of its question. Verified against the real
//! mortoxd of 3.5.1_0052 (docs/flashing.md).

use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use thiserror::Error;

use crate::formats::{be16, be32};

/// Where the stock firmware has its socket.
pub const SOCKET: &str = "/tmp/mortox.socket";
/// The layer of the settings that outlive a restart.
pub const KEPT: &str = "nvram";

const MAGIC: &[u8; 6] = b"MORTOX";
const BODY_MAGIC: u16 = 0x0672;
/// Bytes before the body.
const HEAD: usize = 22;
/// Bytes of the body before its parameters.
const BODY_HEAD: usize = 12;
/// The longest message that the daemon takes or sends in one chunk, in bytes.
const LONGEST: usize = 1024;
/// Write the settings now.
const SYNC: u16 = 12;
const ANSWER: u16 = 10;
const TEXT: u16 = 1;
const INT: u16 = 2;
/// Messages for others that are read before the answer is given up.
const MOST_OTHERS: usize = 64;

/// Why the settings were not written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum MortoxError {
    /// The daemon does not run, or its socket fails.
    #[error("mortoxd cannot be reached: {0}")]
    Socket(#[from] io::Error),
    /// It does not answer in time.
    #[error("mortoxd does not answer")]
    Silent,
    /// It answers something that is no mortox message.
    #[error("mortoxd answers something that is not understood")]
    Strange,
    /// It says that it could not.
    #[error("mortoxd could not write its settings ({0})")]
    Refused(i32),
}

/// A question of this command with texts as its parameters; `None` where it is too long.
fn question(id: u32, command: u16, texts: &[&str]) -> Option<Vec<u8>> {
    let mut parameters = Vec::new();
    for text in texts {
        let length = u16::try_from(text.len() + 1).ok()?;
        parameters.extend(TEXT.to_be_bytes());
        parameters.extend(length.to_be_bytes());
        parameters.extend(text.as_bytes());
        parameters.push(0);
    }
    let body = u32::try_from(BODY_HEAD + parameters.len()).ok()?;
    let mut message = MAGIC.to_vec();
    for word in [id, 1, 1, body] {
        message.extend(word.to_be_bytes());
    }
    message.extend(BODY_MAGIC.to_be_bytes());
    message.extend(command.to_be_bytes());
    message.extend(body.to_be_bytes());
    message.extend(u32::try_from(texts.len()).ok()?.to_be_bytes());
    message.extend(parameters);
    (message.len() <= LONGEST).then_some(message)
}

/// The body's length out of a head; `None` where it is not one.
fn body_length(head: &[u8]) -> Option<usize> {
    let length = be32(head, 18)? as usize;
    let fits = (BODY_HEAD..=LONGEST - HEAD).contains(&length);
    (head.starts_with(MAGIC) && fits).then_some(length)
}

/// A message of the daemon's.
#[derive(Debug, PartialEq, Eq)]
enum Message {
    /// The answer to our question: the number that it begins with.
    Answer(i32),
    /// Something else.
    Other,
}

/// What a message is to the one who asked with `id`; `None` where it is no message.
fn message(id: u32, head: &[u8], body: &[u8]) -> Option<Message> {
    if be16(body, 0)? != BODY_MAGIC {
        return None;
    }
    if be16(body, 2)? != ANSWER || be32(head, 6)? != id {
        return Some(Message::Other);
    }
    let is_int = be16(body, BODY_HEAD)? == INT && be16(body, BODY_HEAD + 2)? == 4;
    let number = be32(body, BODY_HEAD + 4)?;
    is_int.then_some(Message::Answer(number.cast_signed()))
}

/// Has the daemon behind this socket write its settings, and waits for its answer, `patience` at
/// most.
///
/// # Errors
/// [`MortoxError`]; without the daemon there is nothing that it has not written.
pub fn sync(socket: &Path, patience: Duration) -> Result<(), MortoxError> {
    let socket = socket.to_owned();
    let (done, answer) = mpsc::channel();
    // On a thread of its own: the connection itself has no time limit where the daemon hangs.
    std::thread::Builder::new().name("mortox".to_owned()).stack_size(64 << 10).spawn(
        move || {
            let _ = done.send(ask(&socket, patience));
        },
    )?;
    answer.recv_timeout(patience).unwrap_or(Err(MortoxError::Silent))
}

fn ask(socket: &Path, patience: Duration) -> Result<(), MortoxError> {
    const ID: u32 = 1;
    let until = Instant::now() + patience;
    let asked = question(ID, SYNC, &[KEPT]).ok_or(MortoxError::Strange)?;
    let mut stream = UnixStream::connect(socket)?;
    stream.set_write_timeout(Some(patience))?;
    stream.write_all(&asked)?;
    for _ in 0..MOST_OTHERS {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(MortoxError::Silent);
        }
        stream.set_read_timeout(Some(left))?;
        let mut head = [0; HEAD];
        stream.read_exact(&mut head).map_err(late)?;
        let mut body = vec![0; body_length(&head).ok_or(MortoxError::Strange)?];
        stream.read_exact(&mut body).map_err(late)?;
        match message(ID, &head, &body).ok_or(MortoxError::Strange)? {
            Message::Answer(0) => return Ok(()),
            Message::Answer(number) => return Err(MortoxError::Refused(number)),
            Message::Other => {}
        }
    }
    Err(MortoxError::Strange)
}

fn late(e: io::Error) -> MortoxError {
    match e.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => MortoxError::Silent,
        _ => MortoxError::Socket(e),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    fn answer(id: u32, command: u16, number: i32) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        for word in [id, 1, 1, 20] {
            out.extend(u32::to_be_bytes(word));
        }
        out.extend(BODY_MAGIC.to_be_bytes());
        out.extend(command.to_be_bytes());
        out.extend(20u32.to_be_bytes());
        out.extend(1u32.to_be_bytes());
        out.extend(INT.to_be_bytes());
        out.extend(4u16.to_be_bytes());
        out.extend(number.to_be_bytes());
        out
    }

    #[test]
    fn a_question_is_byte_for_byte_what_the_vendors_client_sends() {
        // `mortoxc get nvram default light`, as it was recorded.
        let recorded = "4d4f52544f580000000100000001000000010000002c067200040000002c00000003\
                        00010006 6e7672616d00 00010008 64656661756c7400 00010006 6c6967687400";
        let hex: String = recorded.chars().filter(char::is_ascii_hexdigit).collect();
        let made = question(1, 4, &["nvram", "default", "light"]).unwrap();
        assert_eq!(made.iter().map(|b| format!("{b:02x}")).collect::<String>(), hex);
        assert_eq!(question(1, 3, &[&"x".repeat(1000)]), None);
    }

    #[test]
    fn only_the_answer_to_the_question_counts() {
        let of = |bytes: &[u8]| {
            let (head, body) = bytes.split_at(HEAD);
            assert_eq!(body_length(head), Some(body.len()));
            message(7, head, body)
        };
        assert_eq!(of(&answer(7, ANSWER, 0)), Some(Message::Answer(0)));
        assert_eq!(of(&answer(7, ANSWER, -1)), Some(Message::Answer(-1)));
        assert_eq!(of(&answer(8, ANSWER, 0)), Some(Message::Other));
        assert_eq!(of(&answer(7, 11, 0)), Some(Message::Other), "a push");
        let whole = answer(7, ANSWER, 0);
        for end in 0..HEAD {
            assert_eq!(body_length(&whole[..end]), None, "cut at {end}");
        }
        for end in 0..whole.len() - HEAD {
            assert_eq!(message(7, &whole, &whole[HEAD..HEAD + end]), None, "cut at {end}");
        }
        let mut long = whole.clone();
        long[18..22].copy_from_slice(&u32::MAX.to_be_bytes());
        assert_eq!(body_length(&long), None);
    }

    /// A daemon that answers each connection with these bytes once it was asked.
    fn daemon(answers: Vec<u8>) -> (tempfile::TempDir, std::path::PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("mortox.socket");
        let listener = UnixListener::bind(&path).unwrap();
        std::thread::spawn(move || {
            let mut kept = Vec::new();
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut asked = [0; 44];
                stream.read_exact(&mut asked).unwrap();
                stream.write_all(&answers).unwrap();
                kept.push(stream); // open: who gets no answer waits
            }
        });
        (dir, path)
    }

    #[test]
    fn a_daemon_that_is_gone_silent_or_strange_costs_its_time_and_no_more() {
        let long = Duration::from_secs(60);
        let short = Duration::from_millis(200);
        let (_dir, path) = daemon([answer(9, 11, 0), answer(1, ANSWER, 0)].concat());
        sync(&path, long).unwrap();
        let (_dir, path) = daemon(answer(1, ANSWER, -1));
        assert!(matches!(sync(&path, long), Err(MortoxError::Refused(-1))));
        let (_dir, path) = daemon(b"HTTP/1.1 400 Bad Request\r\n".to_vec());
        assert!(matches!(sync(&path, long), Err(MortoxError::Strange)));
        let (dir, path) = daemon(Vec::new());
        assert!(matches!(sync(&path, short), Err(MortoxError::Silent)));
        assert!(matches!(sync(&dir.path().join("none"), long), Err(MortoxError::Socket(_))));
    }
}
