//! Typed settings of a hack, and their values: checked here, and passed on
//! unchanged. Pure.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserializer, Error, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};

use super::ssh::crypt;

/// Bytes that a text or a secret may have.
pub const TEXT_LIMIT: usize = 4096;
/// Items that a list may have.
pub const LIST_LIMIT: usize = 64;

/// A value. Its `Debug` shows no text: that may be a secret.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Value {
    /// Yes or no.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// Text, a secret, or one of several words.
    Text(String),
    /// Several texts.
    List(Vec<String>),
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Bool(b) => write!(f, "{b}"),
            Value::Integer(n) => write!(f, "{n}"),
            Value::Text(text) => write!(f, "text of {} bytes", text.len()),
            Value::List(items) => write!(f, "list of {}", items.len()),
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Value, D::Error> {
        from.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("true or false, a whole number, a text or a list of texts")
    }

    fn visit_bool<E: Error>(self, b: bool) -> Result<Value, E> {
        Ok(Value::Bool(b))
    }

    fn visit_i64<E: Error>(self, n: i64) -> Result<Value, E> {
        Ok(Value::Integer(n))
    }

    fn visit_u64<E: Error>(self, n: u64) -> Result<Value, E> {
        let whole = i64::try_from(n).map(Value::Integer);
        whole.map_err(|_| E::custom("expected a number up to 9223372036854775807"))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut texts = Vec::new();
        while let Some(text) = items.next_element()? {
            texts.push(text);
        }
        Ok(Value::List(texts))
    }
}

impl Value {
    /// As one argument; a list cannot be one.
    pub fn as_argument(&self) -> Option<String> {
        match self {
            Value::Bool(b) => Some(b.to_string()),
            Value::Integer(n) => Some(n.to_string()),
            Value::Text(text) => Some(text.clone()),
            Value::List(_) => None,
        }
    }

    /// Whether a setting's extra arguments are wanted: yes, or anything that is not empty.
    pub fn is_given(&self) -> bool {
        match self {
            Value::Bool(b) => *b,
            Value::Integer(_) => true,
            Value::Text(text) => !text.is_empty(),
            Value::List(items) => !items.is_empty(),
        }
    }
}

/// What values a setting takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SettingKind {
    /// Yes or no.
    Bool,
    /// One of these words.
    Enum(Vec<String>),
    /// A whole number.
    Integer {
        /// The least.
        min: i64,
        /// The most.
        max: i64,
    },
    /// Text.
    Text {
        /// The most bytes.
        max_length: usize,
    },
    /// Text that is never shown again.
    Secret {
        /// The least bytes of one that is set.
        min_length: usize,
        /// The most bytes.
        max_length: usize,
        /// Whether only its SHA-512 crypt hash is kept.
        hashed: bool,
    },
    /// Several texts.
    List {
        /// The most items.
        max_items: usize,
        /// Whether they are never shown again.
        secret: bool,
    },
}

impl SettingKind {
    /// The name in `hack.toml` and in the API.
    pub fn name(&self) -> &'static str {
        match self {
            SettingKind::Bool => "bool",
            SettingKind::Enum(_) => "enum",
            SettingKind::Integer { .. } => "integer",
            SettingKind::Text { .. } => "text",
            SettingKind::Secret { .. } => "secret",
            SettingKind::List { .. } => "list",
        }
    }

    /// Whether its values are never shown.
    pub fn is_secret(&self) -> bool {
        matches!(self, SettingKind::Secret { .. } | SettingKind::List { secret: true, .. })
    }

    /// What a setting without a default holds.
    pub fn empty(&self) -> Value {
        match self {
            SettingKind::Bool => Value::Bool(false),
            SettingKind::Enum(words) => Value::Text(words.first().cloned().unwrap_or_default()),
            SettingKind::Integer { min, max } => Value::Integer(0.clamp(*min, *max)),
            SettingKind::Text { .. } | SettingKind::Secret { .. } => Value::Text(String::new()),
            SettingKind::List { .. } => Value::List(Vec::new()),
        }
    }

    /// Whether it takes a value; what is wrong is said without the value.
    ///
    /// # Errors
    /// What was expected.
    pub fn check(&self, value: &Value) -> Result<(), String> {
        match (self, value) {
            (SettingKind::Bool, Value::Bool(_)) => Ok(()),
            (SettingKind::Enum(words), Value::Text(word)) if words.contains(word) => Ok(()),
            (SettingKind::Integer { min, max }, Value::Integer(n)) if (min..=max).contains(&n) => {
                Ok(())
            }
            (SettingKind::Text { max_length }, Value::Text(text)) => check_text(text, *max_length),
            (SettingKind::Secret { hashed: true, .. }, Value::Text(text))
                if crypt::is_hash(text) =>
            {
                Ok(())
            }
            (SettingKind::Secret { min_length, max_length, .. }, Value::Text(text)) => {
                if !text.is_empty() && text.len() < *min_length {
                    return Err(format!("expected at least {min_length} bytes"));
                }
                check_text(text, *max_length)
            }
            (SettingKind::List { max_items, .. }, Value::List(items)) => {
                if items.len() > *max_items {
                    return Err(format!("expected at most {max_items} items"));
                }
                items.iter().try_for_each(|item| check_text(item, TEXT_LIMIT))
            }
            _ => Err(self.expected()),
        }
    }

    fn expected(&self) -> String {
        match self {
            SettingKind::Bool => "expected true or false".into(),
            SettingKind::Enum(words) => format!("expected one of: {}", words.join(", ")),
            SettingKind::Integer { min, max } => format!("expected a number from {min} to {max}"),
            SettingKind::Text { .. } | SettingKind::Secret { .. } => "expected a text".into(),
            SettingKind::List { .. } => "expected a list of texts".into(),
        }
    }
}

