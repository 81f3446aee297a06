//! Login: Digest with SHA-256 and with MD5 (RFC 7616, RFC 2617, and its older form without `qop`,
//! which most cameras' viewers speak), and Basic where the owner asked for it. Pure: the time and
//! the random secret come in.
//!
//! The order of the challenges is what real clients need (docs/rtsp.md, "Login"): ffmpeg and
//! live555 take the last one and know only MD5, so MD5 is last; clients that choose the best
//! find SHA-256 before it. All carry one nonce, and which hash an answer uses is known by its
//! length: a client that mixes the two up gets in all the same.

use crate::base::{hex, same};
use base64ct::{Base64Unpadded, Encoding as _};
use md5::Md5;
use sha2::{Digest, Sha256};

/// The only user there is.
pub const USER: &str = "admin";
const REALM: &str = "mi360d";
/// Seconds for which a nonce is good. A connection that logged in once stays logged in.
const NONCE_LIFE: u64 = 120;

/// What a request's login is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginCheck {
    /// It is the owner.
    Good,
    /// It is the owner, with a nonce of yesterday: to be asked again, and no wrong password.
    Stale,
    /// There was no login.
    Missing,
    /// A wrong password, or nothing that makes sense.
    Wrong,
}

/// The login that viewers need.
#[derive(Clone)]
pub struct Login {
    password: String,
    secret: [u8; 32],
    basic: bool,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Login(..)")
    }
}

impl Login {
    /// With the owner's password, 32 random bytes, and whether Basic is offered too.
    pub fn new(password: String, secret: [u8; 32], basic: bool) -> Login {
        Login { password, secret, basic }
    }

    /// Whether this is the same password.
    pub fn has_password(&self, password: &str) -> bool {
        same(self.password.as_bytes(), password.as_bytes())
    }

    /// A nonce: its time, and the proof that it is ours.
    fn nonce(&self, seconds: u64) -> String {
        let mut hash = Sha256::new();
        hash.update(self.secret);
        hash.update(seconds.to_be_bytes());
        format!("{seconds:08x}{}", hex(hash.finalize().get(..16).unwrap_or_default()))
    }

    fn is_fresh(&self, nonce: &str, now: u64) -> bool {
        let Some(seconds) = nonce.get(..8).and_then(|t| u64::from_str_radix(t, 16).ok()) else {
            return false;
        };
        seconds <= now
            && now - seconds <= NONCE_LIFE
            && same(self.nonce(seconds).as_bytes(), nonce.as_bytes())
    }

    /// The values of `WWW-Authenticate`, in order; `now` is in seconds.
    pub fn challenges(&self, now: u64, stale: bool) -> Vec<String> {
        let nonce = self.nonce(now);
        let stale = if stale { ", stale=TRUE" } else { "" };
        let mut all = Vec::with_capacity(3);
        if self.basic {
            all.push(format!("Basic realm=\"{REALM}\""));
        }
        // live555 wants realm and nonce first, in this order, with this blank.
        all.push(format!(
            "Digest realm=\"{REALM}\", nonce=\"{nonce}\", algorithm=SHA-256, qop=\"auth\"{stale}"
        ));
        all.push(format!("Digest realm=\"{REALM}\", nonce=\"{nonce}\", algorithm=MD5{stale}"));
        all
    }

    /// Judges the value of `Authorization` of a request with this method.
    pub fn judge(&self, authorization: Option<&str>, method: &str, now: u64) -> LoginCheck {
        let Some(value) = authorization else { return LoginCheck::Missing };
        let (scheme, rest) = value.split_once(' ').unwrap_or((value, ""));
        if scheme.eq_ignore_ascii_case("Basic") && self.basic {
            let wanted = format!("{USER}:{}", self.password);
            let given =
                Base64Unpadded::decode_vec(rest.trim().trim_end_matches('=')).unwrap_or_default();
            return if same(&given, wanted.as_bytes()) {
                LoginCheck::Good
            } else {
                LoginCheck::Wrong
            };
        }
        if !scheme.eq_ignore_ascii_case("Digest") {
            return LoginCheck::Wrong;
        }
        let Some(given) = Given::parse(rest) else { return LoginCheck::Wrong };
        if given.username != USER || given.realm != REALM {
            return LoginCheck::Wrong;
        }
        let right = match given.answer.len() {
            32 => given.expected::<Md5>(&self.password, method),
            64 => given.expected::<Sha256>(&self.password, method),
            _ => return LoginCheck::Wrong,
        };
        if !same(right.as_bytes(), given.answer.to_ascii_lowercase().as_bytes()) {
            return LoginCheck::Wrong;
        }
        if self.is_fresh(&given.nonce, now) { LoginCheck::Good } else { LoginCheck::Stale }
    }
}

/// What a client answered.
#[derive(Debug, Default)]
struct Given {
    username: String,
    realm: String,
    nonce: String,
    uri: String,
    answer: String,
    qop: String,
    cnonce: String,
    count: String,
}

