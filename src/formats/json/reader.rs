//! The reading itself: a text's bytes become nodes, each with its place. Pure, bounded in depth.

use crate::formats::toml::{At, Fault, Kind, Node};

/// Lists and objects inside each other.
pub(super) const DEEPEST: usize = 100;

/// A whole text: one value, and blanks around it.
pub(super) fn whole(text: &str) -> Result<Node, Fault> {
    let mut reader = Reader { text, at: 0 };
    let node = reader.node(0)?;
    reader.skip_space();
    if reader.at < text.len() { Err(reader.expected("the end of the text")) } else { Ok(node) }
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
