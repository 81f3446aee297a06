//! `authorized_keys`: the keys that may log in. Each line is checked before it is accepted;
//! a list with one wrong line changes nothing.

use std::path::Path;

use crate::formats::sha256::Sha256;
use base64ct::{Base64, Base64Unpadded, Encoding as _};
use serde::Serialize;

use crate::card::file::{make_dir, replace};
use crate::services::ServiceError;

/// The longest file, in bytes.
pub const LIMIT: usize = 32 << 10;
/// Keys in it.
const MANY: usize = 32;
/// Bits that an RSA key must have.
const RSA_BITS: usize = 2048;

/// One key, as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Key {
    /// Its type, `ssh-ed25519` for example.
    #[serde(rename = "type")]
    pub kind: String,
    /// What its owner calls it.
    pub comment: String,
    /// As `ssh-keygen -l` shows it.
    pub fingerprint: String,
}

/// Reads what is on the card.
///
/// # Errors
/// Why it cannot be read, in words.
pub fn read(card: &Path) -> Result<String, String> {
    let path = super::files::folder(card).join("authorized_keys");
    let bytes = super::files::read_small(&path, LIMIT as u64)?.unwrap_or_default();
    let text = String::from_utf8(bytes).map_err(|_| "authorized_keys is not UTF-8".to_owned())?;
    // A line that is wrong, put there by hand, must not let anybody in.
    Ok(text
        .lines()
        .filter(|line| check(line).is_ok_and(|key| key.is_some()))
        .fold(String::new(), |all, line| all + line.trim() + "\n"))
}

/// Checks a whole list.
///
/// # Errors
/// [`ServiceError::Key`], with the first line that is wrong.
pub fn parse(text: &str) -> Result<Vec<Key>, ServiceError> {
    let wrong = |line, reason: String| ServiceError::Key { line, reason };
    if text.len() > LIMIT {
        return Err(wrong(1, format!("together they are longer than {LIMIT} bytes")));
    }
    let mut keys: Vec<Key> = Vec::new();
    for (i, line) in text.lines().enumerate() {
        let Some(key) = check(line).map_err(|reason| wrong(i + 1, reason))? else { continue };
        if keys.iter().any(|other| other.fingerprint == key.fingerprint) {
            return Err(wrong(i + 1, "this key is already in the list".into()));
        }
        if keys.len() == MANY {
            return Err(wrong(i + 1, format!("there are more than {MANY} keys")));
        }
        keys.push(key);
    }
    Ok(keys)
}

/// Checks a list and writes it to the card.
///
/// # Errors
/// [`ServiceError`]; nothing was changed then.
pub fn store(card: &Path, text: &str) -> Result<Vec<Key>, ServiceError> {
    let keys = parse(text)?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let text = lines.fold(String::new(), |all, line| all + line + "\n");
    make_dir(&super::files::folder(card))?;
    replace(&super::files::folder(card).join("authorized_keys"), text.as_bytes())?;
    Ok(keys)
}

/// One line: a key, or nothing for an empty line and a comment.
fn check(line: &str) -> Result<Option<Key>, String> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    if line.contains("PRIVATE KEY") {
        return Err("this is a private key: keep it private, and send the .pub file".into());
    }
    if line.chars().any(char::is_control) {
        return Err("it contains a control character".into());
    }
    let mut words = line.splitn(3, char::is_whitespace);
    let (kind, blob) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let known = [
        "ssh-ed25519",
        "ssh-rsa",
        "ecdsa-sha2-nistp256",
        "ecdsa-sha2-nistp384",
        "ecdsa-sha2-nistp521",
        "sk-ssh-ed25519@openssh.com",
        "sk-ecdsa-sha2-nistp256@openssh.com",
    ];
    if !known.contains(&kind) {
        return Err(if kind == "ssh-dss" {
            "DSA keys are too weak: make a new key with ssh-keygen -t ed25519".into()
        } else {
            "it does not begin with a key type, for example ssh-ed25519 (options are not \
             supported)"
                .into()
        });
    }
    let bytes = Base64::decode_vec(blob).ok().filter(|bytes| !bytes.is_empty());
    let bytes = bytes.ok_or("the key is cut short or mistyped")?;
    let parts = strings(&bytes).ok_or("the key is cut short or mistyped")?;
    if parts.first().is_some_and(|first| *first != kind.as_bytes()) {
        return Err("the key has another type than its line says".into());
    }
    let lengths: Vec<usize> = parts[1..].iter().map(|part| part.len()).collect();
    let fits = match (kind, lengths.as_slice()) {
        ("ssh-rsa", [_, modulus]) => {
            if modulus * 8 < RSA_BITS {
                return Err(format!("an RSA key needs at least {RSA_BITS} bits"));
            }
            true
        }
        ("ssh-ed25519", [32])
        | ("sk-ssh-ed25519@openssh.com", [32, _])
        | ("ecdsa-sha2-nistp256", [8, 65])
        | ("ecdsa-sha2-nistp384", [8, 97])
        | ("ecdsa-sha2-nistp521", [8, 133])
        | ("sk-ecdsa-sha2-nistp256@openssh.com", [8, 65, _]) => true,
        _ => false,
    };
    if !fits {
        return Err("the key is cut short or mistyped".into());
    }
    let comment: String = words.next().unwrap_or_default().trim().chars().take(100).collect();
    Ok(Some(Key { kind: kind.to_owned(), comment, fingerprint: fingerprint(&bytes) }))
}

