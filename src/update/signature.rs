//! minisign's signatures (https://jedisct1.github.io/minisign/), checked: Ed25519 over
//! the BLAKE2b hash of the text, and once more over the signature and its trusted comment.

use base64ct::{Base64, Encoding as _};
use blake2::{Blake2b512, Digest as _};
use ed25519_dalek::{Signature, VerifyingKey};

/// The maker's public key; without one, every release counts as unsigned.
/// `cargo sdcard --new-key` makes it.
pub const PUBLIC_KEY: &str = include_str!("release.pub");
const PLAIN: &[u8] = b"Ed";
const HASHED: &[u8] = b"ED";
const TRUSTED: &str = "trusted comment: ";

/// A public key: its number, and the key.
struct Key {
    number: [u8; 8],
    key: VerifyingKey,
}

fn key(text: &str) -> Option<Key> {
    let line = text.lines().rfind(|line| !line.is_empty() && !line.starts_with("untrusted"))?;
    let bytes: [u8; 42] = Base64::decode_vec(line.trim()).ok()?.try_into().ok()?;
    let key = VerifyingKey::from_bytes(bytes[10..].try_into().ok()?).ok()?;
    (&bytes[..2] == PLAIN).then_some(Key { number: bytes[2..10].try_into().ok()?, key })
}

/// Whether there is a key to check with.
pub fn has_key(text: &str) -> bool {
    key(text).is_some()
}

/// Checks a text's signature by a public key; gives the trusted comment.
///
/// # Errors
/// What is wrong with it, in words.
pub fn verify(text: &[u8], signature: &str, public_key: &str) -> Result<String, &'static str> {
    let key = key(public_key).ok_or("there is no key to check it with")?;
    let mut lines = signature.lines();
    let broken = "it is not a minisign signature";
    let (Some(_), Some(first), Some(comment), Some(second)) =
        (lines.next(), lines.next(), lines.next(), lines.next())
    else {
        return Err(broken);
    };
    let first: [u8; 74] =
        Base64::decode_vec(first.trim()).ok().and_then(|b| b.try_into().ok()).ok_or(broken)?;
    let second: [u8; 64] =
        Base64::decode_vec(second.trim()).ok().and_then(|b| b.try_into().ok()).ok_or(broken)?;
    let comment = comment.strip_prefix(TRUSTED).ok_or(broken)?;
    if first[2..10] != key.number {
        return Err("it was made with another key");
    }
    let hash;
    let signed = match &first[..2] {
        HASHED => {
            hash = Blake2b512::digest(text);
            &hash[..]
        }
        PLAIN => text,
        _ => return Err(broken),
    };
    let (_, of_text) = first.split_at(10);
    let of_text = Signature::from_slice(of_text).map_err(|_| broken)?;
    key.key.verify_strict(signed, &of_text).map_err(|_| "it belongs to another list")?;
    let mut with_comment = of_text.to_bytes().to_vec();
    with_comment.extend_from_slice(comment.as_bytes());
    let of_all = Signature::from_bytes(&second);
    key.key.verify_strict(&with_comment, &of_all).map_err(|_| "its comment was altered")?;
    Ok(comment.to_owned())
}
