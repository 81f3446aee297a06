//! Preparation of the SSH server: an account whose home and shell
//! work on a read-only ROOTFS, keys, a host key that is made once, terminals.
//! The server itself is Debian's dropbear (docs/ssh.md).

pub mod crypt;
mod files;
pub mod host_key;
pub mod keys;

pub use files::folder;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use nix::mount::{MsFlags, mount};

use super::World;
use super::private::write_private;
use super::setting::{Value, Values};
use crate::card::file::make_private_dir;
use crate::error::{Chain, chain};

/// Shells that root may have, the first that is there.
const SHELLS: [&str; 2] = ["/bin/sh", "/bin/ash"];
/// What a login shell reads first.
const PROFILE: &str = "export PATH=/usr/sbin:/usr/bin:/sbin:/bin:/mnt/data/bin\n\
                       PS1='\\u@\\h:\\w# '\n[ ! -d /mnt/sdcard ] || cd /mnt/sdcard\n";

/// The folder in memory that the server works in. Its path is built into the
/// server for `sftp-server`.
fn memory(world: &World) -> PathBuf {
    world.run.parent().unwrap_or(&world.run).join("ssh")
}

/// Prepares what the server needs, and adds its options.
///
/// # Errors
/// Why it cannot be started, in words.
pub fn prepare(
    world: &World,
    program: &Path,
    values: &Values,
    words: &mut Vec<String>,
    env: &mut BTreeMap<String, String>,
) -> Result<(), String> {
    let dir = memory(world);
    let home = dir.join("root");
    let dot_ssh = home.join(".ssh");
    for folder in [&dir, &home, &dot_ssh] {
        make_private_dir(folder).map_err(|e| chain(&e))?;
    }
    let authorized = keys::read(&world.card)?;
    let password = password(values)?;
    if authorized.trim().is_empty() && password.is_none() {
        return Err("neither a key nor a password is set: set one on the page".into());
    }
    write_private(&dot_ssh.join("authorized_keys"), authorized.as_bytes(), 0o600)?;
    let profile = format!("{PROFILE}export TZ='{}'\n", world.time_zone.replace('\'', ""));
    write_private(&home.join(".profile"), profile.as_bytes(), 0o644)?;

    let shell = SHELLS.iter().find(|shell| Path::new(shell).exists());
    let shell = shell.ok_or("this camera has no shell")?;
    // Nothing matches '!': then there is no password to guess.
    let hash = password.as_deref().unwrap_or("!");
    let account = format!("root:{hash}:0:0:root:{}:{shell}\n", home.display());
    let account_file = dir.join("account");
    write_private(&account_file, account.as_bytes(), 0o600)?;
    env.insert("MI360D_ACCOUNT".into(), account_file.display().to_string());

    let key = host_key::ensure(&folder(&world.card), program, &dir)?;
    words.extend(["-r".to_owned(), key.display().to_string()]);
    if password.is_none() {
        words.push("-s".to_owned());
    }
    let sftp = dir.join("sftp-server");
    let _ = fs::remove_file(&sftp);
    let beside = program.with_file_name("sftp-server");
    symlink(&beside, &sftp)
        .map_err(|e| format!("cannot make {}: {e}", sftp.display(), e = Chain(&e)))?;
    terminals();
    Ok(())
}

/// Brings the card's keys to a server that runs: it reads them at each login.
///
/// # Errors
/// Why not, in words.
pub fn renew_keys(world: &World) -> Result<(), String> {
    let folder = memory(world).join("root/.ssh");
    if !folder.is_dir() {
        return Ok(());
    }
    write_private(&folder.join("authorized_keys"), keys::read(&world.card)?.as_bytes(), 0o600)
}

/// The hash of the password that is set.
fn password(values: &Values) -> Result<Option<String>, String> {
    match values.get("password") {
        Some(Value::Text(text)) if text.is_empty() => Ok(None),
        Some(Value::Text(text)) if crypt::is_hash(text) => Ok(Some(text.clone())),
        // Written into config.toml by hand.
        Some(Value::Text(text)) => crypt::hash_password(text).map(Some),
        _ => Ok(None),
    }
}

/// Pseudo-terminals, where the stock system has not mounted them.
fn terminals() {
    let place = Path::new("/dev/pts");
    if place.join("ptmx").exists() {
        return;
    }
    let none: Option<&str> = None;
    let mounted = fs::create_dir_all(place).map_err(|e| chain(&e)).and_then(|()| {
        mount(Some("devpts"), place, Some("devpts"), MsFlags::empty(), none).map_err(|e| chain(&e))
    });
    if let Err(e) = mounted {
        log::warn!("SSH has no terminals and runs only commands: /dev/pts: {e}");
    }
}
