//! Browsers that have logged in: in memory, for a day, ended by a new password.

use std::io;
use std::time::{Duration, Instant};

use crate::formats::sha256::Sha256;

use crate::base::random;
use crate::base::{Digest, hex};

/// How long a session lasts.
pub const LIFETIME: Duration = Duration::from_secs(24 * 3600);
/// Sessions at once; the oldest goes.
const MOST: usize = 32;

/// A session that was just opened.
#[derive(Clone, Debug)]
pub struct Opened {
    /// The cookie's value: 128 random bits in hex.
    pub cookie: String,
    /// What changing calls must send back.
    pub csrf: String,
}

/// All sessions.
#[derive(Default)]
pub(super) struct Sessions(Vec<Session>);

struct Session {
    /// Of the cookie, so that finding it tells nothing by its time.
    digest: Digest,
    csrf: String,
    since: Instant,
}

impl Sessions {
    /// Opens one.
    pub fn open(&mut self, now: Instant) -> io::Result<Opened> {
        let cookie = hex(&random::<16>()?);
        let csrf = hex(&random::<16>()?);
        if self.0.len() >= MOST {
            self.0.remove(0);
        }
        self.0.push(Session { digest: digest(&cookie), csrf: csrf.clone(), since: now });
        Ok(Opened { cookie, csrf })
    }

    /// Its CSRF token, where the cookie is one's and the day is not over.
    pub fn find(&mut self, cookie: &str, now: Instant) -> Option<String> {
        self.0.retain(|session| now.saturating_duration_since(session.since) < LIFETIME);
        let digest = digest(cookie);
        self.0.iter().find(|session| session.digest == digest).map(|session| session.csrf.clone())
    }

    /// Ends one.
    pub fn close(&mut self, cookie: &str) {
        let digest = digest(cookie);
        self.0.retain(|session| session.digest != digest);
    }
}

fn digest(cookie: &str) -> Digest {
    Sha256::digest(cookie.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_ends_after_a_day_and_by_logout_and_the_oldest_makes_room() {
        let mut sessions = Sessions::default();
        let start = Instant::now();
        let first = sessions.open(start).unwrap();
        assert_eq!(sessions.find(&first.cookie, start), Some(first.csrf.clone()));
        assert_eq!(sessions.find("", start), None);
        let almost = start + (LIFETIME.saturating_sub(Duration::from_secs(1)));
        assert!(sessions.find(&first.cookie, almost).is_some());
        assert!(sessions.find(&first.cookie, start + LIFETIME).is_none());

        let second = sessions.open(start).unwrap();
        sessions.close(&second.cookie);
        assert!(sessions.find(&second.cookie, start).is_none());

        let oldest = sessions.open(start).unwrap();
        for _ in 0..MOST {
            sessions.open(start).unwrap();
        }
        assert!(sessions.find(&oldest.cookie, start).is_none());
        assert_eq!(sessions.0.len(), MOST);
    }
}
