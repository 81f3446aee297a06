//! Errors in a `hack.toml`, and the checks that all its fields share.

use toml::Spanned;

/// Arguments, settings, FIFOs and the like that one hack may have.
pub(super) const MANY: usize = 64;

pub(super) const HINT: &str =
    "docs/hacks.md lists every field; the hacks that come with mi360d are examples.";

/// What is wrong, and at which byte.
pub(super) struct Wrong {
    pub(super) at: Option<usize>,
    pub(super) message: String,
    pub(super) hint: String,
}

impl Wrong {
    pub(super) fn at(place: &Spanned<impl Sized>, message: impl Into<String>) -> Wrong {
        Wrong { at: Some(place.span().start), message: message.into(), hint: HINT.into() }
    }

    pub(super) fn hint(self, hint: impl Into<String>) -> Wrong {
        Wrong { hint: hint.into(), ..self }
    }
}

pub(super) fn few<T>(
    what: &str,
    found: Vec<(Spanned<String>, T)>,
) -> Result<Vec<(Spanned<String>, T)>, Wrong> {
    match found.get(MANY) {
        Some((name, _)) => Err(Wrong::at(name, format!("[{what}] has more than {MANY}"))),
        None => Ok(found),
    }
}

pub(super) fn short(
    what: &str,
    text: Option<Spanned<String>>,
    most: usize,
) -> Result<Option<String>, Wrong> {
    let Some(text) = text else { return Ok(None) };
    let good = (1..=most).contains(&text.as_ref().len())
        && !text.as_ref().chars().any(|c| c.is_control() && c != '\n');
    if good {
        return Ok(Some(text.into_inner()));
    }
    Err(Wrong::at(&text, format!("'{what}' needs a text of 1 to {most} bytes")))
}

pub(super) fn within(
    number: Option<Spanned<i64>>,
    what: &str,
    low: i64,
    high: i64,
    default: u64,
) -> Result<u64, Wrong> {
    let Some(number) = number else { return Ok(default) };
    match u64::try_from(*number.as_ref()) {
        Ok(n) if (low..=high).contains(number.as_ref()) => Ok(n),
        _ => Err(Wrong::at(&number, format!("'{what}' needs a number from {low} to {high}"))),
    }
}
