//! The gate's own answers: its refusals, and `/healthz`. Pure: bytes out, no sockets.

use crate::error::{Code, Explain};

/// Why the gate does not hand a request on. Every one is answered with JSON (see
/// [`Refusal::to_bytes`]) and ends the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// 400: it breaks a rule of HTTP, or one of ours in `head.rs`.
    #[error("bad request: {0}")]
    Malformed(&'static str),
    /// 403: the Host is not ours.
    #[error("this is not a name of the camera")]
    ForeignHost,
    /// 405: `/healthz` is read only.
    #[error("only GET and HEAD are supported here")]
    Method,
    /// 408: the head or the body did not come in time.
    #[error("the request did not arrive in time")]
    TooSlow,
    /// 413: the body is larger than what is taken here.
    #[error("the body is too large")]
    BodyTooLarge,
    /// 417: an expectation other than `100-continue`.
    #[error("the expectation cannot be met")]
    Expectation,
    /// 431: the head is larger than the limit.
    #[error("the head of the request is too large")]
    HeadTooLarge,
    /// 431: more than [`MAX_HEADERS`](super::head::MAX_HEADERS) header lines.
    #[error("the request has too many header lines")]
    TooManyHeaders,
    /// 500: the handler panicked, or dropped the request without an answer.
    #[error("the request could not be handled")]
    HandlerFailed,
    /// 501: any Transfer-Encoding.
    #[error("transfer codings are not supported")]
    TransferEncoding,
    /// 502: the connection to the server behind the gate broke before an answer.
    #[error("the server behind the gate closed the connection")]
    BackendGone,
    /// 503: every place is taken, and waiting took too long.
    #[error("too many requests at once")]
    Busy,
    /// 504: the handler gave no answer in time.
    #[error("the request took too long")]
    BackendSilent,
    /// 505: neither HTTP/1.0 nor HTTP/1.1.
    #[error("this version of HTTP is not supported")]
    Version,
}

impl Refusal {
    /// The HTTP status.
    pub fn status(self) -> u16 {
        self.parts().0
    }

    /// Status, its phrase, the stable code, and the hint.
    fn parts(self) -> (u16, &'static str, Code, &'static str) {
        match self {
            Refusal::Malformed(_) => {
                (400, "Bad Request", Code::BadRequest, "Send a plain HTTP/1.1 request.")
            }
            Refusal::ForeignHost => (
                403,
                "Forbidden",
                Code::ForeignHost,
                "Open the camera by its IP address or its .local name, or add this name under \
                 Settings, Host names.",
            ),
            Refusal::Method => {
                (405, "Method Not Allowed", Code::MethodNotAllowed, "Use GET or HEAD.")
            }
            Refusal::TooSlow => (
                408,
                "Request Timeout",
                Code::RequestTimeout,
                "Send the request again; a weak WiFi signal may be the reason.",
            ),
            Refusal::BodyTooLarge => (
                413,
                "Content Too Large",
                Code::BodyTooLarge,
                "Send less than 64 KiB to this path.",
            ),
            Refusal::Expectation => {
                (417, "Expectation Failed", Code::ExpectationFailed, "Send no Expect header.")
            }
            Refusal::HeadTooLarge | Refusal::TooManyHeaders => (
                431,
                "Request Header Fields Too Large",
                Code::HeadTooLarge,
                "Delete the cookies of this address in the browser, then try again.",
            ),
            Refusal::HandlerFailed => (
                500,
                "Internal Server Error",
                Code::Internal,
                "See the log, and report this as a bug.",
            ),
            Refusal::TransferEncoding => (
                501,
                "Not Implemented",
                Code::TransferEncoding,
                "Send the body with a Content-Length.",
            ),
            Refusal::BackendGone => (
                502,
                "Bad Gateway",
                Code::ServerRestarting,
                "The server is restarting. Try again in a few seconds.",
            ),
            Refusal::Busy => (
                503,
                "Service Unavailable",
                Code::Busy,
                "Close other pages and downloads of this camera, or try again in a few seconds.",
            ),
            Refusal::BackendSilent => (
                504,
                "Gateway Timeout",
                Code::NoAnswer,
                "Check the status page before you try again: the work may still be running.",
            ),
            Refusal::Version => {
                (505, "HTTP Version Not Supported", Code::HttpVersion, "Use HTTP/1.1.")
            }
        }
    }

    /// The whole response. `head_only` leaves the body out, as an answer to HEAD must.
    pub fn to_bytes(self, head_only: bool) -> Vec<u8> {
        let (status, phrase, code, hint) = self.parts();
        let body = serde_json::json!({
            "error": { "code": code, "message": self.to_string(), "hint": hint }
        })
        .to_string();
        let more = match self {
            Refusal::Busy | Refusal::BackendGone => "Retry-After: 2\r\n",
            Refusal::Method => "Allow: GET, HEAD\r\n",
            _ => "",
        };
        response(status, phrase, "application/json", more, &body, head_only)
    }
}

impl Explain for Refusal {
    fn code(&self) -> Code {
        self.parts().2
    }

    fn hint(&self) -> String {
        self.parts().3.to_owned()
    }
}

/// The answer of `/healthz`: that the gate lives, and nothing else.
pub fn healthy(head_only: bool) -> Vec<u8> {
    response(200, "OK", "text/plain", "", "ok", head_only)
}

/// [`Refusal::ForeignHost`] for a person: this page.
pub fn foreign_host(html: &str, head_only: bool) -> Vec<u8> {
    let more = "Content-Security-Policy: default-src 'none'; base-uri 'none'; form-action 'none'; \
                frame-ancestors 'none'\r\nReferrer-Policy: no-referrer\r\nVary: Accept, \
                Accept-Language\r\n";
    response(403, "Forbidden", "text/html", more, html, head_only)
}

fn response(
    status: u16,
    phrase: &str,
    kind: &str,
    more: &str,
    body: &str,
    head_only: bool,
) -> Vec<u8> {
    let length = body.len();
    let body = if head_only { "" } else { body };
    format!(
        "HTTP/1.1 {status} {phrase}\r\nContent-Type: {kind}; charset=utf-8\r\n\
         Content-Length: {length}\r\nConnection: close\r\nCache-Control: no-store\r\n\
         X-Content-Type-Options: nosniff\r\n{more}\r\n{body}"
    )
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_json_of_the_stated_length_with_code_message_and_hint() {
        let text = String::from_utf8(Refusal::Busy.to_bytes(false)).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{head}");
        assert!(head.contains(&format!("\r\nContent-Length: {}\r\n", body.len())), "{head}");
        for line in ["Connection: close", "Cache-Control: no-store", "Retry-After: 2"] {
            assert!(head.lines().any(|l| l == line), "{line} is missing in {head}");
        }
        assert!(head.lines().any(|l| l == "X-Content-Type-Options: nosniff"));
        let json: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(json["error"]["code"], "busy");
        assert!(json["error"]["message"].is_string() && json["error"]["hint"].is_string());
    }

    #[test]
    fn an_answer_to_head_states_the_length_and_sends_none_of_it() {
        let text = String::from_utf8(healthy(true)).unwrap();
        assert!(text.contains("\r\nContent-Length: 2\r\n") && text.ends_with("\r\n\r\n"));
    }
}
