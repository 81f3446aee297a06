//! `config.toml`: what an owner may set, checked. A broken file never costs
//! the page: defaults apply, the fault is reported with its line, and
//! nothing is deleted on the strength of a default.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::fields::{CARD_ONLY, FIELDS};
use super::schedule::{Entry, Reboot, Table};
use crate::card::file::read_bounded;
use crate::error::chain;
use crate::formats::document::{self, line_at};
use crate::network::{lookup, web_hook};

/// The longest file read, in bytes.
const LIMIT: u64 = 0x1_0000;

/// All settings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The page.
    pub web: Web,
    /// Backups.
    pub backup: Backup,
    /// Flashing.
    pub flash: Flash,
    /// The log.
    pub log: Log,
    /// The camera on its network.
    pub camera: OnNetwork,
    /// Home Assistant.
    pub mqtt: Mqtt,
    /// `[hacks.ID]`: [`crate::services::config`] reads it, since only the hacks know
    /// their settings. Never shown with the rest: there are secrets in it.
    #[serde(skip_serializing)]
    pub hacks: Hacks,
}

/// `[camera]`.
#[allow(clippy::struct_excessive_bools)] // each is a switch of the form
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OnNetwork {
    /// Its name on the network; by default `mi360-` and the end of the WiFi's address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Label>,
    /// Whether `NAME.local` is answered to.
    pub mdns: bool,
    /// Whether the clock is set by a time server.
    pub set_clock: bool,
    /// The servers that are asked for the time.
    pub time_servers: Vec<Server>,
    /// The time zone for hacks, in POSIX form: `WET0WEST,M3.5.0/1,M10.5.0`.
    pub time_zone: TimeZone,
    /// Whether the vendor's cloud is blocked, by name and by address: then its app no longer works.
    pub block_cloud: bool,
    /// Whether the vendor's updater is paused: then there are no fixes from the vendor either.
    pub hold_updates: bool,
    /// What the camera does by itself, and when.
    pub schedule: Table,
    /// A restart, as earlier versions wrote it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reboot: Option<Reboot>,
    /// After how many seconds without a message motion has ended.
    pub motion_seconds: MotionSeconds,
    /// Where each event is sent; by default nowhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub web_hook: Option<WebHook>,
}

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

impl Default for OnNetwork {
    fn default() -> OnNetwork {
        OnNetwork {
            name: None,
            mdns: true,
            set_clock: true,
            time_servers: ["0.pool.ntp.org", "1.pool.ntp.org"].map(|s| Server(s.into())).into(),
            time_zone: TimeZone("UTC0".into()),
            block_cloud: false,
            hold_updates: false,
            schedule: Table::default(),
            reboot: None,
            motion_seconds: MotionSeconds(10),
            web_hook: None,
        }
    }
}

impl OnNetwork {
    /// Whom to ask for the time; nobody where that is switched off.
    pub fn time_servers(&self) -> Vec<String> {
        let servers = self.time_servers.iter().take(8).map(|name| name.0.clone());
        if self.set_clock { servers.collect() } else { Vec::new() }
    }

    /// The whole table of times.
    pub fn times(&self) -> Vec<Entry> {
        self.schedule.0.iter().cloned().chain(self.reboot.as_ref().map(Reboot::entry)).collect()
    }
}

/// `[mqtt]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Mqtt {
    /// The broker; without one there is no MQTT.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub broker: Option<Server>,
    /// The user, if the broker wants one.
    pub user: String,
    /// His password.
    pub password: Password,
    /// The prefix under which Home Assistant looks for devices.
    pub discovery_prefix: Prefix,
    /// Seconds from one picture to the next; 0: none are sent.
    pub picture_seconds: Seconds,
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

/// A part of the file that is checked elsewhere.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "BTreeMap<String, toml::Value>")]
pub struct Hacks;

impl From<BTreeMap<String, toml::Value>> for Hacks {
    fn from(_: BTreeMap<String, toml::Value>) -> Hacks {
        Hacks
    }
}

