//! `hack.toml` as it is written, each field with its place in the file.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
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
    #[serde(default, deserialize_with = "in_order")]
    pub programs: Vec<(Spanned<String>, RawProgram)>,
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
    #[serde(default, deserialize_with = "in_order")]
    pub env: Vec<(Spanned<String>, Spanned<String>)>,
    #[serde(default, deserialize_with = "in_order")]
    pub settings: Vec<(Spanned<String>, RawSetting)>,
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
#[serde(default, deny_unknown_fields)]
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
#[serde(rename_all = "lowercase")]
pub enum RawKind {
    Bool,
    Enum,
    Integer,
    Text,
    Secret,
    List,
}

/// A table whose names are the owner's, in the file's order.
fn in_order<'de, D, T>(from: D) -> Result<Vec<(Spanned<String>, T)>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    from.deserialize_map(InOrder(PhantomData))
}

struct InOrder<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for InOrder<T> {
    type Value = Vec<(Spanned<String>, T)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = Vec::new();
        while let Some(pair) = map.next_entry()? {
            found.push(pair);
        }
        Ok(found)
    }
}
