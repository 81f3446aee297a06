//! The fields of `config.toml` that the page draws: their names, what they take, what they
//! are for. How they are changed is in the module above.

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
    /// Never shown; what is set stands as [`MASK`].
    Secret,
    List,
}

const fn field(name: &'static str, kind: FieldKind, restart: bool, help: &'static str) -> Field {
    Field { name, kind, restart, help }
}

/// The fields whose type is known here; a field that is missing is drawn by its value's type.
pub const FIELDS: &[Field] = &[
    field(
        "web.listen",
        FieldKind::Text { optional: true },
        true,
        "Address and port of the page; empty: port 80, or 8080 where that is taken.",
    ),
    field(
        "web.host_names",
        FieldKind::List,
        false,
        "Names under which a browser may ask for the page, beside addresses and *.local.",
    ),
    field(
        "web.language",
        FieldKind::Choice { choices: &["auto", "en", "pt"] },
        false,
        "Language of the page; auto: what the browser prefers.",
    ),
    field(
        "backup.at_start",
        FieldKind::Bool,
        false,
        "Read the chip at each start, and save it if it changed.",
    ),
    field(
        "backup.keep",
        FieldKind::Integer { min: 1, max: 1000 },
        false,
        "Backups that stay beside the first one of each identity.",
    ),
    field(
        "flash.carry_wifi",
        FieldKind::Bool,
        false,
        "When DATA is flashed, carry the WiFi settings over.",
    ),
    field(
        "camera.name",
        FieldKind::Text { optional: true },
        false,
        "Its name on the network; empty: mi360- and the end of the WiFi's address.",
    ),
    field("camera.mdns", FieldKind::Bool, false, "Answer to NAME.local."),
    field("camera.set_clock", FieldKind::Bool, false, "Set the clock by a time server."),
    field("camera.time_servers", FieldKind::List, false, "Who is asked for the time."),
    field(
        "camera.time_zone",
        FieldKind::Text { optional: false },
        false,
        "As POSIX writes it: WET0WEST,M3.5.0/1,M10.5.0.",
    ),
    field(
        "camera.block_cloud",
        FieldKind::Bool,
        false,
        "No way to the vendor's hosts: then his app no longer works.",
    ),
    field(
        "camera.hold_updates",
        FieldKind::Bool,
        false,
        "The vendor's updater is kept still: then nothing of his is corrected either.",
    ),
    field(
        "camera.reboot",
        FieldKind::Text { optional: true },
        false,
        "When the camera restarts by itself: daily 04:30, or mon 04:30; empty: never.",
    ),
    field(
        "mqtt.broker",
        FieldKind::Text { optional: true },
        false,
        "Host name or address, and :port unless it is 1883. Leave empty for no MQTT.",
    ),
    field("mqtt.user", FieldKind::Text { optional: false }, false, "If the broker wants one."),
    field("mqtt.password", FieldKind::Secret, false, "Of that user."),
    field(
        "mqtt.discovery_prefix",
        FieldKind::Text { optional: false },
        false,
        "Where Home Assistant looks for devices.",
    ),
    field(
        "log.level",
        FieldKind::Choice { choices: &["error", "warn", "info", "debug"] },
        false,
        "How much is logged.",
    ),
    field(
        "log.limit_kib",
        FieldKind::Integer { min: 16, max: 16384 },
        true,
        "KiB of one log file on the card; there are two.",
    ),
];
