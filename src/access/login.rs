//! The login: the first password, sessions, tokens. What each route needs is in
//! [`crate::web`]; what a wrong try costs is in [`crate::access`].

use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::access::LoginSource;
use crate::access::line::{Line, Tried};
use crate::access::throttle::{CHOSEN, CODE, STREAMS, Throttle};
use crate::card::Card;
use crate::error::Chain;

pub use super::error::LoginError;
pub use super::sessions::{LIFETIME, Opened};
pub use super::setup::{RESET, SETUP_CODE};
pub use super::tokens::{Made, TokenView};

use super::password::Stored;
use super::refused::Refused;
use super::sessions::Sessions;
use super::tokens::Tokens;
use super::{password, setup};
use crate::base::same;

/// The longest password in bytes: nobody types more, and every byte is hashed.
const LONGEST: usize = 1024;
/// Characters of a password that is set on the page, at least.
const SHORTEST: usize = 8;

/// The client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// Nobody that is known.
    Nobody,
    /// A browser with a session.
    Session {
        /// What changing calls must send back.
        csrf: String,
    },
    /// A script with a token.
    Token {
        /// The token's id.
        id: String,
    },
}

/// The login of one camera.
pub struct Login {
    card: Card,
    /// Tries at the page's password: hashing takes half a second on the camera.
    tries: Line,
    /// Tries at the setup code.
    codes: Line,
    /// Tries at the streams' password.
    stream_tries: Mutex<Throttle>,
    refused: Mutex<Refused>,
    /// The first password is being set.
    setting_up: Mutex<()>,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    stored: Option<Stored>,
    /// The file that was read last.
    file: Option<password::Mark>,
    code: Option<String>,
    sessions: Sessions,
    tokens: Tokens,
}

impl Login {
    /// The login of the camera with this card; nothing is read yet.
    pub fn new(card: Card) -> Login {
        Login {
            card,
            tries: Line::new(CHOSEN),
            codes: Line::new(CODE),
            stream_tries: Mutex::new(Throttle::new(STREAMS)),
            refused: Mutex::default(),
            setting_up: Mutex::default(),
            inner: Mutex::default(),
        }
    }

    /// Reads what is on the card, and makes a setup code where there is no password.
    pub fn start(&self) {
        let asked = setup::reset_asked(&self.card);
        let stored = if asked { None } else { Stored::load(&self.card) };
        let code = match &stored {
            Some(_) => None,
            None => setup::code(&self.card)
                .inspect_err(|e| log::error!("no setup code was made: {e}", e = Chain(&e)))
                .ok(),
        };
        if asked && code.is_some() {
            // Last, so that a power cut in between asks for it again.
            setup::reset_done(&self.card);
        }
        if stored.is_some() {
            setup::remove_code(&self.card);
        }
        let mut inner = self.inner();
        inner.tokens = Tokens::load(&self.card);
        inner.stored = stored;
        inner.code = code;
    }

    /// Another card may be in the camera: one without a password gets a setup code, as at a start.
    /// Until then nobody could set one.
    pub fn card_changed(&self) {
        if password::mark(&self.card).is_none() {
            self.start();
            self.inner().sessions = Sessions::default();
        }
    }

    /// Whether a password is set. One set by `mi360d passwd` counts at once.
    pub fn has_password(&self) -> bool {
        self.look();
        self.inner().stored.is_some()
    }

    /// The setup code, while it counts.
    pub fn setup_code(&self) -> Option<String> {
        let inner = self.inner();
        inner.code.clone().filter(|_| inner.stored.is_none())
    }

    /// The first password.
    ///
    /// # Errors
    /// [`LoginError`].
    pub fn setup(&self, from: IpAddr, code: &str, new: &str) -> Result<Opened, LoginError> {
        if self.has_password() {
            return Err(LoginError::AlreadySetUp);
        }
        let wanted = self.setup_code().ok_or(LoginError::NoCode)?;
        check_of_page(new)?;
        let right = same(setup::plain(code).as_bytes(), setup::plain(&wanted).as_bytes());
        outcome(self.codes.judge_now(LoginSource::address(from), right), LoginError::WrongCode)?;
        // Two who have the code: the first one's password stays.
        let _one = self.setting_up.lock().unwrap_or_else(PoisonError::into_inner);
        if self.has_password() {
            return Err(LoginError::AlreadySetUp);
        }
        self.store(new)?;
        // A client that set the password knows it.
        self.tries.judge_now(LoginSource::address(from), true);
        setup::remove_code(&self.card);
        self.inner().code = None;
        self.open()
    }

    /// A session for who knows the password.
    ///
    /// # Errors
    /// [`LoginError`].
    pub fn login(&self, from: IpAddr, password: &str) -> Result<Opened, LoginError> {
        self.check_password(LoginSource::address(from), password)?;
        self.open()
    }

    /// Whether this is the password; for what needs it typed again.
    ///
    /// # Errors
    /// [`LoginError`].
    pub fn check_password(&self, from: LoginSource, password: &str) -> Result<(), LoginError> {
        self.look();
        let stored = self.inner().stored.clone().ok_or(LoginError::SetupNeeded)?;
        // What was wrong once is wrong again: an old client repeats it forever, and neither takes
        // the processor nor a guesser's budget.
        let known = password.len() > LONGEST || self.refused().contains(&stored, password);
        let tried = if known {
            self.tries.judge_now(from, false)
        } else {
            self.tries.judge(from, || {
                let right = stored.matches(password);
                if !right {
                    self.refused().insert(&stored, password);
                }
                right
            })
        };
        outcome(tried, LoginError::WrongPassword)
    }

