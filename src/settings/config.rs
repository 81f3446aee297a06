//! The settings of `config.toml`: its sections as types with their defaults, and the reading of
//! the file. A broken file never costs the page: defaults apply, the error is reported with its
//! line, and nothing is deleted because of a default. What each value accepts is in `values`.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::fields::{CARD_ONLY, FIELDS};
use super::schedule::{Entry, Reboot, Table};
use super::values::{
    HostName, Keep, Label, Language, Level, LimitKib, MotionSeconds, Password, Prefix, Seconds,
    Server, TimeZone, Unlocked, WebHook,
};
use crate::card::file::read_bounded;
use crate::error::chain;
use crate::formats::document::{self, line_at};

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
    /// Names under which the page may be asked for, besides addresses and `*.local`.
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
