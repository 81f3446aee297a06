//! Folders of the original hack (telmomarques/xiaomi-360-1080p-hacks): found,
//! run as they are, and switched through their own files, so that a card keeps
//! working with either program. `script` says what is changed in what they run.

mod files;
mod script;

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::Value as Json;

use super::error::ServiceError;
use super::found::{Found, Stamp, stamp};
use super::hack::{Hack, Origin, Program, Ready, Restart};
use super::setting::{LIST_LIMIT, Setting, SettingKind, Value, Values};
use super::template::Template;
use super::{World, manifest};
use crate::card::file::read_bounded;
use crate::error::chain;
use crate::sys::spawn::Limits;

/// Run scripts of one folder that are checked.
const MANY: usize = 16;
/// Never started: ours take their place.
const REPLACED: [(&str, &str); 2] = [
    ("web-config", "mi360d's own page replaces it: this one has no login"),
    ("runit", "mi360d supervises the hacks itself"),
];
/// Known not to listen on the network.
const QUIET: [&str; 2] = ["motor-control", "framegrabber"];

/// The hack of the original in a folder, if one is there. `beside_own`: the
/// folder holds a `hack.toml` too, which has the id.
pub fn find(dir: &Path, name: &str, beside_own: bool, world: &World) -> Option<Found> {
    let id = if beside_own { format!("{name}-original") } else { name.to_owned() };
    let service = dir.join("meta/service");
    if let Some((_, reason)) = REPLACED.iter().find(|(replaced, _)| *replaced == name) {
        let mut hack = hack(&id, name, dir);
        hack.unavailable = Some((*reason).to_owned());
        return Some(Found { hack, fault: None, stamp: Stamp::new() });
    }
    if !service.is_dir() {
        return None;
    }
    let mut scripts: Vec<String> = fs::read_dir(&service)
        .ok()?
        .flatten()
        .filter(|entry| entry.path().is_file())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|script| !script.starts_with('.'))
        .collect();
    scripts.sort();
    scripts.truncate(MANY);

    let mut hack = hack(&id, name, dir);
    hack.enabled = service.join(".enable").exists();
    hack.confirm = !QUIET.contains(&name);
    hack.settings = settings(dir, name);
    let mut stamps = vec![stamp(&service.join(".enable")), stamp(&files::meta(dir))];
    for script in &scripts {
        let path = service.join(script);
        stamps.push(stamp(&path));
        let text = match read_bounded(&path, manifest::LIMIT as u64) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(e) => {
                hack.unavailable = Some(chain(&e));
                continue;
            }
        };
        match script::rewrite(&text, name, world) {
            Ok(text) => hack.programs.push(program(name, script, text, dir)),
            Err(reason) => hack.unavailable = Some(format!("{script}: {reason}")),
        }
    }
    if hack.unavailable.is_some() {
        hack.programs.clear();
    }
    Some(Found { hack, fault: None, stamp: stamps })
}

fn hack(id: &str, name: &str, dir: &Path) -> Hack {
    Hack {
        name: format!("{name} (original hack)"),
        about: "A folder of the original hack, run as it is. Turning it on or off here changes \
            its own files."
            .into(),
        origin: Origin::Original,
        ..Hack::broken(id, dir.to_owned())
    }
}

fn program(name: &str, script: &str, text: String, dir: &Path) -> Program {
    let file = format!("{script}.sh");
    let path = Template::run_dir().followed_by(&format!("/{file}"));
    Program {
        name: if script == "run" { name.to_owned() } else { script.to_owned() },
        exec: vec![Template::literal("/bin/sh"), path],
        optional: Vec::new(),
        env: std::collections::BTreeMap::new(),
        files: Vec::new(),
        script: Some((file, text)),
        dir: Some(dir.to_owned()),
        ready: Ready::Started,
        restart: Restart::Always,
        stop: Duration::from_secs(5),
        limits: Limits { open_files: 256, nice: 5, oom_score: 500 },
    }
}

/// The form that goes with a hack's `meta/config/config.json`.
fn settings(dir: &Path, name: &str) -> Vec<Setting> {
    let Ok(config) = files::read(dir) else { return Vec::new() };
    let setting = |key: &str, title: &str, help: &str, kind: SettingKind| Setting {
        name: key.to_owned(),
        title: title.to_owned(),
        help: help.to_owned(),
        default: kind.empty(),
        kind,
    };
    let of = |(key, value): (&String, &Json)| match (name, key.as_str(), value) {
        (_, "enable", _) => None,
        ("rtsp-server", "encodingType", _) => Some(setting(
            key,
            "Encoding",
            "h264 or h265; this also changes the camera's own encoder.",
            SettingKind::Enum(vec!["h264".into(), "h265".into()]),
        )),
        ("ssh-server", "users", _) => Some(setting(
            key,
            "Users",
            "One NAME:PASSWORD per line. All of them are root. Saving replaces all of them.",
            SettingKind::List { max_items: LIST_LIMIT, secret: true },
        )),
        (_, _, Json::Bool(_)) => Some(setting(key, key, "", SettingKind::Bool)),
        (_, _, Json::String(_)) => {
            Some(setting(key, key, "", SettingKind::Text { max_length: 256 }))
        }
        (_, _, Json::Number(n)) if n.is_i64() => {
            Some(setting(key, key, "", SettingKind::Integer { min: i64::MIN, max: i64::MAX }))
        }
        _ => None,
    };
    config.iter().filter_map(of).collect()
}

/// What its own file holds now.
pub fn values(hack: &Hack) -> Values {
    let Ok(config) = files::read(&hack.dir) else { return Values::new() };
    let mut values = Values::new();
    for setting in &hack.settings {
        let value = match config.get(&setting.name) {
            Some(Json::Bool(b)) => Value::Bool(*b),
            Some(Json::String(text)) => Value::Text(text.clone()),
            Some(Json::Number(n)) => Value::Integer(n.as_i64().unwrap_or_default()),
            Some(Json::Array(items)) => Value::List(items.iter().map(Json::to_string).collect()),
            _ => continue,
        };
        values.insert(setting.name.clone(), value);
    }
    values
}

/// Writes what is wished into the hack's own files.
///
/// # Errors
/// [`ServiceError`] where one of them is not as the original makes it.
pub fn put(hack: &Hack, enabled: Option<bool>, settings: &Values) -> Result<(), ServiceError> {
    let dir = &hack.dir;
    if settings.is_empty() && !files::meta(dir).exists() {
        return files::enable(dir, enabled);
    }
    let mut config = files::read(dir)?;
    for (name, value) in settings {
        let value = match value {
            Value::Bool(b) => Json::Bool(*b),
            Value::Integer(n) => Json::from(*n),
            Value::Text(text) => Json::String(text.clone()),
            Value::List(items) if name == "users" => files::users(items)?,
            Value::List(items) => Json::from(items.clone()),
        };
        config.insert(name.clone(), value);
    }
    if let (Some(enabled), true) = (enabled, config.contains_key("enable")) {
        config.insert("enable".into(), Json::Bool(enabled));
    }
    files::write(dir, &config)?;
    files::enable(dir, enabled)
}
