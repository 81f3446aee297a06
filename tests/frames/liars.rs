//! Broadcasters that break each of the transport's rules.

use std::fs::{self, File};
use std::io::{IoSlice, Write};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use mi360d::vendor::frames::error::FrameError;
use mi360d::vendor::frames::wire::{self, PAGE};
use mi360d::vendor::frames::{EndpointKind, EndpointState};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::socket::{
    AddressFamily, Backlog, ControlMessage, MsgFlags, SockFlag, SockType, UnixAddr, bind, listen,
    recv, sendmsg, socket,
};

use crate::{Seen, picture, reader_of, turn, until};

/// A broadcaster that sends what it is told to.
struct Liar {
    listener: UnixListener,
    folder: PathBuf,
}

impl Liar {
    fn bind(folder: &Path, kind: SockType) -> Liar {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let listener = socket(AddressFamily::Unix, kind, flags, None).unwrap();
        bind(listener.as_raw_fd(), &UnixAddr::new(&folder.join("control")).unwrap()).unwrap();
        if kind != SockType::Datagram {
            listen(&listener, Backlog::new(10).unwrap()).unwrap();
        }
        Liar { listener: listener.into(), folder: folder.to_owned() }
    }

    fn accept(&self) -> Option<OwnedFd> {
        self.listener.accept().ok().map(|(stream, _)| stream.into())
    }
}

fn tell(peer: &OwnedFd, bytes: &[u8], files: &[RawFd]) {
    let rights = [ControlMessage::ScmRights(files)];
    let rights = if files.is_empty() { &rights[..0] } else { &rights[..] };
    let flags = MsgFlags::MSG_NOSIGNAL | MsgFlags::MSG_EOR;
    // The reader may have left.
    let _ = sendmsg::<()>(peer.as_raw_fd(), &[IoSlice::new(bytes)], rights, flags, None);
}

fn file_of(header: &[u8], payload: &[u8], length: u64) -> File {
    let mut file = File::from(memfd_create("frame", MFdFlags::MFD_CLOEXEC).unwrap());
    file.write_all(header).unwrap();
    file.write_all(payload).unwrap();
    file.set_len(length).unwrap();
    file
}

type Script<'a> = Box<dyn Fn(&OwnedFd, &Path) + 'a>;

