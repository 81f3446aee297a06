//! One connection to mortoxd. It is kept: the daemon has one client of ours, not one for each
//! question. Dropping it ends it in order; the daemon forgets what was watched.

use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use super::key::Key;
use super::wire::{Ask, Said, question, take};

/// Where 3.5.1_0052's mortoxd listens (`/etc/mortoxd.conf`, `server.s1.path`).
pub const SOCKET: &str = "/tmp/mortox.socket";
/// The longest wait for room to send a question of less than 100 bytes.
const PATIENCE: Duration = Duration::from_secs(2);

/// A connection.
pub struct Mortox {
    stream: UnixStream,
    bytes: Vec<u8>,
    asked: u32,
}

impl Mortox {
    /// Connects to the daemon.
    ///
    /// # Errors
    /// `NotFound`, `ConnectionRefused`: it does not run.
    pub fn connect(path: &Path) -> io::Result<Mortox> {
        let stream = UnixStream::connect(path)?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Mortox { stream, bytes: Vec::new(), asked: 0 })
    }

    /// Asks; the number of the question.
    ///
    /// # Errors
    /// Where the daemon is gone, or takes nothing for two seconds.
    pub fn ask(&mut self, ask: Ask) -> io::Result<u32> {
        self.asked = self.asked.wrapping_add(1);
        let packet =
            question(self.asked, ask).ok_or_else(|| io::Error::from(ErrorKind::InvalidInput))?;
        self.stream.write_all(&packet)?;
        Ok(self.asked)
    }

    /// What the daemon says next; `None` where it says nothing for so long.
    ///
    /// # Errors
    /// Where the daemon is gone, or speaks another protocol.
    pub fn next(&mut self, patience: Duration) -> io::Result<Option<Said>> {
        let until = Instant::now() + patience;
        loop {
            if let Some(said) = take(&mut self.bytes)
                .map_err(|_| io::Error::new(ErrorKind::InvalidData, "it speaks another protocol"))?
            {
                return Ok(Some(said));
            }
            let left = until.saturating_duration_since(Instant::now());
            // A timeout of zero would mean to wait forever.
            self.stream.set_read_timeout(Some(left.max(Duration::from_millis(1))))?;
            let mut piece = [0; 1024];
            match self.stream.read(&mut piece) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(count) => self.bytes.extend_from_slice(piece.get(..count).unwrap_or_default()),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    return Ok(None);
                }
                Err(e) => return Err(e),
            }
        }
    }

    /// The value of a key; the outer `None` where the daemon does not answer in time.
    ///
    /// # Errors
    /// As of [`Mortox::next`].
    pub fn get(&mut self, key: Key, patience: Duration) -> io::Result<Option<Option<String>>> {
        let until = Instant::now() + patience;
        let asked = self.ask(Ask::Get(key))?;
        loop {
            match self.next(until.saturating_duration_since(Instant::now()))? {
                Some(Said::Answer { id, value, .. }) if id == asked => return Ok(Some(value)),
                Some(_) => {}
                None => return Ok(None),
            }
        }
    }
}

impl AsFd for Mortox {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}
