//! The camera's identity: FACTORY's bytes judged, compared without being
//! shown, and masked. Pure. The format itself is in
//! [`crate::formats::flsh`]; saving it is no matter of this module.
//!
//! Facts: docs/formats.md, FLSH and FACTORY.

use std::fmt;

use crate::formats::sha256::Sha256;
use serde::Serialize;

use crate::formats::flsh::{self, Flsh, FlshError};

/// The keys that make up the identity.
pub const KEYS: [&str; 5] = ["did", "key", "mac", "vendor", "model"];

/// How an identity is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// All keys are there, each of a plausible length, and the CRC is right.
    Healthy,
    /// Erased: the cloud pairing is gone.
    Blank,
    /// Something is there, and something is wrong with it.
    Damaged {
        /// What is wrong, in words; no value is in them.
        reasons: Vec<String>,
    },
    /// There are no bytes to judge.
    Missing,
}

impl Health {
    /// `healthy`, `blank`, `damaged` or `missing`: the word for scripts.
    pub fn name(&self) -> &'static str {
        match self {
            Health::Healthy => "healthy",
            Health::Blank => "blank",
            Health::Damaged { .. } => "damaged",
            Health::Missing => "missing",
        }
    }

    /// Whether it is healthy.
    pub fn is_healthy(&self) -> bool {
        *self == Health::Healthy
    }

    /// What is wrong, in words; empty unless it is damaged.
    pub fn reasons(&self) -> &[String] {
        match self {
            Health::Damaged { reasons } => reasons,
            _ => &[],
        }
    }

    /// One word for it: `healthy`, `blank`, `damaged` or `missing`.
    pub fn word(&self) -> &'static str {
        match self {
            Health::Healthy => "healthy",
            Health::Blank => "blank",
            Health::Damaged { .. } => "damaged",
            Health::Missing => "missing",
        }
    }
}

impl Serialize for Health {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())?;
        match self.reasons() {
            [] => Ok(()),
            reasons => write!(f, ": {}", reasons.join("; ")),
        }
    }
}

/// One key as it may be shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Masked {
    /// The key.
    pub key: &'static str,
    /// What may be seen of its value.
    pub shown: String,
}

/// What FACTORY's bytes amount to.
#[derive(Clone, Debug, Serialize)]
pub struct Judgement {
    /// How the identity is.
    pub health: Health,
    /// The first 8 hex digits of the SHA-256 of the whole partition.
    pub fingerprint: String,
    /// The offset of the FLSH in the bytes, its magic whole or not;
    /// anything but 0 is unusual.
    pub at: Option<usize>,
    /// Whether the CRC is right; `None` where there is no FLSH.
    pub crc_ok: Option<bool>,
    /// The identity, where any of its keys can be read.
    #[serde(rename = "masked")]
    pub identity: Option<Identity>,
}

impl Judgement {
    /// The fingerprint, where there are bytes that it is of.
    pub fn mark(&self) -> Option<&str> {
        (self.health != Health::Missing).then_some(self.fingerprint.as_str())
    }

    /// Whether all that is wrong with it is the checksum, which the stock
    /// system does not check: every value is there and plausible.
    pub fn is_crc_only(&self) -> bool {
        self.identity.is_some()
            && matches!(self.health.reasons(), [reason] if reason.starts_with("crc:"))
    }

    /// That of a FACTORY which is not there.
    pub fn missing() -> Self {
        judge(&[])
    }
}

/// The values that make up an identity. They are never shown as they are:
/// `Debug`, `Display` and `Serialize` give the masked view.
#[derive(Clone)]
pub struct Identity {
    values: [Option<Vec<u8>>; KEYS.len()],
}

