//! A finding: one thing that an owner should know about bytes. What is looked
//! for is in [`super::content`] and [`super::inspect()`].

use serde::Serialize;

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Good to know.
    Note,
    /// Something is wrong, or may go wrong.
    Warning,
    /// This must not be flashed.
    Blocker,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How much it matters.
    pub severity: Severity,
    /// A stable name of this kind of finding, in kebab-case.
    pub code: &'static str,
    /// The partition that it is about, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partition: Option<String>,
    /// Where it is, in bytes from the start of what was read.
    pub at: Option<u64>,
    /// What was found, a whole sentence.
    pub reason: String,
    /// What to do about it, a whole sentence; empty where there is nothing to do.
    pub hint: String,
}

impl Finding {
    fn new(severity: Severity, code: &'static str, reason: impl Into<String>) -> Finding {
        Finding {
            severity,
            code,
            partition: None,
            at: None,
            reason: reason.into(),
            hint: String::new(),
        }
    }

    /// Good to know.
    pub fn note(code: &'static str, reason: impl Into<String>) -> Finding {
        Finding::new(Severity::Note, code, reason)
    }

    /// Something is wrong, or may go wrong.
    pub fn warning(code: &'static str, reason: impl Into<String>) -> Finding {
        Finding::new(Severity::Warning, code, reason)
    }

    /// This must not be flashed.
    pub fn blocker(code: &'static str, reason: impl Into<String>) -> Finding {
        Finding::new(Severity::Blocker, code, reason)
    }

    /// With its place, in bytes.
    #[must_use]
    pub fn at(self, offset: u64) -> Finding {
        Finding { at: Some(offset), ..self }
    }

    /// With what to do about it.
    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Finding {
        Finding { hint: hint.into(), ..self }
    }

    /// With the partition that it is about.
    #[must_use]
    pub fn of(self, partition: &str) -> Finding {
        Finding { partition: Some(partition.to_owned()), ..self }
    }

    /// With its place counted from `start` bytes before.
    #[must_use]
    pub fn moved(self, start: u64) -> Finding {
        Finding { at: self.at.map(|at| at.saturating_add(start)), ..self }
    }
}
