//! JSON in and out, one way for all: what comes becomes [`Node`]s as TOML does, and types read
//! themselves from these ([`Read`]); what goes is written by one serializer. A (de)serializer of
//! serde for each type would weigh some 40 KB more. Pure, bounded in depth.

mod reader;

use serde::Serialize;
use serde_json::{Map, Number, Value};

use super::toml::{At, Fault, Kind, Node, Read};

/// What is wrong with a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// It is no JSON.
    Form(Fault),
    /// It is, and not what is expected.
    Meaning(Fault),
}

impl Wrong {
    /// What, and where; no value is quoted.
    pub fn fault(&self) -> &Fault {
        match self {
            Wrong::Form(fault) | Wrong::Meaning(fault) => fault,
        }
    }
}

impl std::fmt::Display for Wrong {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.fault().fmt(f)
    }
}

impl std::error::Error for Wrong {}

/// Reads a whole text.
///
/// # Errors
/// The first fault, with its line.
pub fn from_slice<T: Read>(text: &[u8]) -> Result<T, Wrong> {
    let node = parse(text).map_err(Wrong::Form)?;
    T::read(node).map_err(|fault| Wrong::Meaning(on_line(fault, text)))
}

/// A whole text as nodes.
///
/// # Errors
/// Where it is no JSON, with its line.
pub fn parse(text: &[u8]) -> Result<Node, Fault> {
    let whole = || {
        let text = std::str::from_utf8(text)
            .map_err(|e| Fault::new(e.valid_up_to(), "this is no UTF-8"))?;
        reader::whole(text)
    };
    whole().map_err(|fault| on_line(fault, text))
}

fn on_line(fault: Fault, text: &[u8]) -> Fault {
    Fault { line: super::toml::line_at(text, fault.at), ..fault }
}

/// Anything, as it is.
impl Read for Value {
    fn read(node: Node) -> Result<Value, Fault> {
        let at = node.at();
        Ok(match node.into_inner() {
            Kind::Bool(b) => b.into(),
            Kind::Integer(n) => n.into(),
            Kind::Text(text) => text.into(),
            Kind::List(nodes) => {
                Value::Array(nodes.into_iter().map(Value::read).collect::<Result<_, _>>()?)
            }
            Kind::Table(pairs) => {
                let mut map = Map::new();
                for (name, node) in pairs {
                    map.insert(name.into_inner(), Value::read(node)?);
                }
                Value::Object(map)
            }
            Kind::Number(text) => {
                let whole = text.parse::<u64>().ok().map(Number::from);
                let number = whole.or_else(|| text.parse().ok().and_then(Number::from_f64));
                number.ok_or_else(|| Fault::new(at, "this number is too large"))?.into()
            }
            Kind::Null | Kind::Other => Value::Null,
        })
    }
}

/// The fields of an object, as they are.
impl Read for Map<String, Value> {
    fn read(node: Node) -> Result<Map<String, Value>, Fault> {
        let at = node.at();
        match Value::read(node)? {
            Value::Object(map) => Ok(map),
            _ => Err(Fault::new(at, "expected an object")),
        }
    }
}

/// From a value that is there already.
impl From<&Value> for Node {
    fn from(value: &Value) -> Node {
        Node::new(
            0,
            match value {
                Value::Null => Kind::Null,
                Value::Bool(b) => Kind::Bool(*b),
                Value::Number(n) => {
                    n.as_i64().map_or_else(|| Kind::Number(n.to_string()), Kind::Integer)
                }
                Value::String(text) => Kind::Text(text.clone()),
                Value::Array(items) => Kind::List(items.iter().map(Node::from).collect()),
                Value::Object(map) => {
                    let pair = |(name, value)| (At::new(0, String::clone(name)), Node::from(value));
                    Kind::Table(map.iter().map(pair).collect())
                }
            },
        )
    }
}

/// A document as a text, in one line.
pub fn text<T: Serialize>(document: &T) -> String {
    serde_json::to_string(document).unwrap_or_default()
}

