//! fetch_av's commands on the wire. All integers are little-endian. Only the few commands are here
//! that the bus has no key for; none of them changes a picture. Pure.

/// Starts every message.
const MAGIC: &[u8; 4] = b"MIIO";
/// Ends every message.
const END: u32 = 0xA5A5;
/// Bytes of a request without its payload: mark, length, command, zero, end.
const REQUEST: usize = 20;
/// The same of an answer, which has a result.
const ANSWER: usize = 24;
/// The longest payload that fetch_av sends, in bytes.
const LONGEST: usize = 488;

/// How loud the speaker is, in decibels: -25 to 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Volume(i8);

impl Volume {
    /// The quietest, in decibels.
    pub const LEAST: i8 = -25;
    /// The loudest.
    pub const MOST: i8 = 0;
    /// What fetch_av starts with.
    pub const USUAL: Volume = Volume(-7);

    /// A volume; `None` outside -25 to 0.
    pub fn new(decibels: i64) -> Option<Volume> {
        let fits = (i64::from(Volume::LEAST)..=i64::from(Volume::MOST)).contains(&decibels);
        i8::try_from(decibels).ok().filter(|_| fits).map(Volume)
    }

    /// In decibels.
    pub fn decibels(self) -> i8 {
        self.0
    }
}

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Whether it is night: 0 day, 1 night.
    IsNight,
    /// A volume; nothing is answered. It ends when fetch_av restarts.
    SetVolume(Volume),
}

impl Ask {
    /// Its number.
    pub const fn command(self) -> u32 {
        match self {
            Ask::IsNight => 0x1016,
            Ask::SetVolume(_) => 0x1022,
        }
    }

    /// Whether fetch_av answers it.
    pub const fn is_answered(self) -> bool {
        matches!(self, Ask::IsNight)
    }
}

/// The bytes of a request.
pub fn request(ask: Ask) -> Vec<u8> {
    let payload = match ask {
        Ask::IsNight => Vec::new(),
        Ask::SetVolume(volume) => i32::from(volume.decibels()).to_le_bytes().to_vec(),
    };
    let length = (REQUEST + payload.len()) as u32;
    let mut bytes = MAGIC.to_vec();
    for word in [length, ask.command(), 0] {
        bytes.extend(word.to_le_bytes());
    }
    bytes.extend(payload);
    bytes.extend(END.to_le_bytes());
    bytes
}

/// An answer, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AvAnswer {
    /// The command of the request, plus one.
    pub command: u32,
    /// 0 where it was done.
    pub result: i32,
    /// What was asked for.
    pub payload: Vec<u8>,
}

/// What came in cannot be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Garbled;

/// The answer at the beginning of `bytes`; `None` while it is not whole.
///
/// # Errors
/// [`Garbled`]: it is none of this protocol's.
pub fn answer(bytes: &[u8]) -> Result<Option<AvAnswer>, Garbled> {
    if !bytes.starts_with(&MAGIC[..bytes.len().min(MAGIC.len())]) {
        return Err(Garbled);
    }
    let Some(length) = word(bytes, 4) else { return Ok(None) };
    let length = length as usize;
    if !(ANSWER..=ANSWER + LONGEST).contains(&length) {
        return Err(Garbled);
    }
    let Some(whole) = bytes.get(..length) else { return Ok(None) };
    let (command, result) = (word(whole, 8).ok_or(Garbled)?, word(whole, 16).ok_or(Garbled)?);
    let end = length - 4;
    if word(whole, end) != Some(END) {
        return Err(Garbled);
    }
    let payload = whole.get(20..end).ok_or(Garbled)?.to_vec();
    Ok(Some(AvAnswer { command, result: result.cast_signed(), payload }))
}

/// What an answer says to [`Ask::IsNight`]; `None` where it says something else.
pub fn is_night(answer: &AvAnswer) -> Option<bool> {
    match (answer.command, answer.result, word(&answer.payload, 0)) {
        (0x1017, 0, Some(0)) => Some(false),
        (0x1017, 0, Some(1)) => Some(true),
        _ => None,
    }
}

/// A request, for the fake.
pub(crate) fn take_request(bytes: &mut Vec<u8>) -> Option<(u32, Vec<u8>)> {
    let length = word(bytes, 4)? as usize;
    if !(REQUEST..=REQUEST + LONGEST).contains(&length) {
        bytes.clear();
        return None;
    }
    let whole: Vec<u8> = (bytes.len() >= length).then(|| bytes.drain(..length).collect())?;
    Some((word(&whole, 8)?, whole.get(16..length - 4)?.to_vec()))
}

/// An answer, for the fake.
pub(crate) fn made_answer(command: u32, result: i32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    for word in [(ANSWER + payload.len()) as u32, command, 0, result.cast_unsigned()] {
        bytes.extend(word.to_le_bytes());
    }
    bytes.extend(payload);
    bytes.extend(END.to_le_bytes());
    bytes
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::hex;

    #[test]
    fn requests_are_what_fetch_av_takes() {
        // As the real fetch_av of 3.5.1_0052 was asked.
        assert_eq!(hex(&request(Ask::IsNight)), "4d49494f140000001610000000000000a5a50000");
        let volume = request(Ask::SetVolume(Volume::new(-7).unwrap()));
        assert_eq!(hex(&volume), "4d49494f180000002210000000000000f9ffffffa5a50000");
        assert_eq!(Volume::new(1), None);
        assert_eq!(Volume::new(-26), None);
    }

    #[test]
    fn only_a_whole_answer_of_the_protocol_is_taken() {
        let night = made_answer(0x1017, 0, &1u32.to_le_bytes());
        let whole = answer(&night).unwrap().unwrap();
        assert_eq!(is_night(&whole), Some(true));
        assert_eq!(is_night(&AvAnswer { result: -1, ..whole.clone() }), None);
        assert_eq!(is_night(&AvAnswer { command: 0x1018, ..whole.clone() }), None);
        assert_eq!(is_night(&AvAnswer { payload: vec![2, 0, 0, 0], ..whole.clone() }), None);
        assert_eq!(is_night(&AvAnswer { payload: vec![1], ..whole }), None);
        for end in 0..night.len() {
            assert_eq!(answer(&night[..end]), Ok(None), "cut at {end}");
        }
        for at in [0, 4, 5, 24, night.len() - 1] {
            let mut bytes = night.clone();
            bytes[at] ^= 0x80;
            let read = answer(&bytes);
            assert!(read == Err(Garbled) || at == 24 || at == 4, "{at}: {read:?}");
        }
        assert_eq!(answer(b"HTTP"), Err(Garbled));
        assert_eq!(answer(b"MIIO\xFF\xFF\xFF\xFF"), Err(Garbled));
    }
}
