//! The fields of `config.toml`: their names, values and purpose. How they are changed is in the
//! module above.

use serde::Serialize;

/// A field that the page draws with its own words.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Field {
    /// `section.name`.
    pub name: &'static str,
    /// How it is drawn, and what it takes.
    #[serde(flatten)]
    pub kind: FieldKind,
    /// Whether it counts only after a restart.
    pub restart: bool,
    /// What it is for.
    pub help: &'static str,
    /// What a new card shows of it.
    #[serde(skip)]
    pub shown: Shown,
}

impl Field {
    /// The section that it is in.
    pub fn section(&self) -> Option<&'static str> {
        self.name.split_once('.').map(|(section, _)| section)
    }
}

/// What a field takes.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum FieldKind {
    Bool,
    Integer {
        min: i64,
        max: i64,
    },
    Choice {
        choices: &'static [&'static str],
    },
    /// An empty one is the same as none.
    Text {
        optional: bool,
    },
    /// Never shown: what is set is masked.
    Secret,
    List,
}

/// What the file on a new card shows, as a comment.
#[derive(Clone, Copy, Debug)]
pub enum Shown {
    /// The default.
    Default,
    /// This value in TOML: there is no default, or it says nothing.
    Example(&'static str),
}

const fn field(
    name: &'static str,
    kind: FieldKind,
    shown: Shown,
    restart: bool,
    help: &'static str,
) -> Field {
    Field { name, kind, restart, help, shown }
}

use FieldKind::{Bool, Choice, Integer, List, Secret, Text};
use Shown::{Default, Example};

/// An optional text.
const TEXT: FieldKind = Text { optional: true };
/// A text that is always there.
const NEEDED: FieldKind = Text { optional: false };

/// The fields whose type is known here; a field that is missing is drawn by its value's type.
#[rustfmt::skip]
pub const FIELDS: &[Field] = &[
    field("web.listen", TEXT, Example("\"0.0.0.0:80\""), true,
        "Address and port of the page. Default: port 80, or 8080 if 80 is in use."),
    field("web.host_names", List, Example("[\"camera.example\"]"), false,
        "Names that open the page, in addition to IP addresses and *.local."),
    field("web.language", Choice { choices: &["auto", "en", "pt"] }, Default, false,
        "Language of the page: auto (same as the browser), en or pt."),
    field("backup.at_start", Bool, Default, false,
        "Back up at each start: read the chip, and save it if it changed."),
    field("backup.keep", Integer { min: 1, max: 1000 }, Default, false,
        "Number of backups to keep, 1 to 1000. The original backup of each identity is never \
         deleted."),
    field("flash.carry_wifi", Bool, Default, false,
        "Keep the WiFi settings when DATA is flashed."),
    field("log.level", Choice { choices: &["error", "warn", "info", "debug"] }, Default, false,
        "Log level: error, warn, info or debug."),
    field("log.limit_kib", Integer { min: 16, max: 16384 }, Default, true,
        "Size of each of the two log files on the card, in KiB: 16 to 16384."),
    field("camera.name", TEXT, Example("\"porch\""), false,
        "Name on the network: http://NAME.local/ opens the page. Default: mi360- and the end of \
         the WiFi address."),
    field("camera.mdns", Bool, Default, false,
        "Announce NAME.local on the network (mDNS)."),
    field("camera.set_clock", Bool, Default, false,
        "Set the clock from time servers."),
    field("camera.time_servers", List, Default, false,
        "Time servers."),
    field("camera.time_zone", NEEDED, Default, false,
        "Time zone in POSIX form, for example WET0WEST,M3.5.0/1,M10.5.0."),
    field("camera.block_cloud", Bool, Default, false,
        "Block the Xiaomi cloud. The Mi Home app then cannot reach the camera, and there are no \
         updates."),
    field("camera.hold_updates", Bool, Default, false,
        "Block Xiaomi updates. The camera will not update, even from the Mi Home app."),
    field("camera.schedule", List, Example("[\"daily 22:00 power off\", \"mon,tue 07:30 power on\", \"sun 04:30 restart\"]"), false,
        "Schedule in the camera's time zone, at most 32 entries: days, time and action (power on, power off, led on, led off, night auto, night day, night night, preset NUMBER, restart)."),
    field("camera.reboot", TEXT, Example("\"daily 04:30\""), false,
        "Scheduled restart in the form of earlier versions. An entry in schedule does the same."),
    field("camera.motion_seconds", Integer { min: 2, max: 600 }, Default, false,
        "Motion has ended after this many seconds without motion: 2 to 600."),
    field("camera.web_hook", TEXT, Example("\"http://192.168.1.2:8123/api/webhook/ID\""), false,
        "Address to which each event (motion, day, night, button) is sent as one POST with JSON. \
         Plain HTTP only. Default: none."),
    field("mqtt.broker", TEXT, Example("\"192.168.1.2\""), false,
        "MQTT broker: HOST, HOST:PORT or [IPv6]:PORT. Default: MQTT is off."),
    field("mqtt.user", NEEDED, Default, false,
        "MQTT user, if the broker needs one."),
    field("mqtt.password", Secret, Default, false,
        "MQTT password. Stored unencrypted; use a separate password."),
    field("mqtt.discovery_prefix", NEEDED, Default, false,
        "Discovery prefix of Home Assistant."),
    field("mqtt.picture_seconds", Integer { min: 0, max: 3600 }, Default, false,
        "Seconds between pictures for Home Assistant: 5 to 3600, or 0 for none."),
];

/// Fields that count only if they are on the card: a password of the page is not the card.
#[rustfmt::skip]
pub const CARD_ONLY: &[Field] = &[
    field("flash.unlock", List, Example("[\"BOOT\"]"), false,
        "Partitions that may be written from other sources than this camera's own backups: BOOT, \
         CONFIG, FACTORY. Dangerous."),
];
