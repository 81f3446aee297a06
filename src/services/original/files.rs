//! The original hack's own files: `meta/service/.enable`,
//! `meta/config/config.json` (what its page set) and `config/config.json` (what
//! its program reads, the same without `enable`).

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value as Json, json};

use super::super::error::ServiceError;
use super::super::ssh::crypt;
use crate::card::fat;
use crate::card::file::{make_dir, read_bounded, replace, sync_dir};
use crate::formats::document;

/// The longest config.json, in bytes.
const LIMIT: u64 = 0x1_0000;

/// What the original's page set.
pub fn meta(dir: &Path) -> PathBuf {
    dir.join("meta/config/config.json")
}

/// Reads it.
///
/// # Errors
/// [`ServiceError`] where it is not there, or no JSON object.
pub fn read(dir: &Path) -> Result<Map<String, Json>, ServiceError> {
    let path = meta(dir);
    let bytes = read_bounded(&path, LIMIT)?;
    let wrong = |reason: &str| ServiceError::Original { path: path.clone(), reason: reason.into() };
    match document::from_json(&bytes) {
        Ok(Json::Object(config)) => Ok(config),
        Ok(_) => Err(wrong("it is not a JSON object")),
        Err(e) => Err(wrong(&format!("line {}: it is not JSON", e.line))),
    }
}

/// Writes both files.
///
/// # Errors
/// [`ServiceError::Card`].
pub fn write(dir: &Path, config: &Map<String, Json>) -> Result<(), ServiceError> {
    let text = |config: &Map<String, Json>| format!("{:#}\n", json!(config));
    replace(&meta(dir), text(config).as_bytes())?;
    let mut theirs = config.clone();
    theirs.remove("enable");
    if !theirs.is_empty() {
        make_dir(&dir.join("config"))?;
        replace(&dir.join("config/config.json"), text(&theirs).as_bytes())?;
    }
    Ok(())
}

/// Makes or removes `.enable`.
///
/// # Errors
/// [`ServiceError::Card`].
pub fn enable(dir: &Path, enabled: Option<bool>) -> Result<(), ServiceError> {
    let folder = dir.join("meta/service");
    let file = folder.join(".enable");
    let failed = |e| crate::card::CardError::new("cannot change", &file, e);
    match enabled {
        Some(true) if !file.exists() => {
            fs::File::create(&file).and_then(|f| f.sync_all()).map_err(failed)?;
            sync_dir(&folder)?;
        }
        Some(false) if file.exists() => {
            fat::remove_file(&file)?;
        }
        _ => {}
    }
    Ok(())
}

/// The SSH users as the original's dropbear reads them, from `NAME:PASSWORD`.
///
/// # Errors
/// [`ServiceError::Setting`]; a blank password is one.
pub fn users(items: &[String]) -> Result<Json, ServiceError> {
    let wrong =
        |reason: &str| ServiceError::Setting { name: "users".into(), reason: reason.into() };
    let mut users = Vec::new();
    for item in items {
        let (name, password) =
            item.split_once(':').ok_or_else(|| wrong("each user is NAME:PASSWORD"))?;
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        if name.is_empty() || name.len() > 32 || !name.bytes().all(plain) {
            return Err(wrong("a user's name is 1 to 32 letters, digits, '-' and '_'"));
        }
        let hash = crypt::hash_password(password).map_err(|reason| wrong(&reason))?;
        users.push(json!({ "systemUsername": "root", "username": name, "password": hash }));
    }
    Ok(Json::Array(users))
}
