//! WS-Security's UsernameToken (OASIS, UsernameToken profile 1.0), by digest only: a password that
//! is sent readable is none. What was used once is not taken again. Pure.

use std::collections::VecDeque;

use base64ct::{Base64, Encoding as _};
use sha1::{Digest as _, Sha1};

use super::Fault;
use super::xml::Tree;
use crate::rtsp::auth::USER;

/// Seconds between a token's time and ours, where we have one.
const WINDOW: u64 = 300;
/// Tokens that are remembered.
const MOST: usize = 512;
/// Bytes of a nonce.
const LONGEST: usize = 128;

/// What a request brought.
#[derive(Debug)]
pub struct Token {
    user: String,
    digest: Vec<u8>,
    nonce: Vec<u8>,
    created: String,
}

impl Token {
    /// The one in a request.
    ///
    /// # Errors
    /// [`Fault::NotAuthorized`] where there is one that makes no sense.
    pub fn of(tree: &Tree<'_>) -> Result<Option<Token>, Fault> {
        let path = ["Envelope", "Header", "Security", "UsernameToken"];
        let Some(token) = tree.path(&path) else { return Ok(None) };
        let text = |name: &str| tree.below(token, &[name]).map(|at| tree.text(at).to_owned());
        let read = || {
            let password = tree.below(token, &["Password"])?;
            let kind = tree.attribute(password, "Type")?;
            kind.ends_with("#PasswordDigest").then_some(())?;
            Some(Token {
                user: text("Username")?,
                digest: Base64::decode_vec(tree.text(password)).ok()?,
                nonce: Base64::decode_vec(&text("Nonce")?).ok().filter(|n| n.len() <= LONGEST)?,
                created: text("Created")?,
            })
        };
        read().map(Some).ok_or(Fault::NotAuthorized)
    }

    /// Whether it was made by someone that knows the password.
    pub fn proves(&self, password: &str) -> bool {
        let mut hash = Sha1::new();
        hash.update(&self.nonce);
        hash.update(self.created.as_bytes());
        hash.update(password.as_bytes());
        let right = hash.finalize();
        // Every byte is checked, so that the time does not tell how many were right.
        let differs = right.iter().zip(&self.digest).fold(0, |all, (a, b)| all | (a ^ b));
        self.user == USER && self.digest.len() == right.len() && differs == 0
    }
}

/// What was used already.
#[derive(Debug, Default)]
pub struct Memory {
    seen: VecDeque<(u64, Vec<u8>)>,
    /// What was forgotten was not later than this: all up to it is too old.
    floor: u64,
}

impl Memory {
    /// Whether a verified token is new, and of now if there is a clock; from now on it is not.
    pub fn take(&mut self, token: Token, now: Option<u64>) -> bool {
        let Some(at) = seconds(&token.created) else { return false };
        if let Some(now) = now.filter(|now| self.floor > now + WINDOW) {
            // A clock that was ahead for a while must not shut everybody out for good.
            self.floor = now;
            self.seen.retain(|(at, _)| *at <= now + WINDOW);
        }
        let far = now.is_some_and(|now| now.abs_diff(at) > WINDOW);
        if far || at <= self.floor || self.seen.iter().any(|(_, seen)| *seen == token.digest) {
            return false;
        }
        self.seen.push_back((at, token.digest));
        if self.seen.len() > MOST
            && let Some((at, _)) = self.seen.pop_front()
        {
            // By a minute less: clients' clocks differ.
            self.floor = self.floor.max(at.saturating_sub(60));
            self.seen.retain(|(seen, _)| *seen > self.floor);
        }
        true
    }
}

/// `2026-11-24T14:00:05.123Z` in seconds since 1970; some write `+00:00` for the `Z`, or another
/// zone.
pub(super) fn seconds(text: &str) -> Option<u64> {
    if let Some(text) = text.strip_suffix('Z') {
        return utc(text);
    }
    let (time, zone) = text.split_at_checked(text.len().checked_sub(6)?)?;
    let (sign, zone) = zone.split_at_checked(1)?;
    let (hours, minutes) = zone.split_once(':')?;
    let number = |text: &str, less: u64| {
        let plain = text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
        plain.then(|| text.parse::<u64>().ok()).flatten().filter(|n| *n < less)
    };
    let away = number(hours, 15)? * 3600 + number(minutes, 60)? * 60;
    match sign {
        "+" => utc(time)?.checked_sub(away),
        "-" => Some(utc(time)? + away),
        _ => None,
    }
}

