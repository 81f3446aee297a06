//! SNTP: one question, one answer, and what makes an answer worth believing.
//! RFC 5905, section 14. The packet's part is pure.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use super::lookup;
use crate::base::random;

/// Seconds from 1900 to 1970.
const TO_UNIX: u64 = 2_208_988_800;
const PORT: u16 = 123;
const PACKET: usize = 48;
const PATIENCE: Duration = Duration::from_secs(3);
/// Addresses of one server that are tried.
const ADDRESSES: usize = 3;

/// A question: client, version 4. Instead of our time it carries a number that
/// nobody can guess, and that the answer must bring back.
pub fn question(cookie: [u8; 8]) -> [u8; PACKET] {
    let mut packet = [0; PACKET];
    packet[0] = 4 << 3 | 3;
    packet[40..].copy_from_slice(&cookie);
    packet
}

/// The time that an answer tells, since 1970.
///
/// # Errors
/// Why it is not to be believed.
pub fn answer(packet: &[u8], cookie: [u8; 8]) -> Result<Duration, &'static str> {
    let Some(packet) = packet.first_chunk::<PACKET>() else {
        return Err("it is too short");
    };
    if packet[0] & 7 != 4 {
        return Err("it is not from a server");
    }
    if packet[24..32] != cookie {
        return Err("it answers another request");
    }
    if packet[1] == 0 {
        return Err("the server asks for no more requests");
    }
    if packet[0] >> 6 == 3 || packet[1] > 15 {
        return Err("the server does not know the time");
    }
    let word = |at: usize| {
        packet[at..]
            .first_chunk()
            .map_or(0, |bytes: &[u8; 4]| u64::from(u32::from_be_bytes(*bytes)))
    };
    let (mut seconds, fraction) = (word(40), word(44));
    if seconds == 0 && fraction == 0 {
        return Err("it contains no time");
    }
    // The first era ends in 2036; 1968 and before is the second.
    if seconds < 1 << 31 {
        seconds += 1 << 32;
    }
    let nanos = u32::try_from((fraction * 1_000_000_000) >> 32).unwrap_or(0);
    Ok(Duration::new(seconds - TO_UNIX, nanos))
}

/// What a server says.
#[derive(Clone, Copy, Debug)]
pub struct Told {
    /// The time since 1970 at `at`, half the way back included.
    pub time: Duration,
    /// When it came, by the clock that nobody sets.
    pub at: Instant,
}

impl Told {
    /// What that makes the time at another moment.
    pub fn at(&self, moment: Instant) -> Duration {
        self.time + moment.saturating_duration_since(self.at)
    }
}

/// Asks a server, `HOST` or `HOST:PORT`, at each of its addresses until one answers.
///
/// # Errors
/// Why there is no answer.
pub fn ask(server: &str) -> Result<Told, String> {
    let failed = |e: io::Error| format!("{server}: {e}");
    let mut last = Err(format!("{server} has no address"));
    for address in lookup::addresses(server, PORT).map_err(failed)?.into_iter().take(ADDRESSES) {
        last = ask_at(address).map_err(|reason| format!("{server}: {reason}"));
        if last.is_ok() {
            break;
        }
    }
    last
}

fn ask_at(address: SocketAddr) -> Result<Told, String> {
    let failed = |e: io::Error| e.to_string();
    let cookie = random::<8>().map_err(failed)?;
    let any = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(any).map_err(failed)?;
    socket.connect(address).map_err(failed)?;
    let asked = Instant::now();
    socket.send(&question(cookie)).map_err(failed)?;
    let mut last = "no answer";
    let mut packet = [0; 128];
    while let Some(left) = PATIENCE.checked_sub(asked.elapsed()).filter(|left| !left.is_zero()) {
        socket.set_read_timeout(Some(left)).map_err(failed)?;
        let length = match socket.recv(&mut packet) {
            Ok(length) => length,
            Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                break;
            }
            Err(e) => return Err(failed(e)),
        };
        let at = Instant::now();
        match answer(&packet[..length], cookie) {
            Ok(time) => return Ok(Told { time: time + at.duration_since(asked) / 2, at }),
            // A stranger's packet must not keep the true one out.
            Err(reason) => last = reason,
        }
    }
    Err(last.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(first: u8, stratum: u8, seconds: u32) -> [u8; PACKET] {
        let mut packet = [0; PACKET];
        (packet[0], packet[1]) = (first, stratum);
        packet[24..32].copy_from_slice(b"cookie!!");
        packet[40..44].copy_from_slice(&seconds.to_be_bytes());
        packet[44] = 0x80;
        packet
    }

    #[test]
    fn an_answer_tells_the_time_beyond_2036_too() {
        let told = answer(&packet(0x24, 2, 3_976_214_400), *b"cookie!!").unwrap();
        assert_eq!(told, Duration::new(1_767_225_600, 500_000_000));
        let later = answer(&packet(0x24, 2, 10), *b"cookie!!").unwrap();
        assert_eq!(later.as_secs(), (1 << 32) + 10 - TO_UNIX);
    }

    #[test]
    fn what_is_no_good_answer_is_refused() {
        for (packet, word) in [
            (packet(0x23, 2, 1), "not from a server"),
            (packet(0x24, 0, 1), "no more requests"),
            (packet(0xE4, 2, 1), "does not know"),
            (packet(0x24, 16, 1), "does not know"),
        ] {
            assert!(answer(&packet, *b"cookie!!").unwrap_err().contains(word));
        }
        assert!(answer(&packet(0x24, 2, 1), *b"another!").unwrap_err().contains("another request"));
        assert!(answer(&[0x24; 47], *b"cookie!!").unwrap_err().contains("short"));
        let mut empty = packet(0x24, 2, 0);
        empty[44] = 0;
        assert!(answer(&empty, *b"cookie!!").unwrap_err().contains("no time"));
        assert_eq!(question(*b"cookie!!")[0], 0x23);
    }

    #[test]
    fn any_packet_is_told_or_refused() {
        proptest::proptest!(|(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..80))| {
            let _ = answer(&bytes, [0; 8]);
        });
    }
}