/// As `ssh-keygen -l` shows it.
pub fn fingerprint(blob: &[u8]) -> String {
    format!("SHA256:{}", Base64Unpadded::encode_string(&Sha256::digest(blob)))
}

/// The strings that a key is made of (RFC 4251); `None` where they do not fill it exactly.
pub fn strings(mut bytes: &[u8]) -> Option<Vec<&[u8]>> {
    let mut parts = Vec::new();
    while !bytes.is_empty() {
        let (length, rest) = bytes.split_at_checked(4)?;
        let length = u32::from_be_bytes(length.try_into().ok()?) as usize;
        let (part, rest) = rest.split_at_checked(length)?;
        parts.push(part);
        bytes = rest;
    }
    Some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f me@pc";

    #[test]
    fn a_good_key_is_shown_as_ssh_keygen_shows_it() {
        let keys = parse(&format!("# mine\n\n  {GOOD}  \r\n")).unwrap();
        assert_eq!(keys.len(), 1);
        assert_eq!((keys[0].kind.as_str(), keys[0].comment.as_str()), ("ssh-ed25519", "me@pc"));
        assert!(keys[0].fingerprint.starts_with("SHA256:") && keys[0].fingerprint.len() == 50);
    }

    #[test]
    fn each_wrong_line_is_named() {
        let rsa_small = {
            let mut blob = Vec::new();
            for part in [&b"ssh-rsa"[..], &[1, 0, 1], &[0x7f; 128]] {
                blob.extend_from_slice(&u32::try_from(part.len()).unwrap().to_be_bytes());
                blob.extend_from_slice(part);
            }
            let mut text = Base64::encode_string(&blob);
            while !text.len().is_multiple_of(4) {
                text.push('=');
            }
            format!("ssh-rsa {text}")
        };
        for (line, word) in [
            ("-----BEGIN OPENSSH PRIVATE KEY-----", "private key"),
            ("ssh-dss AAAA", "too weak"),
            ("hello", "does not begin"),
            ("command=\"id\" ssh-ed25519 AAAA", "does not begin"),
            ("ssh-ed25519", "cut short"),
            ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAB", "cut short"),
            (&GOOD.replace("ssh-ed25519 ", "ssh-rsa "), "another type"),
            (&rsa_small, "2048 bits"),
            (&format!("{GOOD}\x07"), "control character"),
        ] {
            let said = parse(&format!("{GOOD}\n{line}")).unwrap_err().to_string();
            assert!(said.starts_with("line 2") && said.contains(word), "{line}: {said}");
        }
        assert!(parse(&format!("{GOOD}\n{GOOD}")).unwrap_err().to_string().contains("already"));
    }

    #[test]
    fn a_wrong_line_put_on_the_card_by_hand_lets_nobody_in() {
        let card = tempfile::tempdir().unwrap();
        store(card.path(), GOOD).unwrap();
        let path = super::super::files::folder(card.path()).join("authorized_keys");
        std::fs::write(&path, format!("ssh-ed25519 AAAA x\n{GOOD}\nhello\n")).unwrap();
        assert_eq!(read(card.path()).unwrap(), format!("{GOOD}\n"));
    }

    #[test]
    fn any_line_is_taken_or_refused() {
        proptest::proptest!(|(line in "\\PC{0,60}|ssh-ed25519 [A-Za-z0-9+/=]{0,80}")| {
            let _ = parse(&line);
        });
    }
}
