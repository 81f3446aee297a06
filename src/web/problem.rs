//! An error on its way out: its HTTP status beside code, message and hint. Nothing is decided
//! here but the status.

use super::reply::{self, Reply};
use crate::error::{Exit, Explain};
use crate::formats::json;

/// An error as the API tells it.
#[derive(Debug)]
pub(crate) struct Problem {
    /// The HTTP status.
    pub status: u16,
    /// A stable name.
    pub code: String,
    /// What is the case.
    pub message: String,
    /// What to do.
    pub hint: String,
    /// The field that is wrong.
    pub field: Option<String>,
    /// Seconds after which to try again.
    pub retry_after: Option<u64>,
    /// The methods that are answered instead.
    pub allow: Option<String>,
}

impl Problem {
    /// One that is known only here.
    pub fn new(status: u16, code: &str, message: &str, hint: &str) -> Problem {
        Problem {
            status,
            code: code.to_owned(),
            message: message.to_owned(),
            hint: hint.to_owned(),
            field: None,
            retry_after: None,
            allow: None,
        }
    }

    /// There is nothing.
    pub fn not_found() -> Problem {
        Problem::new(404, "not-found", "There is nothing here.", "The page is at /.")
    }

    /// The JSON of it.
    pub fn document(&self) -> serde_json::Value {
        let mut error = serde_json::json!({
            "code": self.code, "message": self.message, "hint": self.hint
        });
        if let (Some(field), Some(error)) = (&self.field, error.as_object_mut()) {
            error.insert("field".to_owned(), field.as_str().into());
        }
        serde_json::json!({ "error": error })
    }

    /// The answer.
    pub fn into_reply(self) -> Reply {
        let body = json::text(&self.document()).into_bytes();
        let answer = reply::bytes(self.status, "application/json", body);
        let answer = match &self.allow {
            Some(methods) => reply::with(answer, "Allow", methods),
            None => answer,
        };
        match self.retry_after {
            Some(seconds) => reply::with(answer, "Retry-After", &seconds.to_string()),
            None => answer,
        }
    }
}

impl<E: Explain> From<E> for Problem {
    fn from(error: E) -> Problem {
        let message = error.to_string();
        let status = status(error.code(), error.exit());
        // "wait 17 s" is in the words of the throttle alone.
        let retry_after = (status == 429)
            .then(|| message.split(' ').find_map(|word| word.parse().ok()))
            .flatten();
        Problem {
            status,
            code: error.code().to_owned(),
            message,
            hint: error.hint(),
            field: None,
            retry_after,
            allow: None,
        }
    }
}

/// What an error's code is in HTTP.
fn status(code: &str, exit: Exit) -> u16 {
    match code {
        "wrong-password" | "wrong-code" | "setup-needed" => 401,
        "image-too-large" => 413,
        "upload-broke-off" => 400,
        "empty-password"
        | "long-password"
        | "token-name"
        | "setting"
        | "settings-file"
        | "not-confirmed"
        | "ssh-key"
        | "no-release"
        | "release-damaged"
        | "release-forged"
        | "release-other-machine" => 422,
        "too-many-tries" => 429,
        "card-full" => 507,
        "card-missing" | "card-read-only" | "card-gone" | "rtsp-not-running"
        | "rtsp-no-picture" => 503,
        "no-ticket" => 404,
        code if code.starts_with("no-such-") => 404,
        _ => match exit {
            Exit::Refused => 409,
            Exit::Usage => 400,
            _ => 500,
        },
    }
}
