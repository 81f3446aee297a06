//! Datagrams that carry file descriptors (`SCM_RIGHTS`).

use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

use nix::libc;

/// Descriptors for which room is made in one datagram. A sender that attaches more loses the rest.
const ROOM: usize = 4;

/// One datagram.
#[derive(Debug)]
pub struct Received {
    /// Bytes that were written to the buffer; 0 is the end of the connection.
    pub length: usize,
    /// The descriptors that came with it, with close-on-exec. Dropping them closes them.
    pub descriptors: Vec<OwnedFd>,
    /// The datagram was longer than the buffer.
    pub cut: bool,
    /// A descriptor could not be taken: this process has too many open, or there were more than
    /// four.
    pub lacks_descriptors: bool,
}

/// Control data, aligned as the kernel wants it.
#[repr(C, align(8))]
struct Control([u8; 64]);

/// Receives one datagram (recvmsg) without waiting.
///
/// # Errors
/// The system's; `WouldBlock` where there is no datagram.
pub fn receive(socket: &impl AsFd, buffer: &mut [u8]) -> io::Result<Received> {
    let mut control = Control([0; 64]);
    let mut piece = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    // SAFETY: msghdr is plain numbers and pointers, for which zero is a value.
    let mut head: libc::msghdr = unsafe { std::mem::zeroed() };
    head.msg_iov = &raw mut piece;
    head.msg_iovlen = 1;
    head.msg_control = (&raw mut control).cast();
    // SAFETY: CMSG_SPACE only computes; 4 descriptors need 32 of the 64 bytes.
    let space = unsafe { libc::CMSG_SPACE((ROOM * size_of::<libc::c_int>()) as u32) };
    head.msg_controllen = (space as usize).min(size_of::<Control>()) as _;
    let flags = libc::MSG_CMSG_CLOEXEC | libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    // SAFETY: `head` points to one iovec over `buffer` and to the control bytes; both live and are
    // writable for the call, and their lengths are their own. The descriptor is borrowed.
    let length = unsafe { libc::recvmsg(socket.as_fd().as_raw_fd(), &raw mut head, flags) };
    let length = usize::try_from(length).map_err(|_| io::Error::last_os_error())?;
    let mut descriptors = Vec::new();
    // SAFETY: the kernel has filled the control bytes and set their length; the CMSG functions stay
    // within that.
    let mut at = unsafe { libc::CMSG_FIRSTHDR(&raw const head) };
    while !at.is_null() {
        // SAFETY: `at` points to a whole cmsghdr within the control bytes (CMSG_FIRSTHDR and
        // CMSG_NXTHDR return null otherwise).
        let entry = unsafe { std::ptr::read_unaligned(at) };
        if (entry.cmsg_level, entry.cmsg_type) == (libc::SOL_SOCKET, libc::SCM_RIGHTS) {
            // SAFETY: CMSG_LEN only computes.
            let header = unsafe { libc::CMSG_LEN(0) } as usize;
            let count = (entry.cmsg_len as usize).saturating_sub(header) / size_of::<libc::c_int>();
            for index in 0..count.min(ROOM) {
                // SAFETY: the kernel wrote `count` descriptors behind this header, within the
                // control bytes. It made them for this process and nobody else has them.
                let owned = unsafe {
                    let data = libc::CMSG_DATA(at).cast::<[u8; size_of::<libc::c_int>()]>();
                    OwnedFd::from_raw_fd(libc::c_int::from_ne_bytes(data.add(index).read()))
                };
                descriptors.push(owned);
            }
        }
        // SAFETY: as for CMSG_FIRSTHDR.
        at = unsafe { libc::CMSG_NXTHDR(&raw const head, at) };
    }
    Ok(Received {
        length,
        descriptors,
        cut: head.msg_flags & libc::MSG_TRUNC != 0,
        lacks_descriptors: head.msg_flags & libc::MSG_CTRUNC != 0,
    })
}

#[cfg(test)]
mod tests {
    use std::io::IoSlice;
    use std::os::fd::RawFd;

    use nix::sys::socket::{
        AddressFamily, ControlMessage, MsgFlags, SockFlag, SockType, sendmsg, socketpair,
    };

    use super::*;

    fn open_descriptors() -> usize {
        std::fs::read_dir("/proc/self/fd").unwrap().count()
    }

    #[test]
    fn no_descriptor_is_leaked_however_many_come() {
        let pair = socketpair(
            AddressFamily::Unix,
            SockType::SeqPacket,
            None,
            SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC,
        );
        let (ours, theirs) = pair.unwrap();
        let file = std::fs::File::open("/dev/null").unwrap();
        let mut buffer = [0; 8];
        let empty = receive(&ours, &mut buffer).unwrap_err();
        assert_eq!(empty.kind(), io::ErrorKind::WouldBlock);
        // Other tests of this process open files, too: a leak would be 9 in each round.
        let before = open_descriptors();
        for count in (0..10usize).cycle().take(100) {
            let many: Vec<RawFd> = vec![file.as_raw_fd(); count];
            let rights = [ControlMessage::ScmRights(&many)];
            let rights = if count == 0 { &rights[..0] } else { &rights[..] };
            let text = [IoSlice::new(b"0123456789")];
            sendmsg::<()>(theirs.as_raw_fd(), &text, rights, MsgFlags::empty(), None).unwrap();
            let got = receive(&ours, &mut buffer).unwrap();
            assert_eq!((got.length, got.cut), (8, true));
            assert_eq!(got.lacks_descriptors, count > ROOM, "{count}");
            assert_eq!(got.descriptors.len(), count.min(ROOM));
        }
        assert!(open_descriptors() < before + 60, "descriptors leak");
        drop(theirs);
        assert_eq!(receive(&ours, &mut buffer).unwrap().length, 0, "the end");
    }
}
