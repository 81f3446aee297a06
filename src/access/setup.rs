//! The code on the card with which the first password is set: who can read the card owns the
//! camera. A file next to it asks for a new one.

use std::path::PathBuf;

use crate::access::error::LoginError;
use crate::base::random;
use crate::card::file::{read_bounded, replace};
use crate::card::{Card, fat};
use crate::error::Chain;

/// The file with the code, in `mi360d/`.
pub const SETUP_CODE: &str = "setup-code.txt";
/// The file that asks for a new code, in `mi360d/`.
pub const RESET: &str = "reset-password";

/// Letters and digits that nobody mistakes for each other; 32, so five bits each.
const LETTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Letters of a code: 50 bits.
const LENGTH: usize = 10;

/// The code that counts: the one on the card, or a new one, put there.
pub(super) fn code(card: &Card) -> Result<String, LoginError> {
    let path = code_path(card);
    if let Ok(text) = read_bounded(&path, 1024)
        && let Some(line) = String::from_utf8_lossy(&text).lines().next()
        && is_code(&plain(line))
    {
        return Ok(line.trim().to_owned());
    }
    let letters: String = random::<LENGTH>()
        .map_err(LoginError::Random)?
        .iter()
        .filter_map(|byte| LETTERS.get(usize::from(byte % 32)))
        .map(|letter| char::from(*letter))
        .collect();
    let (first, second) = letters.split_at(LENGTH / 2);
    let code = format!("{first}-{second}");
    let text = format!(
        "{code}\r\n\r\nOpen the camera's page and set a password with this code. Its address is \
         in STATUS.txt.\r\n"
    );
    card.require_writable()?;
    replace(&path, text.as_bytes())?;
    Ok(code)
}

/// A code without what people add to it: blanks, hyphens, small letters, an O for a 0.
pub(super) fn plain(code: &str) -> String {
    code.chars()
        .filter(|c| !c.is_whitespace() && *c != '-')
        .take(64)
        .map(|c| match c.to_ascii_uppercase() {
            'O' => '0',
            'I' | 'L' => '1',
            c => c,
        })
        .collect()
}

fn is_code(plain: &str) -> bool {
    plain.len() == LENGTH && plain.bytes().all(|b| LETTERS.contains(&b))
}

/// The code has done what it was for.
pub(super) fn remove_code(card: &Card) {
    remove(code_path(card));
}

/// Whether the owner asks for a new code. A folder or a file with an ending will do: some
/// systems add `.txt` by themselves.
pub(super) fn reset_asked(card: &Card) -> bool {
    reset_paths(card).iter().any(|path| path.exists())
}

/// The new code is there: the password goes, and the wish with it.
pub(super) fn reset_done(card: &Card) {
    log::warn!("the password was reset by a file on the card");
    remove(card.state_dir().join("password"));
    for path in reset_paths(card) {
        remove(path);
    }
}

fn remove(path: PathBuf) {
    if !path.exists() {
        return;
    }
    let gone = if path.is_dir() { fat::remove_dir(&path) } else { fat::remove_file(&path) };
    if let Err(e) = gone {
        log::warn!("{e}", e = Chain(&e));
    }
}

fn code_path(card: &Card) -> PathBuf {
    card.home().join(SETUP_CODE)
}

fn reset_paths(card: &Card) -> [PathBuf; 2] {
    [card.home().join(RESET), card.home().join(format!("{RESET}.txt"))]
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_code_is_kept_and_a_weak_or_torn_one_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let card = Card::folder(dir.path());
        let code = super::code(&card).unwrap();
        assert!(is_code(&plain(&code)), "{code}");
        assert_eq!(super::code(&card).unwrap(), code);
        for weak in ["", "1\n", "12345-6789\n", "AAAAA_AAAA\n", "\0\0\0\0\0\0\0\0\0\0"] {
            fs::write(card.home().join(SETUP_CODE), weak).unwrap();
            let new = super::code(&card).unwrap();
            assert!(is_code(&plain(&new)) && new != code, "{weak:?}: {new}");
        }
    }

    #[test]
    fn what_people_add_to_a_code_does_not_matter() {
        assert_eq!(plain(" o1l2-abcde \n"), "0112ABCDE");
    }
}