    /// A try at the streams' password, which is judged at once: a digest costs next to nothing.
    ///
    /// # Errors
    /// [`LoginError::WrongPassword`], [`LoginError::TooMany`].
    pub fn try_streams(
        &self,
        from: IpAddr,
        right: impl FnOnce() -> bool,
    ) -> Result<(), LoginError> {
        let (from, now) = (LoginSource::address(from), Instant::now());
        let mut tries = self.stream_tries.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = tries.turn(from, now);
        let tried = if !wait.is_zero() {
            Tried::NoPlace(wait)
        } else if right() {
            tries.right(from);
            Tried::Right
        } else {
            tries.wrong(from, now).into()
        };
        outcome(tried, LoginError::WrongPassword)
    }

    /// A new password; ends every session, and opens one for who changed it.
    ///
    /// # Errors
    /// [`LoginError`].
    pub fn change(&self, from: LoginSource, old: &str, new: &str) -> Result<Opened, LoginError> {
        self.check_password(from, old)?;
        check_of_page(new)?;
        self.store(new)?;
        self.open()
    }

    /// Ends a session.
    pub fn logout(&self, cookie: Option<&str>) {
        if let Some(cookie) = cookie {
            self.inner().sessions.close(cookie);
        }
    }

    /// The client with this cookie or this token.
    pub fn caller(&self, cookie: Option<&str>, bearer: Option<&str>) -> Caller {
        self.look();
        let mut inner = self.inner();
        if inner.stored.is_none() {
            return Caller::Nobody;
        }
        if let Some(token) = bearer {
            return inner.tokens.find(token).map_or(Caller::Nobody, |id| Caller::Token { id });
        }
        let csrf = cookie.and_then(|cookie| inner.sessions.find(cookie, Instant::now()));
        csrf.map_or(Caller::Nobody, |csrf| Caller::Session { csrf })
    }

    /// All tokens, without what they open.
    pub fn tokens(&self) -> Vec<TokenView> {
        self.inner().tokens.list()
    }

    /// A new token; this answer is the only one that shows it.
    ///
    /// # Errors
    /// [`LoginError`].
    pub fn make_token(&self, name: &str) -> Result<Made, LoginError> {
        let mut inner = self.inner();
        let mut tokens = inner.tokens.clone();
        let made = tokens.make(name)?;
        tokens.store(&self.card)?;
        inner.tokens = tokens;
        Ok(made)
    }

    /// Ends a token.
    ///
    /// # Errors
    /// [`LoginError::NoSuchToken`], or the card's.
    pub fn revoke_token(&self, id: &str) -> Result<(), LoginError> {
        let mut inner = self.inner();
        // It ends now, also where the card cannot be written; then that is said.
        if !inner.tokens.revoke(id) {
            return Err(LoginError::NoSuchToken);
        }
        Ok(inner.tokens.store(&self.card)?)
    }

    fn open(&self) -> Result<Opened, LoginError> {
        self.inner().sessions.open(Instant::now()).map_err(LoginError::Random)
    }

    fn store(&self, new: &str) -> Result<(), LoginError> {
        let stored = Stored::make(new).map_err(LoginError::Random)?;
        stored.store(&self.card)?;
        let mut inner = self.inner();
        inner.stored = Some(stored);
        inner.sessions = Sessions::default();
        Ok(())
    }

    /// Takes over a password that another process set. A card that cannot be read changes nothing.
    /// Every request asks: only a file that is another than the last is read, for a card that is
    /// being written to lets a reader wait for seconds.
    fn look(&self) {
        let file = password::mark(&self.card);
        if file.is_none() || self.inner().file == file {
            return;
        }
        let now = Stored::load(&self.card);
        let mut inner = self.inner();
        inner.file = file.filter(|_| now.is_some());
        if now.is_some() && now != inner.stored {
            inner.stored = now;
            inner.sessions = Sessions::default();
            inner.code = None;
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn refused(&self) -> MutexGuard<'_, Refused> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A try's outcome as a result; `wrong` is the error of a wrong one.
fn outcome(tried: Tried, wrong: LoginError) -> Result<(), LoginError> {
    // Rounded up, so that who waits so long does not come too early.
    let seconds = |wait: Duration| wait.as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX);
    match tried {
        Tried::Right => Ok(()),
        Tried::Wrong => Err(wrong),
        Tried::Wait(wait) => Err(LoginError::TooMany { seconds: seconds(wait) }),
        Tried::NoPlace(wait) => Err(LoginError::Crowded { seconds: seconds(wait) }),
    }
}

/// Sets the password from the terminal: who is there needs no old one.
///
/// # Errors
/// [`LoginError`].
pub fn set_password(card: &Card, new: &str) -> Result<(), LoginError> {
    check_new(new)?;
    Stored::make(new).map_err(LoginError::Random)?.store(card)?;
    setup::remove_code(card);
    Ok(())
}

fn check_new(new: &str) -> Result<(), LoginError> {
    match new.len() {
        0 => Err(LoginError::EmptyPassword),
        1..=LONGEST => Ok(()),
        _ => Err(LoginError::LongPassword),
    }
}

/// What the page takes; at the camera's own terminal its owner decides.
fn check_of_page(new: &str) -> Result<(), LoginError> {
    check_new(new)?;
    if new.chars().count() < SHORTEST { Err(LoginError::ShortPassword) } else { Ok(()) }
}
