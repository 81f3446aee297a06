//! Preparation of the RTSP server: the streams' password in its
//! folder in memory. It is the owner's, or one that was made once and is on the
//! card. Digest logins need it readable, so it is not the page's.

use std::path::{Path, PathBuf};

use super::World;
use super::private::write_private;
use super::setting::{Value, Values};
use crate::base::random;
use crate::card::file::{read_bounded, replace};
use crate::error::{Chain, chain};

/// The hack of this server, and its settings.
pub const ID: &str = "rtsp-server";
const PASSWORD: &str = "password";
/// Letters of a made password: none that looks like another. 32 of them, 5 bits each.
const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
const LENGTH: usize = 16;

/// Writes the password's file.
///
/// # Errors
/// What could not be written, in words.
pub fn prepare(world: &World, own: &Path, values: &Values) -> Result<(), String> {
    let password = password(&world.card, values)?;
    write_private(&own.join(PASSWORD), format!("{password}\n").as_bytes(), 0o600)
}

/// The streams' password: that of the settings, else the made one, which is made now if need be.
///
/// # Errors
/// The reason, in words, if there is none.
pub fn password(card: &Path, values: &Values) -> Result<String, String> {
    if let Some(Value::Text(set)) = values.get(PASSWORD).filter(|value| value.is_given()) {
        return Ok(set.clone());
    }
    let path = made(card);
    let known = read_bounded(&path, 256).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    if let Some(known) = known.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()) {
        return Ok(known);
    }
    let bytes = random::<LENGTH>()
        .map_err(|e| format!("the system returned no random bytes: {e}", e = Chain(&e)))?;
    let letter = |byte: &u8| char::from(LETTERS[usize::from(byte & 31)]);
    let password: String = bytes.iter().map(letter).collect();
    replace(&path, format!("{password}\n").as_bytes()).map_err(|e| chain(&e))?;
    Ok(password)
}

/// Where the made one lies.
fn made(card: &Path) -> PathBuf {
    card.join("mi360d/state/streams-password")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_made_once_and_the_owner_s_own_comes_first() {
        let card = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(card.path().join("mi360d/state")).unwrap();
        let made = password(card.path(), &Values::new()).unwrap();
        assert!(made.len() == LENGTH && made.bytes().all(|byte| LETTERS.contains(&byte)));
        assert_eq!(password(card.path(), &Values::new()).unwrap(), made);
        let own = Values::from([(PASSWORD.to_owned(), Value::Text("a ü\"b".to_owned()))]);
        assert_eq!(password(card.path(), &own).unwrap(), "a ü\"b");
        let other = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(other.path().join("mi360d/state")).unwrap();
        assert_ne!(password(other.path(), &Values::new()).unwrap(), made);
    }
}