impl Given {
    fn parse(text: &str) -> Option<Given> {
        let mut found = Given::default();
        let mut rest = text.trim_start();
        for _ in 0..16 {
            if rest.is_empty() {
                return Some(found);
            }
            let (name, after) = rest.split_once('=')?;
            let (value, after) = value(after.trim_start())?;
            match name.trim().to_ascii_lowercase().as_str() {
                "username" => found.username = value,
                "realm" => found.realm = value,
                "nonce" => found.nonce = value,
                "uri" => found.uri = value,
                "response" => found.answer = value,
                "qop" => found.qop = value,
                "cnonce" => found.cnonce = value,
                "nc" => found.count = value,
                _ => {}
            }
            rest = after.trim_start().trim_start_matches([',', ' ', '\t']);
        }
        None
    }

    /// The right answer. The address is the one that the client hashed: clients differ in which
    /// they take, and what is asked for is judged from the request itself.
    fn expected<H: Digest>(&self, password: &str, method: &str) -> String {
        let hash = |parts: &[&str]| {
            let mut hash = H::new();
            for (index, part) in parts.iter().enumerate() {
                if index > 0 {
                    hash.update(b":");
                }
                hash.update(part.as_bytes());
            }
            hex(&hash.finalize())
        };
        let user = hash(&[USER, REALM, password]);
        let request = hash(&[method, &self.uri]);
        if self.qop.is_empty() {
            hash(&[&user, &self.nonce, &request])
        } else {
            hash(&[&user, &self.nonce, &self.count, &self.cnonce, &self.qop, &request])
        }
    }
}

/// A value, quoted or not, and what is behind it.
fn value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([',', ' ', '\t']).unwrap_or(text.len());
        return Some((text.get(..end)?.to_owned(), text.get(end..)?));
    };
    let mut out = String::new();
    let mut letters = quoted.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((out, quoted.get(at + 1..)?)),
            '\\' => out.push(letters.next()?.1),
            _ => out.push(letter),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login() -> Login {
        Login::new("pa:ss\"wörd".to_owned(), [7; 32], false)
    }

    fn answer<H: Digest>(login: &Login, nonce: &str, qop: bool) -> String {
        let mut response = Given {
            nonce: nonce.to_owned(),
            uri: "rtsp://x/mainstream".to_owned(),
            ..Given::default()
        };
        let mut more = String::new();
        if qop {
            (response.qop, response.cnonce, response.count) =
                ("auth".to_owned(), "c".to_owned(), "00000001".to_owned());
            more = ", qop=auth, nc=00000001, cnonce=\"c\"".to_owned();
        }
        let right = response.expected::<H>(&login.password, "DESCRIBE");
        format!(
            "Digest username=\"admin\", realm=\"mi360d\", nonce=\"{nonce}\", \
             uri=\"rtsp://x/mainstream\", response=\"{right}\"{more}"
        )
    }

    #[test]
    fn every_form_of_the_right_answer_is_good() {
        let login = login();
        let nonce = login.nonce(1000);
        for said in [
            answer::<Md5>(&login, &nonce, false),
            answer::<Md5>(&login, &nonce, true),
            answer::<Sha256>(&login, &nonce, false),
            answer::<Sha256>(&login, &nonce, true),
        ] {
            assert_eq!(login.judge(Some(&said), "DESCRIBE", 1010), LoginCheck::Good, "{said}");
            assert_eq!(login.judge(Some(&said), "PLAY", 1010), LoginCheck::Wrong, "another method");
            assert_eq!(login.judge(Some(&said), "DESCRIBE", 1121), LoginCheck::Stale);
            let other = Login::new("x".to_owned(), [7; 32], false);
            assert_eq!(other.judge(Some(&said), "DESCRIBE", 1010), LoginCheck::Wrong);
        }
        let foreign = answer::<Md5>(&login, &"0".repeat(40), false);
        assert_eq!(login.judge(Some(&foreign), "DESCRIBE", 1010), LoginCheck::Stale);
    }

    #[test]
    fn basic_is_refused_unless_it_was_asked_for() {
        let coded =
            format!("Basic {}", base64ct::Base64::encode_string(b"admin:pa:ss\"w\xc3\xb6rd"));
        assert_eq!(login().judge(Some(&coded), "PLAY", 0), LoginCheck::Wrong);
        let basic = Login { basic: true, ..login() };
        assert_eq!(basic.judge(Some(&coded), "PLAY", 0), LoginCheck::Good);
        assert!(basic.challenges(0, false)[0].starts_with("Basic"));
        assert!(login().challenges(0, false).iter().all(|c| c.starts_with("Digest")));
    }

    #[test]
    fn md5_stands_last_and_the_password_nowhere() {
        let challenges = login().challenges(5, false);
        assert!(challenges.last().unwrap().contains("algorithm=MD5"));
        assert!(!format!("{challenges:?}{:?}", login()).contains("pa:ss"));
    }

    #[test]
    fn junk_is_wrong_and_no_panic() {
        for junk in ["", "Digest", "Digest =", "Digest a=\"", "Digest a=\"\\", "Basic x", "ä ö"] {
            assert_eq!(login().judge(Some(junk), "PLAY", 0), LoginCheck::Wrong, "{junk}");
        }
        assert_eq!(login().judge(None, "PLAY", 0), LoginCheck::Missing);
    }
}