#[test]
#[allow(clippy::too_many_lines)] // one table
fn what_is_not_exactly_as_known_is_not_understood_in_words_and_left_politely() {
    let page = u64::from(PAGE);
    let descriptor = |folder: &Path| wire::descriptor(folder.as_os_str().as_encoded_bytes(), 0);
    let (header, data) = picture(1, 100);
    let payload = [&header[..], &data].concat();
    let size = payload.len() as u32;
    let good = file_of(&wire::page_header(0, size, PAGE), &payload, page);
    let raw = good.as_raw_fd();
    let folder_file = File::open("/").unwrap();
    let device = File::open("/dev/zero").unwrap();
    let (pipe, _other_end) = nix::unistd::pipe().unwrap();
    let short = file_of(&wire::page_header(0, size, PAGE), &payload, page - 1);
    let empty = file_of(&[], &[], 0);
    let other_map = file_of(&wire::page_header(0, size, 2 * PAGE), &payload, page);
    let other_size = file_of(&wire::page_header(0, 4033, PAGE), &payload, page);
    let elsewhere = file_of(&[0; 96], &payload, page);
    let no_room = file_of(&wire::page_header(0, 31, PAGE), &payload, page);
    let other_length = file_of(&wire::page_header(0, size - 1, PAGE), &payload, page);
    let no_code = [&header[..], &vec![9; data.len()]].concat();
    let no_code = file_of(&wire::page_header(0, size, PAGE), &no_code, page);
    // A frame's datagram with these descriptors, behind a good descriptor.
    let frame = |files: Vec<RawFd>| -> Script<'_> {
        Box::new(move |peer, folder| {
            tell(peer, &descriptor(folder), &[]);
            tell(peer, &wire::frame(1, PAGE), &files);
        })
    };
    let first = |bytes: Vec<u8>| -> Script<'_> { Box::new(move |peer, _| tell(peer, &bytes, &[])) };
    let then = |bytes: Vec<u8>| -> Script<'_> {
        Box::new(move |peer, folder| {
            tell(peer, &descriptor(folder), &[]);
            tell(peer, &bytes, &[]);
        })
    };
    let patched = |at: usize, value: u32| -> Script<'_> {
        Box::new(move |peer, folder| {
            let mut bytes = descriptor(folder);
            bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
            tell(peer, &bytes, &[]);
        })
    };
    let map = |map: u32| wire::frame(1, map).to_vec();
    let lengths_differ = "claims 99 bytes";
    let cases: Vec<(&str, Script<'_>)> = vec![
        ("ends too early", first(vec![1, 0])),
        ("type 0, not 1", first(b"\0\0\0\0hello".to_vec())),
        ("type 2, not 1", first(map(PAGE))),
        ("unknown type 9", patched(0, 9)),
        ("backend 0", patched(8, 0)),
        ("backend 3", patched(8, 3)),
        (lengths_differ, patched(4, 99)),
        ("a path of 4294967295", patched(12, u32::MAX)),
        ("longer than 2048", first(wire::descriptor(&[b'x'; 4000], 0))),
        ("'/run/elsewhere'", first(wire::descriptor(b"/run/elsewhere", 0))),
        (
            "second datagram of type 1",
            Box::new(|peer, folder| {
                tell(peer, &descriptor(folder), &[]);
                tell(peer, &descriptor(folder), &[]);
            }),
        ),
        ("type 4294967295", then(vec![255; 12])),
        ("has 8 bytes, not 12", then(wire::frame(1, PAGE)[..8].to_vec())),
        ("has 16 bytes, not 12", then([&map(PAGE)[..], &[0; 4]].concat())),
        ("frame of 0 bytes", then(map(0))),
        ("frame of 4097 bytes", then(map(4097))),
        ("frame of 2097152 bytes", then(map(2 << 20))),
        ("0 file descriptors", frame(vec![])),
        ("2 file descriptors", frame(vec![raw, raw])),
        ("4 file descriptors", frame(vec![raw; 20])),
        ("not a regular file", frame(vec![pipe.as_raw_fd()])),
        ("not a regular file", frame(vec![device.as_raw_fd()])),
        ("not a regular file", frame(vec![folder_file.as_raw_fd()])),
        ("has 4095 bytes instead of 4096", frame(vec![short.as_raw_fd()])),
        ("has 0 bytes instead of 4096", frame(vec![empty.as_raw_fd()])),
        ("header says 8192 bytes", frame(vec![other_map.as_raw_fd()])),
        ("says 4033 bytes in a file of 4096", frame(vec![other_size.as_raw_fd()])),
        ("begins at 96, not at 64", frame(vec![elsewhere.as_raw_fd()])),
        ("31 bytes has no room", frame(vec![no_room.as_raw_fd()])),
        ("99 bytes claims 100", frame(vec![other_length.as_raw_fd()])),
        ("start code", frame(vec![no_code.as_raw_fd()])),
    ];
    let before = fs::read_dir("/proc/self/fd").unwrap().count();
    for (word, script) in &cases {
        let folder = tempfile::tempdir().unwrap();
        let liar = Liar::bind(folder.path(), SockType::SeqPacket);
        let mut reader = reader_of(&liar.folder, EndpointKind::Picture);
        let mut seen = Seen::default();
        let mut peer = None;
        until(word, || {
            turn(&mut reader, &mut seen);
            if let Some(new) = liar.accept() {
                assert!(peer.is_none(), "{word}: it connected twice");
                script(&new, &liar.folder);
                peer = Some(new);
            }
            matches!(seen.states.last(), Some(EndpointState::NotUnderstood(_)))
        });
        let Some(EndpointState::NotUnderstood(fault)) = seen.states.last() else { unreachable!() };
        assert!(fault.to_string().contains(word), "'{fault}' for '{word}'");
        assert!(seen.frames.is_empty(), "{word}");
        // It has stopped sending, and is still there until we are done.
        let peer = peer.unwrap();
        let mut request = [0; 16];
        until("its farewell", || {
            turn(&mut reader, &mut seen);
            recv(peer.as_raw_fd(), &mut request, MsgFlags::MSG_DONTWAIT) == Ok(0)
        });
        drop(peer);
        let began = Instant::now();
        while began.elapsed() < Duration::from_millis(20) {
            turn(&mut reader, &mut seen);
        }
        assert!(liar.accept().is_none(), "{word}: it came back at once");
    }
    let after = fs::read_dir("/proc/self/fd").unwrap().count();
    assert!(after < before + 20, "descriptors: {before}, then {after}");
}

