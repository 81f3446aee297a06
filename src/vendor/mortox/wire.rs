//! The bus on the wire: packets for one key, and what comes back. Pure.
//!
//! All integers are big-endian. A packet for a known key is far smaller than the 1024 bytes that
//! the daemon's frames are made for, so there is always one chunk. Facts: docs/controls.md, "Wire".

use super::change::Change;
use super::key::Key;

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
/// The command of an answer, and of a push.
pub(crate) const ANSWER: u16 = 10;
pub(crate) const PUSH: u16 = 11;

/// What is asked of the daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// The value of a key, once.
    Get(Key),
    /// The value now, and each new one as it is set.
    Watch(Key),
    /// A new value.
    Set(Change),
    /// The key is removed: the programs that act on it have their defaults again.
    Unset(Key),
    /// The settings are written to DATA now.
    Sync,
}

/// What the daemon says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// The answer to a question.
    Answer {
        /// The number of the question.
        id: u32,
        /// 0 where it was done.
        code: i32,
        /// The value; `None` where the key is not set, or none was asked for.
        value: Option<String>,
    },
    /// A key that is watched has a new value.
    News {
        /// The key.
        key: Key,
        /// The value; `None` where it was removed.
        value: Option<String>,
    },
}

/// What came in cannot be understood: the connection is of no more use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Garbled;

/// The packet of a question; `None` where a text in it would be too long for the vendor's buffers.
pub fn question(id: u32, ask: Ask) -> Option<Vec<u8>> {
    let (command, key) = match ask {
        Ask::Set(change) => (3, Some(change.key())),
        Ask::Get(key) => (4, Some(key)),
        Ask::Unset(key) => (5, Some(key)),
        Ask::Watch(key) => (6, Some(key)),
        Ask::Sync => (12, None),
    };
    let value = match ask {
        Ask::Set(change) => Some(change.value()),
        _ => None,
    };
    let texts = match (key.map(Key::place), value.as_deref()) {
        (Some((layer, name)), Some(value)) => vec![layer.name(), GROUP, name, value],
        (Some((layer, name)), None) => vec![layer.name(), GROUP, name],
        (None, _) => vec![super::Layer::Nvram.name()],
    };
    packet(id, command, &texts)
}

/// A packet whose parameters are texts.
fn packet(id: u32, command: u16, texts: &[&str]) -> Option<Vec<u8>> {
    let mut parameters = Vec::new();
    for text in texts {
        if text.is_empty() || text.len() > LONGEST || text.bytes().any(|byte| byte == 0) {
            return None;
        }
        parameters.extend(1u16.to_be_bytes());
        parameters.extend((text.len() as u16 + 1).to_be_bytes());
        parameters.extend(text.as_bytes());
        parameters.push(0);
    }
    Some(framed(id, command, texts.len() as u32, &parameters))
}

/// A packet with these parameters as they are on the wire.
pub(crate) fn framed(id: u32, command: u16, count: u32, parameters: &[u8]) -> Vec<u8> {
    let length = (BODY_HEAD + parameters.len()) as u32;
    let mut packet = Vec::with_capacity(HEAD + length as usize);
    packet.extend(MAGIC);
    for word in [id, 1, 1, length] {
        packet.extend(word.to_be_bytes());
    }
    packet.extend(MARK.to_be_bytes());
    packet.extend(command.to_be_bytes());
    packet.extend(length.to_be_bytes());
    packet.extend(count.to_be_bytes());
    packet.extend(parameters);
    packet
}

/// A number as a parameter on the wire.
pub(crate) fn number(value: i32) -> [u8; 8] {
    let mut bytes = [0, 2, 0, 4, 0, 0, 0, 0];
    bytes[4..].copy_from_slice(&value.to_be_bytes());
    bytes
}

/// One parameter of a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parameter {
    /// A text, up to its NUL.
    Text(String),
    /// A number of any of the integer types.
    Number(i128),
    /// Another type.
    Other,
}

impl Parameter {
    /// A text, or a number as one.
    pub fn words(&self) -> Option<String> {
        match self {
            Parameter::Text(text) => Some(text.clone()),
            Parameter::Number(number) => Some(number.to_string()),
            // Not understood, which is not the same as unset.
            Parameter::Other => Some("?".to_owned()),
        }
    }

