//! Settings changed from outside: fields of `config.toml`, named and typed; changed one by one
//! with the owner's comments kept; saved to one file and restored from one.

use std::path::Path;

use serde::Serialize;
use serde_json::{Map, Value, json};
use thiserror::Error;
use toml_edit::DocumentMut;

use super::{Camera, controls, services};
use crate::settings::config::{self, Config};
use crate::settings::edit::{leaves, lookup, set};
pub use crate::settings::fields::{CARD_ONLY, FIELDS, Field, FieldKind};

use crate::card::CardError;
use crate::card::file::{read_bounded, replace};
use crate::error::{Code, Exit, Explain, FailureKind, chain};
use crate::formats::document;
use crate::network::zone;

/// The longest file that is read or written, in bytes.
const LIMIT: u64 = 0x1_0000;
/// Stands for a secret that is set; sent back, it changes nothing.
pub const MASK: &str = "********";
/// The format of a settings file.
const FORMAT: u32 = 1;

/// Settings that are not taken.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// A field is unknown or wrong.
    #[error("{field}: {reason}")]
    Field {
        /// `section.name`.
        field: String,
        /// Why.
        reason: String,
    },
    /// It is no settings file.
    #[error("this is not a settings file of mi360d: {0}")]
    NotOurs(String),
    /// The file on the card cannot be read as it is.
    #[error("config.toml has an error: {0}")]
    Broken(String),
    /// The card.
    #[error(transparent)]
    Card(#[from] CardError),
}

impl SettingsError {
    /// The field that is wrong.
    pub fn field(&self) -> Option<&str> {
        match self {
            SettingsError::Field { field, .. } => Some(field),
            _ => None,
        }
    }
}

impl Explain for SettingsError {
    fn code(&self) -> Code {
        match self {
            SettingsError::Field { .. } => Code::Setting,
            SettingsError::NotOurs(_) => Code::SettingsFile,
            SettingsError::Broken(_) => Code::Config,
            SettingsError::Card(e) => e.code(),
        }
    }

    fn hint(&self) -> String {
        match self {
            SettingsError::Field { .. } => {
                "Nothing was saved. Correct this field, then save \
                again."
            }
            SettingsError::NotOurs(_) => "Choose a file that this page exported.",
            SettingsError::Broken(_) => "Correct or remove mi360d/config.toml on the card.",
            SettingsError::Card(e) => return e.hint(),
        }
        .to_owned()
    }

    fn kind(&self) -> FailureKind {
        match self {
            SettingsError::Field { .. } | SettingsError::NotOurs(_) => FailureKind::Invalid,
            SettingsError::Card(e) => e.kind(),
            SettingsError::Broken(_) => FailureKind::Refused,
        }
    }

    fn exit(&self) -> Exit {
        match self {
            SettingsError::Card(e) => e.exit(),
            _ => Exit::Refused,
        }
    }
}

/// What came of a change.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Changed {
    /// The fields that are different now.
    pub changed: Vec<String>,
    /// Of these, the ones that count after a restart.
    pub restart: Vec<String>,
    /// What was left out, and why; of a settings file only.
    pub ignored: Vec<String>,
    /// The hacks that have their settings again; of a settings file only.
    pub services: Vec<String>,
}

/// The settings as a document.
fn value_of(config: &Config) -> Value {
    serde_json::to_value(config).unwrap_or_default()
}

/// The settings in force; secrets are masked.
pub fn shown(camera: &Camera) -> Value {
    let mut document = value_of(&camera.state().settings.config);
    mask(&mut document);
    document
}

/// Changes the fields that are given, all or none; what is not named stays.
///
/// # Errors
/// [`SettingsError`], naming the field.
pub fn change(camera: &Camera, wanted: &Map<String, Value>) -> Result<Changed, SettingsError> {
    apply(camera, wanted, false)
}

/// All settings as one file, those of the hacks too; secrets stay here.
pub fn export(camera: &Camera) -> Value {
    let mut document = value_of(&camera.state().settings.config);
    without_secrets(&mut document);
    let services: Map<String, Value> = services::list(camera)
        .services
        .iter()
        .filter(|service| service.available)
        .map(|service| {
            let set = service.settings.iter().filter(|setting| setting.set);
            let set: Map<String, Value> = set
                .filter_map(|setting| Some((setting.name.clone(), json!(setting.value.as_ref()?))))
                .collect();
            (service.id.clone(), json!({ "enabled": service.enabled, "settings": set }))
        })
        .collect();
    json!({
        "mi360d_settings": FORMAT,
        "program": env!("CARGO_PKG_VERSION"),
        "config": document,
        "services": services,
    })
}

/// Takes a file of [`export`], also another version's: what this one does not know or does not
/// take is left out, and said.
///
/// # Errors
/// [`SettingsError`] where it is no such file, or the card fails.
pub fn import(camera: &Camera, file: &Value) -> Result<Changed, SettingsError> {
    let not_ours = |why: &str| SettingsError::NotOurs(why.to_owned());
    if !file.get("mi360d_settings").is_some_and(Value::is_u64) {
        return Err(not_ours("it has no mi360d_settings"));
    }
    let config = file.get("config").and_then(Value::as_object);
    let mut done = apply(camera, config.ok_or_else(|| not_ours("it has no config"))?, true)?;
    for (id, wanted) in file.get("services").and_then(Value::as_object).into_iter().flatten() {
        let taken = document::from_value(wanted)
            .map_err(|e| e.message)
            .and_then(|put: services::Put| services::put(camera, id, &put).map_err(|e| chain(&e)));
        match taken {
            Ok(_) => done.services.push(id.clone()),
            Err(reason) => done.ignored.push(format!("{id}: {reason}")),
        }
    }
    Ok(done)
}

