//! `hack.toml` as it is written, each field with its place in the file.

use super::super::Value;
use super::super::hack::{Prepare, Restart};
use crate::formats::toml::{At, Fault, Fields, Node, Read};

/// The whole file.
pub struct Raw {
    pub id: At<String>,
    pub name: Option<At<String>>,
    pub about: Option<At<String>>,
    pub exec: Option<At<Vec<At<String>>>>,
    /// Further programs, or all of them where there is no `exec` above.
    pub programs: Vec<(At<String>, RawProgram)>,
    pub enabled: bool,
    pub needs: Vec<At<String>>,
    pub fifos: Vec<At<String>>,
    pub restart: Restart,
    pub stop_seconds: Option<At<i64>>,
    pub prepare: Option<Prepare>,
    pub ready: Option<At<RawReady>>,
    pub limits: RawLimits,
    pub env: Vec<(At<String>, At<String>)>,
    pub settings: Vec<(At<String>, RawSetting)>,
}

/// `[programs.NAME]`.
pub struct RawProgram {
    pub exec: At<Vec<At<String>>>,
}

/// `[ready]`.
pub struct RawReady {
    pub port: Option<At<i64>>,
    pub port_setting: Option<At<String>>,
    pub file: Option<At<String>>,
    pub seconds: Option<At<i64>>,
}

/// `[limits]`.
#[derive(Default)]
pub struct RawLimits {
    pub open_files: Option<At<i64>>,
    pub nice: Option<At<i64>>,
    pub oom_score: Option<At<i64>>,
}

/// `[settings.NAME]`.
pub struct RawSetting {
    pub kind: RawKind,
    pub title: Option<At<String>>,
    pub help: Option<At<String>>,
    pub default: Option<At<Value>>,
    pub choices: Option<At<Vec<String>>>,
    pub min: Option<At<i64>>,
    pub max: Option<At<i64>>,
    pub min_length: Option<At<i64>>,
    pub max_length: Option<At<i64>>,
    pub max_items: Option<At<i64>>,
    pub secret: Option<At<bool>>,
    pub hashed: Option<At<bool>>,
    pub args: Option<At<Vec<At<String>>>>,
    pub file: Option<At<String>>,
}

/// `type`.
#[derive(Clone, Copy)]
pub enum RawKind {
    Bool,
    Enum,
    Integer,
    Text,
    Secret,
    List,
}

impl Read for Raw {
    fn read(node: Node) -> Result<Raw, Fault> {
        let mut of = Fields::known(
            node,
            &[
                "id",
                "name",
                "about",
                "exec",
                "programs",
                "enabled",
                "needs",
                "fifos",
                "restart",
                "stop_seconds",
                "prepare",
                "ready",
                "limits",
                "env",
                "settings",
            ],
        )?;
        Ok(Raw {
            id: of.required("id")?,
            name: of.optional("name")?,
            about: of.optional("about")?,
            exec: of.optional("exec")?,
            programs: of.or("programs", Vec::new())?,
            enabled: of.or("enabled", false)?,
            needs: of.or("needs", Vec::new())?,
            fifos: of.or("fifos", Vec::new())?,
            restart: of.or("restart", Restart::default())?,
            stop_seconds: of.optional("stop_seconds")?,
            prepare: of.optional("prepare")?,
            ready: of.optional("ready")?,
            limits: of.or("limits", RawLimits::default())?,
            env: of.or("env", Vec::new())?,
            settings: of.or("settings", Vec::new())?,
        })
    }
}

impl Read for RawProgram {
    fn read(node: Node) -> Result<RawProgram, Fault> {
        let mut of = Fields::known(node, &["exec"])?;
        Ok(RawProgram { exec: of.required("exec")? })
    }
}

impl Read for RawReady {
    fn read(node: Node) -> Result<RawReady, Fault> {
        let mut of = Fields::known(node, &["port", "port_setting", "file", "seconds"])?;
        Ok(RawReady {
            port: of.optional("port")?,
            port_setting: of.optional("port_setting")?,
            file: of.optional("file")?,
            seconds: of.optional("seconds")?,
        })
    }
}

impl Read for RawLimits {
    fn read(node: Node) -> Result<RawLimits, Fault> {
        let mut of = Fields::known(node, &["open_files", "nice", "oom_score"])?;
        Ok(RawLimits {
            open_files: of.optional("open_files")?,
            nice: of.optional("nice")?,
            oom_score: of.optional("oom_score")?,
        })
    }
}

impl Read for RawSetting {
    fn read(node: Node) -> Result<RawSetting, Fault> {
        let mut of = Fields::known(
            node,
            &[
                "type",
                "title",
                "help",
                "default",
                "choices",
                "min",
                "max",
                "min_length",
                "max_length",
                "max_items",
                "secret",
                "hashed",
                "args",
                "file",
            ],
        )?;
        Ok(RawSetting {
            kind: of.required("type")?,
            title: of.optional("title")?,
            help: of.optional("help")?,
            default: of.optional("default")?,
            choices: of.optional("choices")?,
            min: of.optional("min")?,
            max: of.optional("max")?,
            min_length: of.optional("min_length")?,
            max_length: of.optional("max_length")?,
            max_items: of.optional("max_items")?,
            secret: of.optional("secret")?,
            hashed: of.optional("hashed")?,
            args: of.optional("args")?,
            file: of.optional("file")?,
        })
    }
}

impl Read for RawKind {
    fn read(node: Node) -> Result<RawKind, Fault> {
        node.word(&[
            ("bool", RawKind::Bool),
            ("enum", RawKind::Enum),
            ("integer", RawKind::Integer),
            ("text", RawKind::Text),
            ("secret", RawKind::Secret),
            ("list", RawKind::List),
        ])
    }
}

impl Read for Restart {
    fn read(node: Node) -> Result<Restart, Fault> {
        node.word(&[
            ("always", Restart::Always),
            ("on-failure", Restart::OnFailure),
            ("never", Restart::Never),
        ])
    }
}

impl Read for Prepare {
    fn read(node: Node) -> Result<Prepare, Fault> {
        node.word(&[
            ("ssh", Prepare::Ssh),
            ("framegrabber", Prepare::Framegrabber),
            ("rtsp", Prepare::Rtsp),
        ])
    }
}