#[test]
fn another_type_of_socket_is_not_understood_and_nothing_was_done_to_it() {
    for kind in [SockType::Stream, SockType::Datagram] {
        let folder = tempfile::tempdir().unwrap();
        let liar = Liar::bind(folder.path(), kind);
        let mut reader = reader_of(folder.path(), EndpointKind::Picture);
        let mut seen = Seen::default();
        turn(&mut reader, &mut seen);
        assert_eq!(seen.states, [EndpointState::NotUnderstood(FrameError::SocketType)]);
        assert!(liar.accept().is_none());
    }
}

#[test]
fn a_bad_frame_in_a_good_stream_costs_that_frame_only() {
    let folder = tempfile::tempdir().unwrap();
    let liar = Liar::bind(folder.path(), SockType::SeqPacket);
    let mut reader = reader_of(folder.path(), EndpointKind::Picture);
    let mut seen = Seen::default();
    let mut peer = None;
    until("the connection", || {
        turn(&mut reader, &mut seen);
        peer = liar.accept();
        peer.is_some()
    });
    let peer = peer.unwrap();
    let folder = liar.folder.as_os_str().as_encoded_bytes();
    tell(&peer, &wire::descriptor(folder, 0), &[]);
    for number in 1..=9 {
        let (header, data) = picture(number, 100);
        let payload = [&header[..], &data].concat();
        let length = if number == 5 { 100 } else { u64::from(PAGE) };
        let file = file_of(&wire::page_header(0, payload.len() as u32, PAGE), &payload, length);
        tell(&peer, &wire::frame(number, PAGE), &[file.as_raw_fd()]);
    }
    until("the last", || {
        turn(&mut reader, &mut seen);
        seen.frames.last().is_some_and(|frame| frame.0 == 9)
    });
    let got: Vec<(u32, bool)> = seen.frames.iter().map(|frame| (frame.0, frame.3)).collect();
    let expected = [1, 2, 3, 4, 6, 7, 8, 9].map(|number| (number, number == 6));
    assert_eq!(got, expected);
}

#[test]
fn no_connection_is_closed_before_its_descriptor_came() {
    let folder = tempfile::tempdir().unwrap();
    let liar = Liar::bind(folder.path(), SockType::SeqPacket);
    let mut reader = reader_of(folder.path(), EndpointKind::Picture);
    let mut seen = Seen::default();
    turn(&mut reader, &mut seen);
    let peer = liar.accept().unwrap();
    // The process ends while the other side is busy.
    let ending = std::thread::spawn(move || reader.end());
    let mut byte = [0];
    let early = recv(peer.as_raw_fd(), &mut byte, MsgFlags::MSG_DONTWAIT);
    assert_eq!(early, Err(nix::errno::Errno::EAGAIN), "closed early");
    std::thread::sleep(Duration::from_millis(300));
    let early = recv(peer.as_raw_fd(), &mut byte, MsgFlags::MSG_DONTWAIT);
    assert_eq!(early, Err(nix::errno::Errno::EAGAIN), "closed early");
    tell(&peer, &wire::descriptor(folder.path().as_os_str().as_encoded_bytes(), 0), &[]);
    until("the farewell", || recv(peer.as_raw_fd(), &mut byte, MsgFlags::MSG_DONTWAIT) == Ok(0));
    drop(peer);
    ending.join().unwrap();
}
