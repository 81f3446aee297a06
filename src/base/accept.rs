//! One connection accepted from a listener in a poll loop, and what an error of `accept(2)` means.

use std::io;
use std::net::{IpAddr, TcpListener, TcpStream};

use nix::errno::Errno;

/// Connections accepted in a row before the others have their turn.
pub const ACCEPTS: usize = 16;

/// The result of one `accept(2)`.
#[derive(Debug)]
pub enum Accepted {
    /// A connection, and its client's address.
    New(TcpStream, IpAddr),
    /// Nobody waits.
    Nobody,
    /// That one connection is gone, or a signal came; the next may be fine.
    Lost,
    /// There is no descriptor or no memory for it: a connection that is closed makes room.
    Full(io::Error),
    /// An error that would come again at once.
    Failed(io::Error),
}

/// Accepts one connection from a listener that does not block.
pub fn accept(listener: &TcpListener) -> Accepted {
    let error = match listener.accept() {
        Ok((stream, address)) => return Accepted::New(stream, address.ip().to_canonical()),
        Err(error) => error,
    };
    match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::EAGAIN) => Accepted::Nobody,
        Some(Errno::EINTR | Errno::ECONNABORTED | Errno::EPROTO) => Accepted::Lost,
        Some(Errno::EMFILE | Errno::ENFILE | Errno::ENOMEM | Errno::ENOBUFS) => {
            Accepted::Full(error)
        }
        _ => Accepted::Failed(error),
    }
}

/// Whether a call has to be repeated later: its descriptor is not ready, or a signal came.
pub fn is_later(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
