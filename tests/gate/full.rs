//! No place, no descriptor, no tiny_http.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use mi360d::web::gate::Limits;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrIn, UnixAddr, connect, getsockname, shutdown, socket,
};

use crate::rig::{Rig, SOON, read_reply, until};

#[test]
fn who_finds_no_place_waits_and_then_is_told_to_come_again() {
    let rig = Rig::new(Limits {
        served: 2,
        queued: 2,
        queue_time: Duration::from_millis(800),
        ..Limits::default()
    });
    let ask = || {
        let mut stream = rig.connect();
        stream.write_all(b"GET /block HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        stream
    };
    let mut served = [ask(), ask()];
    until("both places are taken", || rig.counters().serving == 2);
    let start = Instant::now();
    let mut waiting = [ask(), ask()];
    // All that is asked now finds the queue full as soon as those two are in it.
    let full = loop {
        let reply = rig.get("/peer");
        if start.elapsed() < Duration::from_millis(700) {
            break reply;
        }
    };
    assert_eq!((full.status, full.error_code().as_str()), (503, "busy"));
    assert!(full.has("Retry-After: 2"), "{}", full.head);
    for stream in &mut waiting {
        let reply = read_reply(stream).unwrap();
        assert_eq!((reply.status, reply.error_code().as_str()), (503, "busy"));
        assert!(start.elapsed() >= Duration::from_millis(750), "{:?}", start.elapsed());
    }
    assert_eq!(rig.counters().serving, 2, "a long wait is not a slow reader");
    rig.latch.open();
    for stream in &mut served {
        assert_eq!(read_reply(stream).unwrap().body_text(), "unblocked");
    }
    drop((served, waiting));
    rig.end();
}

#[test]
fn a_handler_that_never_answers_is_a_504() {
    let rig = Rig::new(Limits { backend_silence: Duration::from_millis(300), ..Limits::default() });
    let reply = rig.get("/block");
    assert_eq!((reply.status, reply.error_code().as_str()), (504, "no-answer"));
    rig.latch.open();
    rig.end();
}

#[test]
fn what_is_served_too_long_is_ended() {
    let rig = Rig::new(Limits { total_time: Duration::from_millis(300), ..Limits::default() });
    let start = Instant::now();
    assert_eq!(rig.get("/block").status, 504);
    assert!(start.elapsed() < SOON);
    rig.latch.open();
    rig.end();
}

/// The descriptor on which tiny_http listens, found by its name; not one of its connections.
fn listening(name: &str) -> i32 {
    let ours = UnixAddr::new_abstract(name.as_bytes()).unwrap();
    let fds = std::fs::read_dir("/proc/self/fd").unwrap();
    let mut numbers = fds.filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
    numbers.find(|&fd| getsockname::<UnixAddr>(fd).is_ok_and(|name| name == ours)).unwrap()
}

#[test]
fn tiny_http_is_built_anew_when_it_stops_accepting() {
    let rig = Rig::new(Limits::default());
    for _ in 0..5 {
        shutdown(listening(rig.door_name), nix::sys::socket::Shutdown::Both).unwrap();
        assert_eq!(rig.get("/peer").status, 200, "the request waits for the new one");
    }
    rig.end();
}

#[test]
fn a_request_that_reaches_a_server_already_given_up_is_answered() {
    let rig = Rig::new(Limits::default());
    let address = std::os::unix::net::SocketAddr::from_abstract_name(rig.door_name).unwrap();
    let mut early = UnixStream::connect_addr(&address).unwrap();
    early.set_read_timeout(Some(SOON * 2)).unwrap();
    // Its thread has the connection; the request comes when nobody waits for it any more.
    early.write_all(b"GET /peer HTTP/1.1\r\nHost: local").unwrap();
    assert_eq!(rig.get("/peer").status, 200, "accepted in order, so the early one is too");
    shutdown(listening(rig.door_name), nix::sys::socket::Shutdown::Both).unwrap();
    assert_eq!(rig.get("/peer").status, 200, "a new one serves");
    early.write_all(b"host\r\n\r\n").unwrap();
    early.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = String::new();
    early.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 500"), "{answer:?}");
    drop(early);
    rig.end();
}

/// The soft limit of open descriptors, put back at the end whatever happens.
struct DescriptorLimit(u64, u64);

impl DescriptorLimit {
    /// Leaves room for `free` more than the highest that is open now.
    fn tighten(free: u64) -> Self {
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        let fds = std::fs::read_dir("/proc/self/fd").unwrap();
        let highest = fds
            .filter_map(|entry| entry.unwrap().file_name().to_str()?.parse::<u64>().ok())
            .max()
            .unwrap();
        setrlimit(Resource::RLIMIT_NOFILE, highest + free, hard).unwrap();
        Self(soft, hard)
    }
}

impl Drop for DescriptorLimit {
    fn drop(&mut self) {
        setrlimit(Resource::RLIMIT_NOFILE, self.0, self.1).unwrap();
    }
}

#[test]
fn running_out_of_descriptors_costs_idlers_and_ends_nothing() {
    let rig = Rig::new(Limits { head_time: Duration::from_secs(60), ..Limits::default() });
    rig.quiet(|| {
        // Made while there are descriptors, connected when there are none left for the gate.
        let sockets: Vec<OwnedFd> = (0..60)
            .map(|_| {
                socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).unwrap()
            })
            .collect();
        let std::net::SocketAddr::V4(addr) = rig.addr else { panic!("an IPv4 address") };
        let addr = SockaddrIn::from(addr);
        let accepted = rig.counters().accepted;
        let limit = DescriptorLimit::tighten(12);
        let streams: Vec<TcpStream> = sockets
            .into_iter()
            .map(|socket| {
                connect(socket.as_raw_fd(), &addr).unwrap();
                TcpStream::from(socket)
            })
            .collect();
        until("every one is accepted", || rig.counters().accepted == accepted + 60);
        // The last came when nothing was left, and is answered all the same.
        let mut last = streams.into_iter().next_back().unwrap();
        last.set_read_timeout(Some(SOON)).unwrap();
        last.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        assert_eq!(read_reply(&mut last).unwrap().body_text(), "ok");
        drop(limit);
    });
    assert!(rig.counters().dropped > 0, "{:?}", rig.counters());
    rig.end();
}

#[test]
fn tiny_http_without_descriptors_comes_back() {
    let rig = Rig::new(Limits::default());
    rig.quiet(|| {
        for free in 1..8 {
            let mut streams: Vec<_> = (0..4).map(|_| rig.connect()).collect();
            until("they are accepted", || rig.counters().open == 4);
            let limit = DescriptorLimit::tighten(free);
            for stream in &mut streams {
                let _ = stream.write_all(b"GET /peer HTTP/1.1\r\nHost: localhost\r\n\r\n");
            }
            // Some are answered, some refused, some dropped, by how many descriptors are left.
            for stream in &mut streams {
                stream.set_read_timeout(Some(SOON)).unwrap();
                let _ = read_reply(stream);
            }
            drop(limit);
            drop(streams);
            assert_eq!(rig.get("/peer").status, 200, "after {free} free descriptors");
            until("they are gone", || rig.counters().open == 0);
        }
    });
    rig.end();
}