fn check_text(text: &str, max_length: usize) -> Result<(), String> {
    if text.len() > max_length {
        return Err(format!("expected at most {max_length} bytes"));
    }
    if text.contains('\0') {
        return Err("expected no NUL character".into());
    }
    Ok(())
}

/// One setting of a hack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Its name in `config.toml`.
    pub name: String,
    /// What the form calls it.
    pub title: String,
    /// What is below it.
    pub help: String,
    /// What values it takes.
    pub kind: SettingKind,
    /// What holds until one is set.
    pub default: Value,
}

/// Stands for a secret that is set; sent back, it changes nothing.
pub const MASK: &str = "********";

/// Values as they are kept: masked secrets are left out, and those of which only
/// a hash is kept are hashed.
///
/// # Errors
/// Name and reason where one cannot be hashed.
pub fn to_keep(settings: &[Setting], sent: &Values) -> Result<Values, (String, String)> {
    let mut kept = Values::new();
    for (name, value) in sent {
        let kind = settings.iter().find(|setting| setting.name == *name).map(|s| &s.kind);
        let masked = match value {
            Value::Text(text) => text == MASK,
            Value::List(items) => items.iter().any(|item| item == MASK),
            _ => false,
        };
        if masked && kind.is_some_and(SettingKind::is_secret) {
            continue;
        }
        let value = match (kind, value) {
            (Some(SettingKind::Secret { hashed: true, .. }), Value::Text(text))
                if !text.is_empty() =>
            {
                // What looks like a hash is a password like any other here.
                let hash = crypt::hash_password(text).map_err(|reason| (name.clone(), reason))?;
                Value::Text(hash)
            }
            _ => value.clone(),
        };
        kept.insert(name.clone(), value);
    }
    Ok(kept)
}

/// What the API and the page show of a setting.
#[derive(Clone, Debug, Serialize)]
pub struct SettingView {
    /// Its name.
    pub name: String,
    /// What the form calls it.
    pub label: String,
    /// What is below it.
    pub help: String,
    /// `bool`, `enum`, `integer`, `text`, `secret` or `list`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Whether its value is never shown.
    pub secret: bool,
    /// The words of an `enum`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<String>,
    /// The least `integer`, or bytes of a `secret`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min: Option<i64>,
    /// The most: of an `integer`, or bytes of a text, or items of a list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<i64>,
    /// What holds until one is set; none of a secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<Value>,
    /// What holds now; none of a secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
    /// Whether something other than the default is set.
    pub set: bool,
}

impl Setting {
    /// How it is shown with the values in force.
    pub fn view(&self, values: &Values) -> SettingView {
        let length = |n: usize| i64::try_from(n).ok();
        let (choices, min, max) = match &self.kind {
            SettingKind::Bool => (Vec::new(), None, None),
            SettingKind::Enum(words) => (words.clone(), None, None),
            SettingKind::Integer { min, max } => (Vec::new(), Some(*min), Some(*max)),
            SettingKind::Text { max_length } => (Vec::new(), None, length(*max_length)),
            SettingKind::Secret { min_length, max_length, .. } => {
                (Vec::new(), length(*min_length), length(*max_length))
            }
            SettingKind::List { max_items, .. } => (Vec::new(), None, length(*max_items)),
        };
        let value = values.get(&self.name).unwrap_or(&self.default);
        let shown = !self.kind.is_secret();
        SettingView {
            name: self.name.clone(),
            label: self.title.clone(),
            help: self.help.clone(),
            kind: self.kind.name(),
            secret: !shown,
            choices,
            min,
            max,
            default: shown.then(|| self.default.clone()),
            value: shown.then(|| value.clone()),
            set: *value != self.default,
        }
    }
}

/// Values by the names of their settings.
pub type Values = BTreeMap<String, Value>;

/// The values in force: what is set, checked, and the defaults of the rest.
///
/// # Errors
/// Name and reason of the first that is wrong, or that no setting has.
pub fn in_force(settings: &[Setting], set: &Values) -> Result<Values, (String, String)> {
    for name in set.keys() {
        if !settings.iter().any(|setting| setting.name == *name) {
            let known: Vec<&str> = settings.iter().map(|s| s.name.as_str()).collect();
            let known = if known.is_empty() { "none".into() } else { known.join(", ") };
            return Err((name.clone(), format!("there is no such setting; there are: {known}")));
        }
    }
    let mut values = Values::new();
    for setting in settings {
        let value = set.get(&setting.name).unwrap_or(&setting.default);
        setting.kind.check(value).map_err(|reason| (setting.name.clone(), reason))?;
        values.insert(setting.name.clone(), value.clone());
    }
    Ok(values)
}