/// A document as a value.
pub fn value<T: Serialize>(document: &T) -> Value {
    parse(text(document).as_bytes()).and_then(Value::read).unwrap_or_default()
}

/// A document as a text for eyes: a line for each value.
pub fn pretty<T: Serialize>(document: &T) -> String {
    let (line, mut out, mut depth, mut quoted) = (text(document), String::new(), 0, false);
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        let closes = |c: Option<&char>| matches!(c, Some(']' | '}'));
        match c {
            '"' => quoted = !quoted,
            '\\' if quoted => {
                out.push(c);
                out.extend(chars.next());
                continue;
            }
            ']' | '}' if !quoted => {
                depth -= 1;
                if !out.ends_with(['[', '{']) {
                    indent(&mut out, depth);
                }
            }
            _ => {}
        }
        out.push(c);
        match c {
            '[' | '{' if !quoted => {
                depth += 1;
                if !closes(chars.peek()) {
                    indent(&mut out, depth);
                }
            }
            ',' if !quoted => indent(&mut out, depth),
            ':' if !quoted => out.push(' '),
            _ => {}
        }
    }
    out
}

fn indent(out: &mut String, depth: usize) {
    out.push('\n');
    (0..depth).for_each(|_| out.push_str("  "));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::reader::DEEPEST;
    use super::*;

    fn ours(text: &str) -> Option<Value> {
        parse(text.as_bytes()).and_then(Value::read).ok()
    }

    #[test]
    fn it_reads_what_serde_json_reads() {
        for text in [
            "{}",
            "[]",
            " [ 1 , -2.5e3,\t0 ] ",
            "{\"a\":{\"b\":[null,true,false]}}",
            "1e400",
            "01",
            "-",
            "1.",
            ".5",
            "+1",
            "[1,]",
            "{\"a\":1,}",
            "{a:1}",
            "nul",
            "\"\\ud83d\\ude00\"",
            "\"\\ud83d\"",
            "\"\\ude00\"",
            "\"\\u00e9\\n\\/\"",
            "\"\\x\"",
            "\"a\nb\"",
            "\"",
            "",
            "1 2",
            "18446744073709551615",
            "-9223372036854775808",
            "99999999999999999999",
            "\"\\u12g4\"",
            "\"\\u+123\"",
            "[[]",
            "{\"\":0}",
            "\u{feff}1",
            "\"\\ud83d\\u0041\"",
            "\"\\é\"",
        ] {
            assert_eq!(ours(text), serde_json::from_str(text).ok(), "{text}");
        }
        let deep = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        assert!(ours(&deep(DEEPEST)).is_some());
        assert_eq!(ours(&deep(100_000)), None);
        assert_eq!(ours("{\"a\":1,\"a\":2}"), None);
        parse(b"\xff").unwrap_err();
    }

    proptest! {
        #[test]
        fn it_reads_what_serde_json_writes(
            text in "\\PC*|[\\[\\]{}:,\"0-9eE+. tfn\\\\u-]*",
            list in proptest::collection::vec(any::<i64>(), 0..4),
            float in any::<f64>(),
        ) {
            let read = ours(&text);
            if !text.contains("-0") {
                prop_assert!(read.is_none() || read == serde_json::from_str(&text).ok(), "{}", text);
            }
            let value = serde_json::json!({ &text: [text, list, { "f": float }, {}, []] });
            let line = serde_json::to_string(&value).unwrap();
            prop_assert_eq!(ours(&line), Some(value.clone()));
            prop_assert_eq!(super::value(&value), value.clone());
            prop_assert_eq!(pretty(&value), serde_json::to_string_pretty(&value).unwrap());
        }
    }

    #[test]
    fn what_is_wrong_has_its_line_and_no_value() {
        let list = from_slice::<Vec<String>>(b"[\"a\",\n7]").unwrap_err();
        assert_eq!(list.to_string(), "line 2: expected a text in quotes");
        assert!(matches!(list, Wrong::Meaning(_)));
        assert!(matches!(from_slice::<bool>(b"tru"), Err(Wrong::Form(_))));
    }
}
