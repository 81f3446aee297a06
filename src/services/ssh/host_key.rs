//! The camera's own SSH key: made once by the server's own program, kept on the
//! card, shown by its fingerprint.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::super::private::write_private;
use super::keys::{fingerprint, strings};
use crate::card::file::{make_dir, replace};
use crate::error::Chain;

/// The longest key file, in bytes.
const LIMIT: u64 = 4096;
const KIND: &[u8] = b"ssh-ed25519";

/// Makes sure that there is a key, and puts it into memory for the server.
///
/// # Errors
/// The reason, in words, if there is none.
pub fn ensure(folder: &Path, program: &Path, memory: &Path) -> Result<PathBuf, String> {
    let path = folder.join("host_key");
    let in_memory = memory.join("host_key");
    let kept = super::files::read_small(&path, LIMIT)?;
    if let Some(key) = kept.filter(|key| public(key).is_some()) {
        write_private(&in_memory, &key, 0o600)?;
        return Ok(in_memory);
    }
    let left = super::files::read_small(&in_memory, LIMIT).ok().flatten();
    if let Some(key) = left.filter(|key| public(key).is_some()) {
        keep(&path, &key);
        return Ok(in_memory);
    }
    let _ = fs::remove_file(&in_memory);
    let made = Command::new(program)
        .args(["dropbearkey", "-t", "ed25519", "-f"])
        .arg(&in_memory)
        .stdin(Stdio::null())
        .output()
        .map_err(|e| format!("{} cannot be started: {e}", program.display(), e = Chain(&e)))?;
    let key = super::files::read_small(&in_memory, LIMIT)?.unwrap_or_default();
    if !made.status.success() || public(&key).is_none() {
        let said = String::from_utf8_lossy(&made.stderr);
        return Err(format!("no host key was made: {}", said.lines().last().unwrap_or_default()));
    }
    keep(&path, &key);
    Ok(in_memory)
}

/// A card that cannot be written costs a new key at the next start, not the server.
fn keep(path: &Path, key: &[u8]) {
    let kept = path.parent().map_or(Ok(()), make_dir).and_then(|()| replace(path, key));
    if let Err(e) = kept {
        log::warn!("the SSH host key is lost at power-off: {e}", e = Chain(&e));
    }
}

/// The fingerprint of the key on the card, if there is one.
pub fn shown(folder: &Path) -> Option<String> {
    let key = super::files::read_small(&folder.join("host_key"), LIMIT).ok()??;
    public(&key).map(|blob| fingerprint(&blob))
}

/// The public half of dropbear's key file: the type, then 32 secret bytes and 32
/// public ones, each a string of RFC 4251.
fn public(key: &[u8]) -> Option<Vec<u8>> {
    let parts = strings(key)?;
    let [KIND, pair] = parts.as_slice() else { return None };
    let public = pair.get(32..64).filter(|_| pair.len() == 64)?;
    let mut blob = Vec::new();
    for part in [KIND, public] {
        blob.extend_from_slice(&u32::try_from(part.len()).ok()?.to_be_bytes());
        blob.extend_from_slice(part);
    }
    Some(blob)
}
