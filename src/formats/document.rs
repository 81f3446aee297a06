//! Documents that others write, TOML and JSON, read into types by serde. Errors are in
//! plain words with their line, and never quote a value: it may be a secret. Pure.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;
use toml::de::DeTable;

use super::tree::Tree;

/// What is wrong with a document, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentError {
    /// Bytes from the document's start.
    pub at: usize,
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong; quotes no value.
    pub message: String,
    /// Whether it is no TOML or JSON at all.
    pub is_form: bool,
}

impl fmt::Display for DocumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.message)
    }
}

impl std::error::Error for DocumentError {}

/// How the two kinds of documents name things.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Words {
    Toml,
    Json,
}

/// Reads a TOML document.
///
/// # Errors
/// The first fault. The parser lets nothing nest deeper than 80 levels.
pub fn from_toml<T: DeserializeOwned>(text: &str) -> Result<T, DocumentError> {
    let parsed = DeTable::parse(text).map_err(|e| {
        let at = e.span().map_or(0, |span| span.start);
        toml_fault(text, at, e.message())
    })?;
    let read = Tree::of(parsed).and_then(T::deserialize);
    read.map_err(|e| toml_fault(text, e.at(), e.message()))
}

fn toml_fault(text: &str, at: usize, message: &str) -> DocumentError {
    let line = line_at(text.as_bytes(), at);
    DocumentError { at, line, message: plain(message, Words::Toml), is_form: false }
}

/// Writes a TOML document.
///
/// # Errors
/// A number is larger than TOML has.
pub fn to_toml<T: Serialize>(document: &T) -> std::io::Result<String> {
    toml::to_string(document).map_err(std::io::Error::other)
}

/// Reads a JSON document.
///
/// # Errors
/// The first fault. serde_json lets nothing nest deeper than 128 levels.
pub fn from_json<T: DeserializeOwned>(text: &[u8]) -> Result<T, DocumentError> {
    serde_json::from_slice(text).map_err(|e| json_fault(text, &e))
}

/// Reads a part of a JSON document.
///
/// # Errors
/// The first fault; its place is not known.
pub fn from_value<T: DeserializeOwned>(value: &serde_json::Value) -> Result<T, DocumentError> {
    T::deserialize(value).map_err(|e| json_fault(&[], &e))
}

/// What serde_json says of a text.
fn json_fault(text: &[u8], error: &serde_json::Error) -> DocumentError {
    let is_form = !error.is_data();
    let line = error.line().max(1);
    let start: usize = text.split_inclusive(|b| *b == b'\n').take(line - 1).map(<[u8]>::len).sum();
    let at = (start + error.column().saturating_sub(1)).min(text.len());
    // It ends with the place, which is shown separately.
    let said = error.to_string();
    let said = said.rsplit_once(" at line ").map_or(said.as_str(), |(said, _)| said);
    DocumentError { at, line, message: plain(said, Words::Json), is_form }
}

/// The line, counted from 1, in which a byte is.
pub fn line_at(text: &[u8], offset: usize) -> usize {
    text[..offset.min(text.len())].split(|b| *b == b'\n').count()
}

/// What serde and the parsers say, without the value that they quote: it is between the kind of
/// the fault and the last `expected`.
fn plain(said: &str, words: Words) -> String {
    let said = said.lines().collect::<Vec<_>>().join(", ");
    let quotes = ["invalid type", "invalid value", "invalid length", "unknown variant"];
    if quotes.iter().any(|kind| said.starts_with(kind)) {
        let wanted = said.rsplit_once("expected ").map_or("something else", |(_, wanted)| wanted);
        return format!("expected {}", expected(wanted, words));
    }
    // Names, which the owner has chosen to write there; or words of ours and of the parsers.
    let safe = ["unknown field", "missing field", "duplicate field", "expected"];
    if safe.iter().any(|kind| said.starts_with(kind)) {
        return said;
    }
    match said.split_once(", expected ") {
        Some((_, wanted)) => format!("expected {wanted}"),
        None if said.contains(['`', '"', '\'']) => "it is not valid".to_owned(),
        None => said,
    }
}