fn utc(text: &str) -> Option<u64> {
    let mut numbers = [0_u64; 6];
    let whole = text.split_once('.').map_or(text, |(whole, _)| whole);
    let mut parts = whole.split(['-', 'T', ':']);
    for number in &mut numbers {
        let part = parts.next().filter(|part| part.len() <= 4)?;
        *number = part.bytes().all(|b| b.is_ascii_digit()).then(|| part.parse().ok()).flatten()?;
    }
    let [year, month, day, hour, minute, second] = numbers;
    let sane = (1970..2200).contains(&year)
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && second <= 60;
    (sane && parts.next().is_none()).then_some(())?;
    // Years begin in March, so that the leap day is the last.
    let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1;
    Some((days - 719_468) * 86_400 + hour * 3600 + minute * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::host::utc as written;
    use crate::onvif::xml::parse;

    fn token(password: &str, nonce: u32, created: &str) -> Token {
        let mut hash = Sha1::new();
        hash.update(nonce.to_be_bytes());
        hash.update(created);
        hash.update(password);
        let digest = hash.finalize().to_vec();
        let nonce = nonce.to_be_bytes().to_vec();
        Token { user: USER.to_owned(), digest, nonce, created: created.to_owned() }
    }

    #[test]
    fn the_example_of_onvif_s_programmers_guide_is_right() {
        let text = "<Envelope><Header><Security><UsernameToken><Username>admin</Username><Password \
            Type=\"http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-\
            1.0#PasswordDigest\">tuOSpGlFlIXsozq4HFNeeGeFLEI=</Password><Nonce>LKqI6G/AikKCQrN0zqZFlg==\
            </Nonce><Created>2010-09-16T07:50:45Z</Created></UsernameToken></Security></Header></Envelope>";
        let given = Token::of(&parse(text).unwrap()).unwrap().unwrap();
        assert!(given.proves("userpassword"));
        assert!(!given.proves("userpasswor") && !given.proves(""));
        let readable = text.replace("#PasswordDigest", "#PasswordText");
        Token::of(&parse(&readable).unwrap()).unwrap_err();
        let nobody = parse("<Envelope><Body><Security/></Body></Envelope>").unwrap();
        assert!(Token::of(&nobody).unwrap().is_none());
    }

    #[test]
    fn a_token_counts_once_and_only_near_its_time() {
        let mut memory = Memory::default();
        let now = 1_800_000_000;
        let mut take = |nonce, at: u64, now| memory.take(token("p", nonce, &written(at)), now);
        assert!(take(1, now, Some(now)) && take(2, now - 300, Some(now)));
        assert!(!take(1, now, Some(now)), "again");
        assert!(!take(3, now - 301, Some(now)) && !take(4, now + 301, Some(now)));
        assert!(take(5, now - 4000, None) && !take(5, now - 4000, None), "without a clock");
        // However many come after it, it never counts again.
        assert!((10..2000).all(|n| take(n, now + u64::from(n), None)));
        assert!(!take(1, now, None) && !take(1999, now + 1999, None) && !take(1, now, Some(now)));
        // And a clock that is right again lets new ones in.
        assert!(take(9000, now + 1, Some(now)) && !take(9000, now + 1, Some(now)));
        assert!(!memory.take(token("p", 1, "yesterday"), None));
    }

    #[test]
    fn a_time_is_what_utc_says() {
        for at in [0, 951_782_400, 951_868_800, 1_767_225_599, 4_107_542_400] {
            assert_eq!(seconds(&written(at)), Some(at));
        }
        assert_eq!(seconds("2010-09-16T07:50:45.000Z"), seconds("2010-09-16T07:50:45Z"));
        for text in [
            "2010-09-16T07:50:45+00:00",
            "2010-09-16T09:20:45.5+01:30",
            "2010-09-16T02:50:45-05:00",
        ] {
            assert_eq!(seconds(text), seconds("2010-09-16T07:50:45Z"), "{text}");
        }
        for text in
            ["2010-09-16T07:50:45", "2010-09-16T07:50:45+1:00", "1970-01-01T00:00:00+01:00", "é:00"]
        {
            assert_eq!(seconds(text), None, "{text}");
        }
        for text in
            ["", "Z", "2010-09-16", "2010-13-16T07:50:45Z", "-1-1-1T1:1:1Z", "1e3-1-1T1:1:1Z"]
        {
            assert_eq!(seconds(text), None, "{text}");
        }
    }
}
