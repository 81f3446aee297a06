//! `[hacks.ID]` of `config.toml`: read with the rest of it, and written back so
//! that comments and all other lines stay as they are.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Deserialize;
use toml_edit::{DocumentMut, Item, Table};

use super::error::ServiceError;
use super::setting::{Value, Values};
use crate::card::file::{read_bounded, replace};
use crate::error::chain;
use crate::formats::document;

/// The longest file, in bytes.
const LIMIT: u64 = 0x1_0000;

/// What `config.toml` says of one hack.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HackConfig {
    /// Whether it should run; by default its own file decides.
    pub enabled: Option<bool>,
    /// Values, not checked yet: only the hack knows its settings.
    #[serde(default)]
    pub settings: Values,
}

/// The part of the file that is read here.
#[derive(Deserialize)]
struct File {
    #[serde(default)]
    hacks: BTreeMap<String, toml::Value>,
}

/// All of `[hacks]`; what is wrong with one hack's part is that hack's alone.
pub type HacksConfig = BTreeMap<String, Result<HackConfig, String>>;

/// Reads `[hacks]`.
///
/// # Errors
/// Why the file as a whole cannot be understood.
pub fn read(path: &Path) -> Result<HacksConfig, String> {
    let bytes = match read_bounded(path, LIMIT) {
        Ok(bytes) => bytes,
        Err(e) if e.source.kind() == std::io::ErrorKind::NotFound => return Ok(HacksConfig::new()),
        Err(e) => return Err(chain(&e)),
    };
    of_text(&String::from_utf8_lossy(&bytes))
}

fn of_text(text: &str) -> Result<HacksConfig, String> {
    let file: File = document::from_toml(text.strip_prefix('\u{feff}').unwrap_or(text))
        .map_err(|_| "config.toml is not valid".to_owned())?;
    let one = |(id, value): (String, toml::Value)| {
        let config = value.try_into().map_err(|_| {
            format!("[hacks.{id}] in config.toml accepts only 'enabled' and [hacks.{id}.settings]")
        });
        (id, config)
    };
    Ok(file.hacks.into_iter().map(one).collect())
}

/// Held while `config.toml` is read, changed and written back.
static FILE: Mutex<()> = Mutex::new(());

/// Keeps `config.toml` from being changed by two at once.
pub fn lock() -> MutexGuard<'static, ()> {
    FILE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes what is to hold for one hack; what is not said stays.
///
/// # Errors
/// [`ServiceError::Config`] where the file cannot be understood: it is the
/// owner's, and nothing in it is thrown away.
pub fn store(
    path: &Path,
    id: &str,
    enabled: Option<bool>,
    settings: &Values,
) -> Result<(), ServiceError> {
    let _held = lock();
    let text = match read_bounded(path, LIMIT + 1) {
        Ok(bytes) if bytes.len() as u64 > LIMIT => {
            return Err(ServiceError::Config("it is too long".into()));
        }
        Ok(bytes) => {
            String::from_utf8(bytes).map_err(|_| ServiceError::Config("it is not UTF-8".into()))?
        }
        Err(e) if e.source.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(e) => return Err(e.into()),
    };
    let changed = change(&text, id, enabled, settings)?;
    replace(path, changed.as_bytes())?;
    Ok(())
}

/// The file with one hack changed. Pure.
///
/// # Errors
/// As [`store`].
pub fn change(
    text: &str,
    id: &str,
    enabled: Option<bool>,
    settings: &Values,
) -> Result<String, ServiceError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut document: DocumentMut = text.parse().map_err(|e: toml_edit::TomlError| {
        let before = &text.as_bytes()[..e.span().map_or(0, |span| span.start).min(text.len())];
        let line = before.split(|b| *b == b'\n').count();
        ServiceError::Config(format!("line {line} is not valid"))
    })?;
    let wrong = || ServiceError::Config(format!("hacks.{id} is not a table"));
    let hacks = table(document.as_table_mut(), "hacks", true).ok_or_else(wrong)?;
    let hack = table(hacks, id, false).ok_or_else(wrong)?;
    if let Some(enabled) = enabled {
        put(hack, "enabled", enabled.into());
    }
    if !settings.is_empty() {
        let table = table(hack, "settings", false).ok_or_else(wrong)?;
        for (name, value) in settings {
            put(table, name, written(value));
        }
    }
    Ok(document.to_string())
}

/// A table within a table, made where it is not there.
fn table<'a>(within: &'a mut Table, name: &str, implicit: bool) -> Option<&'a mut Table> {
    let item = within.entry(name).or_insert_with(|| {
        let mut fresh = Table::new();
        fresh.set_implicit(implicit);
        Item::Table(fresh)
    });
    if let Item::Value(toml_edit::Value::InlineTable(inline)) = item {
        *item = Item::Table(std::mem::take(inline).into_table());
    }
    item.as_table_mut()
}

/// Changes a value, and leaves the comment behind it.
fn put(table: &mut Table, name: &str, mut value: toml_edit::Value) {
    let Some(item) = table.get_mut(name) else {
        table.insert(name, Item::Value(value));
        return;
    };
    if let Some(old) = item.as_value() {
        *value.decor_mut() = old.decor().clone();
    }
    // The key stays, with the comment above it.
    *item = Item::Value(value);
}

fn written(value: &Value) -> toml_edit::Value {
    match value {
        Value::Bool(b) => (*b).into(),
        Value::Integer(n) => (*n).into(),
        Value::Text(text) => text.as_str().into(),
        Value::List(items) => items.iter().map(String::as_str).collect::<toml_edit::Array>().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str) -> Values {
        Values::from([("name".to_owned(), Value::Text(text.to_owned()))])
    }

    #[test]
    fn comments_and_all_other_lines_stay() {
        let text =
            "# mine\n[backup]\nkeep = 7 # seven\n\n[hacks.cam]\n# why\nenabled = false # off\n";
        let changed = change(text, "cam", Some(true), &Values::new()).unwrap();
        assert_eq!(changed, text.replace("enabled = false", "enabled = true"));
        let more = change(&changed, "other", Some(false), &values("x")).unwrap();
        assert!(more.starts_with(&changed), "{more}");
        assert!(more.contains("[hacks.other]\nenabled = false"), "{more}");
        assert!(more.contains("[hacks.other.settings]\nname = \"x\""), "{more}");
        let inline = change("hacks = { a = { enabled = true } }\n", "a", Some(false), &values("y"));
        let read: toml::Table = toml::from_str(&inline.unwrap()).unwrap();
        assert_eq!(read["hacks"]["a"]["enabled"].as_bool(), Some(false));
        assert_eq!(read["hacks"]["a"]["settings"]["name"].as_str(), Some("y"));
    }

    #[test]
    fn a_broken_file_is_left_alone() {
        for text in ["[hacks", "hacks = 3", "[hacks]\ncam = true"] {
            change(text, "cam", Some(true), &Values::new()).unwrap_err();
        }
    }

    #[test]
    fn any_text_comes_back_as_it_was() {
        proptest::proptest!(|(text in "\\PC*|[\n\"'\\\\;$(){}#]*")| {
            let changed = change("", "cam", None, &values(&text)).unwrap();
            let read: toml::Table = toml::from_str(&changed).unwrap();
            let there = &read["hacks"]["cam"]["settings"]["name"];
            proptest::prop_assert_eq!(there.as_str(), Some(text.as_str()));
            let hacks = of_text(&changed).unwrap();
            proptest::prop_assert_eq!(&hacks["cam"].as_ref().unwrap().settings, &values(&text));
        });
    }
}
