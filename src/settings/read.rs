//! How the settings read themselves from `config.toml`: every field by its name, and defaults
//! where one is missing.

use super::config::{
    Backup, Config, Flash, Hacks, HostName, Keep, Label, Language, Level, LimitKib, Log, Mqtt,
    OnNetwork, Password, Prefix, Server, TimeZone, Unlocked, Web,
};
use super::restart::Plan;
use crate::formats::toml::{Fault, Fields, Node, Read};

impl Read for Config {
    fn read(node: Node) -> Result<Config, Fault> {
        let names = &["web", "backup", "flash", "log", "camera", "mqtt", "hacks"];
        let mut of = Fields::known(node, names)?;
        Ok(Config {
            web: of.or("web", Web::default())?,
            backup: of.or("backup", Backup::default())?,
            flash: of.or("flash", Flash::default())?,
            log: of.or("log", Log::default())?,
            camera: of.or("camera", OnNetwork::default())?,
            mqtt: of.or("mqtt", Mqtt::default())?,
            hacks: of.or("hacks", Hacks)?,
        })
    }
}

impl Read for OnNetwork {
    fn read(node: Node) -> Result<OnNetwork, Fault> {
        let names = &[
            "name",
            "mdns",
            "set_clock",
            "time_servers",
            "time_zone",
            "block_cloud",
            "hold_updates",
            "reboot",
        ];
        let mut of = Fields::known(node, names)?;
        let usual = OnNetwork::default();
        Ok(OnNetwork {
            name: of.optional("name")?,
            mdns: of.or("mdns", usual.mdns)?,
            set_clock: of.or("set_clock", usual.set_clock)?,
            time_servers: of.or("time_servers", usual.time_servers)?,
            time_zone: of.or("time_zone", usual.time_zone)?,
            block_cloud: of.or("block_cloud", usual.block_cloud)?,
            hold_updates: of.or("hold_updates", usual.hold_updates)?,
            reboot: of.optional("reboot")?,
        })
    }
}

impl Read for Mqtt {
    fn read(node: Node) -> Result<Mqtt, Fault> {
        let mut of = Fields::known(node, &["broker", "user", "password", "discovery_prefix"])?;
        Ok(Mqtt {
            broker: of.optional("broker")?,
            user: of.or("user", String::new())?,
            password: Password(of.or("password", String::new())?),
            discovery_prefix: of.or("discovery_prefix", Prefix::default())?,
        })
    }
}

impl Read for Web {
    fn read(node: Node) -> Result<Web, Fault> {
        let mut of = Fields::known(node, &["listen", "host_names", "language"])?;
        Ok(Web {
            listen: of.optional::<Listen>("listen")?.map(|listen| listen.0),
            host_names: of.or("host_names", Vec::new())?,
            language: of.or("language", Language::default())?,
        })
    }
}

struct Listen(std::net::SocketAddr);

impl TryFrom<String> for Listen {
    type Error = String;
    fn try_from(text: String) -> Result<Listen, String> {
        text.parse().map(Listen).map_err(|_| "expected a socket address".to_owned())
    }
}

impl Read for Backup {
    fn read(node: Node) -> Result<Backup, Fault> {
        let mut of = Fields::known(node, &["at_start", "keep"])?;
        let usual = Backup::default();
        Ok(Backup {
            at_start: of.or("at_start", usual.at_start)?,
            keep: of.or("keep", usual.keep)?,
        })
    }
}

impl Read for Flash {
    fn read(node: Node) -> Result<Flash, Fault> {
        let mut of = Fields::known(node, &["unlock", "carry_wifi"])?;
        let usual = Flash::default();
        Ok(Flash {
            unlock: of.or("unlock", usual.unlock)?,
            carry_wifi: of.or("carry_wifi", usual.carry_wifi)?,
        })
    }
}

impl Read for Log {
    fn read(node: Node) -> Result<Log, Fault> {
        let mut of = Fields::known(node, &["level", "limit_kib"])?;
        let usual = Log::default();
        Ok(Log {
            level: of.or("level", usual.level)?,
            limit_kib: of.or("limit_kib", usual.limit_kib)?,
        })
    }
}

impl Read for Language {
    fn read(node: Node) -> Result<Language, Fault> {
        node.word(&[("auto", Language::Auto), ("en", Language::En), ("pt", Language::Pt)])
    }
}

impl Read for Level {
    fn read(node: Node) -> Result<Level, Fault> {
        node.word(&[
            ("error", Level::Error),
            ("warn", Level::Warn),
            ("info", Level::Info),
            ("debug", Level::Debug),
        ])
    }
}

impl Read for Hacks {
    fn read(node: Node) -> Result<Hacks, Fault> {
        Fields::any(node).map(|_| Hacks)
    }
}

/// Types that check a text or a number themselves.
macro_rules! checked {
    ($from:ty: $($name:ty),*) => {
        $(impl Read for $name {
            fn read(node: Node) -> Result<$name, Fault> {
                node.checked::<$from, $name>()
            }
        })*
    };
}

checked!(String: HostName, Label, Listen, Plan, Prefix, Server, TimeZone, Unlocked);
checked!(i64: Keep, LimitKib);