    fn text(&self) -> Option<&str> {
        match self {
            Parameter::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// A packet, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Its number.
    pub id: u32,
    /// Its command.
    pub command: u16,
    /// Its parameters, at most 8.
    pub parameters: Vec<Parameter>,
}

/// Takes the next thing said from `bytes`; `None` while it is not whole. Packets that are neither
/// answers nor news of a known key are passed over.
///
/// # Errors
/// [`Garbled`]: it is none of this protocol's.
pub fn take(bytes: &mut Vec<u8>) -> Result<Option<Said>, Garbled> {
    while let Some(packet) = take_packet(bytes)? {
        if let Some(said) = said(&packet) {
            return Ok(Some(said));
        }
    }
    Ok(None)
}

/// Takes the first whole packet from `bytes`; `None` while it is not whole.
///
/// # Errors
/// [`Garbled`]: it is none of this protocol's.
pub fn take_packet(bytes: &mut Vec<u8>) -> Result<Option<Packet>, Garbled> {
    if !bytes.starts_with(&MAGIC[..bytes.len().min(MAGIC.len())]) {
        return Err(Garbled);
    }
    let Some(length) = word(bytes, 18) else { return Ok(None) };
    let end = HEAD + length as usize;
    let is_whole = word(bytes, 10) == Some(1) && word(bytes, 14) == Some(1);
    if !is_whole || !(BODY_HEAD + HEAD..=LARGEST).contains(&end) {
        return Err(Garbled);
    }
    if bytes.len() < end {
        return Ok(None);
    }
    let packet: Vec<u8> = bytes.drain(..end).collect();
    parsed(&packet).map(Some)
}

fn parsed(packet: &[u8]) -> Result<Packet, Garbled> {
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
    Ok(Packet { id, command, parameters })
}

fn said(packet: &Packet) -> Option<Said> {
    let id = packet.id;
    match (packet.command, packet.parameters.as_slice()) {
        (ANSWER, [Parameter::Number(code), rest @ ..]) => {
            let code = i32::try_from(*code).unwrap_or(-1);
            let value = rest.first().and_then(Parameter::words).filter(|_| code == 0);
            Some(Said::Answer { id, code, value })
        }
        // The answer to `Watch`: layer, group, key and, where there is one, the value now.
        (ANSWER, [layer, Parameter::Text(_), name, rest @ ..]) => {
            let value = rest.first().and_then(Parameter::words);
            Key::of(layer.text()?, name.text()?).map(|_| Said::Answer { id, code: 0, value })
        }
        (PUSH, [layer, Parameter::Text(_), name, rest @ ..]) => {
            let key = Key::of(layer.text()?, name.text()?)?;
            Some(Said::News { key, value: rest.first().and_then(Parameter::words) })
        }
        _ => None,
    }
}

fn parameter(kind: u16, value: &[u8]) -> Parameter {
    let number = |number: Option<i128>| number.map_or(Parameter::Other, Parameter::Number);
    match kind {
        1 => {
            let text = value.split(|byte| *byte == 0).next().unwrap_or_default();
            Parameter::Text(String::from_utf8_lossy(text).into_owned())
        }
        2 => number(value.try_into().ok().map(|bytes| i32::from_be_bytes(bytes).into())),
        3 => number(value.try_into().ok().map(|bytes| u32::from_be_bytes(bytes).into())),
        4 => number(value.try_into().ok().map(|bytes| i64::from_be_bytes(bytes).into())),
        5 => number(value.try_into().ok().map(|bytes| u64::from_be_bytes(bytes).into())),
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
    use super::super::value::{Night, Region};
    use super::*;
    use crate::base::hex;

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
        let sent = question(1, Ask::Get(Key::Light)).unwrap();
        let wanted = "4d4f52544f580000000100000001000000010000002c067200040000002c00000003\
                      000100066e7672616d000001000864656661756c740000010006";
        assert_eq!(hex(&sent), format!("{wanted}6c6967687400"));
        assert_eq!(question(2, Ask::Watch(Key::CardStatus)).unwrap()[25], 6);
        assert_eq!(question(2, Ask::Unset(Key::Flip)).unwrap()[25], 5);
        let sync = question(1, Ask::Sync).unwrap();
        assert_eq!((sync[25], &sync[34..]), (12, text(&["nvram"]).as_slice()));
        let set = question(9, Ask::Set(Change::NightMode(Night::Night))).unwrap();
        assert_eq!(set[25], 3);
        assert_eq!(set[34..], text(&["nvram", "default", "night_mode", "2"]));
        // The longest there is.
        assert!(question(1, Ask::Set(Change::MotionRegion(Region::all(3)))).is_some());
        for word in ["", "a\0b", &"x".repeat(120)] {
            assert_eq!(packet(1, 3, &["mem", word]), None);
        }
    }

    #[test]
    fn answers_and_news_are_read_also_in_pieces() {
        let yes = framed(1, 10, 2, &[number(0).as_slice(), &text(&["on"])].concat());
        let none = framed(2, 10, 1, &number(-1));
        let watched = framed(3, 10, 4, &text(&["mem", "default", "sdcard_status", "0"]));
        let unset = framed(4, 10, 3, &text(&["mem", "default", "sdcard_status"]));
        let news = framed(9, 11, 4, &text(&["mem", "default", "sdcard_status", "4"]));
        let gone = framed(9, 11, 3, &text(&["nvram", "default", "flip"]));
        let night = {
            let mut bytes = text(&["mem", "default", "time_night"]);
            bytes.extend([0, 5, 0, 8, 0, 0, 0, 1, 0, 0, 0, 2]);
            framed(9, 11, 4, &bytes)
        };
        // A key that is none of ours, and a command that is none at all.
        let secret = framed(9, 11, 4, &text(&["nvram", "default", "miio_token", "x"]));
        let other = framed(9, 77, 0, &[]);
        let answer = |id, code, value: Option<&str>| Said::Answer {
            id,
            code,
            value: value.map(str::to_owned),
        };
        let told = |key, value: Option<&str>| Said::News { key, value: value.map(str::to_owned) };
        let all = [&yes, &none, &watched, &other, &unset, &news, &secret, &gone, &night]
            .map(Vec::as_slice)
            .concat();
        let wanted = [
            answer(1, 0, Some("on")),
            answer(2, -1, None),
            answer(3, 0, Some("0")),
            answer(4, 0, None),
            told(Key::CardStatus, Some("4")),
            told(Key::Flip, None),
            told(Key::NightTime, Some("4294967298")),
        ];
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
        let long = framed(1, 10, 1, &[0; 2000]);
        let lies = framed(1, 10, 2, &[0, 1, 0xFF, 0xFF, 0]);
        let many = framed(1, 10, 900, &[]);
        let mut chunk = framed(1, 10, 1, &number(0));
        chunk[13] = 2;
        for bytes in [b"HTTP/1.1".to_vec(), long, lies, many, chunk] {
            assert_eq!(take(&mut bytes.clone()), Err(Garbled), "{}", bytes.escape_ascii());
        }
        let good = framed(1, 11, 4, &text(&["mem", "default", "track", "stop"]));
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
