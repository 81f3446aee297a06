//! Passwords as crypt(3) hashes them with SHA-512 ("$6$"): Ulrich Drepper,
//! "Unix crypt using SHA-256 and SHA-512", in the public domain. The SSH server
//! checks them with the same.

use sha2::{Digest, Sha512};

use crate::base::random;

/// The shortest password taken, in bytes.
pub const SHORTEST: usize = 8;
/// The longest, in bytes: what the SSH server takes.
pub const LONGEST: usize = 100;
/// Rounds; a Cortex-A7 needs about a quarter of a second for them.
const ROUNDS: u32 = 20_000;
const SALT: usize = 16;
const ALPHABET: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Whether a text is such a hash already.
pub fn is_hash(text: &str) -> bool {
    text.strip_prefix("$6$").is_some_and(|rest| {
        let salted = rest.bytes().all(|b| ALPHABET.contains(&b) || matches!(b, b'$' | b'='));
        salted && rest.rsplit('$').next().is_some_and(|digest| digest.len() == 86)
    })
}

/// Hashes a password with a fresh salt.
///
/// # Errors
/// What is wrong with the password; or that there is no randomness.
pub fn hash_password(password: &str) -> Result<String, String> {
    if password.len() < SHORTEST || password.len() > LONGEST {
        return Err(format!("expected {SHORTEST} to {LONGEST} bytes"));
    }
    if password.contains(['\0', '\n']) {
        return Err("expected one line".into());
    }
    let mut salt = random::<SALT>().map_err(|e| format!("/dev/urandom: {e}"))?;
    for byte in &mut salt {
        *byte = ALPHABET[usize::from(*byte & 63)];
    }
    Ok(hash(password.as_bytes(), &salt, Some(ROUNDS)))
}

/// The hash of a key with a salt of at most 16 bytes; without `rounds`, 5000.
fn hash(key: &[u8], salt: &[u8], rounds: Option<u32>) -> String {
    let salt = &salt[..salt.len().min(SALT)];
    let repeated = |digest: &[u8], length: usize| -> Vec<u8> {
        digest.iter().copied().cycle().take(length).collect()
    };
    let mut state = Sha512::new();
    for part in [key, salt, key] {
        state.update(part);
    }
    let alternate = state.finalize();

    let mut state = Sha512::new();
    state.update(key);
    state.update(salt);
    state.update(repeated(&alternate, key.len()));
    let mut bits = key.len();
    while bits > 0 {
        if bits & 1 == 1 {
            state.update(alternate);
        } else {
            state.update(key);
        }
        bits >>= 1;
    }
    let mut digest = state.finalize();

    let mut state = Sha512::new();
    for _ in 0..key.len() {
        state.update(key);
    }
    let of_key = repeated(&state.finalize(), key.len());
    let mut state = Sha512::new();
    for _ in 0..16 + u32::from(digest[0]) {
        state.update(salt);
    }
    let of_salt = repeated(&state.finalize(), salt.len());

    for round in 0..rounds.unwrap_or(5000) {
        let odd = round % 2 == 1;
        let mut state = Sha512::new();
        state.update(if odd { &of_key[..] } else { &digest[..] });
        if round % 3 != 0 {
            state.update(&of_salt);
        }
        if round % 7 != 0 {
            state.update(&of_key);
        }
        state.update(if odd { &digest[..] } else { &of_key[..] });
        digest = state.finalize();
    }

    let mut text = rounds.map_or_else(|| "$6$".to_owned(), |n| format!("$6$rounds={n}$"));
    text.push_str(&String::from_utf8_lossy(salt));
    text.push('$');
    let (mut a, mut b, mut c) = (0, 21, 42);
    for _ in 0..21 {
        letters(&mut text, [digest[a], digest[b], digest[c]], 4);
        (a, b, c) = (b + 1, c + 1, a + 1);
    }
    letters(&mut text, [0, 0, digest[63]], 2);
    text
}

fn letters(text: &mut String, bytes: [u8; 3], count: usize) {
    let mut bits = u32::from(bytes[0]) << 16 | u32::from(bytes[1]) << 8 | u32::from(bytes[2]);
    for _ in 0..count {
        text.push(char::from(ALPHABET[bits as usize & 63]));
        bits >>= 6;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vectors_of_the_specification() {
        assert_eq!(
            hash(b"Hello world!", b"saltstring", None),
            "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1"
        );
        assert_eq!(
            hash(b"Hello world!", b"saltstringsaltstring", Some(10_000)),
            "$6$rounds=10000$saltstringsaltst$OW1/O6BYHV6BcXZu8QVeXbDWra3Oeqh0sbHbbMCVNSnCM/UrjmM0Dp8vOuZeHBy/YTBmSK6H9qs/y3RnOaw5v."
        );
        let long =
            b"a very much longer text to encrypt.  This one even stretches over morethan one line.";
        assert_eq!(
            hash(long, b"anotherlongsaltstring", Some(1400)),
            "$6$rounds=1400$anotherlongsalts$POfYwTEok97VWcjxIiSOjiykti.o/pQs.wPvMxQ6Fm7I6IoYN3CmLs66x9t0oSwbtEW7o7UmJEiDwGqd8p4ur1"
        );
    }

    #[test]
    fn a_blank_or_short_password_is_never_hashed_and_a_hash_is_known_as_one() {
        for password in ["", "short12", "with\nline", &"x".repeat(101)] {
            hash_password(password).unwrap_err();
        }
        let one = hash_password("correct horse").unwrap();
        assert!(is_hash(&one) && one != hash_password("correct horse").unwrap());
        for text in ["", "$6$", "correct horse", "$6$a$b", "$1$abc$def"] {
            assert!(!is_hash(text), "{text}");
        }
    }
}
