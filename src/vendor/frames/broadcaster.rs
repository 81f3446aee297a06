//! The other side of the frame transport: serves frames to any number of readers and waits for none
//! of them. For tests, `demo` and a simulated camera; the vendor's own receivers read it.

use std::fs::{self, File};
use std::io::{self, IoSlice, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::socket::{Backlog, ControlMessage, MsgFlags, UnixAddr, bind, listen, sendmsg};

use super::link::{control, new_socket};
use super::wire;
use crate::sys::received::receive;

/// Clients that may wait to be accepted, as with the vendor's.
const BACKLOG: i32 = 10;
/// Bytes of a text, and its head.
const LONGEST_TEXT: usize = 4 + 65_536;

#[derive(Debug)]
struct Peer {
    id: u64,
    socket: OwnedFd,
    /// Counts its frames, dropped ones too.
    sequence: u32,
}

/// See the module. Dropping it removes its socket.
#[derive(Debug)]
pub struct Broadcaster {
    folder: PathBuf,
    listener: UnixListener,
    peers: Vec<Peer>,
    next_id: u64,
    /// Counts the frame files.
    tick: u32,
}

impl Broadcaster {
    /// Listens on `folder/control`. The folder is made where it is missing; a dead socket there is
    /// replaced.
    ///
    /// # Errors
    /// The system's.
    pub fn bind(folder: &Path) -> io::Result<Broadcaster> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let listener = new_socket()?;
        let path = control(folder);
        let address = UnixAddr::new(&path)?;
        match bind(listener.as_raw_fd(), &address) {
            Err(Errno::EADDRINUSE) => {
                fs::remove_file(&path)?;
                bind(listener.as_raw_fd(), &address)?;
            }
            other => other?,
        }
        listen(&listener, Backlog::new(BACKLOG)?)?;
        let listener = UnixListener::from(listener);
        Ok(Broadcaster { folder: folder.to_owned(), listener, peers: vec![], next_id: 0, tick: 0 })
    }

    /// Its readers.
    pub fn readers(&self) -> usize {
        self.peers.len()
    }

    /// What becomes readable when a reader connects, says something, or leaves.
    pub fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        std::iter::once(self.listener.as_fd()).chain(self.peers.iter().map(|p| p.socket.as_fd()))
    }

    /// Lets waiting readers in, and takes what readers said: the reader's number and its text.
    pub fn serve(&mut self, text: &mut dyn FnMut(u64, &[u8])) {
        self.accept();
        let mut buffer = vec![0; LONGEST_TEXT];
        self.peers.retain(|peer| {
            loop {
                match receive(&peer.socket, &mut buffer) {
                    Ok(got) if got.length >= 4 && buffer.starts_with(&wire::TEXT_HEAD) => {
                        text(peer.id, buffer.get(4..got.length).unwrap_or_default());
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => return true,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    // The end, an error, or something that a reader does not send.
                    Ok(_) | Err(_) => return false,
                }
            }
        });
    }

    fn accept(&mut self) {
        let path = self.folder.as_os_str().as_bytes().to_vec();
        while let Ok((stream, _)) = self.listener.accept() {
            let first = wire::descriptor(&path, self.tick);
            let nonblocking = stream.set_nonblocking(true);
            let socket = OwnedFd::from(stream);
            if nonblocking.is_ok() && send(&socket, &first, None).is_ok() {
                self.next_id += 1;
                self.peers.push(Peer { id: self.next_id, socket, sequence: 0 });
            }
        }
    }

    /// Sends a message to all readers, as motion is reported.
    pub fn tell(&mut self, text: &[u8]) {
        let datagram = [&wire::TEXT_HEAD, text].concat();
        self.peers.retain(|peer| {
            matches!(send(&peer.socket, &datagram, None), Ok(()) | Err(Errno::EAGAIN))
        });
    }

    /// Sends a frame to all readers; one whose queue is full loses it. Returns how many got it.
    ///
    /// # Errors
    /// Where the frame's file cannot be made.
    pub fn broadcast(&mut self, header: &[u8], data: &[u8]) -> io::Result<usize> {
        let (file, map_length) = self.file(header, data)?;
        Ok(self.deliver(&file, map_length, |_| true))
    }

    /// Sends a frame to one reader. False where it did not get it.
    ///
    /// # Errors
    /// Where the frame's file cannot be made.
    pub fn send(&mut self, reader: u64, header: &[u8], data: &[u8]) -> io::Result<bool> {
        let (file, map_length) = self.file(header, data)?;
        Ok(self.deliver(&file, map_length, |peer| peer.id == reader) == 1)
    }

    fn deliver(&mut self, file: &File, map_length: u32, to: impl Fn(&Peer) -> bool) -> usize {
        let mut got = 0;
        self.peers.retain_mut(|peer| {
            if !to(peer) {
                return true;
            }
            peer.sequence = peer.sequence.wrapping_add(1);
            let datagram = wire::frame(peer.sequence, map_length);
            match send(&peer.socket, &datagram, Some(file)) {
                Ok(()) => got += 1,
                Err(Errno::EAGAIN) => {}
                Err(_) => return false,
            }
            true
        });
        got
    }

    /// The frame in a file without a name.
    fn file(&mut self, header: &[u8], data: &[u8]) -> io::Result<(File, u32)> {
        let too_large = || io::Error::from(io::ErrorKind::FileTooLarge);
        let size = u32::try_from(header.len() + data.len()).map_err(|_| too_large())?;
        let map_length = wire::map_length(size).ok_or_else(too_large)?;
        let mut file = File::from(memfd_create("frame", MFdFlags::MFD_CLOEXEC)?);
        file.set_len(u64::from(map_length))?;
        file.write_all(&wire::page_header(self.tick, size, map_length))?;
        file.write_all(header)?;
        file.write_all(data)?;
        self.tick = self.tick.wrapping_add(1);
        Ok((file, map_length))
    }
}

impl Drop for Broadcaster {
    fn drop(&mut self) {
        let _ = fs::remove_file(control(&self.folder));
    }
}

fn send(socket: &OwnedFd, datagram: &[u8], file: Option<&File>) -> Result<(), Errno> {
    let (kind, body) = datagram.split_at_checked(4).unwrap_or_default();
    let descriptor = file.map(|file| [file.as_raw_fd()]);
    let rights = descriptor.as_ref().map(|one| [ControlMessage::ScmRights(one)]);
    let rights = rights.as_ref().map_or(&[][..], |one| &one[..]);
    let flags = MsgFlags::MSG_NOSIGNAL | MsgFlags::MSG_EOR;
    let pieces = [IoSlice::new(kind), IoSlice::new(body)];
    sendmsg::<()>(socket.as_raw_fd(), &pieces, rights, flags, None).map(|_| ())
}
