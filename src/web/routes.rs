//! The one table of what can be asked for, and by whom. Until there is a
//! login, the network gets the page and `/healthz` (which the gate answers);
//! all that tells more is for this machine alone.

use tiny_http::{Method, Request};

use super::reply::{self, Reply};
use super::{Context, api, backend, page};

/// Who may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    /// Anybody.
    Open,
    /// Programs on this machine.
    Loopback,
}

/// What a handler gets: the context, who asks, and the parts of the path that stand for `*`.
pub(super) struct Asked<'a> {
    pub context: &'a Context,
    pub is_loopback: bool,
    pub parts: Vec<&'a str>,
}

type Handler = fn(&Asked<'_>) -> Reply;

/// Every route; `*` stands for one part of a path. All are GET: nothing changes anything yet.
const ROUTES: &[(&str, Access, Handler)] = &[
    ("/", Access::Open, page::page),
    ("/mi360d.css", Access::Open, page::style),
    ("/api/v1/status", Access::Loopback, api::status),
    ("/api/v1/flash", Access::Loopback, api::flash),
    ("/api/v1/log", Access::Loopback, api::log),
    ("/api/v1/backups", Access::Loopback, api::backups),
    ("/api/v1/backups/*", Access::Loopback, api::backup),
    ("/api/v1/backups/*/files/*", Access::Loopback, api::file),
];

/// Answers a request.
pub(super) fn answer(context: &Context, request: Request) {
    let reply = reply_to(context, &request);
    if let Err(e) = request.respond(reply) {
        log::debug!("a client went away: {e}");
    }
}

fn reply_to(context: &Context, request: &Request) -> Reply {
    let path = request.url().split(['?', '#']).next().unwrap_or_default();
    let is_loopback = backend::peer(request).is_some_and(|ip| ip.is_loopback());
    let found = find(path);
    let open = matches!(found, Some((Access::Open, ..)));
    // Also where there is nothing: a stranger does not learn what there is.
    if !open && !is_loopback {
        return reply::error(
            401,
            "login-needed",
            "This needs a login, and there is none yet.",
            "Until there is, ask from the camera itself, over 127.0.0.1.",
        );
    }
    let Some((_, handler, parts)) = found else {
        return reply::error(404, "not-found", "There is nothing here.", "The page is at /.");
    };
    if !matches!(request.method(), Method::Get | Method::Head) {
        let hint = "Nothing can be changed over HTTP yet.";
        return reply::error(405, "method", "Only GET and HEAD are answered here.", hint);
    }
    handler(&Asked { context, is_loopback, parts })
}

fn find(path: &str) -> Option<(Access, Handler, Vec<&str>)> {
    ROUTES.iter().find_map(|(pattern, access, handler)| {
        let mut parts = Vec::new();
        let mut asked = path.split('/');
        for wanted in pattern.split('/') {
            let part = asked.next()?;
            match wanted {
                "*" => parts.push(part),
                _ if wanted == part => {}
                _ => return None,
            }
        }
        asked.next().is_none().then_some((*access, *handler, parts))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_page_is_open_to_the_network() {
        let open: Vec<&str> = ROUTES.iter().filter(|r| r.1 == Access::Open).map(|r| r.0).collect();
        assert_eq!(open, ["/", "/mi360d.css"]);
    }

    #[test]
    fn a_part_of_a_path_never_holds_a_slash() {
        let (_, _, parts) = find("/api/v1/backups/0001-00000000/files/BOOT.bin").unwrap();
        assert_eq!(parts, ["0001-00000000", "BOOT.bin"]);
        for path in ["", "/x", "//", "/api/v1/backups/a/files/b/c", "/api/v1/status/"] {
            assert!(find(path).is_none(), "{path}");
        }
    }
}
