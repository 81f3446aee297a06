//! A request as its handler gets it, and the limits of its body.

use serde::de::DeserializeOwned;

use super::clients::Client;
use super::context::Context;
use super::guard::Asking;
use super::problem::Problem;
use super::reply::Reply;
use crate::access::LoginSource;
use crate::access::login::Caller;
use crate::error::Code;
use crate::formats::crc32::hash;
use crate::formats::document::{self, DocumentError};

/// What a handler gets.
pub(super) struct Asked<'a> {
    pub context: &'a Context,
    /// The parts of the path that stand for `{...}`.
    pub parts: Vec<&'a str>,
    pub query: &'a str,
    pub body: &'a [u8],
    pub asking: Asking<'a>,
    /// Whether somebody still waits for the answer.
    pub client: Client,
    pub caller: &'a Caller,
    /// Of the browser: the language it prefers, and what it has.
    pub language: Option<&'a str>,
    pub etag: Option<&'a str>,
    pub encoding: Option<&'a str>,
    pub range: Option<&'a str>,
}

impl Asked<'_> {
    /// Where a password comes from that is typed again: a session is apart from its address.
    pub fn source(&self) -> LoginSource {
        match self.caller {
            Caller::Session { csrf } => LoginSource::Session(u64::from(hash(csrf.as_bytes()))),
            _ => LoginSource::address(self.asking.peer),
        }
    }

    /// The part of the path that stands for the first `{...}`.
    pub fn id(&self) -> &str {
        self.parts.first().copied().unwrap_or_default()
    }

    /// The body, of exactly this form.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        let read = document::from_json(self.body).and_then(|read| {
            // serde takes a list for a struct, too.
            if self.body.trim_ascii_start().starts_with(b"{") {
                return Ok(read);
            }
            let message = "expected an object".to_owned();
            Err(DocumentError { at: 0, line: 1, message, is_form: false })
        });
        read.map_err(|DocumentError { at, message, is_form, .. }| {
            let (status, code) = if is_form { (400, Code::BadJson) } else { (422, Code::BadBody) };
            let hint = "/api/v1/openapi.json describes this call.";
            let message = format!("The body is not understood: {message}, at byte {at}");
            Problem::new(status, code, &message, hint)
        })
    }

    /// A number of the query.
    pub fn number(&self, name: &str) -> Result<Option<u64>, Problem> {
        let pairs = self.query.split('&').filter_map(|pair| pair.split_once('='));
        match pairs.filter(|(key, _)| *key == name).map(|(_, value)| value).next() {
            None => Ok(None),
            Some(value) if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) => {
                Ok(Some(value.parse().unwrap_or(u64::MAX)))
            }
            Some(_) => {
                let message = format!("'{name}' must be a number.");
                Err(Problem::new(400, Code::BadQuery, &message, "Correct the address."))
            }
        }
    }

    /// A word of the query.
    pub fn word(&self, name: &str) -> Option<&str> {
        let pairs = self.query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.filter(|(key, _)| *key == name).map(|(_, value)| value).next()
    }
}

/// What a handler answers.
pub(super) type Answer = Result<Reply, Problem>;
