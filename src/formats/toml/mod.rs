//! TOML read one way for all: a file becomes [`Node`]s, each with its place, and types read
//! themselves from these ([`Read`]). A deserializer of serde for each type would weigh ten times
//! as much. Not here: what the files hold, and changes that keep an owner's comments.

mod read;
mod write;

use std::fmt;
use std::ops::Range;

use toml_edit::{Document, Item, Table, TableLike, Value};

pub use read::{Fields, Read};
pub use write::Writer;

/// Something with its place in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct At<T> {
    at: usize,
    value: T,
}

impl<T> At<T> {
    /// This, found at that byte.
    pub fn new(at: usize, value: T) -> At<T> {
        At { at, value }
    }

    /// Bytes from the file's start.
    pub fn at(&self) -> usize {
        self.at
    }

    /// Itself, without its place.
    pub fn into_inner(self) -> T {
        self.value
    }
}

impl<T> AsRef<T> for At<T> {
    fn as_ref(&self) -> &T {
        &self.value
    }
}

/// A value of a file, and the byte where it begins.
pub type Node = At<Kind>;

/// What a value is.
#[derive(Clone, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// A text.
    Text(String),
    /// Values one after the other, or tables in double brackets.
    List(Vec<Node>),
    /// Names and values, as they stand in the file.
    Table(Vec<(At<String>, Node)>),
    /// Nothing, which only JSON can say.
    Null,
    /// A number that is no [`Kind::Integer`], as JSON has it.
    Number(String),
    /// A date or a fraction: nothing here takes one.
    Other,
}

/// Shows no value: that may be a secret.
impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Bool(_) => "yes or no",
            Kind::Integer(_) | Kind::Number(_) => "number",
            Kind::Text(_) => "text",
            Kind::List(_) => "list",
            Kind::Table(_) => "table",
            Kind::Null => "nothing",
            Kind::Other => "something else",
        })
    }
}

/// What is wrong with a file, and where. Never quotes a value that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Bytes from the file's start.
    pub at: usize,
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong.
    pub message: String,
}

impl Fault {
    /// A fault at a byte; its line is found when the reading ends.
    pub fn new(at: usize, message: impl Into<String>) -> Fault {
        Fault { at, line: 0, message: message.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.message)
    }
}

impl std::error::Error for Fault {}

/// Reads a whole file.
///
/// # Errors
/// The first fault, with its line.
pub fn from_str<T: Read>(text: &str) -> Result<T, Fault> {
    parse(text).and_then(T::read).map_err(|fault| on_line(fault, text))
}

/// A whole file as a table.
///
/// # Errors
/// What is no TOML, with its line.
pub fn parse(text: &str) -> Result<Node, Fault> {
    match text.parse::<Document<String>>() {
        Ok(document) => Ok(Node::new(0, kind(document.as_item()))),
        Err(e) => {
            let at = e.span().map_or(0, |span| span.start);
            Err(on_line(Fault::new(at, e.message().lines().collect::<Vec<_>>().join(", ")), text))
        }
    }
}

fn on_line(fault: Fault, text: &str) -> Fault {
    Fault { line: line_at(text.as_bytes(), fault.at), ..fault }
}

/// The line, counted from 1, in which a byte stands.
pub fn line_at(text: &[u8], offset: usize) -> usize {
    text[..offset.min(text.len())].split(|b| *b == b'\n').count()
}

/// The parser lets no file nest deeper than 80 levels.
fn kind(item: &Item) -> Kind {
    match item {
        Item::Value(value) => of_value(value),
        Item::Table(table) => of_table(table),
        Item::ArrayOfTables(tables) => {
            let one = |table: &Table| Node::new(start(table.span(), 0), of_table(table));
            Kind::List(tables.iter().map(one).collect())
        }
        Item::None => Kind::Other,
    }
}

fn of_value(value: &Value) -> Kind {
    match value {
        Value::Boolean(b) => Kind::Bool(*b.value()),
        Value::Integer(n) => Kind::Integer(*n.value()),
        Value::String(text) => Kind::Text(text.value().clone()),
        Value::Array(items) => {
            let one = |value: &Value| Node::new(start(value.span(), 0), of_value(value));
            Kind::List(items.iter().map(one).collect())
        }
        Value::InlineTable(table) => of_table(table),
        Value::Float(_) | Value::Datetime(_) => Kind::Other,
    }
}

fn of_table(table: &dyn TableLike) -> Kind {
    let pair = |(name, item): (&str, &Item)| {
        let at = start(table.key(name).and_then(toml_edit::Key::span), 0);
        (At::new(at, name.to_owned()), Node::new(start(item.span(), at), kind(item)))
    };
    Kind::Table(table.iter().map(pair).collect())
}

fn start(span: Option<Range<usize>>, otherwise: usize) -> usize {
    span.map_or(otherwise, |span| span.start)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str, path: &[&str]) -> usize {
        let mut node = parse(text).unwrap();
        for name in path {
            let Kind::Table(pairs) = node.into_inner() else { panic!("no table") };
            node = pairs.into_iter().find(|(found, _)| found.as_ref() == name).unwrap().1;
        }
        line_at(text.as_bytes(), node.at())
    }

    #[test]
    fn every_value_has_its_line() {
        let text = "a = 1\n[b]\n\nc = 'x'\n[d.e]\nf = { g = true }\n[[h]]\n[[h]]\ni = [\n 1\n]\n";
        for (path, line) in [
            (&["a"][..], 1),
            (&["b"], 2),
            (&["b", "c"], 4),
            (&["d", "e"], 5),
            (&["d", "e", "f", "g"], 6),
        ] {
            assert_eq!(at(text, path), line, "{path:?}");
        }
    }

    #[test]
    fn arbitrary_text_never_panics() {
        proptest::proptest!(|(text in "\\PC*|[\\[\\]{}=\"'a1\n,.#-]*")| {
            let _ = parse(&text);
        });
    }
}