/// `[web]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Web {
    /// Address and port; by default 0.0.0.0:80, or 8080 where 80 is taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[serde(deserialize_with = "address")]
    pub listen: Option<std::net::SocketAddr>,
    /// Names under which the page may be asked for, beside addresses and `*.local`.
    pub host_names: Vec<HostName>,
    /// The page's language.
    pub language: Language,
}

fn address<'de, D>(from: D) -> Result<Option<std::net::SocketAddr>, D::Error>
where
    D: serde::Deserializer<'de>,
{
    let parsed = String::deserialize(from)?.parse();
    parsed.map(Some).map_err(|_| serde::de::Error::custom("expected a socket address"))
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

/// `[backup]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Backup {
    /// Whether the chip is read, and saved if it changed, at each start.
    pub at_start: bool,
    /// Sets to keep next to the pristine one, 1 to 1000.
    pub keep: Keep,
}

impl Default for Backup {
    fn default() -> Backup {
        Backup { at_start: true, keep: Keep(5) }
    }
}

/// `[flash]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Flash {
    /// Partitions that may be written from elsewhere than this camera's own
    /// backups: BOOT, CONFIG, FACTORY (that one with its own identity only).
    pub unlock: Vec<Unlocked>,
    /// Whether the WiFi settings are carried over when DATA is flashed.
    pub carry_wifi: bool,
}

impl Default for Flash {
    fn default() -> Flash {
        Flash { unlock: Vec::new(), carry_wifi: true }
    }
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

/// `[log]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// `error`, `warn`, `info` or `debug`.
    pub level: Level,
    /// KiB of one log file, 16 to 16384; there are two.
    pub limit_kib: LimitKib,
}

impl Default for Log {
    fn default() -> Log {
        Log { level: Level::Info, limit_kib: LimitKib(256) }
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

/// What was read, and what was wrong with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// The settings in force.
    pub config: Config,
    /// Why they are defaults, in words with the line; `None` where all is well.
    pub problem: Option<String>,
}

/// Reads a file; one that is missing means defaults.
pub fn load(path: &Path) -> Loaded {
    let with_problem =
        |problem: String| Loaded { config: Config::default(), problem: Some(problem) };
    match read_bounded(path, LIMIT + 1) {
        Ok(text) if text.len() as u64 > LIMIT => {
            with_problem(format!("{} is longer than {LIMIT} bytes", path.display()))
        }
        // What FAT leaves of a file after a power cut; it may have asked to keep more.
        Ok(text) if text.iter().all(|b| matches!(b, 0 | b' ' | b'\r' | b'\n')) => {
            with_problem("the file is empty: write the settings again, or remove it".to_owned())
        }
        Ok(text) => match parse(&text) {
            Ok(config) => Loaded { config, problem: None },
            Err(problem) => with_problem(problem),
        },
        Err(e) if e.source.kind() == std::io::ErrorKind::NotFound => Loaded::default(),
        Err(e) => with_problem(chain(&e)),
    }
}

/// Parses settings.
///
/// # Errors
/// The first thing that is wrong: line, field, reason.
pub fn parse(text: &[u8]) -> Result<Config, String> {
    let text = std::str::from_utf8(text)
        .map_err(|e| format!("line {}: it is not UTF-8", line_at(text, e.valid_up_to())))?;
    // Notepad puts a byte order mark in front.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    document::from_toml(text).map_err(|fault| {
        let source = text.lines().nth(fault.line - 1).unwrap_or_default();
        format!("line {}{}: {}", fault.line, field(source), fault.message)
    })
}

