//! Packets of MQTT 3.1.1 (OASIS standard), as far as a device with quality of
//! service 0 needs them. Pure.

/// The longest packet taken, in bytes: commands are short.
pub const LONGEST: usize = 16 << 10;
/// A question whether the broker is there, and the packet that says good-bye.
pub const PING: [u8; 2] = [0xC0, 0];
/// See [`PING`].
pub const DISCONNECT: [u8; 2] = [0xE0, 0];

/// How a connection begins.
#[derive(Clone, Copy, Debug)]
pub struct Hello<'a> {
    /// The client's id.
    pub id: &'a str,
    /// The user, if the broker wants one.
    pub user: Option<&'a str>,
    /// His password.
    pub password: Option<&'a str>,
    /// What the broker tells when the connection breaks: topic and text, kept.
    pub will: (&'a str, &'a str),
    /// Seconds in which the broker hears from us.
    pub keep_alive: u16,
}

/// What came from the broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Let in, or not: the standard's code.
    Connected(u8),
    /// A message was published.
    Told {
        /// Where.
        topic: String,
        /// What.
        payload: Vec<u8>,
        /// Whether the broker kept it from before.
        kept: bool,
    },
    /// Anything else.
    Other,
}

/// The packet that begins a connection.
pub fn connect(hello: &Hello<'_>) -> Vec<u8> {
    let mut body = Vec::new();
    text(&mut body, "MQTT");
    // Clean session, and a will that is kept.
    let mut flags = 0b0010_0110;
    flags |= u8::from(hello.user.is_some()) << 7 | u8::from(hello.password.is_some()) << 6;
    body.extend_from_slice(&[4, flags]);
    body.extend_from_slice(&hello.keep_alive.to_be_bytes());
    text(&mut body, hello.id);
    text(&mut body, hello.will.0);
    text(&mut body, hello.will.1);
    for more in [hello.user, hello.password].into_iter().flatten() {
        text(&mut body, more);
    }
    packet(0x10, &body)
}

/// Publishes a message; `keep`: the broker retains it for later subscribers.
pub fn publish(topic: &str, payload: &[u8], keep: bool) -> Vec<u8> {
    let mut body = Vec::with_capacity(topic.len() + payload.len() + 2);
    text(&mut body, topic);
    body.extend_from_slice(payload);
    packet(0x30 | u8::from(keep), &body)
}

/// Subscribes to a topic.
pub fn subscribe(topic: &str) -> Vec<u8> {
    let mut body = vec![0, 1];
    text(&mut body, topic);
    body.push(0);
    packet(0x82, &body)
}

fn text(body: &mut Vec<u8>, text: &str) {
    let bytes = &text.as_bytes()[..text.floor_char_boundary(usize::from(u16::MAX))];
    body.extend_from_slice(&u16::try_from(bytes.len()).unwrap_or(0).to_be_bytes());
    body.extend_from_slice(bytes);
}

fn packet(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut packet = vec![kind];
    let mut left = body.len();
    loop {
        let byte = u8::try_from(left & 127).unwrap_or(0);
        left >>= 7;
        packet.push(byte | u8::from(left > 0) << 7);
        if left == 0 {
            break;
        }
    }
    packet.extend_from_slice(body);
    packet
}

/// Takes one whole packet from the front of what came in: what it is, and its
/// length. `None` where more has to come first.
///
/// # Errors
/// What is no MQTT, or too long.
pub fn take(bytes: &[u8]) -> Result<Option<(Heard, usize)>, &'static str> {
    let (mut length, mut at, mut shift) = (0_usize, 1, 0);
    loop {
        let Some(byte) = bytes.get(at) else { return Ok(None) };
        length |= usize::from(byte & 127) << shift;
        at += 1;
        if byte & 128 == 0 {
            break;
        }
        shift += 7;
        if shift > 21 {
            return Err("not MQTT: a length without an end");
        }
    }
    if length > LONGEST {
        return Err("a packet is too long");
    }
    let Some(body) = bytes.get(at..at + length) else { return Ok(None) };
    let heard = match bytes[0] >> 4 {
        2 => match body {
            [_, code] => Heard::Connected(*code),
            _ => return Err("not MQTT: a wrong greeting"),
        },
        3 => told(bytes[0], body).ok_or("not MQTT: a wrong message")?,
        _ => Heard::Other,
    };
    Ok(Some((heard, at + length)))
}

fn told(first: u8, body: &[u8]) -> Option<Heard> {
    let length = usize::from(u16::from_be_bytes(*body.first_chunk()?));
    let topic = String::from_utf8(body.get(2..2 + length)?.to_vec()).ok()?;
    let mut rest = &body[2 + length..];
    if first & 0b0110 != 0 {
        // Its number, with a quality that was not asked for.
        rest = rest.get(2..)?;
    }
    Some(Heard::Told { topic, payload: rest.to_vec(), kept: first & 1 == 1 })
}

/// What the broker's code means.
pub fn refusal(code: u8) -> &'static str {
    match code {
        1 => "the broker does not speak MQTT 3.1.1",
        2 => "the broker does not accept this client id",
        3 => "the broker is not ready",
        4 => "the broker does not accept this user and password",
        5 => "the broker does not allow this user",
        _ => "the broker refuses",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_packets_are_those_of_the_standard() {
        let hello = Hello {
            id: "c",
            user: Some("u"),
            password: Some("p"),
            will: ("t", "off"),
            keep_alive: 30,
        };
        let wanted = b"\x10\x1b\0\x04MQTT\x04\xe6\0\x1e\0\x01c\0\x01t\0\x03off\0\x01u\0\x01p";
        assert_eq!(connect(&hello), wanted);
        assert_eq!(publish("a/b", b"x", true), b"\x31\x06\0\x03a/bx");
        assert_eq!(subscribe("a/#"), b"\x82\x08\0\x01\0\x03a/#\0");
        assert_eq!(publish("t", &[b'x'; 200], false)[..3], [0x30, 0xCB, 1]);
    }

    #[test]
    fn packets_are_taken_one_by_one_however_they_come() {
        let mut bytes = vec![0x20, 2, 0, 5];
        bytes.extend_from_slice(&publish("set", b"on", true));
        assert_eq!(take(&bytes), Ok(Some((Heard::Connected(5), 4))));
        let told = Heard::Told { topic: "set".into(), payload: b"on".to_vec(), kept: true };
        assert_eq!(take(&bytes[4..]), Ok(Some((told, bytes.len() - 4))));
        for cut in 4..bytes.len() {
            assert_eq!(take(&bytes[4..cut]), Ok(None), "{cut}");
        }
        take(&[0x30, 0xFF, 0xFF, 0xFF, 0xFF, 1]).unwrap_err();
        take(&[0x30, 0xFF, 0xFF, 0x7F]).unwrap_err();
        take(&[0x30, 1, 0]).unwrap_err();
    }

    #[test]
    fn any_bytes_are_taken_or_refused() {
        proptest::proptest!(|(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..60))| {
            if let Ok(Some((_, length))) = take(&bytes) {
                proptest::prop_assert!(length <= bytes.len() && length > 0);
            }
        });
    }
}
