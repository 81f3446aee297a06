//! One route: its call, access and answer.

use super::asked::{Answer, Asked};
use super::guard::Access;

/// Makes the answer.
pub(super) type Handler = fn(&Asked<'_>) -> Answer;

/// What a route answers with when all is well.
#[derive(Clone, Copy, Debug)]
pub(super) enum Gives {
    /// A document: status, and its schema's name.
    Json(u16, &'static str),
    /// Bytes of this kind.
    Bytes(&'static str),
    /// Bytes of one of these kinds.
    Any(&'static [&'static str]),
}

/// One route.
pub(super) struct Route {
    pub method: &'static str,
    /// `{name}` stands for one part of a path.
    pub path: &'static str,
    pub access: Access,
    /// The schema of the body, where it takes one.
    pub takes: Option<&'static str>,
    pub gives: Gives,
    /// Names and kinds of what may be behind a `?`.
    pub query: &'static [(&'static str, &'static str)],
    pub summary: &'static str,
    pub handler: Handler,
}