/// What was expected, in an owner's words.
fn expected(wanted: &str, words: Words) -> &str {
    match wanted {
        "a boolean" => "true or false",
        "a string" | "string" if words == Words::Toml => "a text in quotes",
        "a string" | "string" => "a text",
        "a sequence" => "a list in square brackets",
        "u8" => "a number from 0 to 255",
        "u16" => "a number from 0 to 65535",
        "u32" => "a number from 0 to 4294967295",
        "u64" | "usize" => "a number, 0 or more",
        "i64" | "i32" => "a whole number",
        _ if wanted == "a map" || wanted.starts_with("struct ") => match words {
            Words::Toml => "a section",
            Words::Json => "an object",
        },
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;

    #[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
    #[serde(deny_unknown_fields)]
    struct Two {
        first: u32,
        #[serde(default)]
        second: Vec<String>,
        third: Option<Word>,
    }

    #[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
    #[serde(rename_all = "lowercase")]
    enum Word {
        Here,
        There,
        Nowhere,
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line_and_no_value() {
        let two: Two = from_toml("first = 7\nsecond = ['a']").unwrap();
        assert_eq!((two.first, two.second), (7, vec!["a".to_owned()]));
        for (text, said) in [
            ("second = []", "line 1: missing field `first`"),
            ("\nfirst = -1", "line 2: expected a number from 0 to 4294967295"),
            ("first = 1\nsecond = [\n'a',\n2]", "line 4: expected a text in quotes"),
            ("first = 1\nsecond = 'hunter2'", "line 2: expected a list in square brackets"),
            ("first = 1\nthird = 'hunter2'", "line 2: expected one of `here`, `there`, `nowhere`"),
            (
                "first = 1\n[fourth]",
                "line 2: unknown field `fourth`, expected one of `first`, `second`, `third`",
            ),
            ("first = 1.5", "line 1: expected a number from 0 to 4294967295"),
            ("first = 1\nfirst = 2", "line 2: duplicate key"),
        ] {
            assert_eq!(from_toml::<Two>(text).unwrap_err().to_string(), said, "{text}");
        }
        for (text, said, is_form) in [
            ("{\"first\":\n\"hunter2\"}", "line 2: expected a number from 0 to 4294967295", false),
            ("{\"first\":1,\n\"second\":{}}", "line 2: expected a list in square brackets", false),
            ("{\"first\":1,\n\"second\":[1]}", "line 2: expected a text", false),
            ("{\"first\":1} hunter2", "line 1: trailing characters", true),
        ] {
            let fault = from_json::<Two>(text.as_bytes()).unwrap_err();
            assert_eq!((fault.to_string().as_str(), fault.is_form), (said, is_form), "{text}");
        }
    }

    #[test]
    fn no_value_is_ever_quoted_whatever_is_broken_around_it() {
        let value = "hunter2, expected hunter2 `hunter2`";
        let escaped = format!("{value:?}");
        for text in [
            format!("first = {escaped}"),
            format!("first = 1\nsecond = {escaped}"),
            format!("first = 1\nthird = {escaped}"),
            format!("first = 1\nsecond = [{escaped}"),
            format!("first = 1\nsecond = [{escaped}, 1]"),
            "first = hunter2".to_owned(),
            "first = 'hunter2".to_owned(),
            "first = \"hunter2\\q\"".to_owned(),
            "first = \"\"\"hunter2".to_owned(),
            "first = {a = hunter2}".to_owned(),
            "hunter2".to_owned(),
            "first hunter2".to_owned(),
            "first = 'a' hunter2".to_owned(),
        ] {
            let said = format!("{:?}", from_toml::<Two>(&text).unwrap_err());
            assert!(!said.contains("hunter2"), "{text}: {said}");
            let json = text.replace("first =", "{\"first\":").replace(" = ", "\":");
            let said = format!("{:?}", from_json::<Two>(json.as_bytes()).unwrap_err());
            assert!(!said.contains("hunter2"), "{json}: {said}");
        }
    }

    #[test]
    fn arbitrary_text_never_panics() {
        proptest::proptest!(|(text in "\\PC*|[\\[\\]{}=\"'a1\n,.#:-]*")| {
            if let Err(fault) = from_toml::<BTreeMap<String, Two>>(&text) {
                proptest::prop_assert!((1..=text.lines().count() + 1).contains(&fault.line));
            }
            if let Err(fault) = from_json::<Two>(text.as_bytes()) {
                proptest::prop_assert!(fault.line >= 1 && fault.at <= text.len());
            }
        });
    }

    #[test]
    fn any_text_comes_back_as_it_was() {
        proptest::proptest!(|(text in "\\PC*|[\n\r\t\"'\\\\#={}]*")| {
            let two = Two { first: 7, second: vec![text], third: Some(Word::There) };
            proptest::prop_assert_eq!(from_toml(&to_toml(&two).unwrap()), Ok(two));
        });
    }

    #[test]
    fn a_deep_document_is_refused() {
        for n in [100, 100_000] {
            let deep = format!("a = {}{}", "[".repeat(n), "]".repeat(n));
            from_toml::<toml::Table>(&deep).unwrap_err();
            let deep = format!("{}{}", "[".repeat(n + 100), "]".repeat(n + 100));
            from_json::<serde_json::Value>(deep.as_bytes()).unwrap_err();
        }
    }
}
