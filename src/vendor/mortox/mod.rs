//! mortoxd's protocol: packets for one key, and what comes back. Pure; [`connection`] speaks it.
//!
//! Only reading and watching are here: nothing in this module changes a setting. Facts:
//! docs/network.md, "The vendor's settings". All integers are big-endian; a packet for a known key
//! is far smaller than the 1024 bytes that the daemon's frames are made for.

pub mod connection;

/// Starts every packet.
const MAGIC: &[u8; 6] = b"MORTOX";
/// Bytes of the head, up to and without the mark.
const HEAD: usize = 22;
/// Bytes of mark, command, length and count.
const BODY_HEAD: usize = 12;
/// Behind the head.
const MARK: u16 = 0x0672;
/// The largest packet that is taken: the daemon's own frames are smaller.
const LARGEST: usize = 1024 + HEAD;
/// The longest name or value that is sent; the vendor's own buffers have 128 bytes.
const LONGEST: usize = 119;
/// The one group there is.
const GROUP: &str = "default";

/// The layer of settings that last until the camera restarts.
pub const MEM: &str = "mem";

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// The value of a key, once.
    Get,
    /// The value now, and each new one as it is set.
    Watch,
}

/// What the daemon says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// The answer to a question.
    Answer {
        /// The number of the question.
        id: u32,
        /// The value; `None` where the key is not set.
        value: Option<String>,
    },
    /// A key that is watched has a new value.
    News {
        /// The key.
        key: String,
        /// The value; empty where it was taken away.
        value: String,
    },
}

/// What came in cannot be understood: the connection is of no more use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Garbled;

/// The packet that asks for a key of a layer; `None` for a name that is too long to be one.
pub fn question(id: u32, ask: Ask, layer: &str, key: &str) -> Option<Vec<u8>> {
    let command: u16 = match ask {
        Ask::Get => 4,
        Ask::Watch => 6,
    };
    let mut parameters = Vec::new();
    for text in [layer, GROUP, key] {
        if text.is_empty() || text.len() > LONGEST || text.bytes().any(|byte| byte == 0) {
            return None;
        }
        parameters.extend(1u16.to_be_bytes());
        parameters.extend((text.len() as u16 + 1).to_be_bytes());
        parameters.extend(text.as_bytes());
        parameters.push(0);
    }
    let length = (BODY_HEAD + parameters.len()) as u32;
    let mut packet = Vec::with_capacity(HEAD + length as usize);
    packet.extend(MAGIC);
    for word in [id, 1, 1, length] {
        packet.extend(word.to_be_bytes());
    }
    packet.extend(MARK.to_be_bytes());
    packet.extend(command.to_be_bytes());
    packet.extend(length.to_be_bytes());
    packet.extend(3u32.to_be_bytes());
    packet.extend(parameters);
    Some(packet)
}

/// One parameter of a packet.
#[derive(Debug)]
enum Parameter {
    Text(String),
    Number(i64),
    Other,
}

/// Takes the first whole packet from `bytes`; `None` while it is not whole.
///
/// # Errors
/// [`Garbled`]: it is none of this protocol's.
pub fn take(bytes: &mut Vec<u8>) -> Result<Option<Said>, Garbled> {
    loop {
        if !bytes.starts_with(&MAGIC[..bytes.len().min(MAGIC.len())]) {
            return Err(Garbled);
        }
        let Some(length) = word(bytes, 18) else { return Ok(None) };
        let end = HEAD + length as usize;
        if !(BODY_HEAD + HEAD..=LARGEST).contains(&end) {
            return Err(Garbled);
        }
        if bytes.len() < end {
            return Ok(None);
        }
        let packet: Vec<u8> = bytes.drain(..end).collect();
        // What is neither an answer nor news is passed over.
        if let Some(said) = said(&packet)? {
            return Ok(Some(said));
        }
    }
}

fn said(packet: &[u8]) -> Result<Option<Said>, Garbled> {
    let id = word(packet, 6).ok_or(Garbled)?;
    let (mark, command) = (half(packet, HEAD).ok_or(Garbled)?, half(packet, 24).ok_or(Garbled)?);
    let count = word(packet, 30).ok_or(Garbled)?;
    if mark != MARK || count > 8 {
        return Err(Garbled);
    }
    let mut parameters = Vec::new();
    let mut at = HEAD + BODY_HEAD;
    for _ in 0..count {
        let kind = half(packet, at).ok_or(Garbled)?;
        let length = usize::from(half(packet, at + 2).ok_or(Garbled)?);
        let value = packet.get(at + 4..at + 4 + length).ok_or(Garbled)?;
        parameters.push(parameter(kind, value));
        at += 4 + length;
    }
    Ok(match (command, parameters.as_slice()) {
        (10, [Parameter::Number(0), Parameter::Text(value)]) => {
            Some(Said::Answer { id, value: Some(value.clone()) })
        }
        (10, [Parameter::Number(_)]) => Some(Said::Answer { id, value: None }),
        // The answer to `Watch`: layer, group, key and, where there is one, the value now.
        (10, [Parameter::Text(_), Parameter::Text(_), Parameter::Text(_), rest @ ..]) => {
            let value = match rest {
                [Parameter::Text(value)] => Some(value.clone()),
                _ => None,
            };
            Some(Said::Answer { id, value })
        }
        (11, [Parameter::Text(_), Parameter::Text(_), Parameter::Text(key), rest @ ..]) => {
            let value = match rest {
                [Parameter::Text(value), ..] => value.clone(),
                [Parameter::Number(number), ..] => number.to_string(),
                _ => String::new(),
            };
            Some(Said::News { key: key.clone(), value })
        }
        _ => None,
    })
}