fn apply(
    camera: &Camera,
    wanted: &Map<String, Value>,
    leave_out: bool,
) -> Result<Changed, SettingsError> {
    let held = crate::services::config::lock();
    let path = camera.settings_path();
    let text = current(&path)?;
    let mut document: DocumentMut = text
        .parse()
        .map_err(|e: toml_edit::TomlError| SettingsError::Broken(e.message().into()))?;
    let before = value_of(&config::parse(text.as_bytes()).map_err(SettingsError::Broken)?);
    let mut done = Changed::default();
    for (name, new) in leaves(wanted) {
        if new == Value::String(MASK.to_owned()) || lookup(&before, &name) == Some(&new) {
            continue;
        }
        let undo = document.clone();
        let allowed = if CARD_ONLY.iter().any(|field| field.name == name) {
            Err("this can only be set in config.toml on the card".to_owned())
        } else if name.split('.').next() == Some("hacks") {
            // Only the hack knows what it takes.
            Err("a hack's settings are set at /api/v1/services".to_owned())
        } else {
            Ok(())
        };
        let allowed = allowed.and_then(|()| match (name.as_str(), new.as_str()) {
            // The file may name one that counts as UTC, and is not refused for that as a whole.
            ("camera.time_zone", Some(zone)) if !zone::is_zone(zone) => {
                Err("expected a time zone such as CET-1CEST,M3.5.0,M10.5.0/3".to_owned())
            }
            _ => Ok(()),
        });
        let tried = allowed
            .and_then(|()| set(&mut document, &name, &new))
            .and_then(|()| config::parse(document.to_string().as_bytes()).map(|_| ()));
        match tried {
            Ok(()) => {}
            Err(reason) if leave_out => {
                done.ignored.push(format!("{name}: {}", plain(&reason)));
                document = undo;
            }
            Err(reason) => {
                return Err(SettingsError::Field { field: name, reason: plain(&reason) });
            }
        }
    }
    let text = document.to_string();
    let config = config::parse(text.as_bytes()).map_err(SettingsError::Broken)?;
    let after = value_of(&config);
    for (name, new) in leaves(after.as_object().unwrap_or(&Map::new())) {
        if lookup(&before, &name) != Some(&new) {
            done.changed.push(name);
        }
    }
    for (name, _) in leaves(before.as_object().unwrap_or(&Map::new())) {
        if lookup(&after, &name).is_none() {
            done.changed.push(name);
        }
    }
    let restarts = |name: &&String| FIELDS.iter().any(|f| f.restart && f.name == name.as_str());
    done.restart = done.changed.iter().filter(restarts).cloned().collect();
    if !done.changed.is_empty() {
        camera.card().require_writable()?;
        replace(&path, text.as_bytes())?;
        drop(held);
        log::info!("settings changed: {}", done.changed.join(", "));
        in_force(camera, config);
    }
    Ok(done)
}

/// The new settings count from now on, as far as they can without a restart.
fn in_force(camera: &Camera, config: Config) {
    log::set_max_level(config.log.level.into());
    controls::set_silence(camera, config.camera.motion_seconds.0);
    let mut state = camera.state();
    state.settings.config = config;
    state.settings.problem = None;
    drop(state);
    services::reload(camera);
}

fn current(path: &Path) -> Result<String, SettingsError> {
    let text = match read_bounded(path, LIMIT) {
        Ok(text) => text,
        Err(e) if e.source.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(e) => return Err(e.into()),
    };
    let text = String::from_utf8(text).map_err(|e| SettingsError::Broken(chain(&e)))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text).trim_end_matches('\0');
    Ok(text.to_owned())
}

/// The words of [`config::parse`] without the line and field, which are named apart.
fn plain(reason: &str) -> String {
    match reason.split_once(": ") {
        Some((place, words)) if place.starts_with("line ") => words.to_owned(),
        _ => reason.to_owned(),
    }
}

fn is_secret(key: &str) -> bool {
    // A web hook's address is all that its server asks for.
    ["password", "secret", "token", "web_hook"].iter().any(|word| key.contains(word))
}

fn mask(document: &mut Value) {
    each_secret(document, &mut |value| {
        if value.as_str().is_some_and(|text| !text.is_empty()) {
            *value = Value::String(MASK.to_owned());
        }
    });
}

fn without_secrets(document: &mut Value) {
    each_secret(document, &mut |value| *value = Value::String(MASK.to_owned()));
}

fn each_secret(document: &mut Value, change: &mut dyn FnMut(&mut Value)) {
    if let Some(map) = document.as_object_mut() {
        for (key, value) in map {
            if value.is_string() && is_secret(key) {
                change(value);
            } else {
                each_secret(value, change);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_masked_wherever_they_stand() {
        let mut document = json!({"mqtt": {"password": "hunter2", "host": "h", "user": {"api_token": "x"}}, "camera": {"web_hook": "http://h/x"}});
        mask(&mut document);
        assert!(
            !document.to_string().contains("hunter2") && !document.to_string().contains("\"x\"")
        );
        assert_eq!(document["mqtt"]["host"], "h");
        assert_eq!(document["camera"]["web_hook"], MASK);
    }
}
