//! `hack.toml` as it is written, each field with its place in the file.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use super::super::Value;
use super::super::hack::{Prepare, Restart};

/// The whole file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Raw {
    pub id: Spanned<String>,
    pub name: Option<Spanned<String>>,
    pub about: Option<Spanned<String>>,
    pub exec: Option<Spanned<Vec<Spanned<String>>>>,
    /// Further programs, or all of them where there is no `exec` above.
    #[serde(default)]
    pub programs: BTreeMap<Spanned<String>, RawProgram>,
    #[serde(default)]
    pub enabled: bool,
    #[serde(default)]
    pub needs: Vec<Spanned<String>>,
    #[serde(default)]
    pub fifos: Vec<Spanned<String>>,
    #[serde(default)]
    pub restart: Restart,
    pub stop_seconds: Option<Spanned<i64>>,
    pub prepare: Option<Prepare>,
    pub ready: Option<Spanned<RawReady>>,
    #[serde(default)]
    pub limits: RawLimits,
    #[serde(default)]
    pub env: BTreeMap<Spanned<String>, Spanned<String>>,
    #[serde(default)]
    pub settings: BTreeMap<Spanned<String>, RawSetting>,
}

/// `[programs.NAME]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawProgram {
    pub exec: Spanned<Vec<Spanned<String>>>,
}

/// `[ready]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawReady {
    pub port: Option<Spanned<i64>>,
    pub port_setting: Option<Spanned<String>>,
    pub file: Option<Spanned<String>>,
    pub seconds: Option<Spanned<i64>>,
}

/// `[limits]`.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawLimits {
    pub open_files: Option<Spanned<i64>>,
    pub nice: Option<Spanned<i64>>,
    pub oom_score: Option<Spanned<i64>>,
}

/// `[settings.NAME]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawSetting {
    #[serde(rename = "type")]
    pub kind: RawKind,
    pub title: Option<Spanned<String>>,
    pub help: Option<Spanned<String>>,
    pub default: Option<Spanned<Value>>,
    pub choices: Option<Spanned<Vec<String>>>,
    pub min: Option<Spanned<i64>>,
    pub max: Option<Spanned<i64>>,
    pub min_length: Option<Spanned<i64>>,
    pub max_length: Option<Spanned<i64>>,
    pub max_items: Option<Spanned<i64>>,
    pub secret: Option<Spanned<bool>>,
    pub hashed: Option<Spanned<bool>>,
    pub args: Option<Spanned<Vec<Spanned<String>>>>,
    pub file: Option<Spanned<String>>,
}

/// `type`.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RawKind {
    Bool,
    Enum,
    Integer,
    Text,
    Secret,
    List,
}
