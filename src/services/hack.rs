//! A hack after it was checked: `manifest` makes one of a `hack.toml`,
//! `original` one of a folder of the original hack.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::setting::Setting;
use super::template::Template;
use crate::sys::spawn::Limits;

/// One hack: a folder on the card.
#[derive(Clone, Debug)]
pub struct Hack {
    /// Its id: the folder's name.
    pub id: String,
    /// What it is called.
    pub name: String,
    /// What it is.
    pub about: String,
    /// Its folder.
    pub dir: PathBuf,
    /// Whether it runs where `config.toml` says nothing.
    pub enabled: bool,
    /// Ids of the hacks that must be ready before it starts.
    pub needs: Vec<String>,
    /// FIFOs made in its run folder before it starts.
    pub fifos: Vec<String>,
    /// What mi360d itself prepares before it starts.
    pub prepare: Option<Prepare>,
    /// Its settings, in the order of the form.
    pub settings: Vec<Setting>,
    /// What runs.
    pub programs: Vec<Program>,
    /// Whether it waits until its owner has switched it on himself once.
    pub confirm: bool,
    /// Why it can never run here.
    pub unavailable: Option<String>,
    /// Where it comes from.
    pub origin: Origin,
}

/// Where a hack comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// A folder with `hack.toml`.
    Hack,
    /// A folder of the original hack.
    Original,
    /// A folder whose `hack.toml` is broken.
    Broken,
}

/// What mi360d does itself before a hack starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Prepare {
    /// The SSH server's account, keys and terminals.
    Ssh,
    /// The original's program for this model, with its libraries.
    Framegrabber,
    /// The streams' password.
    Rtsp,
}

/// One program of a hack.
#[derive(Clone, Debug)]
pub struct Program {
    /// Its name; the hack's id where there is one program only.
    pub name: String,
    /// Its argument vector.
    pub exec: Vec<Template>,
    /// Arguments that are behind the others while a setting is given.
    pub optional: Vec<Optional>,
    /// Its environment, besides PATH and HOME.
    pub env: BTreeMap<String, Template>,
    /// Settings that are written into files of its run folder: (setting, file).
    pub files: Vec<(String, String)>,
    /// A script made in its run folder before it starts: (file, content).
    pub script: Option<(String, String)>,
    /// Its working folder; the hack's folder by default.
    pub dir: Option<PathBuf>,
    /// How it is known that it does its work.
    pub ready: Ready,
    /// When it is started again.
    pub restart: Restart,
    /// How long it has to end after TERM.
    pub stop: Duration,
    /// What it is held to.
    pub limits: Limits,
}

/// Arguments that depend on a setting.
#[derive(Clone, Debug)]
pub struct Optional {
    /// The setting.
    pub setting: String,
    /// What is appended while it is true, or not empty.
    pub args: Vec<Template>,
}

/// How it is known that a program does its work.
#[derive(Clone, Debug)]
pub enum Ready {
    /// As soon as it runs.
    Started,
    /// When somebody listens on a port.
    Port {
        /// The port, or the setting that says it.
        port: Port,
        /// How long that may take.
        within: Duration,
    },
    /// When a file is there.
    File {
        /// Its path.
        path: Template,
        /// How long that may take.
        within: Duration,
    },
}

/// A port of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Port {
    /// This one.
    Number(u16),
    /// The one that a setting says.
    Setting(String),
}

/// When a program is started again after it ended by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Restart {
    /// Whenever it ended.
    #[default]
    Always,
    /// When it did not end with status 0.
    OnFailure,
    /// Never.
    Never,
}

impl Hack {
    /// A hack of which nothing is known but what is wrong with it.
    pub fn broken(id: &str, dir: PathBuf) -> Hack {
        Hack {
            id: id.to_owned(),
            name: id.to_owned(),
            about: String::new(),
            dir,
            enabled: false,
            needs: Vec::new(),
            fifos: Vec::new(),
            prepare: None,
            settings: Vec::new(),
            programs: Vec::new(),
            confirm: false,
            unavailable: None,
            origin: Origin::Broken,
        }
    }
}

/// Whether a name can be an id, the name of a setting or of a FIFO: 1 to 40
/// letters, digits, `-` and `_`, beginning with a letter or digit.
pub fn is_name(name: &str) -> bool {
    let good = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    (1..=40).contains(&name.len())
        && name.bytes().all(good)
        && name.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric)
}
