//! Many datagrams in one system call.

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, AsRawFd};

use nix::libc;

/// Sends each pair of pieces as one datagram to the address that the socket is connected to
/// (sendmmsg, Linux 3.0). Says how many went; an error is the first one's.
pub fn send_all(socket: &impl AsFd, datagrams: &[[IoSlice<'_>; 2]]) -> io::Result<usize> {
    let mut heads: Vec<libc::mmsghdr> = Vec::with_capacity(datagrams.len());
    for pieces in datagrams {
        // SAFETY: mmsghdr is plain numbers and pointers, for which zero is a value: no name, no
        // control data, no flags.
        let mut head: libc::mmsghdr = unsafe { std::mem::zeroed() };
        // IoSlice has the layout of iovec (its documentation); sendmsg only reads through it.
        head.msg_hdr.msg_iov = pieces.as_ptr().cast_mut().cast();
        head.msg_hdr.msg_iovlen = pieces.len() as _;
        heads.push(head);
    }
    let count = u32::try_from(heads.len()).unwrap_or(u32::MAX);
    // SAFETY: `heads` has `count` entries, live and writable for the call, each pointing to two
    // iovecs and their bytes, which `datagrams` borrows for longer; the descriptor is borrowed.
    let sent = unsafe { libc::sendmmsg(socket.as_fd().as_raw_fd(), heads.as_mut_ptr(), count, 0) };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    #[test]
    fn each_pair_is_one_datagram() {
        let (a, b) =
            (UdpSocket::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
        a.connect(b.local_addr().unwrap()).unwrap();
        let pairs: Vec<_> = [(&b"one"[..], &b"two"[..]), (b"", b"three")]
            .iter()
            .map(|(first, second)| [IoSlice::new(first), IoSlice::new(second)])
            .collect();
        assert_eq!(send_all(&a, &pairs).unwrap(), 2);
        assert_eq!(send_all(&a, &[]).unwrap(), 0);
        let mut buffer = [0; 16];
        for expected in [&b"onetwo"[..], b"three"] {
            let length = b.recv(&mut buffer).unwrap();
            assert_eq!(&buffer[..length], expected);
        }
    }
}
