//! An error as an HTTP answer: its status, code, message with all causes, and hint. Nothing is
//! decided here but the status.

use serde::Serialize;

use super::reply::{self, Reply};
use crate::error::{Code, Explain, FailureKind, chain};

/// An error as the API tells it.
#[derive(Debug)]
pub(crate) struct Problem {
    /// The HTTP status.
    pub status: u16,
    /// A stable name.
    pub code: Code,
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

/// The document of a problem.
#[derive(Serialize)]
struct ErrorBody<'a> {
    error: Told<'a>,
}

#[derive(Serialize)]
struct Told<'a> {
    code: Code,
    message: &'a str,
    hint: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
}

impl Problem {
    /// One that is known only here.
    pub fn new(status: u16, code: Code, message: &str, hint: &str) -> Problem {
        Problem {
            status,
            code,
            message: message.to_owned(),
            hint: hint.to_owned(),
            field: None,
            retry_after: None,
            allow: None,
        }
    }

    /// There is nothing.
    pub fn not_found() -> Problem {
        Problem::new(404, Code::NotFound, "This page does not exist.", "The camera's page is at /.")
    }

    /// The JSON of it.
    pub fn document(&self) -> String {
        let Problem { code, message, hint, field, .. } = self;
        let error = Told { code: *code, message, hint, field: field.as_deref() };
        serde_json::to_string(&ErrorBody { error }).unwrap_or_default()
    }

    /// The answer.
    pub fn into_reply(self) -> Reply {
        let answer = reply::bytes(self.status, "application/json", self.document().into_bytes());
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
        Problem {
            status: status(error.kind()),
            code: error.code(),
            message: chain(&error),
            hint: error.hint(),
            field: None,
            retry_after: error.retry_after().map(|wait| wait.as_secs()),
            allow: None,
        }
    }
}

/// What a kind of error is in HTTP.
fn status(kind: FailureKind) -> u16 {
    match kind {
        FailureKind::Failed => 500,
        FailureKind::Usage => 400,
        FailureKind::Invalid => 422,
        FailureKind::Login => 401,
        FailureKind::Missing => 404,
        FailureKind::Refused => 409,
        FailureKind::TooLarge => 413,
        FailureKind::TooMany => 429,
        FailureKind::Full => 507,
        FailureKind::Unavailable => 503,
        FailureKind::Unconfirmed => 504,
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::access::login::LoginError;
    use crate::camera::flashing::FlashingError;
    use crate::card::CardError;

    #[test]
    fn the_page_tells_the_causes_that_the_terminal_tells() {
        let path = std::path::PathBuf::from("/mnt/sdcard/x");
        let source = CardError::new("cannot read", &path, io::Error::other("the medium is worn"));
        let error = FlashingError::Open { path, source };
        assert!(!error.to_string().contains("worn"), "its own words say no cause");
        let told = chain(&error);
        assert!(
            told.ends_with("the medium is worn") && told.matches("worn").count() == 1,
            "{told}"
        );
        assert_eq!(Problem::from(error).message, told);
    }

    #[test]
    fn retry_after_is_what_the_error_says_and_no_number_of_its_words() {
        let problem = Problem::from(LoginError::TooMany { seconds: 17 });
        assert_eq!((problem.status, problem.retry_after), (429, Some(17)));
        assert_eq!(Problem::from(LoginError::TooManyTokens).retry_after, None);
    }
}
