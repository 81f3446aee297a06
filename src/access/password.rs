//! The page's password: PBKDF2-HMAC-SHA256 (RFC 8018, section 5.2), and the file with its result.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use crate::formats::sha256::Sha256;

use crate::base::random;
use crate::base::same;
use crate::base::{hex, unhex};
use crate::card::file::{make_dir, read_bounded, replace};
use crate::card::{Card, CardError};

/// Rounds of a new hash: half a second on the camera.
const ROUNDS: u32 = 100_000;
/// More than this in a file is no file of ours, and would hold a thread forever.
const MOST_ROUNDS: u32 = 1_000_000;

/// A password as it is kept.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Stored {
    rounds: u32,
    salt: [u8; 32],
    hash: [u8; 32],
}

impl Stored {
    /// Hashes a new one.
    pub fn make(password: &str) -> io::Result<Stored> {
        let salt = random()?;
        let hash = pbkdf2(password.as_bytes(), &salt, ROUNDS);
        Ok(Stored { rounds: ROUNDS, salt, hash })
    }

    /// Whether this is it.
    pub fn matches(&self, password: &str) -> bool {
        same(&pbkdf2(password.as_bytes(), &self.salt, self.rounds), &self.hash)
    }

    /// What is on the card, if that is one.
    pub fn load(card: &Card) -> Option<Stored> {
        let text = read_bounded(&path(card), 1024).ok()?;
        Stored::parse(std::str::from_utf8(&text).ok()?)
    }

    /// Puts it on the card.
    pub fn store(&self, card: &Card) -> Result<(), CardError> {
        card.require_writable()?;
        make_dir(&card.state_dir())?;
        replace(&path(card), self.to_text().as_bytes())
    }

    fn to_text(&self) -> String {
        format!("pbkdf2-sha256 {} {} {}\n", self.rounds, hex(&self.salt), hex(&self.hash))
    }

    fn parse(text: &str) -> Option<Stored> {
        let mut words = text.strip_suffix('\n')?.split(' ');
        if words.next() != Some("pbkdf2-sha256") {
            return None;
        }
        let rounds = words.next()?.parse().ok().filter(|n| (1..=MOST_ROUNDS).contains(n))?;
        let (salt, hash) = (unhex(words.next()?)?, unhex(words.next()?)?);
        words.next().is_none().then_some(Stored { rounds, salt, hash })
    }
}

fn path(card: &Card) -> PathBuf {
    card.state_dir().join("password")
}

/// HMAC-SHA256 with the key's two blocks hashed once.
struct Hmac {
    inner: Sha256,
    outer: Sha256,
}

impl Hmac {
    fn new(key: &[u8]) -> Hmac {
        let mut block = [0; 64];
        if key.len() > block.len() {
            block[..32].copy_from_slice(&Sha256::digest(key));
        } else {
            block[..key.len()].copy_from_slice(key);
        }
        let keyed = |pad: u8| Sha256::new_with_prefix(block.map(|byte| byte ^ pad));
        Hmac { inner: keyed(0x36), outer: keyed(0x5c) }
    }

    fn of(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut inner = self.inner.clone();
        parts.iter().for_each(|part| inner.update(part));
        let mut outer = self.outer.clone();
        outer.update(inner.finalize());
        outer.finalize()
    }
}

/// The first 32 bytes of PBKDF2.
fn pbkdf2(password: &[u8], salt: &[u8], rounds: u32) -> [u8; 32] {
    let hmac = Hmac::new(password);
    let mut last = hmac.of(&[salt, &[0, 0, 0, 1]]);
    let mut sum = last;
    for _ in 1..rounds {
        last = hmac.of(&[&last]);
        sum.iter_mut().zip(last).for_each(|(sum, byte)| *sum ^= byte);
    }
    sum
}

/// What tells one file from another that took its place: inode, size, times. Linux has it in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark([i64; 6]);

/// The file's, where there is one.
pub fn mark(card: &Card) -> Option<Mark> {
    let meta = fs::metadata(path(card)).ok()?;
    let (inode, size) = (meta.ino().cast_signed(), meta.size().cast_signed());
    let (made, changed) = (meta.ctime(), meta.mtime());
    Some(Mark([inode, size, made, meta.ctime_nsec(), changed, meta.mtime_nsec()]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vectors_of_rfc_7914_and_of_its_kin_come_out() {
        let cases: [(&str, &str, u32, &str); 3] = [
            (
                "passwd",
                "salt",
                1,
                "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc",
            ),
            (
                "Password",
                "NaCl",
                80_000,
                "4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56",
            ),
            (
                "password",
                "salt",
                4096,
                "c5e478d59288c841aa530db6845c4c8d962893a001ce4e11a4963873aa98134a",
            ),
        ];
        for (password, salt, rounds, wanted) in cases {
            assert_eq!(hex(&pbkdf2(password.as_bytes(), salt.as_bytes(), rounds)), wanted);
        }
        // A key longer than a block is hashed first (RFC 4231, case 6).
        let long = Hmac::new(&[0xaa; 131])
            .of(&[b"Test Using Larger Than Block-Size Key - Hash Key First"]);
        assert_eq!(hex(&long), "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    }

    #[test]
    fn what_is_stored_is_read_again_and_nothing_else_is() {
        let stored = Stored { rounds: 3, ..Stored::make("x").unwrap() };
        assert!(Stored::parse(&stored.to_text()) == Some(stored.clone()));
        for cut in 0..stored.to_text().len() {
            assert!(Stored::parse(&stored.to_text()[..cut]).is_none(), "{cut}");
        }
        let huge = stored.to_text().replace(" 3 ", " 4000000000 ");
        assert!(Stored::parse(&huge).is_none());
    }
}