fn parameter(kind: u16, value: &[u8]) -> Parameter {
    match kind {
        1 => {
            let text = value.split(|byte| *byte == 0).next().unwrap_or_default();
            Parameter::Text(String::from_utf8_lossy(text).into_owned())
        }
        2 => value
            .try_into()
            .map_or(Parameter::Other, |bytes| Parameter::Number(i32::from_be_bytes(bytes).into())),
        3 => value
            .try_into()
            .map_or(Parameter::Other, |bytes| Parameter::Number(u32::from_be_bytes(bytes).into())),
        _ => Parameter::Other,
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::hex;

    /// A packet of the daemon's; `parameters` as they stand on the wire.
    fn packet(id: u32, command: u16, count: u32, parameters: &[u8]) -> Vec<u8> {
        let length = (BODY_HEAD + parameters.len()) as u32;
        let mut packet = MAGIC.to_vec();
        for word in [id, 1, 1, length] {
            packet.extend(word.to_be_bytes());
        }
        packet.extend([0x06, 0x72]);
        packet.extend(command.to_be_bytes());
        packet.extend(length.to_be_bytes());
        packet.extend(count.to_be_bytes());
        packet.extend(parameters);
        packet
    }

    fn text(words: &[&str]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for word in words {
            bytes.extend([0, 1]);
            bytes.extend((word.len() as u16 + 1).to_be_bytes());
            bytes.extend(word.as_bytes());
            bytes.push(0);
        }
        bytes
    }

    #[test]
    fn a_question_is_what_the_vendor_s_own_client_sends() {
        // Recorded between mortoxc and mortoxd of 3.5.1_0052.
        let sent = question(1, Ask::Get, "nvram", "light").unwrap();
        let wanted = "4d4f52544f580000000100000001000000010000002c067200040000002c00000003\
                      000100066e7672616d000001000864656661756c740000010006";
        assert_eq!(hex(&sent), format!("{wanted}6c6967687400"));
        assert!(question(1, Ask::Get, "mem", &"x".repeat(120)).is_none());
        assert!(question(1, Ask::Watch, "mem", "").is_none());
        assert_eq!(question(2, Ask::Watch, MEM, "sdcard_status").unwrap()[25], 6);
    }

    #[test]
    fn answers_and_news_are_read_also_in_pieces() {
        let yes = {
            let mut bytes = vec![0, 2, 0, 4, 0, 0, 0, 0];
            bytes.extend(text(&["on"]));
            packet(1, 10, 2, &bytes)
        };
        let none = packet(2, 10, 1, &[0, 2, 0, 4, 0xFF, 0xFF, 0xFF, 0xFF]);
        let watched = packet(3, 10, 4, &text(&["mem", "default", "sdcard_status", "0"]));
        let unset = packet(4, 10, 3, &text(&["mem", "default", "sdcard_status"]));
        let news = packet(9, 11, 4, &text(&["mem", "default", "sdcard_status", "4"]));
        let other = packet(9, 77, 0, &[]);
        let answer = |id, value: Option<&str>| Said::Answer { id, value: value.map(str::to_owned) };
        let told = Said::News { key: "sdcard_status".to_owned(), value: "4".to_owned() };
        let all = [&yes, &none, &watched, &other, &unset, &news].map(Vec::as_slice).concat();
        let wanted =
            [answer(1, Some("on")), answer(2, None), answer(3, Some("0")), answer(4, None), told];
        for piece in [1, 7, all.len()] {
            let (mut bytes, mut found) = (Vec::new(), Vec::new());
            for part in all.chunks(piece) {
                bytes.extend_from_slice(part);
                while let Some(said) = take(&mut bytes).unwrap() {
                    found.push(said);
                }
            }
            assert_eq!(found, wanted, "in pieces of {piece}");
            assert!(bytes.is_empty());
        }
    }

    #[test]
    fn what_is_not_the_protocol_is_garbled_and_never_a_panic() {
        let long = packet(1, 10, 1, &[0; 2000]);
        let lies = packet(1, 10, 2, &[0, 1, 0xFF, 0xFF, 0]);
        let many = packet(1, 10, 900, &[]);
        for bytes in [b"HTTP/1.1".to_vec(), long, lies, many] {
            assert_eq!(take(&mut bytes.clone()), Err(Garbled), "{}", bytes.escape_ascii());
        }
        let good = packet(1, 11, 4, &text(&["mem", "default", "key", "value"]));
        for at in 0..good.len() {
            for bit in 0..8 {
                let mut bytes = good.clone();
                bytes[at] ^= 1 << bit;
                let _ = take(&mut bytes);
            }
            assert_eq!(take(&mut good[..at].to_vec()), Ok(None));
        }
    }
}