/// Judges the bytes of FACTORY, all of the partition.
pub fn judge(factory: &[u8]) -> Judgement {
    let mut judgement = Judgement {
        health: Health::Missing,
        fingerprint: fingerprint(factory),
        at: None,
        crc_ok: None,
        identity: None,
    };
    if factory.is_empty() {
        return judgement;
    }
    let parsed = flsh::parse(factory);
    if matches!(parsed, Err(FlshError::Blank)) {
        judgement.health = Health::Blank;
        return judgement;
    }
    let mut reasons = Vec::new();
    let flsh = match parsed {
        Ok(flsh) => Some(flsh),
        Err(error) => {
            let flsh = flsh::parse_by_header(factory);
            reasons.push(match &flsh {
                Some(flsh) => format!("magic: FLSH is not at {:#x}", flsh.at),
                None => error.to_string(),
            });
            flsh
        }
    };
    judgement.at = flsh.as_ref().map(|f| f.at);
    judgement.crc_ok = flsh.as_ref().map(Flsh::crc_ok);
    if let Some(flsh) = &flsh {
        if flsh.at != 0 {
            reasons.push(format!("it begins at {:#x} instead of the partition's start", flsh.at));
        }
        if !flsh.crc_ok() {
            reasons.push("crc: its checksum is wrong".to_owned());
        }
    }
    let get = |key| flsh.as_ref().and_then(|f| f.get(key)).map(<[u8]>::to_vec);
    let mut identity = Identity { values: KEYS.map(get) };
    let listed = identity.clone();
    if judgement.crc_ok != Some(true) {
        identity.complete_from(factory);
    }
    let readable = identity.values.iter().any(Option::is_some);
    let mut as_text = Vec::new();
    for ((key, value), listed) in KEYS.into_iter().zip(&identity.values).zip(&listed.values) {
        match value {
            None if readable || flsh.is_some() => reasons.push(format!("{key} is missing")),
            Some(value) if !is_plausible(key, value) => {
                reasons.push(format!("{key} has a wrong form ({} bytes)", value.len()));
            }
            Some(_) if value != listed => as_text.push(key),
            None | Some(_) => {}
        }
    }
    if !as_text.is_empty() {
        reasons.push(format!("found as plain text in another place: {}", as_text.join(", ")));
    }
    judgement.health =
        if reasons.is_empty() { Health::Healthy } else { Health::Damaged { reasons } };
    judgement.identity = readable.then_some(identity);
    judgement
}

/// The first 8 hex digits of the SHA-256 of a whole FACTORY partition: the
/// name of an identity that may be shown and written down.
pub fn fingerprint(factory: &[u8]) -> String {
    let digest = Sha256::digest(factory);
    let first = digest.iter().take(4).fold(0u32, |n, &b| n << 8 | u32::from(b));
    format!("{first:08x}")
}

/// Whether a value can be what the key says. Real ones have 9 digits (did),
/// 16 characters (key), `aa:bb:cc:dd:ee:ff` (mac), 8 (vendor), 22 (model).
fn is_plausible(key: &str, value: &[u8]) -> bool {
    let text = value.iter().all(u8::is_ascii_graphic);
    // With a `=` in it, it is the next entry too: that may be secret, and these are shown.
    let public = text && !value.contains(&b'=');
    match key {
        "did" => (6..=20).contains(&value.len()) && value.iter().all(u8::is_ascii_digit),
        "key" => text && value.len() == 16,
        "mac" => mac_bytes(value).is_some_and(|mac| mac != [0; 6] && mac != [0xFF; 6]),
        "vendor" => public && (2..=32).contains(&value.len()),
        "model" => public && (5..=40).contains(&value.len()) && value.contains(&b'.'),
        _ => true,
    }
}

/// Six bytes from `aa:bb:cc:dd:ee:ff`, with `-` or `:` between them.
pub(crate) fn mac_bytes(text: &[u8]) -> Option<[u8; 6]> {
    let text = text.trim_ascii();
    if text.len() != 17 {
        return None;
    }
    let mut mac = [0; 6];
    for (i, byte) in mac.iter_mut().enumerate() {
        let at = i * 3;
        if i > 0 && !matches!(text[at - 1], b':' | b'-') {
            return None;
        }
        let digit = |b: u8| char::from(b).to_digit(16);
        *byte = (digit(text[at])? * 16 + digit(text[at + 1])?) as u8;
    }
    Some(mac)
}

impl Identity {
    /// What can be found as plain text in bytes whose headers are of no use.
    pub fn salvaged(bytes: &[u8]) -> Identity {
        let mut identity = Identity { values: [const { None }; KEYS.len()] };
        identity.complete_from(bytes);
        identity
    }

