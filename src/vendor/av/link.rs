//! One question to fetch_av: connect, ask, wait for the answer, close.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::Shutdown;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use thiserror::Error;

use super::wire::{self, Ask, Volume};

/// The abstract socket's name; the zeros behind it count.
const NAME: &[u8] = b"miio_IPCsock";
/// Bytes of an abstract name.
const ABSTRACT: usize = 107;
/// How long fetch_av may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// Between two changes of the volume.
const PAUSE: Duration = Duration::from_millis(500);

/// Where fetch_av listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// The firmware's own name.
    Firmware,
    /// A file, as the fake has it.
    File(PathBuf),
}

/// Why there is no answer.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AvError {
    /// It does not run, or its socket fails.
    #[error("the camera's picture service cannot be reached")]
    Away(#[source] io::Error),
    /// It did not answer in time.
    #[error("the camera's picture service does not answer")]
    Silent,
    /// The volume was changed a moment ago.
    #[error("too soon after the last change")]
    TooSoon(Duration),
    /// Its answer is none of this protocol's.
    #[error("the answer of the camera's picture service is not understood")]
    Strange,
}

/// See the module.
#[derive(Debug)]
pub struct Av {
    address: Address,
    /// One connection at a time; when the volume was changed last.
    turn: Mutex<Option<Instant>>,
}

impl Av {
    /// Connects to nothing yet.
    pub fn new(address: Address) -> Av {
        Av { address, turn: Mutex::default() }
    }

    /// Whether it is night: the picture is grey, infrared light is on.
    ///
    /// # Errors
    /// [`AvError`].
    pub fn is_night(&self) -> Result<bool, AvError> {
        let answer = self.ask(Ask::IsNight)?.ok_or(AvError::Silent)?;
        wire::is_night(&answer).ok_or(AvError::Strange)
    }

    /// Sets the speaker's volume, until fetch_av restarts. It confirms nothing.
    ///
    /// # Errors
    /// [`AvError::Away`], [`AvError::TooSoon`].
    pub fn set_volume(&self, volume: Volume) -> Result<(), AvError> {
        self.ask(Ask::SetVolume(volume)).map(drop)
    }

    fn ask(&self, ask: Ask) -> Result<Option<wire::AvAnswer>, AvError> {
        let mut changed = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        if let Ask::SetVolume(_) = ask {
            let left = changed.map_or(Duration::ZERO, |at| PAUSE.saturating_sub(at.elapsed()));
            if !left.is_zero() {
                return Err(AvError::TooSoon(left));
            }
            *changed = Some(Instant::now());
        }
        let mut stream = self.connect().map_err(AvError::Away)?;
        let answer = converse(&mut stream, ask);
        // fetch_av has room for nine: the next one comes when it has let go of this one.
        if stream.shutdown(Shutdown::Write).is_ok() {
            let until = Instant::now() + PATIENCE;
            while Instant::now() < until && stream.read(&mut [0; 64]).is_ok_and(|count| count > 0) {
            }
        }
        answer
    }

    fn connect(&self) -> io::Result<UnixStream> {
        match &self.address {
            Address::File(path) => UnixStream::connect(path),
            Address::Firmware => {
                let mut name = NAME.to_vec();
                name.resize(ABSTRACT, 0);
                UnixStream::connect_addr(&SocketAddr::from_abstract_name(name)?)
            }
        }
    }
}

fn converse(stream: &mut UnixStream, ask: Ask) -> Result<Option<wire::AvAnswer>, AvError> {
    stream.set_read_timeout(Some(PATIENCE)).map_err(AvError::Away)?;
    stream.set_write_timeout(Some(PATIENCE)).map_err(AvError::Away)?;
    stream.write_all(&wire::request(ask)).map_err(AvError::Away)?;
    if !ask.is_answered() {
        return Ok(None);
    }
    let (mut bytes, mut piece) = (Vec::new(), [0; 1024]);
    loop {
        match stream.read(&mut piece) {
            Ok(0) => return Err(AvError::Silent),
            Ok(count) => bytes.extend_from_slice(piece.get(..count).unwrap_or_default()),
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                return Err(AvError::Silent);
            }
            Err(e) => return Err(AvError::Away(e)),
        }
        match wire::answer(&bytes) {
            Ok(Some(answer)) if answer.command == ask.command() + 1 => {
                return Ok(Some(answer));
            }
            Ok(None) => {}
            _ => return Err(AvError::Strange),
        }
    }
}
