//! The commands of the command line, each with its arguments and options as types.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::programmer::Device;

/// A command and its arguments.
#[derive(Debug)]
#[allow(missing_docs)]
#[cfg_attr(not(feature = "pc"), allow(dead_code))]
pub enum Command {
    Help(Option<String>),
    Version,
    Run {
        config: Option<PathBuf>,
        listen: Option<SocketAddr>,
    },
    Demo {
        dir: Option<PathBuf>,
        listen: Option<SocketAddr>,
    },
    SimCreate {
        dir: PathBuf,
        model: Option<String>,
        from: Option<PathBuf>,
    },
    Map,
    Facts,
    Backup,
    Backups,
    Verify {
        set: OsString,
    },
    Inspect {
        file: PathBuf,
    },
    Rtsp(RtspArgs),
    Assemble {
        own: PathBuf,
        donor: PathBuf,
        out: PathBuf,
        factory: Option<PathBuf>,
        damaged_factory: bool,
    },
    Recover {
        files: Vec<PathBuf>,
        out: PathBuf,
        factory: Option<PathBuf>,
    },
    Redact {
        dump: PathBuf,
        out: PathBuf,
    },
    Programmer {
        action: ProgrammerAction,
        device: Device,
    },
    Passwd,
    Plan {
        source: OsString,
        only: Option<Vec<String>>,
        did: Option<String>,
    },
    Flash {
        file: PathBuf,
        choice: Choice,
    },
    Restore {
        set: OsString,
        choice: Choice,
    },
    Resume,
}

/// The action of `programmer`.
#[derive(Debug)]
#[allow(missing_docs)]
#[cfg_attr(not(feature = "pc"), allow(dead_code))]
pub enum ProgrammerAction {
    Status,
    Read { dir: PathBuf },
    Write { image: PathBuf, choice: Choice },
}

/// The options of `flash` and `restore`, in addition to their source.
#[derive(Debug, Default)]
pub struct Choice {
    /// `--only`, taken apart.
    pub only: Option<Vec<String>>,
    /// `--confirm`.
    pub confirm: Option<String>,
    /// `--did`.
    pub did: Option<String>,
}

/// The options of `rtsp`.
#[derive(Debug, Default)]
pub struct RtspArgs {
    /// `--stream NAME=PATH`, in order.
    pub streams: Vec<(String, OsString)>,
    /// `--listen ADDRESS:PORT`.
    pub listen: Option<SocketAddr>,
    /// `--password-file FILE`.
    pub password_file: Option<PathBuf>,
    /// `--basic`.
    pub basic: bool,
    /// `--viewers N`.
    pub viewers: Option<usize>,
    /// `--audio PATH`.
    pub audio: Option<PathBuf>,
    /// `--snapshot PATH`.
    pub snapshot: Option<PathBuf>,
    /// `--speaker PATH`.
    pub speaker: Option<PathBuf>,
    /// `--sound g711|l16|off`.
    pub sound: Option<String>,
    /// `--firmware`.
    pub firmware: bool,
}

impl Default for Command {
    fn default() -> Command {
        Command::Help(None)
    }
}
