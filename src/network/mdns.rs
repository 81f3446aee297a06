//! `mi360-XXXX.local`: a responder for multicast DNS that knows one name, one
//! web service, and nothing else; and a question for another machine's address.
//! Input and output are bounded.

mod packet;
mod query;

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use nix::sys::socket::sockopt::{IpMulticastLoop, IpMulticastTtl, ReuseAddr, ReusePort};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrIn, bind, setsockopt, socket};

pub use packet::{Heard, Ourselves, Reply, announcement, conflict, goodbye, reply};

const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);
const PORT: u16 = 5353;
/// The longest packet that is read: longer ones are not questions for us.
const LONGEST: usize = 1500;
/// Answers in one second; more are left out, whatever is asked.
const EACH_SECOND: u32 = 20;
/// How often the addresses are checked.
const LOOK: Duration = Duration::from_secs(15);
/// Names tried when others have ours.
const NAMES: u32 = 9;
/// How long each of [`QUESTIONS`] waits for an answer: WiFi loses multicast packets.
const FOR_ANSWER: Duration = Duration::from_millis(1200);
const QUESTIONS: u16 = 3;

/// Answers forever. `who` returns what to answer; it is called again every
/// quarter of a minute, since addresses and settings change.
pub fn answer(who: impl Fn() -> Option<Ourselves>) {
    let mut again = Duration::from_secs(5);
    loop {
        if let Err(e) = serve(&who) {
            log::debug!("mDNS: {e}; again in {} s", again.as_secs());
        }
        std::thread::sleep(again);
        again = (again * 2).min(Duration::from_secs(300));
    }
}

fn serve(who: &impl Fn() -> Option<Ourselves>) -> io::Result<()> {
    let socket = open(GROUP, PORT, 255)?;
    let to_all = SocketAddr::V4(SocketAddrV4::new(GROUP, PORT));
    let mut us: Option<Ourselves> = None;
    let mut suffix = 1;
    let mut looked: Option<Instant> = None;
    let mut announce = 0;
    let mut budget = (Instant::now(), 0);
    let mut buffer = [0; LONGEST];
    loop {
        if looked.is_none_or(|at| at.elapsed() >= LOOK) {
            looked = Some(Instant::now());
            let now = who().map(|mut now| {
                if suffix > 1 {
                    now.host = format!("{}-{suffix}", now.host);
                }
                now
            });
            if now != us {
                if let (Some(before), None) = (&us, &now) {
                    let _ = socket.send_to(&goodbye(before), to_all);
                }
                for address in now.iter().flat_map(|us| &us.addresses) {
                    // Joined already is as good.
                    let _ = socket.join_multicast_v4(&GROUP, address);
                }
                us = now;
                announce = 2;
            }
        }
        if let (Some(us), true) = (&us, announce > 0) {
            // Without a route there is nobody to tell; the next look tries again.
            let _ = socket.send_to(&announcement(us), to_all);
            announce -= 1;
        }
        socket.set_read_timeout(Some(Duration::from_secs(if announce > 0 { 1 } else { 15 })))?;
        let (length, from) = match socket.recv_from(&mut buffer) {
            Ok(got) => got,
            Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                continue;
            }
            Err(e) => return Err(e),
        };
        let Some(now) = &us else { continue };
        let heard = Heard { packet: &buffer[..length], port: from.port() };
        if conflict(now, &heard) && suffix < NAMES {
            suffix += 1;
            log::warn!("another machine is called {}.local: changing the name", now.host);
            looked = None;
            continue;
        }
        let Some(Reply { bytes, unicast }) = reply(now, &heard) else { continue };
        if budget.0.elapsed() >= Duration::from_secs(1) {
            budget = (Instant::now(), 0);
        }
        budget.1 += 1;
        if budget.1 <= EACH_SECOND {
            let _ = socket.send_to(&bytes, if unicast { from } else { to_all });
        }
    }
}

/// The IPv4 addresses of a `.local` name; none where nobody answers.
///
/// # Errors
/// What the system says: without a route there is nobody to ask.
pub fn resolve(host: &str) -> io::Result<Vec<Ipv4Addr>> {
    // From a port of its own, so that the answer comes to us alone (RFC 6762, 6.7).
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    socket.set_multicast_ttl_v4(255)?;
    let mut buffer = [0; LONGEST];
    // The port is as good as random, and who is on the link could answer anyway.
    let first = socket.local_addr()?.port();
    for id in (1..=QUESTIONS).map(|count| first.wrapping_add(count)) {
        let Some(question) = query::question(host, id) else { return Ok(Vec::new()) };
        socket.send_to(&question, (GROUP, PORT))?;
        let until = Instant::now() + FOR_ANSWER;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            socket.set_read_timeout(Some(left))?;
            match socket.recv_from(&mut buffer) {
                Ok((length, from)) if from.port() == PORT => {
                    let found = query::answered(&buffer[..length], host, id);
                    if !found.is_empty() {
                        return Ok(found);
                    }
                }
                Ok(_) => {}
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e)
                    if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) =>
                {
                    break;
                }
                Err(e) => return Err(e),
            }
        }
    }
    Ok(Vec::new())
}

/// A group's port, shared with other responders on this machine; `hops` is how far our packets
/// go.
///
/// # Errors
/// What the system says.
pub fn open(group: Ipv4Addr, port: u16, hops: u8) -> io::Result<UdpSocket> {
    let fd = socket(AddressFamily::Inet, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)?;
    setsockopt(&fd, ReuseAddr, &true)?;
    setsockopt(&fd, ReusePort, &true)?;
    setsockopt(&fd, IpMulticastTtl, &hops)?;
    // Programs on the camera itself may ask, too.
    setsockopt(&fd, IpMulticastLoop, &true)?;
    bind(fd.as_raw_fd(), &SockaddrIn::from(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port)))?;
    let socket = UdpSocket::from(fd);
    socket.join_multicast_v4(&group, &Ipv4Addr::UNSPECIFIED).or_else(|e| {
        match e.raw_os_error() {
            // No route for multicast yet: the addresses join by themselves.
            Some(nix::libc::ENODEV) => Ok(()),
            _ => Err(e),
        }
    })?;
    Ok(socket)
}

/// The IPv4 addresses among some.
pub fn only_v4(addresses: &[IpAddr]) -> Vec<Ipv4Addr> {
    let v4 = addresses.iter().filter_map(|address| match address {
        IpAddr::V4(v4) => Some(*v4),
        IpAddr::V6(_) => None,
    });
    v4.take(8).collect()
}
