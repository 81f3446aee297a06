//! A request as its handler gets it, and what its body may hold.

use serde_json::{Map, Value};

use super::clients::Client;
use super::context::Context;
use super::guard::Asking;
use super::problem::Problem;
use super::reply::Reply;
use crate::access::Source;
use crate::access::login::Caller;
use crate::formats::crc32::hash;
use crate::formats::json::{self, Wrong};
use crate::formats::toml::{Fault, Kind, Node, Read};

/// What a handler gets.
pub(super) struct Asked<'a> {
    pub context: &'a Context,
    /// The parts of the path that stand for `{...}`.
    pub parts: Vec<&'a str>,
    pub query: &'a str,
    pub body: &'a [u8],
    pub asking: Asking<'a>,
    /// Tells whether somebody still waits for the answer.
    pub client: Client,
    pub caller: &'a Caller,
    /// Of the browser: the language it prefers, and what it has.
    pub language: Option<&'a str>,
    pub etag: Option<&'a str>,
    pub encoding: Option<&'a str>,
}

impl Asked<'_> {
    /// Where a password comes from that is typed again: a session is apart from its address.
    pub fn source(&self) -> Source {
        match self.caller {
            Caller::Session { csrf } => Source::Session(u64::from(hash(csrf.as_bytes()))),
            _ => Source::address(self.asking.peer),
        }
    }

    /// The part of the path that stands for the first `{...}`.
    pub fn id(&self) -> &str {
        self.parts.first().copied().unwrap_or_default()
    }

    /// The body, of exactly this form.
    pub fn json<T: Read>(&self) -> Result<T, Problem> {
        let object = |node: Node| match node.as_ref() {
            Kind::Table(_) => Ok(node),
            _ => Err(Wrong::Meaning(Fault::new(0, "expected an object"))),
        };
        let read = json::parse(self.body).map_err(Wrong::Form).and_then(object);
        read.and_then(|node| T::read(node).map_err(Wrong::Meaning)).map_err(|wrong| {
            let (status, code) = match wrong {
                Wrong::Form(_) => (400, "bad-json"),
                Wrong::Meaning(_) => (422, "bad-body"),
            };
            let hint = "/api/v1/openapi.json tells what this call takes.";
            let Fault { at, message, .. } = wrong.fault();
            let message = format!("The body is not understood: {message}, at byte {at}");
            Problem::new(status, code, &message, hint)
        })
    }

    /// The text of a body that holds nothing else.
    pub fn text(&self, name: &str) -> Result<String, Problem> {
        self.texts(&[name]).map(|mut found| found.swap_remove(0).unwrap_or_default())
    }

    /// Two texts of a body that holds nothing else.
    pub fn pair(&self, one: &str, two: &str) -> Result<(String, Option<String>), Problem> {
        let mut found = self.texts(&[one, two])?;
        let second = found.pop().flatten();
        Ok((found.swap_remove(0).unwrap_or_default(), second))
    }

    fn texts(&self, names: &[&str]) -> Result<Vec<Option<String>>, Problem> {
        texts(self.json()?, names)
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
                Err(Problem::new(400, "bad-query", &message, "Correct the address."))
            }
        }
    }

    /// A word of the query.
    pub fn word(&self, name: &str) -> Option<&str> {
        let pairs = self.query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.filter(|(key, _)| *key == name).map(|(_, value)| value).next()
    }
}

/// The texts of an object that holds nothing else, in the order of their names. `a|b` is one that
/// has two names; one with a `?` before it may be missing or null.
pub(super) fn texts(
    mut body: Map<String, Value>,
    names: &[&str],
) -> Result<Vec<Option<String>>, Problem> {
    let mut found = Vec::new();
    for name in names {
        let needed = name.strip_prefix('?');
        let value = needed.unwrap_or(name).split('|').find_map(|name| body.remove(name));
        found.push(match (value, needed) {
            (Some(Value::String(text)), _) => Some(text),
            (None | Some(Value::Null), Some(_)) => None,
            _ => return Err(not_these(names)),
        });
    }
    if body.is_empty() { Ok(found) } else { Err(not_these(names)) }
}

/// That a body holds something else.
pub(super) fn not_these(names: &[&str]) -> Problem {
    let message = format!("The body is not understood, expected texts: {}", names.join(", "));
    let hint = "/api/v1/openapi.json tells what this call takes.";
    Problem::new(422, "bad-body", &message, hint)
}

pub(super) type Answer = Result<Reply, Problem>;