    /// Puts plausible values found as plain text where there are none. Where
    /// they make a personal identity, the damaged ones next to them count too.
    fn complete_from(&mut self, bytes: &[u8]) {
        for (key, value) in KEYS.into_iter().zip(&mut self.values) {
            if !value.as_ref().is_some_and(|v| is_plausible(key, v)) {
                let found = flsh::values(bytes, key).find(|v| is_plausible(key, v));
                *value = found.map(<[u8]>::to_vec).or(value.take());
            }
        }
        if self.is_personal() {
            for (key, value) in KEYS.into_iter().zip(&mut self.values) {
                if value.is_none() {
                    *value = flsh::values(bytes, key).next().map(<[u8]>::to_vec);
                }
            }
        }
    }

    fn value(&self, key: &str) -> Option<&[u8]> {
        KEYS.iter().position(|k| *k == key).and_then(|i| self.values[i].as_deref())
    }

    /// The model's id: `ipc009` of `chuangmi.camera.ipc009`.
    pub fn model(&self) -> Option<String> {
        let model = self.value("model").filter(|m| is_plausible("model", m))?;
        let id = model.rsplit(|&b| b == b'.').next().filter(|id| !id.is_empty())?;
        id.iter()
            .all(u8::is_ascii_alphanumeric)
            .then(|| id.iter().copied().map(char::from).collect())
    }

    /// Whether both hold all five values, and the same ones. The time it
    /// takes tells nothing about where values differ.
    pub fn same_as(&self, other: &Identity) -> bool {
        self.values.iter().zip(&other.values).fold(true, |same, pair| {
            same & match pair {
                (Some(a), Some(b)) => same_bytes(a, b),
                _ => false,
            }
        })
    }

    /// Whether what can be read of it is of another camera than a `whole` one: more than one byte in
    /// eight of did, of key or of mac differs. A byte that only lost bits is damage: a chip that was
    /// written without an erase reads so.
    pub fn is_anothers(&self, whole: &Identity) -> bool {
        ["did", "key", "mac"].into_iter().any(|key| {
            let (Some(own), Some(theirs)) = (self.value(key), whole.value(key)) else {
                return false;
            };
            let more = own.iter().zip(theirs).filter(|(a, b)| **a & !**b != 0).count();
            is_plausible(key, own) && (own.len().abs_diff(theirs.len()) + more) * 8 > theirs.len()
        })
    }

    /// Whether its mac is this one, as `/sys/class/net/wlan0/address` has it;
    /// letter case and separators do not matter.
    pub fn mac_matches(&self, mac: &str) -> bool {
        match (self.value("mac").and_then(mac_bytes), mac_bytes(mac.as_bytes())) {
            (Some(own), Some(other)) => own == other,
            _ => false,
        }
    }

    /// Whether its did is this one, which an owner typed.
    pub fn did_matches(&self, did: &str) -> bool {
        self.value("did")
            .is_some_and(|own| is_plausible("did", own) && same_bytes(own, did.trim().as_bytes()))
    }

    /// Whether two at least of did, key and mac are there: what makes it one
    /// camera's. One alone may be in other settings too.
    pub fn is_personal(&self) -> bool {
        let plausible = |key: &&str| self.value(key).is_some_and(|v| is_plausible(key, v));
        ["did", "key", "mac"].iter().filter(|key| plausible(key)).count() >= 2
    }

    /// What may be shown: model and vendor as they are, the maker's half of
    /// the mac, the last 2 digits of the did, the length of the key.
    pub fn masked(&self) -> Vec<Masked> {
        KEYS.into_iter()
            .filter_map(|key| {
                let value = self.value(key)?;
                let shown = match key {
                    _ if !is_plausible(key, value) => format!("{} bytes, unusual", value.len()),
                    "model" | "vendor" => String::from_utf8_lossy(value).into_owned(),
                    "mac" => format!("{}:**:**:**", String::from_utf8_lossy(&value[..8])),
                    "did" => {
                        let (hidden, last) = value.split_at(value.len() - 2);
                        "*".repeat(hidden.len()) + &String::from_utf8_lossy(last)
                    }
                    _ => format!("{} characters", value.len()),
                };
                Some(Masked { key, shown })
            })
            .collect()
    }
}

/// Compares without stopping at the first difference.
fn same_bytes(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len()
        && std::hint::black_box(a.iter().zip(b).fold(0, |d, (x, y)| d | (x ^ y))) == 0
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields: Vec<String> =
            self.masked().iter().map(|m| format!("{} {}", m.key, m.shown)).collect();
        f.write_str(&fields.join(", "))
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({self})")
    }
}

impl Serialize for Identity {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.masked().serialize(serializer)
    }
}
