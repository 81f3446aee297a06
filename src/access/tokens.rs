//! Tokens for scripts: shown once, kept as hashes, listed and revoked by their names.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::access::error::LoginError;
use crate::base::hex;
use crate::base::host;
use crate::base::random;
use crate::card::file::{make_dir, read_bounded, replace};
use crate::card::{Card, CardError};
use crate::error::Chain;
use crate::formats::document;
use crate::formats::sha256::Sha256;

/// Tokens at once.
const MOST: usize = 32;
/// The longest file, in bytes.
const LIMIT: u64 = 0x1_0000;
/// What a token begins with, so that one that leaks is recognised.
const PREFIX: &str = "mi360d_";

/// All tokens.
#[derive(Clone, Default)]
pub(super) struct Tokens(Vec<Token>);

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Token {
    id: String,
    name: String,
    sha256: String,
    made: Option<String>,
}

/// A token, without what it opens.
#[derive(Clone, Debug, Serialize)]
pub struct TokenView {
    /// By which it is revoked.
    pub id: String,
    /// What its owner called it.
    pub name: String,
    /// UTC, where the clock was sane.
    pub made: Option<String>,
}

/// A new token.
#[derive(Clone, Debug, Serialize)]
pub struct Made {
    /// By which it is revoked.
    pub id: String,
    /// What its owner called it.
    pub name: String,
    /// What a script sends; never shown again.
    pub token: String,
}

impl Tokens {
    /// What is on the card; a file that cannot be read opens nothing.
    pub fn load(card: &Card) -> Tokens {
        let Ok(text) = read_bounded(&path(card), LIMIT) else { return Tokens::default() };
        match document::from_json(&text) {
            Ok(tokens) => Tokens(tokens),
            Err(e) => {
                log::error!("state/tokens is damaged, so no token is valid: {e}", e = Chain(&e));
                Tokens::default()
            }
        }
    }

    /// Puts them on the card.
    pub fn store(&self, card: &Card) -> Result<(), CardError> {
        card.require_writable()?;
        make_dir(&card.state_dir())?;
        let text = serde_json::to_vec(&self.0)
            .map_err(|e| CardError::new("cannot write", &path(card), e.into()))?;
        replace(&path(card), &text)
    }

    /// A new one.
    pub fn make(&mut self, name: &str) -> Result<Made, LoginError> {
        let name = name.trim();
        if name.is_empty() || name.chars().count() > 60 || name.chars().any(char::is_control) {
            return Err(LoginError::TokenName);
        }
        if self.0.len() >= MOST {
            return Err(LoginError::TooManyTokens);
        }
        let id = hex(&random::<4>().map_err(LoginError::Random)?);
        let token = format!("{PREFIX}{}", hex(&random::<20>().map_err(LoginError::Random)?));
        let sha256 = digest(&token);
        let (id, name) = (id, name.to_owned());
        self.0.push(Token { id: id.clone(), name: name.clone(), sha256, made: host::clock() });
        Ok(Made { id, name, token })
    }

    /// The id of this token.
    pub fn find(&self, token: &str) -> Option<String> {
        let digest = digest(token);
        self.0.iter().find(|known| known.sha256 == digest).map(|known| known.id.clone())
    }

    /// Deletes the one with this id; whether there was one.
    pub fn revoke(&mut self, id: &str) -> bool {
        let before = self.0.len();
        self.0.retain(|token| token.id != id);
        self.0.len() < before
    }

    /// All of them.
    pub fn list(&self) -> Vec<TokenView> {
        let view =
            |t: &Token| TokenView { id: t.id.clone(), name: t.name.clone(), made: t.made.clone() };
        self.0.iter().map(view).collect()
    }
}

fn digest(token: &str) -> String {
    hex(&Sha256::digest(token.as_bytes()))
}

fn path(card: &Card) -> PathBuf {
    card.state_dir().join("tokens")
}
