//! Access control: the one check of every request, including uploads at the gate.
//! Host is the gate's matter; passwords and sessions are [`crate::access::login`]'s.

use std::net::IpAddr;

use super::problem::Problem;
use crate::access::login::{Caller, Login};
use crate::error::Code;

/// The session's cookie.
pub(super) const COOKIE: &str = "mi360d_session";

/// The access that a route needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Anybody.
    Open,
    /// Browsers that have logged in, and scripts with a token.
    Login,
    /// Browsers that have logged in with the password; no tokens.
    Owner,
    /// Clients with the streams' login, which the handler checks; if that is off, as
    /// [`Access::Login`].
    Streams,
}

/// What of a request tells who asks, and from where.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asking<'a> {
    pub method: &'a str,
    pub host: Option<&'a str>,
    pub origin: Option<&'a str>,
    pub fetch_site: Option<&'a str>,
    pub cookie: Option<&'a str>,
    pub authorization: Option<&'a str>,
    pub csrf: Option<&'a str>,
    pub peer: IpAddr,
}

impl<'a> Asking<'a> {
    /// Whether this call may change something.
    pub fn changes(&self) -> bool {
        !matches!(self.method, "GET" | "HEAD")
    }

    /// The session's cookie, if one came.
    pub fn session(&self) -> Option<&'a str> {
        let pairs = self.cookie?.split(';').filter_map(|pair| pair.trim().split_once('='));
        pairs.filter(|(name, _)| *name == COOKIE).map(|(_, value)| value).next()
    }

    fn bearer(&self) -> Option<&'a str> {
        let (scheme, token) = self.authorization?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
    }
}

/// The client, if it has access.
pub(super) fn check(login: &Login, access: Access, asking: &Asking<'_>) -> Result<Caller, Problem> {
    if access == Access::Open {
        if asking.changes() {
            same_origin(asking)?;
        }
        return Ok(Caller::Nobody);
    }
    // A request with a token uses the token, whatever cookie it also has.
    let cookie = asking.session().filter(|_| asking.authorization.is_none());
    let caller = login.caller(cookie, asking.bearer());
    match &caller {
        Caller::Nobody => return Err(not_logged_in(login)),
        Caller::Session { csrf } if asking.changes() => {
            same_origin(asking)?;
            if asking.csrf != Some(csrf.as_str()) {
                return Err(Problem::new(
                    403,
                    Code::Csrf,
                    "The call does not carry this session's X-CSRF-Token.",
                    "Reload the page. Scripts use the token that `login` returns.",
                ));
            }
        }
        Caller::Token { .. } if access == Access::Owner => {
            return Err(Problem::new(
                403,
                Code::NotByToken,
                "A token has no access to this.",
                "Log in with the password.",
            ));
        }
        Caller::Token { .. } if asking.changes() => same_origin(asking)?,
        _ => {}
    }
    Ok(caller)
}

/// The answer to a stranger: whether there is a password, and nothing else.
pub(super) fn not_logged_in(login: &Login) -> Problem {
    if login.has_password() {
        let hint = "Log in on the page, or send a token.";
        return Problem::new(401, Code::LoginNeeded, "This needs a login.", hint);
    }
    if login.setup_code().is_none() {
        return Problem::new(
            401,
            Code::NoSetupCode,
            "No password can be set: the card is missing, full or read-only.",
            "Insert a writable card, formatted as FAT32, and restart the camera.",
        );
    }
    Problem::new(
        401,
        Code::SetupNeeded,
        "No password is set yet.",
        "Open the page and set one: the code is in mi360d/setup-code.txt on the card.",
    )
}

/// Refuses what another site's page made a browser send.
fn same_origin(asking: &Asking<'_>) -> Result<(), Problem> {
    let foreign = match asking.origin {
        None => false,
        Some(origin) => !asking.host.is_some_and(|host| is_same(origin, host)),
    };
    let by_browser = asking.fetch_site.is_some_and(|site| site != "same-origin" && site != "none");
    if foreign || by_browser {
        return Err(Problem::new(
            403,
            Code::ForeignOrigin,
            "This call comes from another site's page.",
            "Open the camera's own page at the address of this call.",
        ));
    }
    Ok(())
}

/// Whether an Origin is the page of this Host. A port that is the scheme's own may be left out.
fn is_same(origin: &str, host: &str) -> bool {
    let Some((scheme, place)) = origin.split_once("://") else { return false };
    let port = match scheme {
        "http" => ":80",
        "https" => ":443",
        _ => return false,
    };
    let bare = |name: &str| name.strip_suffix(port).unwrap_or(name).to_ascii_lowercase();
    bare(place) == bare(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_ours_only_if_it_is_the_host_that_was_asked() {
        for (origin, host) in [
            ("http://192.168.1.7", "192.168.1.7"),
            ("http://192.168.1.7", "192.168.1.7:80"),
            ("http://Cam.local:8080", "cam.local:8080"),
            ("https://cam.local", "cam.local:443"),
            ("http://[fe80::1]:8080", "[fe80::1]:8080"),
        ] {
            assert!(is_same(origin, host), "{origin} {host}");
        }
        for (origin, host) in [
            ("null", "cam.local"),
            ("", "cam.local"),
            ("http://cam.local", "cam.local:8080"),
            ("http://cam.local.evil.com", "cam.local"),
            ("http://evil.com", "cam.local"),
            ("file://cam.local", "cam.local"),
            ("http://cam.local/", "cam.local"),
            ("http://x@cam.local", "cam.local"),
        ] {
            assert!(!is_same(origin, host), "{origin} {host}");
        }
    }

    #[test]
    fn the_session_is_found_among_other_cookies() {
        let asking = |cookie| Asking {
            method: "GET",
            host: None,
            origin: None,
            fetch_site: None,
            cookie,
            authorization: None,
            csrf: None,
            peer: IpAddr::from([127, 0, 0, 1]),
        };
        assert_eq!(asking(Some("a=b; mi360d_session=42;c=d")).session(), Some("42"));
        for cookie in [None, Some(""), Some("xmi360d_session=1"), Some("mi360d_session")] {
            assert_eq!(asking(cookie).session(), None, "{cookie:?}");
        }
    }
}