/// The field or the section that a line is about, if it is one of ours. Never anything else of the
/// line: it may be a piece of a password, and what is said here is shown to everybody.
fn field(line: &str) -> String {
    let line = line.trim();
    let name = match line.split_once('=') {
        Some((name, _)) => name.trim(),
        None if line.starts_with('[') => line,
        None => return String::new(),
    };
    let bare = name.trim_matches(['[', ']']);
    let mut fields = FIELDS.iter().chain(CARD_ONLY);
    let is_ours = fields.any(|field| field.name.split('.').any(|part| part == bare));
    if is_ours { format!(", '{name}'") } else { String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_full_table_and_the_older_restart_any_one_can_be_deleted_and_the_rest_kept() {
        let lines = vec!["\"daily 22:00 power off\""; 32].join(", ");
        let text = format!("[camera]\nreboot = \"sun 04:30\"\nschedule = [{lines}]");
        let times = parse(text.as_bytes()).unwrap().camera.times();
        assert_eq!((times.len(), &times[32].0[..]), (33, "sun 04:30 restart"));
        // As the page writes it.
        for at in [0, 32] {
            let mut rest = times.clone();
            rest.remove(at);
            assert!(Table::try_from(rest).is_ok());
        }
    }

    #[test]
    fn an_empty_file_means_defaults() {
        assert_eq!(parse(b"").unwrap(), Config::default());
        assert_eq!(
            parse("\u{feff}[backup]\r\nkeep = 7\r\n".as_bytes()).unwrap().backup.keep,
            Keep(7)
        );
    }

    #[test]
    fn a_server_may_be_a_name_or_an_address_of_either_kind() {
        for (set, kept) in [
            ("Broker.local", "broker.local"),
            ("10.0.0.2:1884", "10.0.0.2:1884"),
            ("[::1]:1883", "[::1]:1883"),
            ("fd00::2", "[fd00::2]"),
        ] {
            let config = parse(format!("[mqtt]\nbroker = \"{set}\"").as_bytes());
            assert_eq!(config.unwrap().mqtt.broker, Some(Server(kept.into())), "{set}");
        }
        for set in ["", "a b", "broker:0", "broker:x", "[::1", "mqtt://broker"] {
            let problem = parse(format!("[mqtt]\nbroker = \"{set}\"").as_bytes()).unwrap_err();
            assert!(problem.contains("'broker'"), "{set}: {problem}");
        }
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        let cases = [
            ("[backup]\nkep = 3", "line 2", "kep"),
            ("[backup]\nkeep = 0", "line 2, 'keep'", "from 1 to 1000"),
            ("[backup]\nkeep = -1", "line 2, 'keep'", "from 1 to 1000"),
            ("[backup]\nkeep = \"five\"", "line 2, 'keep'", "expected"),
            ("\n\n[bakcup]", "line 3", "bakcup"),
            ("[log]\nlevel = \"loud\"", "line 2, 'level'", "`error`"),
            ("[web]\nlisten = \"here\"", "line 2, 'listen'", "socket address"),
            ("[web]\nhost_names = [\"a b\"]", "line 2, 'host_names'", "host name"),
            ("[camera]\nmotion_seconds = 1", "line 2, 'motion_seconds'", "from 2 to 600"),
            ("[camera]\nschedule = [\"daily 25:00 led on\"]", "line 2, 'schedule'", "a time"),
            ("[camera]\nschedule = [\n\"daily 05:00 led on\",\n\"x\"]", "line 4", "days"),
            ("[camera]\nreboot = \"daily\"", "line 2, 'reboot'", "daily 04:30"),
            ("[web\n", "line 1", "[web"),
        ];
        for (text, line, word) in cases {
            let problem = parse(text.as_bytes()).unwrap_err();
            assert!(problem.contains(line) && problem.contains(word), "{text:?}: {problem}");
        }
    }

    #[test]
    fn a_value_is_never_shown() {
        for text in [
            "rtsp_password = \"hunter2\"",
            "[backup]\nkeep = \"hunter2\"",
            "[log]\nlevel = \"hunter2\"",
            "[web]\nlisten = \"hunter2\"",
            "[web]\nhost_names = [\"hunter2 \"]",
            "password = hunter2",
            "password = 'hunter2",
            "hunter2",
            "[web]\nhost_names = [\n\"x y\", \"hunter2\"\n]",
            "[backup]\nat_start = \"hunter2\"",
        ] {
            let problem = parse(text.as_bytes()).unwrap_err();
            assert!(!problem.contains("hunter2"), "{text:?}: {problem}");
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic() {
        proptest::proptest!(|(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200))| {
            let _ = parse(&bytes);
        });
    }
}
