//! The values of `config.toml`: one type for each kind of value, which accepts only what is valid
//! and says what it expected. Pure.

use serde::{Deserialize, Serialize};

use crate::network::{lookup, web_hook};

/// An address of plain HTTP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct WebHook(pub String);

impl TryFrom<String> for WebHook {
    type Error = String;
    fn try_from(address: String) -> Result<WebHook, String> {
        if web_hook::split(&address).is_none() {
            return Err("expected http://HOST/PATH or http://HOST:PORT/PATH; HTTPS is not \
                        supported"
                .to_owned());
        }
        Ok(WebHook(address))
    }
}

/// Seconds between two pictures: 0, or 5 to 3600. Each one stops the firmware's own camera program
/// from serving others for almost a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "i64")]
pub struct Seconds(pub u64);

impl Default for Seconds {
    fn default() -> Seconds {
        Seconds(60)
    }
}

impl TryFrom<i64> for Seconds {
    type Error = String;
    fn try_from(n: i64) -> Result<Seconds, String> {
        let seconds = in_range(n, 0, 3600)?;
        if matches!(seconds, 1..5) {
            return Err("expected 0, or a number from 5 to 3600".to_owned());
        }
        Ok(Seconds(seconds))
    }
}

/// Seconds of silence that end a motion, 2 to 600: while something moves, the detector sends a
/// message at least each 0.4 s.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "i64")]
pub struct MotionSeconds(pub u64);

impl TryFrom<i64> for MotionSeconds {
    type Error = String;
    fn try_from(n: i64) -> Result<MotionSeconds, String> {
        in_range(n, 2, 600).map(MotionSeconds)
    }
}

/// A password that must be readable; its `Debug` shows nothing of it.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Password(pub String);

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_empty() { "none" } else { "set" })
    }
}

/// The beginning of a topic: letters, digits, `-`, `_` and `/`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Prefix(pub String);

impl Default for Prefix {
    fn default() -> Prefix {
        Prefix("homeassistant".into())
    }
}

impl TryFrom<String> for Prefix {
    type Error = String;
    fn try_from(prefix: String) -> Result<Prefix, String> {
        let good = |b: u8| b.is_ascii_alphanumeric() || b"-_/".contains(&b);
        if prefix.is_empty() || prefix.len() > 60 || !prefix.bytes().all(good) {
            return Err("expected letters, digits, '-', '_' and '/'".to_owned());
        }
        Ok(Prefix(prefix))
    }
}

/// A host's name or address, and a port where it is not the usual one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Server(pub String);

impl TryFrom<String> for Server {
    type Error = String;
    fn try_from(server: String) -> Result<Server, String> {
        const EXPECTED: &str = "expected a host name or an address, and a port from 1 to 65535";
        // 0 says that none is named.
        let (host, port) = lookup::split(&server, 0).ok_or(EXPECTED)?;
        let host = if host.contains(':') {
            format!("[{host}]")
        } else {
            HostName::try_from(host.to_owned()).map_err(|_| EXPECTED)?.0
        };
        Ok(Server(if port == 0 { host } else { format!("{host}:{port}") }))
    }
}

/// One part of a host's name, in lower case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Label(pub String);

impl TryFrom<String> for Label {
    type Error = String;
    fn try_from(name: String) -> Result<Label, String> {
        let good = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        let edge = name.starts_with('-') || name.ends_with('-');
        if name.is_empty() || name.len() > 40 || edge || !name.bytes().all(good) {
            return Err("expected 1 to 40 letters, digits and '-'".to_owned());
        }
        Ok(Label(name.to_ascii_lowercase()))
    }
}

/// A time zone as POSIX writes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct TimeZone(pub String);

impl TryFrom<String> for TimeZone {
    type Error = String;
    fn try_from(zone: String) -> Result<TimeZone, String> {
        let good = |b: u8| b.is_ascii_alphanumeric() || b"<>+-,.:/".contains(&b);
        let long = zone.bytes().take_while(u8::is_ascii_alphabetic).count() >= 3;
        if zone.len() > 60 || !(long || zone.starts_with('<')) || !zone.bytes().all(good) {
            return Err("expected a time zone such as CET-1CEST,M3.5.0,M10.5.0/3".to_owned());
        }
        Ok(TimeZone(zone))
    }
}

/// A language of the page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// What the browser prefers.
    #[default]
    Auto,
    /// English.
    En,
    /// Portuguese.
    Pt,
}

/// The name of a partition that can be unlocked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Unlocked(pub String);

impl TryFrom<String> for Unlocked {
    type Error = String;
    fn try_from(name: String) -> Result<Unlocked, String> {
        if matches!(name.as_str(), "BOOT" | "CONFIG" | "FACTORY") {
            return Ok(Unlocked(name));
        }
        Err("expected BOOT, CONFIG or FACTORY".to_owned())
    }
}

/// How much is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Level {
    Error,
    Warn,
    Info,
    Debug,
}

impl From<Level> for log::LevelFilter {
    fn from(level: Level) -> log::LevelFilter {
        match level {
            Level::Error => log::LevelFilter::Error,
            Level::Warn => log::LevelFilter::Warn,
            Level::Info => log::LevelFilter::Info,
            Level::Debug => log::LevelFilter::Debug,
        }
    }
}

/// A number of sets, 1 to 1000.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "i64")]
pub struct Keep(pub usize);

impl TryFrom<i64> for Keep {
    type Error = String;
    fn try_from(n: i64) -> Result<Keep, String> {
        in_range(n, 1, 1000).map(|n| Keep(n as usize))
    }
}

/// A size in KiB, 16 to 16384.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "i64")]
pub struct LimitKib(pub u64);

impl TryFrom<i64> for LimitKib {
    type Error = String;
    fn try_from(n: i64) -> Result<LimitKib, String> {
        in_range(n, 16, 16384).map(LimitKib)
    }
}

fn in_range(n: i64, low: i64, high: i64) -> Result<u64, String> {
    match u64::try_from(n) {
        Ok(value) if (low..=high).contains(&n) => Ok(value),
        _ => Err(format!("expected a number from {low} to {high}")),
    }
}

/// A host name in lower case, as browsers send it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct HostName(pub String);

impl TryFrom<String> for HostName {
    type Error = String;
    fn try_from(name: String) -> Result<HostName, String> {
        let good = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'.';
        if name.is_empty() || name.len() > 253 || !name.bytes().all(good) {
            return Err("expected a host name".to_owned());
        }
        Ok(HostName(name.to_ascii_lowercase()))
    }
}
