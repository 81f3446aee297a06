//! JSON in and out, one way for all: what comes becomes [`Node`]s as TOML does, and types read
//! themselves from these ([`Read`]); what goes is written by one serializer. A (de)serializer of
//! serde for each type would weigh some 40 KB more. Pure, bounded in depth.

use serde::Serialize;
use serde_json::{Map, Number, Value};

use super::toml::{At, Fault, Kind, Node, Read};

/// Lists and objects inside each other.
const DEEPEST: usize = 100;

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
        let mut reader = Reader { text, at: 0 };
        let node = reader.node(0)?;
        reader.skip_space();
        if reader.at < text.len() {
            return Err(reader.expected("the end of the text"));
        }
        Ok(node)
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
            Kind::Number(text) => match text.parse::<u64>() {
                Ok(n) => n.into(),
                Err(_) => {
                    let number = text.parse().ok().and_then(Number::from_f64);
                    number.ok_or_else(|| Fault::new(at, "this number is too large"))?.into()
                }
            },
            Kind::Null | Kind::Other => Value::Null,
        })
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

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn expected(&self, what: &str) -> Fault {
        Fault::new(self.at, format!("expected {what}"))
    }

    fn node(&mut self, depth: usize) -> Result<Node, Fault> {
        self.skip_space();
        let at = self.at;
        let kind = match self.peek() {
            Some(b'{' | b'[') if depth == DEEPEST => {
                return Err(Fault::new(at, "this is nested too deep"));
            }
            Some(b'{') => self.table(depth)?,
            Some(b'[') => self.list(depth)?,
            Some(b'"') => Kind::Text(self.string()?),
            Some(b'-' | b'0'..=b'9') => self.number()?,
            _ => self.word()?,
        };
        Ok(Node::new(at, kind))
    }

    fn word(&mut self) -> Result<Kind, Fault> {
        for (word, kind) in
            [("null", Kind::Null), ("true", Kind::Bool(true)), ("false", Kind::Bool(false))]
        {
            if self.text.as_bytes()[self.at..].starts_with(word.as_bytes()) {
                self.at += word.len();
                return Ok(kind);
            }
        }
        Err(self.expected("a value"))
    }

    fn list(&mut self, depth: usize) -> Result<Kind, Fault> {
        let mut nodes = Vec::new();
        self.at += 1;
        self.skip_space();
        if self.take(b']') {
            return Ok(Kind::List(nodes));
        }
        loop {
            nodes.push(self.node(depth + 1)?);
            if self.ends(b']')? {
                return Ok(Kind::List(nodes));
            }
        }
    }

    fn table(&mut self, depth: usize) -> Result<Kind, Fault> {
        let mut pairs: Vec<(At<String>, Node)> = Vec::new();
        self.at += 1;
        self.skip_space();
        if self.take(b'}') {
            return Ok(Kind::Table(pairs));
        }
        loop {
            self.skip_space();
            let at = self.at;
            if self.peek() != Some(b'"') {
                return Err(self.expected("a name in quotes"));
            }
            let name = self.string()?;
            self.skip_space();
            if !self.take(b':') {
                return Err(self.expected("`:`"));
            }
            let node = self.node(depth + 1)?;
            pairs.push((At::new(at, name), node));
            if self.ends(b'}')? {
                break;
            }
        }
        // Sorted by name, and each name once.
        pairs.sort_by(|a, b| a.0.as_ref().cmp(b.0.as_ref()));
        match pairs.windows(2).find(|two| two[0].0.as_ref() == two[1].0.as_ref()) {
            Some(two) => Err(Fault::new(two[1].0.at(), "duplicate field")),
            None => Ok(Kind::Table(pairs)),
        }
    }

    /// Behind a value of a list or object: whether it ends here.
    fn ends(&mut self, bracket: u8) -> Result<bool, Fault> {
        self.skip_space();
        if self.take(b',') {
            return Ok(false);
        }
        let ends = self.take(bracket);
        if ends { Ok(true) } else { Err(self.expected("`,` or the end of what was opened")) }
    }

    fn string(&mut self) -> Result<String, Fault> {
        self.at += 1;
        let mut out = String::new();
        loop {
            let rest = &self.text[self.at..];
            let plain = rest.find(|c| matches!(c, '"' | '\\' | '\0'..='\x1f'));
            let plain = plain.ok_or_else(|| Fault::new(self.text.len(), "a text has no end"))?;
            out.push_str(&rest[..plain]);
            self.at += plain;
            if self.take(b'"') {
                return Ok(out);
            }
            if !self.take(b'\\') {
                return Err(Fault::new(self.at, "a text holds a control character"));
            }
            out.push(self.escaped()?);
        }
    }

    fn escaped(&mut self) -> Result<char, Fault> {
        let wrong = Fault::new(self.at, "this stands for no character");
        let letter = self.peek();
        self.at += usize::from(letter.is_some_and(|b| b.is_ascii()));
        Ok(match letter {
            Some(c @ (b'"' | b'\\' | b'/')) => char::from(c),
            Some(b'b') => '\x08',
            Some(b'f') => '\x0c',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                let mut code = self.hex().ok_or_else(|| wrong.clone())?;
                if (0xD800..0xDC00).contains(&code) {
                    let low = (self.take(b'\\') && self.take(b'u')).then(|| self.hex()).flatten();
                    let low = low.filter(|low| (0xDC00..0xE000).contains(low));
                    code = 0x1_0000 + ((code - 0xD800) << 10) + low.ok_or_else(|| wrong.clone())?
                        - 0xDC00;
                }
                char::from_u32(code).ok_or(wrong)?
            }
            _ => return Err(wrong),
        })
    }

    fn hex(&mut self) -> Option<u32> {
        let digits = self.text.get(self.at..self.at + 4)?;
        let code = digits.bytes().all(|b| b.is_ascii_hexdigit()).then_some(digits)?;
        self.at += 4;
        u32::from_str_radix(code, 16).ok()
    }

    fn digits(&mut self) -> Result<(), Fault> {
        let from = self.at;
        while self.peek().is_some_and(|b| b.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at > from { Ok(()) } else { Err(self.expected("a digit")) }
    }

    fn number(&mut self) -> Result<Kind, Fault> {
        let from = self.at;
        self.take(b'-');
        if !self.take(b'0') {
            self.digits()?;
        }
        if self.take(b'.') {
            self.digits()?;
        }
        if self.take(b'e') || self.take(b'E') {
            let _ = self.take(b'+') || self.take(b'-');
            self.digits()?;
        }
        let text = &self.text[from..self.at];
        Ok(text.parse().map_or_else(|_| Kind::Number(text.to_owned()), Kind::Integer))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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
