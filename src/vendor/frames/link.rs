//! One connection to an endpoint: datagrams in, texts out. When it may be closed is the reader's
//! business.

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockType, UnixAddr, connect, sendmsg, shutdown, socket,
};

use super::wire::TEXT_HEAD;
use crate::sys::received::{Received, receive};

/// The name of the socket in an endpoint's folder.
pub const CONTROL: &str = "control";

/// See the module.
#[derive(Debug)]
pub struct Link {
    socket: OwnedFd,
}

/// The socket of an endpoint.
pub fn control(folder: &Path) -> PathBuf {
    folder.join(CONTROL)
}

pub(super) fn new_socket() -> Result<OwnedFd, Errno> {
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    socket(AddressFamily::Unix, SockType::SeqPacket, flags, None)
}

impl Link {
    /// Connects. Once this succeeded, the connection may not be closed before something was
    /// received: see [`super`].
    ///
    /// # Errors
    /// `ENOENT`: never started. `ECONNREFUSED`: dead. `EAGAIN`: too many wait. `EPROTOTYPE`:
    /// another type of socket.
    pub fn connect(folder: &Path) -> Result<Link, Errno> {
        let socket = new_socket()?;
        let address = UnixAddr::new(&control(folder))?;
        loop {
            match connect(socket.as_raw_fd(), &address) {
                Err(Errno::EINTR) => {}
                other => return other.map(|()| Link { socket }),
            }
        }
    }

    /// The next datagram, if one is there.
    ///
    /// # Errors
    /// `WouldBlock` where none is; else the system's.
    pub fn receive(&self, buffer: &mut [u8]) -> io::Result<Received> {
        loop {
            match receive(&self.socket, buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => return other,
            }
        }
    }

    /// Sends a text of at least one byte: an empty one would count as any request.
    ///
    /// # Errors
    /// The system's; `WouldBlock` where the other side does not read.
    pub fn say(&self, text: &[u8]) -> io::Result<()> {
        if text.is_empty() {
            return Ok(());
        }
        let pieces = [IoSlice::new(&TEXT_HEAD), IoSlice::new(text)];
        let flags = MsgFlags::MSG_NOSIGNAL | MsgFlags::MSG_EOR | MsgFlags::MSG_DONTWAIT;
        sendmsg::<()>(self.socket.as_raw_fd(), &pieces, &[], flags, None)?;
        Ok(())
    }

    /// Says that nothing more will be sent: the other side then removes this peer in its own loop.
    pub fn finish(&self) {
        let _ = shutdown(self.socket.as_raw_fd(), nix::sys::socket::Shutdown::Write);
    }
}

impl AsFd for Link {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
