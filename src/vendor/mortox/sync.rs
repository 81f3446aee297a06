//! mortoxd, asked to write its settings to `/mnt/data/.config.nvram`, which it otherwise does up to
//! a minute late. Verified against the real mortoxd of 3.5.1_0052 (docs/flashing.md).

use std::io;
use std::path::Path;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use thiserror::Error;

use super::connection::Mortox;
use super::wire::{Ask, Said};

/// Stack of the thread that asks.
const STACK: usize = 64 << 10;

/// Why the settings were not written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum MortoxError {
    /// The daemon does not run, or its socket fails.
    #[error("mortoxd cannot be reached")]
    Socket(#[source] io::Error),
    /// It does not answer in time.
    #[error("mortoxd does not answer")]
    Silent,
    /// It answers something that is no mortox message.
    #[error("mortoxd's answer is not understood")]
    Strange,
    /// It says that it could not.
    #[error("mortoxd could not write its settings ({0})")]
    Refused(i32),
}

impl From<io::Error> for MortoxError {
    fn from(error: io::Error) -> MortoxError {
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => MortoxError::Silent,
            io::ErrorKind::InvalidData => MortoxError::Strange,
            _ => MortoxError::Socket(error),
        }
    }
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
    std::thread::Builder::new().name("mortox-sync".to_owned()).stack_size(STACK).spawn(
        move || {
            let _ = done.send(ask(&socket, patience));
        },
    )?;
    answer.recv_timeout(patience).unwrap_or(Err(MortoxError::Silent))
}

fn ask(socket: &Path, patience: Duration) -> Result<(), MortoxError> {
    let until = Instant::now() + patience;
    let mut mortox = Mortox::connect(socket)?;
    let asked = mortox.ask(Ask::Sync)?;
    loop {
        match mortox.next(until.saturating_duration_since(Instant::now()))? {
            Some(Said::Answer { id, code, .. }) if id == asked => match code {
                0 => return Ok(()),
                code => return Err(MortoxError::Refused(code)),
            },
            Some(_) => {}
            None => return Err(MortoxError::Silent),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::os::unix::net::UnixListener;

    use super::super::wire::{ANSWER, PUSH, framed, number};
    use super::*;

    fn answer(id: u32, command: u16, code: i32) -> Vec<u8> {
        framed(id, command, 1, &number(code))
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
                kept.push(stream); // open: a client without an answer waits
            }
        });
        (dir, path)
    }

    #[test]
    fn a_daemon_that_is_gone_silent_or_strange_costs_its_time_and_no_more() {
        let long = Duration::from_secs(60);
        let short = Duration::from_millis(200);
        let (_dir, path) =
            daemon([answer(9, PUSH, 0), answer(2, ANSWER, -1), answer(1, ANSWER, 0)].concat());
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
