//! The streams' password in its file: read at the start, and again whenever the file changes.

use std::fs::OpenOptions;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::rtsp::auth::Login;
use crate::rtsp::error::RtspError;

/// Bytes of a password file that are read.
const LARGEST: u64 = 1024;

/// What tells one state of the file from another.
type Seen = (u64, u64, i64, i64);

/// See the module.
#[derive(Debug)]
pub(super) struct Password {
    path: PathBuf,
    seen: Option<Seen>,
    secret: [u8; 32],
    basic: bool,
    pub(super) login: Login,
}

fn look(path: &Path) -> Option<Seen> {
    let meta = std::fs::metadata(path).ok()?;
    Some((meta.ino(), meta.size(), meta.mtime(), meta.mtime_nsec()))
}

fn read(path: &Path) -> Result<String, RtspError> {
    let failed = |source| RtspError::Password { path: path.to_owned(), source };
    let mut text = String::new();
    // Without the flag a FIFO would be waited for until somebody writes into it.
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(nix::fcntl::OFlag::O_NONBLOCK.bits())
        .open(path)
        .map_err(failed)?;
    if !file.metadata().map_err(failed)?.is_file() {
        return Err(failed(std::io::Error::other("it is not a file")));
    }
    file.take(LARGEST).read_to_string(&mut text).map_err(failed)?;
    let first = text.split(['\r', '\n']).next().unwrap_or("");
    if first.is_empty() {
        return Err(RtspError::EmptyPassword(path.to_owned()));
    }
    // What is longer would be cut, and a sparse file is full of zeros.
    if text.len() as u64 == LARGEST || first.contains(char::is_control) {
        return Err(failed(std::io::Error::other("its first line is no password")));
    }
    Ok(first.to_owned())
}

impl Password {
    pub(super) fn read(
        path: PathBuf,
        secret: [u8; 32],
        basic: bool,
    ) -> Result<Password, RtspError> {
        let seen = look(&path);
        let login = Login::new(read(&path)?, secret, basic);
        Ok(Password { path, seen, secret, basic, login })
    }

    /// Whether there is another password now. A file that cannot be read, or is just being
    /// written, changes nothing.
    pub(super) fn changed(&mut self) -> bool {
        let seen = look(&self.path);
        if seen == self.seen || seen.is_none() {
            return false;
        }
        let Ok(password) = read(&self.path) else { return false };
        self.seen = seen;
        if self.login.has_password(&password) {
            return false;
        }
        self.login = Login::new(password, self.secret, self.basic);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_line_of_text_is_a_password() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("password");
        std::fs::File::create(&path).unwrap().set_len(1 << 40).unwrap();
        assert!(matches!(read(&path), Err(RtspError::Password { .. })));
        for (text, good) in [
            (&b"word\n"[..], true),
            (b"w\xC3\xB6rd", true),
            (b"wo\0rd\n", false),
            (b"\x1B[0mword\n", false),
            (&[b'a'; 1023], true),
            (&[b'a'; 1024], false),
        ] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(read(&path).is_ok(), good, "{text:?}");
        }
    }
}
